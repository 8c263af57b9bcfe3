# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Teams, projects, client keys and alerts of Sentry: compared, written and read back. Python 3.9, standard library."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import Comparison
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import CREATE, Change, Thing, Things
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.alerts import (
    DETECTORS,
    EMAIL,
    URGENCIES,
    alert_name,
    body,
    found_alert,
    slack,
    wanted_alert,
)
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Client, Row, SentryError
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.found import OUR_KEY, Organization
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.monitors import body as body_of_monitor
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.monitors import found_monitor, wanted_monitor

TEAM, PROJECT, KEY, ALERT, MONITOR = "team", "project", "client key", "alert", "cron monitor"
KINDS = (TEAM, PROJECT, KEY, ALERT, MONITOR)
DETECTOR_SECONDS = 10  # until a new project has its detectors


class Sentry:
    """One run. `notes` are its warnings so far."""

    def __init__(self, client: Client, organization: str, projects: list[Row]) -> None:
        self.client, self.live = client, Organization(client, organization)
        self.declared = {project["name"]: project for project in projects}
        self.slack: dict[str, Row] = {}  # {slug: {"integration", "channel"}} of projects whose alerts go to Slack
        self.notes: list[str] = []

    # --- compare ---

    def plan(self) -> list[Change]:
        """Reads all, and says what to do. Raises SentryError."""
        self.live.read(self.declared)
        wanted: Things = {kind: {} for kind in KINDS}
        for slug, project in self.declared.items():
            wanted[TEAM].setdefault(project["team"], Thing(project["team"], project["team"], {}))
            wanted[PROJECT][slug] = Thing(slug, slug, {})
            wanted[KEY][slug] = Thing(slug, slug, {})
            if slug in self.live.projects and project.get("monitors"):
                self.live.read_monitors(slug)
        wanted[ALERT] = {alert.key: alert for alert in self.wanted_alerts()}
        wanted[MONITOR] = {name: wanted_monitor(monitor) for name, (_, monitor) in self.monitors().items()}
        return Comparison().plan(KINDS, wanted, self.found())

    def monitors(self) -> dict[str, tuple[str, Row]]:
        """{slug of a declared monitor: (slug of its project, the monitor)}."""
        return {
            monitor["slug"]: (slug, monitor)
            for slug, project in self.declared.items()
            for monitor in project.get("monitors") or []
        }

    def wanted_alerts(self) -> Iterator[Thing]:
        """Two of each project. Raises SentryError."""
        if not self.live.has_alerts:
            self.notes.append(
                f"Sentry at {self.client.url} is too old: it has no API for alerts (…/workflows/). Projects and DSNs "
                "are made; set up alerts by hand, or update Sentry"
            )
            return
        self.choose_slack()
        known = (
            self.live.environments() if any(project.get("environment") for project in self.declared.values()) else ()
        )
        for slug, project in self.declared.items():
            environment = project.get("environment") or ""
            if environment and environment not in known:
                self.notes.append(
                    f"project {slug}: no event came from the environment {environment} yet, so its alerts hold for all "
                    "environments. A run after the first event restricts them"
                )
                environment = ""
            to = self.slack.get(slug)
            told = slack(to["integration"], to["channel"]) if to else EMAIL
            for urgency in URGENCIES:
                yield wanted_alert(slug, urgency, environment, told, self.source(slug))

    def choose_slack(self) -> None:
        """Which alerts go to Slack, by which workspace. Raises SentryError."""
        channels = {slug: channel for slug, each in self.declared.items() if (channel := each.get("slack_channel"))}
        workspaces = self.live.slack_workspaces() if channels else []
        self.live.refuse_two("workspaces of Slack", workspaces)
        for slug, channel in channels.items():
            if workspaces:
                self.slack[slug] = {"integration": workspaces[0], "channel": channel}
            else:
                self.notes.append(
                    f"project {slug}: the organization {self.live.slug} has no active integration of Slack (Sentry's "
                    f"free plan cannot have one), so Sentry tells its errors by e-mail and not in {channel}"
                )

    def source(self, slug: str) -> str:
        """The type of detector that alerts of a project are connected to. Raises SentryError."""
        found = self.live.detectors.get(slug, {}).values()
        for kind in DETECTORS:
            if kind in found or slug not in self.live.projects:
                return kind
        raise SentryError(
            f"Project {slug} has no monitor of the type {' or '.join(DETECTORS)} that this token can see, so its "
            f"alerts would never fire. {self.client.after()} Look at {self.client.url}, Monitors."
        )

    def found(self) -> Things:
        """What there is, as it is compared. Raises SentryError. A new project will have a key."""
        found: Things = {kind: {} for kind in KINDS}
        found[TEAM] = {slug: Thing(slug, slug, {}) for slug in self.live.teams}
        monitors = self.monitors()
        found[MONITOR] = {slug: found_monitor(row) for slug, row in self.live.monitors.items() if slug in monitors}
        for slug in self.declared:
            if slug in self.live.projects:
                found[PROJECT][slug] = Thing(slug, slug, {})
            if slug in self.live.keys or slug not in self.live.projects:
                found[KEY][slug] = Thing(slug, slug, {})
            for urgency in URGENCIES:
                name = alert_name(slug, urgency)
                same = [row for row in self.live.workflows if row["name"] == name]
                self.live.refuse_two(f"alerts named {name}", same)
                for row in same:
                    found[ALERT][name] = found_alert(row, self.live.detectors.get(slug, {}))
        return found

    # --- write ---

    def apply(self, changes: list[Change]) -> None:
        """Does all in order. Raises SentryError."""
        write = {
            TEAM: self.write_team,
            PROJECT: self.write_project,
            KEY: self.write_key,
            ALERT: self.write_alert,
            MONITOR: self.write_monitor,
        }
        for change in changes:
            write[change.kind](change)
            self.client.last = str(change)

    def write_team(self, change: Change) -> None:
        """A new team."""
        made = self.client.call("POST", f"{self.live.path}/teams/", {"slug": change.name}, "team:write")
        self.live.teams[change.name] = made

    def write_project(self, change: Change) -> None:
        """A new project without Sentry's own alert, which would say everything twice."""
        slug, project = change.wanted.key, self.declared[change.wanted.key]
        sent = {"name": slug, "slug": slug, "default_rules": False}
        if project.get("platform"):
            sent["platform"] = project["platform"]
        self.client.call("POST", f"/api/0/teams/{self.live.slug}/{project['team']}/projects/", sent, "project:write")
        self.live.read_project(slug)

    def write_key(self, change: Change) -> None:
        """A new key."""
        slug = change.wanted.key
        self.client.call("POST", f"{self.live.project_path(slug)}/keys/", {"name": OUR_KEY}, "project:write")
        self.live.read_key(slug)

    def write_alert(self, change: Change) -> None:
        """An alert that is connected to the source of its project; without one it would never fire."""
        names = {alert_name(slug, urgency): (slug, urgency) for slug in self.declared for urgency in URGENCIES}
        slug, urgency = names[change.name]
        self.wait_for_detectors(slug)
        kind, detectors = self.source(slug), self.live.detectors[slug]
        alert = change.wanted._replace(fields={**change.wanted.fields, "sources": [kind]})
        numbers = [int(number) for number, found in detectors.items() if found == kind]
        sent, path = body(alert, urgency, self.slack.get(slug, {}), numbers), f"{self.live.path}/workflows/"
        if change.verb == CREATE:
            made = self.client.call("POST", path, sent, "alerts:write")
        else:
            made = self.client.call("PUT", f"{path}{change.found.id}/", sent, "alerts:write")
        found = self.client.get(f"{path}{made['id']}/", "alerts:read")
        self.read_back(change, alert.fields, found_alert(found, detectors).fields)

    def write_monitor(self, change: Change) -> None:
        """A cron monitor."""
        slug, monitor = self.monitors()[change.name]
        path, there = f"{self.live.path}/monitors/", self.live.monitors.get(change.name)
        sent = body_of_monitor(monitor, slug, there["status"] if there else "active")
        if there:
            self.client.call("PUT", f"{path}{change.name}/", sent, "alerts:write")
        else:
            self.client.call("POST", path, sent, "alerts:write")
        found = self.client.get(f"{path}{change.name}/", "alerts:read")
        self.live.monitors[change.name] = found
        self.read_back(change, change.wanted.fields, found_monitor(found).fields)

    def wait_for_detectors(self, slug: str) -> None:
        """A new project may get them a moment after it is there."""
        for _ in range(DETECTOR_SECONDS):
            if self.live.detectors[slug]:
                return
            time.sleep(1)
            self.live.read_detectors(slug)

    def read_back(self, change: Change, wanted: Row, found: Row) -> None:
        """Raises SentryError when Sentry accepted a change and did not do it."""
        wrong = [
            f"{name} is {found.get(name)}, not {wanted[name]}" for name in wanted if found.get(name) != wanted[name]
        ]
        if wrong:
            raise SentryError(
                f"Sentry at {self.client.url} agreed to {change}, but then {'; '.join(wrong)}. What was done is kept. "
                "Run it again, and if this stays, look at Sentry's page Alerts."
            )

    # --- report ---

    def warnings(self) -> list[str]:
        """One sentence each."""
        return [*self.notes, *self._teams_without_members(), *self._silent_monitors()]

    def _silent_monitors(self) -> Iterator[str]:
        """Sentry makes a monitor without a seat, and disables it."""
        for name, (slug, _) in self.monitors().items():
            if self.live.monitors.get(name, {}).get("status") == "disabled":
                yield (
                    f"project {slug}: Sentry has disabled the cron monitor {name}, so it tells nothing: the plan has "
                    "no seat left for it (the free one has one), or somebody did. Uptime Kuma watches the same"
                )

    def _teams_without_members(self) -> Iterator[str]:
        """Mail to the members of such a team reaches nobody."""
        for slug, project in self.declared.items():
            teams = self.live.projects.get(slug, {}).get("teams") or [{"slug": project["team"]}]
            names = [team["slug"] for team in teams]
            members = [self.live.teams.get(name, {}).get("memberCount") for name in names]
            if self.live.has_alerts and slug not in self.slack and not any(members):
                yield (
                    f"project {slug}: the team {', '.join(names)} has no members, so Sentry's mails reach nobody. Add "
                    f"people in Sentry at {self.client.url} (Settings, Teams)"
                )

    def projects(self) -> list[dict[str, Any]]:
        """As the module returns them."""
        return [self._returned(slug, project) for slug, project in self.declared.items()]

    def _returned(self, slug: str, project: Row) -> dict[str, Any]:
        number = str(self.live.projects.get(slug, {}).get("id", ""))
        dsn = self.live.keys.get(slug, {}).get("dsn", {}).get("public", "")
        alerts = ("slack" if slug in self.slack else "email") if self.live.has_alerts else "none"
        return {"name": project["name"], "slug": slug, "id": number, "dsn": dsn, "alerts": alerts}
