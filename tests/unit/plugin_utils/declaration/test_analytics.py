"""What a team may declare about Google Analytics, and the words of each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import Tag, lines
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.analytics import Analytics

BASE = "/srv/shop/templates/base.html"


def analytics(measurement_id: str = "G-ABCDE12345", **keys: Any) -> dict[str, Any]:
    return {"measurement_id": measurement_id, "templates": [BASE], **keys}


TAKEN: list[dict[str, Any]] = [
    *(analytics(text) for text in ("G-ABC123", "G-ABCDEF123456", "G-1234567890")),
    {"measurement_id": "G-ABCDE12345", "env": "NEXT_PUBLIC_GA_ID"},
    analytics(env="_GA", templates=[BASE, "/srv/shop/가게/in dex.html"]),
    analytics(consent="granted"),
    *(
        analytics(nonce=text)
        for text in ("request.csp_nonce", "csp_nonce", "csp_nonce()", "<%= nonce %>", "<%- a.b() %>")
    ),
]


@pytest.mark.parametrize("declared", TAKEN, ids=str)
def test_a_right_value_is_taken(declared: dict[str, Any]) -> None:
    Analytics.model_validate(declared)


FORM = "G- and 6 to 12 capitals or digits, such as G-ABCDE12345"
WAY_OUT = ". Use the measurement id of the web data stream (Analytics: Admin, Data streams), such as G-ABCDE12345"
PATH = "an absolute path of a file, such as /srv/shop/.env or /srv/shop/templates/base.html"
NONCE = "the expression by which a template gets the nonce, such as request.csp_nonce, csp_nonce() or <%= nonce %>"

# (declared, words of the refusal)
REFUSED: list[tuple[dict[str, Any], str]] = [
    (analytics("UA-1234567-1"), f"is an id of Universal Analytics, which Google has switched off{WAY_OUT}"),
    (analytics("GTM-AB12CD3"), "is a container of Tag Manager. If the page has it, set Analytics up in it"),
    (analytics("gtm-ab12cd3"), "is a container of Tag Manager"),
    (analytics("AW-123456789"), "is an id of Google Ads, which counts no pages"),
    (analytics("DC-1234567"), "is an id of Floodlight, which counts no pages"),
    (analytics("GT-AB12CD3"), "is a Google tag, which can report to several products"),
    (analytics("properties/123456789"), "is the number of an account, a property or a stream"),
    (analytics("123456789"), f"is the number of an account, a property or a stream{WAY_OUT}"),
    *((analytics(text), FORM) for text in ("", "G-", "G-ABC12", "G-ABCDEF1234567", "g-ABCDE12345", "G-abcde12345")),
    *(
        (analytics(text), FORM)
        for text in ("G-ABCDE12345\n", " G-ABCDE12345", "G-ABCDE12345');alert('", "G-가나다라마바")
    ),
    *((analytics(templates=[text]), PATH) for text in ("base.html", "", "/srv/../base.html", "/srv/", "/srv/a\n.html")),
    (analytics(templates=[BASE, BASE]), "List each file in `templates` once"),
    ({"measurement_id": "G-ABCDE12345"}, "Set `templates`, `env` or both"),
    *((analytics(env=text), "String should match pattern") for text in ("", "1A", "A-B", "A B", "A=B")),
    (analytics(consent="maybe"), "Input should be 'denied' or 'granted'"),
    (analytics(nonce="{{ request.csp_nonce }}"), "has braces, which Ansible would take for its own"),
    *((analytics(nonce=text), NONCE) for text in ("", "a b", 'a"', "<% a %>", "a.b(c)", "<%= a %> b", "n0nce-à")),
    ({"measurement_id": "G-ABCDE12345", "env": "GA", "nonce": "csp_nonce"}, "`nonce` needs `templates`"),
    (analytics(template=BASE), "Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("declared", "words"), REFUSED, ids=[str(declared) for declared, _ in REFUSED])
def test_a_wrong_value_is_refused_with_what_is_allowed(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Analytics.model_validate(declared)
    messages = [error["msg"] for error in refusal.value.errors()]
    assert len(messages) == 1
    assert words in messages[0]


def test_consent_is_denied_unless_somebody_chooses() -> None:
    silent, chosen = (Analytics.model_validate(analytics(**keys)) for keys in ({}, {"consent": "denied"}))
    assert (silent.consent, silent.consent_by_default) == ("denied", True)
    assert (chosen.consent, chosen.consent_by_default) == ("denied", False)


def test_the_tag_of_a_declaration_holds_no_braces_but_those_of_its_nonce() -> None:
    """Django, Jinja and Ansible give these a meaning."""
    text = "\n".join(lines(Tag("G-ABCDE12345", "denied", "")))
    assert not any(marks in text for marks in ("{{", "}}", "{%", "{#", "<%"))
