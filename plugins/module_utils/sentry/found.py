# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What there is in an organization of Sentry, as its API returns it. Python 3.9, standard library.

All paths: https://docs.sentry.io/api/. The old API of alerts (`…/rules/`) is being switched off and never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.alerts import DETECTORS
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Client, MissingError, Row, SentryError

OUR_KEY = "crowsnest"  # name of a client key, where a project has none that is active
PAGE = {"per_page": 100}


class Organization:
    """What was read so far. Projects, keys and detectors are kept by the slug of their project."""

    def __init__(self, client: Client, slug: str) -> None:
        self.client, self.slug = client, slug
        self.path = f"/api/0/organizations/{slug}"
        self.teams: dict[str, Row] = {}
        self.projects: dict[str, Row] = {}
        self.keys: dict[str, Row] = {}
        self.detectors: dict[str, dict[str, str]] = {}
        self.workflows: Sequence[Row] = ()
        self.monitors: dict[str, Row] = {}  # by their own slug
        self.has_alerts = True  # an old Sentry has no API for them

    def read(self, projects: Iterable[str]) -> None:
        """Everything about these projects. Raises SentryError."""
        if self._unless_missing(f"{self.path}/", "org:read") is None:
            raise SentryError(
                f"There is no organization {self.slug} at {self.client.url} that this token can see. Its slug stands "
                "in the address of Sentry's pages; of an organization in the EU the URL is https://de.sentry.io. "
                "Nothing was changed."
            )
        teams = self.client.rows(f"{self.path}/teams/", "org:read", detailed=0, **PAGE)
        self.teams = {row["slug"]: row for row in teams}
        try:
            self.workflows = self.client.rows(f"{self.path}/workflows/", "alerts:read", **PAGE)
        except MissingError:
            self.has_alerts = False
        for slug in projects:
            self.read_project(slug)

    def read_project(self, slug: str) -> None:
        """A project with its key and detectors, if there is one. Raises SentryError."""
        project = self._unless_missing(f"{self.project_path(slug)}/", "project:read")
        if project:
            self.projects[slug] = project
            self.read_key(slug)
            self.read_detectors(slug)

    def read_key(self, slug: str) -> None:
        """The active key named crowsnest, else the oldest active one. Raises SentryError."""
        rows = self.client.rows(f"{self.project_path(slug)}/keys/", "project:read", status="active")
        ours = [row for row in rows if row["name"] == OUR_KEY]
        self.refuse_two(f"client keys named {OUR_KEY} of project {slug}", ours)
        for row in ours or sorted(rows, key=lambda row: (row.get("dateCreated") or "", row["id"]))[:1]:
            self.keys[slug] = row

    def read_detectors(self, slug: str) -> None:
        """Sources of alerts: {id: type}. Raises SentryError."""
        if self.has_alerts:
            number = self.projects[slug]["id"]
            rows = self.client.rows(f"{self.path}/detectors/", "alerts:read", project=number, **PAGE)
            self.detectors[slug] = {str(row["id"]): row["type"] for row in rows if row["type"] in DETECTORS}

    def read_monitors(self, slug: str) -> None:
        """Cron monitors of a project. Raises SentryError."""
        rows = self.client.rows(f"{self.path}/monitors/", "alerts:read", project=self.projects[slug]["id"], **PAGE)
        self.monitors.update({row["slug"]: row for row in rows})

    def environments(self) -> set[str]:
        """Names of environments from which an event came. Raises SentryError."""
        rows = self.client.rows(f"{self.path}/environments/", "org:read", visibility="all")
        return {row["name"] for row in rows}

    def slack_workspaces(self) -> list[Row]:
        """Integrations of Slack that work. Raises SentryError."""
        rows = self.client.rows(f"{self.path}/integrations/", "org:read", providerKey="slack")
        return [row for row in rows if row.get("organizationIntegrationStatus") == "active"]

    def project_path(self, slug: str) -> str:
        """Of the API."""
        return f"/api/0/projects/{self.slug}/{slug}"

    def refuse_two(self, what: str, rows: Sequence[Row]) -> None:
        """Raises SentryError for several objects where only one can be meant."""
        if len(rows) > 1:
            listed = ", ".join(f"{row['name']} (id {row['id']})" for row in rows)
            raise SentryError(
                f"There are several {what}: {listed}. It is not clear which one is meant; leave one of them. "
                + self.client.after()
            )

    def _unless_missing(self, path: str, scope: str) -> Any:
        """What stands there, None if nothing does. Raises SentryError."""
        try:
            return self.client.get(path, scope)
        except MissingError:
            return None
