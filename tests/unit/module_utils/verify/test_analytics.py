"""What verify says of the page that an app serves: each way in which it does not report as declared."""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest
from certificates import self_signed
from contexts import context_of
from google_analytics import serving
from programs import answering

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import Tag
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import with_tag
from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.analytics import (
    Analytics,
    ServedPage,
    analytics_checks,
    fetch_page,
    page_checks,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import FAIL, PASS, WARN
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.expectations import expectations, page_headers
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

ID, URL = "G-ABCDE12345", "https://shop.example.com/"
GRANT = "<script>gtag('consent', 'update', {analytics_storage: 'granted'})</script>"
TAG_MANAGER = "<script>j.src='https://www.googletagmanager.com/gtm.js?id='+i</script>"


def wanted(**keys: Any) -> Analytics:
    start: Analytics = {
        "app": "shop",
        "url": URL,
        "measurement_id": ID,
        "in_templates": True,
        "consent_by_default": False,
        "verify_tls": True,
        "accepted": [],
    }
    return {**start, **keys}  # type: ignore[typeddict-item]


def tagged(more: str = "", measurement_id: str = ID) -> str:
    """A page with our tag, and more behind it."""
    return with_tag(b"<head>\n</head>\n", Tag(measurement_id, "denied", "")).decode() + more


def judged(text: str, *policies: str, **keys: Any) -> list[tuple[str, str]]:
    """(status, what is said of the page) for each line; each but PASS has an advice."""
    checks = analytics_checks(wanted(**keys), ServedPage(200, text, policies))
    assert all(check.area == "analytics" and bool(check.advice) is (check.status != PASS) for check in checks)
    return [(check.status, check.detail.removeprefix(f"shop: {URL} ")) for check in checks]


def test_a_page_that_reports_as_declared_passes() -> None:
    assert judged(tagged()) == [(PASS, f"reports to {ID}")]


def test_a_page_that_a_minifier_has_changed_passes() -> None:
    small = " ".join(tagged().replace('"', "'").split()).replace("gtag( ", "gtag(").replace(", ", ",")
    assert judged(small) == [(PASS, f"reports to {ID}")]


COMMENTED = f"<!-- {tagged().replace('<!--', '').replace('-->', '')} -->"


@pytest.mark.parametrize("text", ["", "<head></head>", tagged(measurement_id="G-OTHER12345"), COMMENTED])
def test_a_page_without_our_tag_fails_since_the_file_on_the_host_is_not_what_is_served(text: str) -> None:
    (check,) = analytics_checks(wanted(), ServedPage(200, text, ()))
    assert (check.status, check.detail) == (FAIL, f"shop: {URL} does not report to {ID}")
    assert "Restart it" in check.advice
    assert "image" in check.advice


# (page of an app that makes its tag itself): what is said of it
OWN = {
    tagged(): (PASS, f"reports to {ID}"),
    f'<script>self.env={{"GA_ID":"{ID}"}}</script>': (PASS, f"has {ID}, and leaves the rest to scripts of the app"),
    "<script src='/app.js'></script>": (WARN, f"has no {ID} in its HTML"),
}


@pytest.mark.parametrize("text", OWN, ids=["tag", "id", "nothing"])
def test_an_app_that_makes_the_tag_itself_may_do_so_in_the_browser(text: str) -> None:
    assert judged(text, in_templates=False) == [OWN[text]]


TWICE = (WARN, "has the Google tag more than once, so each view counts more than once")
# what stands in the page as well: what is said of it
DOUBLED = {
    f"<script>gtag('config', '{ID}')</script>": [TWICE],
    f"<script src='https://www.googletagmanager.com/gtag/js?l=layer&amp;id={ID}'></script>": [TWICE],
    "<script>gtag('config','G-OTHER12345')</script>": [(WARN, "reports to G-OTHER12345 as well")],
    "<script>gtag('config', 'AW-123456789')</script>": [(PASS, f"reports to {ID}")],
    "<script src='https://www.googletagmanager.com/gtag/js?id=AW-123456789'></script>": [(PASS, f"reports to {ID}")],
    TAG_MANAGER: [(WARN, "has a container of Tag Manager as well")],
    f"<!-- {TAG_MANAGER} -->": [(PASS, f"reports to {ID}")],
    f"<script>gtag('config', '{ID}')</script>{TAG_MANAGER}": [
        TWICE,
        (WARN, "has a container of Tag Manager as well"),
    ],
}


@pytest.mark.parametrize("more", DOUBLED)
def test_a_second_tag_is_told(more: str) -> None:
    assert judged(tagged(more)) == DOUBLED[more]


def test_consent_that_nobody_chose_is_a_warning_until_the_page_grants_it() -> None:
    assert judged(tagged(), consent_by_default=True) == [(WARN, "denies consent, and its HTML never grants it")]
    assert judged(tagged(GRANT), consent_by_default=True) == [(PASS, f"reports to {ID}")]


@pytest.mark.parametrize("default", ["", "gtag('consent', 'default', {})"])
def test_a_report_before_any_word_of_consent_is_a_warning(default: str) -> None:
    text = f"<script>gtag('config', '{ID}'); {default}</script>"
    expected = [(WARN, "reports before it has said what visitors consent to")]
    assert judged(text, in_templates=False) == expected


def test_a_policy_that_blocks_the_tag_is_told_with_what_to_add() -> None:
    blocked = [(WARN, "has a content security policy that blocks its Google tag")]
    policy = "script-src 'unsafe-inline' https:; connect-src 'self' https://*.googletagmanager.com"
    assert judged(tagged(), policy) == blocked
    assert judged(tagged(), "img-src *", policy) == blocked
    assert judged(tagged(), f"{policy}, img-src *") == blocked
    assert judged(f'<meta http-equiv=content-security-policy content="{policy}">{tagged()}') == blocked
    (check,) = analytics_checks(wanted(), ServedPage(200, tagged(), [policy]))
    assert check.advice == (
        "Add https://*.google-analytics.com to connect-src; https://*.analytics.google.com to connect-src."
    )
    assert judged(tagged(), "img-src *") == [(PASS, f"reports to {ID}")]


def test_a_page_that_does_not_answer_is_unchecked() -> None:
    (refused,) = analytics_checks(wanted(), ServedPage(403, "", ()))
    assert (refused.status, refused.detail) == (
        WARN,
        f"shop: {URL} answers with status 403, so what it reports is unchecked",
    )
    (silent,) = analytics_checks(wanted(), NoAnswerError("timed out"))
    assert (silent.status, silent.detail) == (
        WARN,
        f"shop: {URL} does not answer: timed out, so what it reports is unchecked",
    )


def test_a_page_is_fetched_with_the_policies_of_its_header() -> None:
    with serving() as web:
        web.pages["/"] = ({"Content-Security-Policy": "img-src *"}, "가게")
        web.pages["/old"] = ({"Content-Type": "text/html; charset=latin-1"}, "é")
        assert fetch_page(f"{web.url}/", {}) == ServedPage(200, "가게", ["img-src *"])
        assert fetch_page(f"{web.url}/old", {}).text == "é".encode().decode("latin-1")
        assert fetch_page(f"{web.url}/missing", {}).status == 404


@pytest.mark.parametrize("fixture", ["closed_url", "no_http_url"])
def test_a_page_of_no_web_server_is_no_answer(fixture: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NoAnswerError):
        fetch_page(request.getfixturevalue(fixture), {}, timeout_seconds=1)


def test_a_page_that_hangs_is_no_answer(serve: Any, hold: Any) -> None:
    with pytest.raises(NoAnswerError, match="timed out"):
        fetch_page(serve(hold).url, {}, timeout_seconds=0.2)


class Shop(BaseHTTPRequestHandler):
    """An app with a login and a header: `/` leads to its page, `/away` to another server, which keeps what it gets."""

    other = ""
    given: ClassVar[list[Any]] = []

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.given.append(self.headers)
        known = self.headers.get("Authorization") == LOGIN["Authorization"] and self.headers.get("X-Own") == "hush"
        if self.path in ("/", "/away"):
            self.send_response(302)
            self.send_header("Location", "/page" if self.path == "/" else f"{self.other}/elsewhere")
        else:
            self.send_response(200 if known or self.path == "/elsewhere" else 401)
        self.end_headers()
        self.wfile.write(tagged().encode() if known else b"Who are you?")

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


SHOP = {"username": "kim", "password": "비밀", "headers": {"X-Own": "hush"}, "verify_tls": False}
LOGIN = {"Authorization": f"Basic {b64encode('kim:비밀'.encode()).decode()}", "X-Own": "hush"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[str]:
    """The app with a certificate that nobody trusts."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path))
    with answering(Shop, tls) as port:
        yield f"https://127.0.0.1:{port}"


def declared(url: str, **options: Any) -> Context:
    analytics = {"measurement_id": ID, "templates": ["/srv/shop/base.html"], "consent": "granted"}
    return context_of({"apps": [{"name": "shop", "url": url, "analytics": analytics, **options}]})


def asked(context: Context) -> list[tuple[str, str]]:
    (expected,) = expectations(context, {}, {}, limited=False)["analytics"]
    checks = page_checks([expected], page_headers(context))
    return [(check.status, check.detail.removeprefix(f"shop: {expected['url']} ")) for check in checks]


def test_a_page_is_asked_with_the_login_headers_and_certificate_of_its_app(shop: str) -> None:
    assert asked(declared(f"{shop}/", **SHOP)) == [(PASS, f"reports to {ID}")]


@pytest.mark.parametrize(
    "option, said",
    [
        ({"verify_tls": True}, "does not answer: .*certificate verify failed"),
        ({"username": None, "password": None}, "answers with status 401"),
        ({"headers": {"X-Own": "other"}}, "answers with status 401"),
        ({"headers": {}, "accepted_status": [401]}, "answers with status 401"),
    ],
)
def test_each_option_counts(shop: str, option: dict[str, Any], said: str) -> None:
    ((status, detail),) = asked(declared(f"{shop}/", **{**SHOP, **option}))
    assert status == WARN and re.match(said, detail)


def test_secrets_are_not_sent_on_to_another_server(shop: str) -> None:
    with answering(Shop) as port:
        Shop.other = f"http://127.0.0.1:{port}"
        Shop.given.clear()
        asked(declared(f"{shop}/away", **SHOP))
    (headers,) = Shop.given
    assert [name for name in LOGIN if headers.get(name)] == []


def test_an_answer_that_is_accepted_counts_when_it_has_the_tag() -> None:
    page = ServedPage(503, tagged(), ())
    assert [check.status for check in analytics_checks(wanted(accepted=[503]), page)] == [PASS]
    assert [check.status for check in analytics_checks(wanted(), page)] == [WARN]
