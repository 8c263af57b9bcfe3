# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The one form of each value, whatever way it is declared, stored or sent. Pure. Python 3.9."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any


def text(value: Any) -> str | None:
    """Without blanks around it; an empty one is none."""
    return str(value if value is not None else "").replace("\r\n", "\n").strip() or None


def loose(value: Any) -> Any:
    """The value of a setting: `true`, `5` and "5" are what they say, an address has no slash at its end."""
    if isinstance(value, str):
        plain = value.strip()
        plain = plain.rstrip("/") if "://" in plain else plain  # site-url: src/metabase/system/settings.clj
        if plain.lower() in ("true", "false"):
            return plain.lower() == "true"
        return int(plain) if re.fullmatch(r"-?\d{1,15}", plain) else plain or None
    return value


def form(value: Any) -> str:
    """Stands for a value in the file on the host."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]
