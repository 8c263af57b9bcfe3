# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Values of a declaration before the model has judged them: what is of another kind is the model's to refuse. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The value itself, or nothing when it is no mapping."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Any]:
    """The value itself, or nothing when it is no list."""
    return value if isinstance(value, list) else []


def nearest(word: Any, known: Sequence[str]) -> str:
    """A question whether a similar known word was meant, with a blank before it; or nothing."""
    close = get_close_matches(str(word), known, n=1, cutoff=0.6)
    return f" Did you mean `{close[0]}`?" if close else ""
