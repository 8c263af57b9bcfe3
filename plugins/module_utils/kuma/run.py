# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: connect, compare, write. Python 3.9, library uptime_kuma_api."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.apply import Apply
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.check import mistakes
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.client import (
    Kuma,
    KumaError,
    NotThereError,
    RefusedError,
    connected,
    providers,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.diff import (
    ACCOUNT,
    CHANGE,
    CREATE,
    KEY,
    REMOVE,
    RESTART,
    Change,
    copies,
    plan,
    taken,
    texts,
    too_new,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import MONITOR
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.found import found_things
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.metrics_key import NAME, key_change, write_key
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import (
    NOTHING,
    TAG,
    Things,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.wanted import wanted_things

Given = Mapping[str, Any]
# Of a notification, and not its key. The others, such as a host name, would black out ordinary words of a message.
_SECRET_OPTION = re.compile("url|hook|token|pass|secret|auth|.key", re.IGNORECASE)


def secrets(given: Given) -> set[str]:
    """What no message shows: the password, secret options of notifications, secret fields of monitors."""
    values = [given["password"]]
    for each in given["notifications"] or []:
        values += [value for name, value in each.items() if _SECRET_OPTION.search(name)]
    for each in given["monitors"] or []:
        values += [value for name, value in each.items() if name in MONITOR and MONITOR[name].secret]
    return {text for value in values for text in _texts(value) if len(text) > 5}


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _refuse(url: str, found: list[str]) -> None:
    if found:
        count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise KumaError(f"Uptime Kuma at {url}: nothing was changed, {count}: " + "; ".join(found))


class Run:
    """What one run knows."""

    def __init__(self, given: Given, check_mode: bool) -> None:
        self.given, self.check_mode, self.url = given, check_mode, given["url"].rstrip("/")
        self.kuma: Kuma | None = None
        self.live, self.note = NOTHING, ""
        mark = given["state_directory"]
        self.restart_mark = Path(mark) / "restart-needed" if mark else None

    def result(self) -> dict[str, Any]:
        """Does or predicts the work. Raises KumaError."""
        _refuse(self.url, mistakes(self.given, providers()))
        wanted = wanted_things(self.given)
        try:
            before = self.open()
            # Without an account nobody can see the settings; so a prediction says the same as the run after it.
            found = found_things(self.live._replace(settings={}) if before else self.live)
            _refuse(
                self.url,
                [
                    *taken(wanted, self.live.status_pages),
                    *(too_new(wanted, self.live.version) if self.live.version else []),
                ],
            )
            changes = self.changes(wanted, found)
            if not self.check_mode:
                self.carry_out(changes, found)
        finally:
            if self.kuma:
                self.kuma.close()
        return self.report([*before, *changes], copies(wanted, found))

    def open(self) -> list[Change]:
        """Connects, logs in and reads; the account is made when there is none."""
        account = [Change(CREATE, ACCOUNT, self.given["username"])]
        try:
            self.kuma = connected(self.url, 0 if self.check_mode else self.given["timeout"])
            needs_setup = self.kuma.needs_setup()
        except NotThereError as error:
            if not self.check_mode:
                raise
            self.note = f"Predicted as for an empty Uptime Kuma: {error}"
            return account
        if needs_setup and self.check_mode:
            return account
        if needs_setup:
            self.kuma.make_account(self.given["username"], self.given["password"])
        self.kuma.log_in(self.given["username"], self.given["password"], self.given["container"])
        self.live = self.kuma.read()
        return account if needs_setup else []

    def changes(self, wanted: Things, found: Things) -> list[Change]:
        """All there is to do, in order."""
        restarts = bool(self.given["container"]) and self.live.version[:1] != (1,)
        due = restarts and self.restart_mark is not None and self.restart_mark.exists()
        changes = plan(wanted, found, restarts, due)
        if self.given["metrics_key"]:
            unseen = self.live is NOTHING
            path = self.given["metrics_key"]["path"]
            key = (
                Change(CREATE, KEY, f"{NAME} in {path}") if unseen else key_change(self.url, self.given["metrics_key"])
            )
            changes += [key] if key else []
        return changes

    def carry_out(self, changes: list[Change], found: Things) -> None:
        """Raises KumaError, which says after what it stopped."""
        kuma = self.kuma
        assert kuma is not None  # noqa: S101 - opened before
        apply = Apply(kuma, self.live, found)
        for each in changes:
            try:
                if (each.verb, each.kind) == (CREATE, TAG) and self.given["container"] and self.restart_mark:
                    self.restart_mark.touch()
                if each.kind == RESTART:
                    self.restart(kuma)
                elif each.kind == KEY:
                    write_key(kuma, each, self.given["metrics_key"])
                else:
                    apply(each)
            except RefusedError as error:
                raise KumaError(
                    f"Uptime Kuma at {self.url} refuses to {each}: {error}. What was done before stays; correct the "
                    "declaration and run it again."
                ) from None
            except OSError as error:
                raise KumaError(f"{each} of Uptime Kuma at {self.url} cannot be done: {error}") from None
            kuma.last = str(each)

    def restart(self, kuma: Kuma) -> None:
        """Restarts the container and goes on with a connection of the same login."""
        kuma.close()
        try:
            command = ["docker", "restart", self.given["container"]]
            run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired as error:
            raise KumaError(f"Uptime Kuma cannot be restarted: {error}") from None
        if run.returncode != 0:
            raise KumaError(f"Uptime Kuma cannot be restarted: {(run.stderr or run.stdout).strip()[-500:]}")
        kuma.reconnect(self.given["timeout"])
        if self.restart_mark:
            self.restart_mark.unlink(missing_ok=True)

    def report(self, changes: list[Change], warnings: list[str]) -> dict[str, Any]:
        """The module's result."""
        verbs = Counter(each.verb for each in changes)
        return {
            "changed": bool(changes),
            "changes": [str(each) for each in changes],
            "counts": {"created": verbs[CREATE], "changed": verbs[CHANGE], "removed": verbs[REMOVE]},
            "version": self.kuma.shown_version if self.kuma else "",
            "restarted": verbs["restart"] > 0,
            "diff": texts(changes),
            "warnings": warnings,
            **({"msg": self.note} if self.note else {}),
        }
