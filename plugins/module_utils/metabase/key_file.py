# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What this module keeps on the host: the API key and what Metabase never gives back. Python 3.9, standard library.

File, JSON, 0600: {"key": "mb_…", "salt": …, "password": digest, "databases": {name: digest}, "settings": {key: digest},
"objects": {"collection:<key>": entity_id of Metabase}, "forms": {"question:<key>": {field: [digest, digest]}},
"missing": {database: [columns that filters name and it does not have]}, "failing": [keys of questions whose SQL fails],
"email": of the first account}. A digest is the SHA-256, in hex, of the salt and the value.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import MetabaseError

_TABLES = ("databases", "settings", "objects", "forms", "missing")


class KeyFile:
    """The file, read once and written at once whenever something in it is new."""

    def __init__(self, path: str, keep: bool) -> None:
        """`keep` is false in check mode: then nothing is written. Raises MetabaseError."""
        self.path, self.keep = Path(path), keep
        self.content: dict[str, Any] = self._read()
        for name in _TABLES:
            if not isinstance(self.content.get(name), dict):
                self.content[name] = {}
        if not isinstance(self.content.get("failing"), list):
            self.content["failing"] = []
        if not isinstance(self.content.get("salt"), str):
            self.content = {**self.content, "salt": secrets.token_hex(16), "password": "", "databases": {}}

    def _read(self) -> dict[str, Any]:
        """A file that is missing or broken is an empty one: all in it can be made again."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        except OSError as error:
            raise MetabaseError(f"The file with Metabase's API key cannot be read: {error}") from None
        return found if isinstance(found, dict) else {}

    @property
    def key(self) -> str:
        """The API key, or nothing."""
        key = self.content.get("key")
        return key if isinstance(key, str) and key.isascii() and key.isprintable() else ""

    def digest(self, value: Any) -> str:
        """Of a secret: tells whether it changed, and no more."""
        return hashlib.sha256(f"{self.content['salt']}{value}".encode()).hexdigest()

    def is_open(self) -> bool:
        """Whether others can read the file."""
        try:
            return bool(stat.S_IMODE(self.path.stat().st_mode) & 0o077)
        except OSError:
            return False

    def set(self, **values: Any) -> None:
        """Keeps values, at once."""
        self.content.update(values)
        self.save()

    def note(self, table: str, name: str, value: Any) -> None:
        """Keeps one value of a table, at once; null takes it out."""
        if value is None:
            self.content[table].pop(name, None)
        else:
            self.content[table][name] = value
        self.save()

    def save(self) -> None:
        """At once or not at all; never readable by others, not even for a moment. Raises MetabaseError."""
        if not self.keep:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=str(self.path.parent))  # 0600
            try:
                with os.fdopen(number, "w", encoding="utf-8") as file:
                    json.dump(self.content, file, indent=1, sort_keys=True)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink()
                raise
        except OSError as error:
            raise MetabaseError(f"The file with Metabase's API key cannot be written: {error}") from None
