# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Teams and projects of Bugsink: https://www.bugsink.com/docs/api/. Python 3.9, standard library."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import Comparison
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Change, Thing, Things
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Client, Row

API = "/api/canonical/0"
TEAM, PROJECT = "team", "project"


class Bugsink:
    """A project is known by its team and its name: Bugsink makes slugs itself, and both names are unique."""

    def __init__(self, client: Client, projects: list[Row]) -> None:
        self.client, self.declared = client, projects
        self.teams: dict[str, str] = {}
        self.found: dict[tuple[str, str], Row] = {}
        self.notes: list[str] = []

    def plan(self) -> list[Change]:
        """Reads all, and says what to do."""
        self.read()
        wanted: Things = {TEAM: {}, PROJECT: {}}
        found: Things = {TEAM: {name: Thing(name, name, {}) for name in self.teams}, PROJECT: {}}
        for project in self.declared:
            name, team = project["name"], project["team"]
            wanted[TEAM].setdefault(team, Thing(team, team, {}))
            wanted[PROJECT][name] = Thing(name, name, {TEAM: team})
            if (team, name) in self.found:
                found[PROJECT][name] = wanted[PROJECT][name]
            if project.get("slack_channel"):
                self.notes.append(
                    f"project {name}: this is Bugsink, whose alerts have no API. Declared were messages to "
                    f"{project['slack_channel']}: set them up on its page Alerts"
                )
            if project.get("monitors"):
                self.notes.append(
                    f"project {name}: this is Bugsink, which has no cron monitors and refuses check-ins. Remove "
                    "`check_in`; Uptime Kuma watches the same"
                )
        return Comparison().plan((TEAM, PROJECT), wanted, found)

    def read(self) -> None:
        """Teams and projects as they are now."""
        self.teams = {row["name"]: row["id"] for row in self.client.rows(f"{API}/teams/")}
        names = {number: name for name, number in self.teams.items()}
        rows = self.client.rows(f"{API}/projects/")
        self.found = {(names.get(row["team"], ""), row["name"]): row for row in rows}

    def apply(self, changes: list[Change]) -> None:
        """Makes what is missing, and reads it back. Raises SentryError."""
        for change in changes:
            body = {"name": change.name}
            if change.kind == PROJECT:
                body[TEAM] = self.teams[change.wanted.fields[TEAM]]
            made = self.client.call("POST", f"{API}/{change.kind}s/", body)
            if change.kind == TEAM:
                self.teams[change.name] = made["id"]
            self.client.last = str(change)
        if changes:
            self.read()

    def warnings(self) -> list[str]:
        """One sentence each."""
        return self.notes

    def projects(self) -> list[dict[str, Any]]:
        """As the module returns them."""
        return [self._returned(project) for project in self.declared]

    def _returned(self, project: Row) -> dict[str, Any]:
        row = self.found.get((project["team"], project["name"]), {})
        name, number = project["name"], str(row.get("id", ""))
        return {"name": name, "slug": row.get("slug", name), "id": number, "dsn": row.get("dsn", ""), "alerts": "none"}
