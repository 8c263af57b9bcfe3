# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: connect, compare, write. Python 3.9, library uptime_kuma_api."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.apply import Apply
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.client import (
    Kuma,
    KumaError,
    NotThereError,
    RefusedError,
    connected,
    providers,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import NOTHING, TAG
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.metrics_key import NAME, key_change, write_key
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import found_things, wanted_things
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.options import mistakes
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.plan import (
    ACCOUNT,
    KEY,
    RESTART,
    copies,
    plan,
    taken,
    too_new,
)
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import texts
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import refuse
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    CHANGE,
    CREATE,
    REMOVE,
    Change,
    Things,
)


class Run:
    """What one run knows. `declared` are the options of the module."""

    def __init__(self, declared: Mapping[str, Any], check_mode: bool) -> None:
        self.declared, self.check_mode, self.url = declared, check_mode, declared["url"].rstrip("/")
        self.kuma: Kuma | None = None
        self.live, self.note = NOTHING, ""
        self.key: Future[Change | None] | None = None
        directory = declared["state_directory"]
        self.restart_mark = Path(directory) / "restart-needed" if directory else None

    def result(self) -> dict[str, Any]:
        """Does or predicts the work. Raises ReconcileError."""
        self.refuse(mistakes(self.declared, providers()))
        wanted = wanted_things(self.declared)
        try:
            before = self.open()
            # Without an account nobody can see the settings; so a prediction says the same as the run after it.
            found = found_things(self.live._replace(settings={}) if before else self.live)
            newer = too_new(wanted, self.live.version) if self.live.version else []
            self.refuse([*taken(wanted, self.live.status_pages), *newer])
            changes = self.changes(wanted, found)
            if not self.check_mode:
                self.carry_out(changes, found)
        finally:
            if self.kuma:
                self.kuma.close()
        return self.report([*before, *changes], copies(wanted, found))

    def refuse(self, found: list[str]) -> None:
        """Raises ReconcileError when there is a mistake."""
        refuse(f"Uptime Kuma at {self.url}", found)

    def open(self) -> list[Change]:
        """Connects, logs in and reads; the account is made when there is none."""
        account = [Change(CREATE, ACCOUNT, self.declared["username"])]
        try:
            self.kuma = connected(self.url, 0 if self.check_mode else self.declared["timeout"])
            needs_setup = self.kuma.needs_setup()
        except NotThereError as error:
            if not self.check_mode:
                raise
            self.note = f"Predicted as for an empty Uptime Kuma: {error}"
            return account
        if needs_setup and self.check_mode:
            return account
        if needs_setup:
            self.kuma.make_account(self.declared["username"], self.declared["password"])
        self.look_at_key()
        self.kuma.log_in(self.declared["username"], self.declared["password"], self.declared["container"])
        self.live = self.kuma.read()
        return account if needs_setup else []

    def look_at_key(self) -> None:
        """While Kuma logs us in and sends its lists, which takes as long: this needs no login."""
        if self.declared["metrics_key"]:
            pool = ThreadPoolExecutor(1)
            self.key = pool.submit(key_change, self.url, self.declared["metrics_key"])
            pool.shutdown(wait=False)

    def changes(self, wanted: Things, found: Things) -> list[Change]:
        """All there is to do, in order."""
        restarts = bool(self.declared["container"]) and self.live.version[:1] != (1,)
        due = restarts and self.restart_mark is not None and self.restart_mark.exists()
        changes = plan(wanted, found, restarts, due)
        key = self.key_change()
        return [*changes, key] if key else changes

    def key_change(self) -> Change | None:
        """What has to be done for the API key for /metrics; nobody can see it before there is a Kuma."""
        wanted = self.declared["metrics_key"]
        if self.key:
            return self.key.result()
        return Change(CREATE, KEY, f"{NAME} in {wanted['path']}") if wanted else None

    def carry_out(self, changes: list[Change], found: Things) -> None:
        """Raises KumaError, which says after what it stopped."""
        kuma = self.kuma
        assert kuma is not None  # noqa: S101 - opened before
        apply = Apply(kuma, self.live, found)
        for change in changes:
            try:
                self.carry_out_one(kuma, apply, change)
            except RefusedError as error:
                raise KumaError(
                    f"Uptime Kuma at {self.url} refuses to {change}: {error}. What was done before stays; correct the "
                    "declaration and run it again."
                ) from None
            except OSError as error:
                raise KumaError(f"{change} of Uptime Kuma at {self.url} cannot be done: {error}") from None
            kuma.last = str(change)

    def carry_out_one(self, kuma: Kuma, apply: Apply, change: Change) -> None:
        """Raises KumaError or OSError."""
        if (change.verb, change.kind) == (CREATE, TAG) and self.declared["container"] and self.restart_mark:
            self.restart_mark.touch()
        if change.kind == RESTART:
            self.restart(kuma)
        elif change.kind == KEY:
            write_key(kuma, change, self.declared["metrics_key"])
        else:
            apply(change)

    def restart(self, kuma: Kuma) -> None:
        """Restarts the container and goes on with a connection of the same login."""
        kuma.close()
        try:
            command = ["docker", "restart", self.declared["container"]]
            run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired as error:
            raise KumaError(f"Uptime Kuma cannot be restarted: {error}") from None
        if run.returncode != 0:
            raise KumaError(f"Uptime Kuma cannot be restarted: {(run.stderr or run.stdout).strip()[-500:]}")
        kuma.reconnect(self.declared["timeout"])
        if self.restart_mark:
            self.restart_mark.unlink(missing_ok=True)

    def report(self, changes: list[Change], warnings: list[str]) -> dict[str, Any]:
        """The module's result."""
        verbs = Counter(change.verb for change in changes)
        return {
            "changed": bool(changes),
            "changes": [str(change) for change in changes],
            "counts": {"created": verbs[CREATE], "changed": verbs[CHANGE], "removed": verbs[REMOVE]},
            "version": self.kuma.shown_version if self.kuma else "",
            "restarted": verbs["restart"] > 0,
            "diff": texts(changes),
            "warnings": warnings,
            **({"msg": self.note} if self.note else {}),
        }


def run(declared: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's result. Raises ReconcileError."""
    return Run(declared, check_mode).result()
