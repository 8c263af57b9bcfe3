# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the page that an app serves reports to Google Analytics as declared. Python 3.9, standard library.

The file on the host is no proof: apps keep templates in memory, and an image holds files of its own.
"""

from __future__ import annotations

import re
import ssl
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.content_security_policy import missing_sources
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.page import Script, read_page
from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError, answered
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import FAIL, PASS, WARN, Check
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Analytics, PageHeaders

AREA = "analytics"
LARGEST_PAGE = 5_000_000  # bytes; a head is at the beginning
# Google's own calls, in any quotes: a minifier may have changed them.
_CONFIG = re.compile(r"""\bgtag\(\s*['"`]config['"`]\s*,\s*['"`]([\w-]+)""")
_DEFAULT, _UPDATE = (
    re.compile(rf"""\bgtag\(\s*['"`]consent['"`]\s*,\s*['"`]{word}['"`]""") for word in ("default", "update")
)
_LOADED = re.compile(r"googletagmanager\.com/gtag/js\?(?:[^\"'\s]*&)?id=([\w-]+)")
_CONTAINER = re.compile(r"googletagmanager\.com/gtm\.js|\bGTM-[A-Z0-9]{4,}")


class ServedPage(NamedTuple):
    """A page as a browser gets it, with the content security policies of its header."""

    status: int
    text: str
    policies: Sequence[str]


class _KeptSecrets(urllib.request.HTTPRedirectHandler):
    """urllib would send headers on to wherever it is redirected."""

    def redirect_request(self, req: urllib.request.Request, *about: Any) -> urllib.request.Request | None:
        """The next request, which has the headers only if it is for the same server."""
        following = super().redirect_request(req, *about)
        if following and (following.type, following.host) != (req.type, req.host):
            following.headers.clear()
        return following


def fetch_page(url: str, headers: Mapping[str, str], verify_tls: bool = True, timeout_seconds: float = 5) -> ServedPage:
    """The page behind all redirects, as a visitor gets it. Raises NoAnswerError."""
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - the model allows http(s) only
    try:
        with answered(_opener(verify_tls).open, request, timeout_seconds) as answer:
            policies = answer.headers.get_all("Content-Security-Policy", [])
            charset = answer.headers.get_content_charset("utf-8")
            return ServedPage(answer.status, answer.read(LARGEST_PAGE).decode(charset, errors="replace"), policies)
    except (OSError, HTTPException, LookupError) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from None


def _opener(verify_tls: bool) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context()
    if not verify_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    https = urllib.request.HTTPSHandler(context=context)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), https, _KeptSecrets())


def page_checks(wanted: Sequence[Analytics], headers: PageHeaders) -> list[Check]:
    """Lines on the pages of all these apps."""
    return [check for each in wanted for check in analytics_checks(each, _served(each, headers.get(each["app"], {})))]


def _served(wanted: Analytics, headers: Mapping[str, str]) -> ServedPage | NoAnswerError:
    try:
        return fetch_page(wanted["url"], headers, wanted["verify_tls"])
    except NoAnswerError as error:
        return error


def analytics_checks(wanted: Analytics, page: ServedPage | NoAnswerError) -> list[Check]:
    """One line if all is as declared, else one for each thing that is not."""
    if isinstance(page, NoAnswerError) or not _is_of_visitors(wanted, page):
        why = f"does not answer: {page}" if isinstance(page, NoAnswerError) else f"answers with status {page.status}"
        return [_check(WARN, wanted, f"{why}, so what it reports is unchecked", "Verify again when the app answers.")]
    found = read_page(page.text)
    tags = [script for script in found.scripts if script.is_google_tag]
    inline = "\n".join(script.text for script in found.scripts)
    if wanted["measurement_id"] not in _CONFIG.findall(inline):
        return [_missing(wanted, page.text)]
    checks = [*_doubled(wanted, tags, inline), *_consent(wanted, inline)]
    checks += _blocked(wanted, tags, [*page.policies, *found.policies])
    return checks or [_check(PASS, wanted, f"reports to {wanted['measurement_id']}")]


def _is_of_visitors(wanted: Analytics, page: ServedPage) -> bool:
    """Whether it is a page on which visits count: an answer that is healthy without a login, such as 401, is none."""
    healthy = page.status in wanted["accepted"] and wanted["measurement_id"] in page.text
    return 200 <= page.status <= 299 or healthy


def _check(status: str, wanted: Analytics, detail: str, advice: str = "") -> Check:
    return Check(status, AREA, f"{wanted['app']}: {wanted['url']} {detail}", advice)


def _missing(wanted: Analytics, text: str) -> Check:
    """Scripts of an app may make the tag in the browser, which the page alone does not show."""
    measurement_id = wanted["measurement_id"]
    if wanted["in_templates"]:
        advice = (
            "The templates on the host have the tag, but the app serves others. Restart it, as it keeps templates in "
            "memory; if they are a part of its image, put the tag into the repository and build that again."
        )
        return _check(FAIL, wanted, f"does not report to {measurement_id}", advice)
    if measurement_id in text:
        return _check(PASS, wanted, f"has {measurement_id}, and leaves the rest to scripts of the app")
    advice = (
        "Build or restart the app, so that it reads its env file. If its scripts have the id, look in a browser "
        "whether they send it: requests to google-analytics.com/g/collect."
    )
    return _check(WARN, wanted, f"has no {measurement_id} in its HTML", advice)


def _doubled(wanted: Analytics, tags: Sequence[Script], inline: str) -> Iterator[Check]:
    """Whether views count twice; ids of Google Ads and the like count none."""
    configured = _CONFIG.findall(inline)
    loaded = [each for script in tags for each in _LOADED.findall(script.source + script.text)]
    measurement_id = wanted["measurement_id"]
    others = {each for each in configured if each.startswith("G-")} - {measurement_id}
    if max(configured.count(measurement_id), loaded.count(measurement_id)) > 1:
        advice = "Look for a second tag in other templates and in packages of the app, and remove it."
        yield _check(WARN, wanted, "has the Google tag more than once, so each view counts more than once", advice)
    if others:
        advice = "Remove the other one unless both are wanted."
        yield _check(WARN, wanted, f"reports to {', '.join(sorted(others))} as well", advice)
    if any(_CONTAINER.search(script.source + script.text) for script in tags):
        advice = "If that container has an Analytics tag, each view counts twice: remove one of them."
        yield _check(WARN, wanted, "has a container of Tag Manager as well", advice)


def _consent(wanted: Analytics, inline: str) -> Iterator[Check]:
    default, config = _DEFAULT.search(inline), _CONFIG.search(inline)
    if not default or (config and config.start() < default.start()):
        advice = "Call gtag('consent', 'default', …) before all other calls of gtag."
        yield _check(WARN, wanted, "reports before it has said what visitors consent to", advice)
    elif wanted["consent_by_default"] and not _UPDATE.search(inline):
        advice = (
            "Until it calls gtag('consent', 'update', {analytics_storage: 'granted'}), Analytics shows neither users "
            "nor sessions. If a script of your consent banner does so, set `analytics.consent: denied`; where no "
            "consent is needed, set it to `granted`."
        )
        yield _check(WARN, wanted, "denies consent, and its HTML never grants it", advice)


def _blocked(wanted: Analytics, tags: Sequence[Script], policies: Sequence[str]) -> Iterator[Check]:
    """A header may hold several policies, divided by commas; all of them must agree."""
    single = [policy for header in policies for policy in header.split(",")]
    if missing := dict.fromkeys(source for policy in single for source in missing_sources(policy, tags)):
        advice = f"Add {'; '.join(missing)}."
        yield _check(WARN, wanted, "has a content security policy that blocks its Google tag", advice)
