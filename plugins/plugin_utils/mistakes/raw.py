# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Values of a declaration before the model has checked them; it refuses those of a wrong type itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError


def mapping(value: Any) -> Mapping[str, Any]:
    """The value itself, or an empty mapping when it is not a mapping."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Any]:
    """The value itself, or an empty list when it is not a list."""
    return value if isinstance(value, list) else []


def yes(value: Any) -> bool:
    """Whether the model takes this value, which may be text, as yes."""
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        return False


def nearest(name: Any, known: Sequence[str]) -> str:
    """` Did you mean …?` with the most similar known name and a space in front; empty when none is similar."""
    close = get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f" Did you mean `{close[0]}`?" if close else ""


# --- what a message may show ------------------------------------------------------------------------------------------

HIDDEN = "the given value (not shown: it may hold a secret)"
HIDDEN_KEY = "(a key, not shown: it may be a secret)"
# `://user:password@host`, also encoded, `user:password@host` and `user/password@host`.
_LOGIN = re.compile(r"://.*(?:@|%40)|[^\s/@:]+[:/].*@", re.IGNORECASE | re.DOTALL)
# Tokens and keys: a long word with both letters and digits, or in Base64 with capitals and small letters as well.
_TOKEN = re.compile(
    "(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{12,}"
    "|(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*[0-9])[A-Za-z0-9/+]{24,}"
)
# `password=…`, `"api_key": …`, `secret_key_base=…`.
_ASSIGNED = re.compile(
    r"(?:pass(?:word|wd|phrase)?|pwd|token|secret|key|비밀번호|암호)s?(?:[_-]\w+)?[\"']?\s*(?:[=:]|%3[ad])\s*\S",
    re.IGNORECASE,
)
# A URL may hold a token after its host, as webhooks do. The scheme may be missing: `hooks.slack.com/…`.
_BEHIND_HOST = re.compile(
    r"((?:^|:)//[^/?#\s]*|(?:(?<=:/)|(?<![\w./-]))(?:[\w-]+\.)+[^\W\d_]{2,}(?::[0-9]+)?(?=/))[/?#\s].+", re.DOTALL
)
# Parameters may hold one too.
_PARAMETERS = re.compile(r"(?<=\S)([?#]).+", re.DOTALL)
_LONGEST = 80


def may_be_secret(text: str) -> bool:
    """Whether a text holds a login, a token or a value that it calls a secret, at any place."""
    return any(pattern.search(text) for pattern in (_LOGIN, _TOKEN, _ASSIGNED))


def shown(value: Any) -> str:
    """A refused value as a message shows it: of a URL only the host, no parameters; nothing that may be a secret."""
    if value is None:
        return "an empty value"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if may_be_secret(str(value)):
        return HIDDEN
    text = repr(_PARAMETERS.sub(r"\1…", _BEHIND_HOST.sub(r"\1/…", value)) if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "…'"


def is_name(value: Any) -> bool:
    """Whether a value can be shown as a name: short, of letters, digits and a few marks, and shown as it is."""
    text = str(value)
    return bool(re.fullmatch(r"[\w .:#()-]{1,60}", text)) and shown(text) == repr(text)


def key(name: Any) -> str:
    """A key as part of a path."""
    return str(name) if is_name(name) else HIDDEN_KEY


def names(values: Iterable[Any]) -> list[str]:
    """The values that can be shown as names."""
    return [str(value) for value in values if is_name(value)]


def entry(path: str, index: int, value: Any, *keys: str) -> str:
    """`crowsnest_apps[1] (shop)`: one entry of a list with its name, which is at the first of `keys` that it has."""
    name = next((value[key] for key in keys if key in value), "") if isinstance(value, dict) else ""
    return f"{path}[{index}] ({name})" if is_name(name) else f"{path}[{index}]"
