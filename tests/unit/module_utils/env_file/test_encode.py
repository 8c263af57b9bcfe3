"""Which values are spelled how, and which are refused."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.encode import UnreadableError, encode

SPELLED = {
    "": "",
    "abc": "abc",
    "https://abc123@o1.ingest.us.sentry.io/42": "https://abc123@o1.ingest.us.sentry.io/42",
    "shop@1.2.3+build.5": "shop@1.2.3+build.5",
    "a=b==": "a=b==",
    "a b": "'a b'",
    " a": "' a'",
    "a#b": "'a#b'",
    "a$HOME": "'a$HOME'",
    "a$": "'a$'",
    "a$$b": "'a$$b'",
    "$(id -u)x": None,
    "a$(id -u)": "'a$(id -u)'",
    "a\\nb": "'a\\nb'",
    'a"b': "'a\"b'",
    "it's": '"it\'s"',
    "a `b`": "'a `b`'",
    '{"a": "b"}': '\'{"a": "b"}\'',
    "한글 값": "'한글 값'",
    "a\nb": None,
    "a\rb": None,
    "a\0b": None,
    "a\tb": None,
    "a\x85b": None,
    "a\u2028b": None,
    "\udc80": None,
    "'a'": None,
    '"a"': None,
    "$HOME": None,
    "a${HOME}": None,
    "a\\\\b": None,
    "a b\\": None,
    "it's $1": None,
    'it\'s "b"': None,
    "it's `b`": None,
    "it's \\b": None,
}


@pytest.mark.parametrize("value, spelled", SPELLED.items(), ids=repr)
def test_a_value_has_the_one_spelling_or_none(value: str, spelled: str | None) -> None:
    if spelled is not None:
        assert encode(value) == spelled
        return
    with pytest.raises(UnreadableError) as refused:
        encode(value)
    assert value not in str(refused.value)


@pytest.mark.parametrize("value", ["a$HOME", "a$", "a$$b", "a$(id -u)"])
def test_a_dollar_is_refused_where_it_expands_whatever_the_quotes(value: str) -> None:
    with pytest.raises(UnreadableError, match=r"has \$"):
        encode(value, dollar_expands=True)
