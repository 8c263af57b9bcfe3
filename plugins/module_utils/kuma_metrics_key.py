# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The API key with which Prometheus reads Uptime Kuma's /metrics, in a file. Python 3.9, standard library."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.config_files import open_directory, write_file
from ansible_collections.crowsnest.core.plugins.module_utils.config_release import Entry
from ansible_collections.crowsnest.core.plugins.module_utils.kuma_client import Kuma, KumaError
from ansible_collections.crowsnest.core.plugins.module_utils.kuma_diff import CHANGE, CREATE, KEY, Change
from ansible_collections.crowsnest.core.plugins.module_utils.verify_client import NoAnswerError, fetch

NAME = "crowsnest"  # of the key in Kuma; keys of other names are not touched
MODE = 0o640
NEW, RIGHTS = "key", "rights"  # what differs


def key_change(url: str, wanted: Mapping[str, Any]) -> Change | None:
    """What is wrong with the file, if anything; Kuma itself says whether the key in it is good."""
    path = Path(wanted["path"])
    try:
        key, found = path.read_text(encoding="ascii").strip(), path.stat()
    except OSError:
        return Change(CREATE, KEY, f"{NAME} in {path}", fields=())
    except ValueError:
        key, found = "", path.stat()
    if not _taken(url, key):
        return Change(CHANGE, KEY, f"{NAME} in {path}, which Kuma refuses")
    owner = wanted.get("owner", found.st_uid)
    if (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (MODE, owner, wanted.get("owner", found.st_gid)):
        return Change(CHANGE, KEY, f"{RIGHTS} of {path}")
    return None


def _taken(url: str, key: str) -> bool:
    try:
        return bool(key) and fetch(f"{url}/metrics", 30, NAME, key)[0] == 200
    except NoAnswerError as error:
        raise KumaError(f"Uptime Kuma does not answer at {url}/metrics: {error}") from None


def write_key(kuma: Kuma, change: Change, wanted: Mapping[str, Any]) -> None:
    """A new key in place of those that had its name, or only the rights of the file. Raises KumaError."""
    path = Path(wanted["path"])
    try:
        if change.name.startswith(RIGHTS):
            _write(path, path.read_text(encoding="ascii"), wanted.get("owner"))
            return
        for each in kuma.api.get_api_keys():
            if each["name"] == NAME:
                kuma.call("deleteAPIKey", each["id"])
        made = kuma.call("addAPIKey", {"name": NAME, "expires": None, "active": 1})["key"]
        _write(path, made, wanted.get("owner"))
    except OSError as error:
        raise KumaError(f"The API key of Uptime Kuma cannot be written to {path}: {error}") from None


def _write(path: Path, text: str, owner: int | None) -> None:
    """At once or not at all; never readable by others, not even for a moment."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open_directory(path.parent.resolve()) as folder:
        write_file(new.name, folder, Entry(MODE, owner, owner, text.encode("ascii")))
    new.replace(path)
