"""The tag in a real browser: what it reports, and whether a content security policy lets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import chromium
import pytest
from certificates import self_signed
from google_analytics import Web, serving
from jinja2 import Environment
from playwright.sync_api import Browser, Error

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.content_security_policy import (
    digest,
    missing_sources,
)
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.page import read_page
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import Tag
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import with_tag

TAG = Tag("G-ABCDE12345", "denied", "request.csp_nonce")
TEMPLATE = (
    "<!doctype html>\n<html>\n<head>\n  <title>가게</title>\n  </head>\n<body>{{ text | safe }}</body>\n</html>\n"
)
WATCH = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serving(self_signed(tmp_path_factory.mktemp("web"))) as web:
        yield web


@pytest.fixture(scope="module")
def browser(web: Web) -> Iterator[Browser]:
    with chromium.running(*web.chromium_flags) as browser:
        yield browser


def rendered(tag: Tag, text: str = "") -> str:
    """The page that Jinja makes of the template with the tag."""
    tagged = with_tag(TEMPLATE.encode(), tag).decode()
    return Environment(autoescape=True).from_string(tagged).render(request={"csp_nonce": "r4nd0m"}, text=text)


class Visit(NamedTuple):
    """What was reported, the directives of its policy that were violated, the commands in the tag's queue."""

    hits: list[dict[str, str]]
    violations: set[str]
    commands: list[str]


def visit(browser: Browser, web: Web, *pages: tuple[str, str]) -> list[Visit]:
    """One visit of each page, which are given with their policies, side by side in frames of one page."""
    web.pages["/"] = ({}, "".join(f"<iframe src='/{number}'></iframe>" for number in range(len(pages))))
    for number, (page, policy) in enumerate(pages):
        web.pages[f"/{number}"] = ({"Content-Security-Policy": policy} if policy else {}, page)
    for _ in range(5):
        if visits := seen(browser, web):
            return visits
    raise TimeoutError(chromium.NETWORK_CHANGED)


def seen(browser: Browser, web: Web) -> list[Visit]:
    """The visits of all frames of the first page; none when a network came or went, which makes Chromium give up."""
    failed: list[str] = []
    web.hits.clear()
    with browser.new_context(ignore_https_errors=True) as context:
        tab = context.new_page()
        tab.on("requestfailed", lambda request: failed.append(request.failure or ""))
        tab.add_init_script(WATCH)
        try:
            tab.goto(web.url, wait_until="networkidle")
        except Error as error:
            failed.append(error.message)
            if chromium.NETWORK_CHANGED not in error.message:
                raise
        if any(chromium.NETWORK_CHANGED in why for why in failed):
            return []
        return [
            Visit(
                [hit for hit in web.hits if hit["dl"] == frame.url],
                set(frame.evaluate("violations")),
                frame.evaluate("(window.dataLayer || []).map((entry) => entry[0])"),
            )
            for frame in tab.frames[1:]
        ]


STRICT = (
    "default-src 'none'; base-uri 'none'; script-src 'nonce-r4nd0m' https://*.googletagmanager.com; "
    "img-src https://*.google-analytics.com https://*.googletagmanager.com; connect-src https://*.google-analytics.com "
    "https://*.analytics.google.com https://*.googletagmanager.com"
)
GRANT = "<script nonce='r4nd0m'>gtag('consent', 'update', {analytics_storage: 'granted'})</script>"
# (the declared consent, what the page says afterwards): consent to ads and to Analytics when the page view is reported
CONSENT = {("denied", ""): "G100", ("granted", ""): "G111", ("denied", GRANT): "G101"}


def test_one_visit_is_one_report_with_its_consent_under_a_strict_policy(browser: Browser, web: Web) -> None:
    pages = [(rendered(TAG._replace(consent=consent), banner), STRICT) for consent, banner in CONSENT]
    for visited, (consent, banner) in zip(visit(browser, web, *pages), CONSENT, strict=True):
        (hit,) = visited.hits
        assert (hit["tid"], hit["en"], hit["gcs"]) == ("G-ABCDE12345", "page_view", CONSENT[consent, banner])
        assert visited.violations == set()
        assert visited.commands == ["consent", "js", "config", *(["consent"] if banner else [])]


