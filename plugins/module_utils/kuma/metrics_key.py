# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The API key with which Prometheus reads Uptime Kuma's /metrics, in a file. Python 3.9, standard library.

Prometheus 3 (its library github.com/prometheus/common from v0.69.0 on, cloneRequest in config/http_config.go) keeps
using the first password that a target had, whatever is in `password_file` later, even after a reload. Hence the restart
after a new key.
"""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import Entry
from ansible_collections.crowsnest.core.plugins.module_utils.files import open_directory, write_file
from ansible_collections.crowsnest.core.plugins.module_utils.http import (
    NoAnswerError,
    Prometheus,
    ServiceError,
    fetch,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.client import Kuma, KumaError
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.plan import KEY
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import CHANGE, CREATE, Change

NAME = "crowsnest"  # of the key in Kuma; keys of other names are not touched
MODE = 0o640
RIGHTS, READER = "rights", "new in Prometheus"  # what differs apart from the key itself


def key_change(url: str, wanted: Mapping[str, Any]) -> Change | None:
    """What is wrong with the file, if anything; Kuma itself decides whether the key in it is valid."""
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
    if "401" in _last_scrape(wanted)[1]:
        return Change(CHANGE, KEY, READER)
    return None


def _taken(url: str, key: str) -> bool:
    try:
        return bool(key) and fetch(f"{url}/metrics", 30, NAME, key)[0] == 200
    except NoAnswerError as error:
        raise KumaError(f"Uptime Kuma does not answer at {url}/metrics: {error}") from None


def _last_scrape(wanted: Mapping[str, Any]) -> tuple[str, str]:
    """(health, error) of Prometheus' last scrape of Uptime Kuma; empty if there was none or it does not run."""
    try:
        pool = Prometheus(wanted["reader"]["url"]).get("/api/v1/targets?state=active&scrapePool=uptime_kuma")
        target = pool["activeTargets"][0]
    except (ServiceError, LookupError):
        return "", ""
    return target["health"], target["lastError"]


def _restart(container: str) -> None:
    """Raises KumaError."""
    try:
        run = subprocess.run(["docker", "restart", container], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KumaError(f"{container} cannot be restarted, which its new API key needs: {error}") from None
    if run.returncode != 0:
        raise KumaError(f"{container} cannot be restarted, which its new API key needs: {run.stderr.strip()[-500:]}")


def write_key(kuma: Kuma, change: Change, wanted: Mapping[str, Any]) -> None:
    """A new key in place of those that had its name and a reader that uses it, or only the rights of the file.

    Raises KumaError.
    """
    path = Path(wanted["path"])
    if change.name == READER:
        _restart(wanted["reader"]["container"])
        return
    try:
        if change.name.startswith(RIGHTS):
            _write(path, path.read_text(encoding="ascii"), wanted.get("owner"))
            return
        for key in kuma.api.get_api_keys():
            if key["name"] == NAME:
                kuma.call("deleteAPIKey", key["id"])
        new = kuma.call("addAPIKey", {"name": NAME, "expires": None, "active": 1})["key"]
        _write(path, new, wanted.get("owner"))
        health, error = _last_scrape(wanted)
        if health in ("up", "down") and "unable to read" not in error:  # it has used an older key
            _restart(wanted["reader"]["container"])
    except OSError as error:
        raise KumaError(f"The API key of Uptime Kuma cannot be written to {path}: {error}") from None


def _write(path: Path, text: str, owner: int | None) -> None:
    """Write atomically; never readable by others, not even for a moment."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open_directory(path.parent.resolve()) as folder:
        write_file(new.name, folder, Entry(MODE, owner, owner, text.encode("ascii")))
    new.replace(path)