def test_two_tags_would_be_two_reports(browser: Browser, web: Web) -> None:
    """The reason why a template that has a tag is refused."""
    (visited,) = visit(browser, web, (rendered(TAG, "<script>gtag('config', 'G-ABCDE12345')</script>"), ""))
    assert len(visited.hits) == 2


REPORTING = "connect-src *; img-src *"
HOSTS = "https://*.google-analytics.com https://*.analytics.google.com https://*.googletagmanager.com"
# policy: the directives that it violates with the nonce r4nd0m on both scripts, and without a nonce
POLICIES = {
    "": (set(), set()),
    STRICT: (set(), {"script-src-elem"}),
    f"script-src 'nonce-other'; {REPORTING}": ({"script-src-elem"}, {"script-src-elem"}),
    f"script-src 'unsafe-inline' https://*.googletagmanager.com; {REPORTING}": (set(), set()),
    f"script-src 'unsafe-inline' www.googletagmanager.com; {REPORTING}": (set(), set()),
    f"script-src 'unsafe-inline' *; {REPORTING}": (set(), set()),
    f"script-src 'unsafe-inline' https:; {REPORTING}": (set(), set()),
    f"script-src 'unsafe-inline' 'self'; {REPORTING}": ({"script-src-elem"}, {"script-src-elem"}),
    f"script-src 'nonce-r4nd0m' 'unsafe-inline' https:; {REPORTING}": (set(), {"script-src-elem"}),
    f"script-src 'nonce-r4nd0m' 'strict-dynamic' https:; {REPORTING}": (set(), {"script-src-elem"}),
    f"script-src 'self'; script-src-elem 'unsafe-inline' https:; {REPORTING}": (set(), set()),
    f"script-src 'unsafe-inline' https:; script-src 'none'; {REPORTING}": (set(), set()),
    "default-src 'unsafe-inline' https:": (set(), set()),
    "default-src 'unsafe-inline' https:; connect-src 'self'": ({"connect-src"}, {"connect-src"}),
    "connect-src https://www.google-analytics.com": ({"connect-src"}, {"connect-src"}),
    f"Connect-Src {HOSTS.upper()}": (set(), set()),
}


def test_what_a_policy_is_said_to_lack_is_what_the_browser_blocks(browser: Browser, web: Web) -> None:
    cases = [(policy, nonce) for policy in POLICIES for nonce in (True, False)]
    pages = [(rendered(TAG if nonce else TAG._replace(nonce="")), policy) for policy, nonce in cases]
    for visited, (page, policy), (_, nonce) in zip(visit(browser, web, *pages), pages, cases, strict=True):
        blocked = POLICIES[policy][0 if nonce else 1]
        assert visited.violations == blocked, policy
        assert len(visited.hits) == (0 if blocked else 1), policy
        missing = {source.rpartition(" to ")[2] for source in missing_sources(policy, read_page(page).scripts)}
        assert missing - {"img-src"} == {name.removesuffix("-elem") for name in blocked}, policy


def test_a_page_without_a_nonce_runs_by_the_hash_that_is_told(browser: Browser, web: Web) -> None:
    pages = []
    for line_end in ("\n", "\r\n"):
        page = rendered(TAG._replace(nonce="")).replace("\n", line_end)
        inline = next(script for script in read_page(page).scripts if not script.source)
        pages.append((page, f"script-src '{digest(inline)}' https://*.googletagmanager.com"))
    for visited, (page, policy) in zip(visit(browser, web, *pages), pages, strict=True):
        assert (len(visited.hits), visited.violations) == (1, set())
        assert missing_sources(policy, read_page(page).scripts) == []
    page, policy = pages[0]
    dynamic = f"{policy} 'strict-dynamic'"
    (visited,) = visit(browser, web, (page, dynamic))
    assert (len(visited.hits), visited.violations) == (0, {"script-src-elem"})
    (missing,) = missing_sources(dynamic, read_page(page).scripts)
    assert missing == "'nonce-…' (new for each answer; and set `analytics.nonce`) to script-src"
