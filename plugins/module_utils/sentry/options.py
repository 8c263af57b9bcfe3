# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Options of the module sentry, and mistakes in them that an argument spec cannot find. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import Options
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.references import (
    Row,
    duplicates,
    missing,
    out_of_range,
    paths,
    unlike,
)

ARGUMENT_SPEC: dict[str, Any] = {
    "url": {"type": "str", "default": "https://sentry.io"},
    "organization": {"type": "str"},
    "token": {"type": "str", "required": True, "no_log": True},
    "timeout": {"type": "int", "default": 30},
    "dsns": {"type": "bool", "default": False},
    "projects": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "platform": {"type": "str"},
            "team": {"type": "str", "required": True},
            "environment": {"type": "str"},
            "slack_channel": {"type": "str"},
            "monitors": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "slug": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "crontab": {"type": "str"},
                    "every_minutes": {"type": "int"},
                    "timezone": {"type": "str"},
                    "margin_minutes": {"type": "int", "required": True},
                },
            },
        },
    },
}
# https://docs.sentry.io/api/projects/create-a-new-project/ and …/teams/create-a-new-team/
_SLUG, _SLUG_LIKE = r"(?![0-9]+$)[a-z0-9_-]{1,50}", "small letters, digits, - and _, at most 50, not only digits"


def secrets(options: Options) -> set[str]:
    """What no message may show."""
    return {options["token"]} if options["token"] else set()


def mistakes(options: Options) -> list[str]:
    """All of them, each with its path."""
    return [*_server(options), *missing(ARGUMENT_SPEC, options), *_projects(options["projects"])]


def _server(options: Options) -> Iterator[str]:
    parts = urlsplit(options["url"])
    yield from unlike("organization", options["organization"], r"[a-z0-9_-]+", "the slug of an organization")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        yield "url: is not like https://sentry.io or https://sentry.example.com"
    if options["token"].startswith("sntrys_"):
        yield (
            "token: is an organization token, whose rights are fixed and end at uploads. Make an internal integration "
            "in Sentry (Settings, Custom Integrations) with Organization: Read, Team: Write, Project: Write and "
            "Alerts: Write, and declare its token"
        )
    elif "://" in options["token"]:
        yield "token: is an address, perhaps a DSN, and no token"


def _projects(projects: list[Row]) -> Iterator[str]:
    yield from duplicates("projects", "name", (project.get("name") for project in projects))
    for path, project in paths("projects", projects):
        yield from unlike(f"{path}.name", project["name"], _SLUG, _SLUG_LIKE)
        yield from unlike(f"{path}.team", project["team"], _SLUG, _SLUG_LIKE)
        # https://develop.sentry.dev/sdk/data-model/event-payloads/: environment
        yield from unlike(f"{path}.environment", project.get("environment"), r"(?!None$)[^\s/]{1,64}", "an environment")
        for place, monitor in paths(f"{path}.monitors", project.get("monitors") or []):
            yield from unlike(f"{place}.slug", monitor["slug"], _SLUG, _SLUG_LIKE)
            if bool(monitor.get("crontab")) == bool(monitor.get("every_minutes")):
                yield f"{place}: needs one of crontab and every_minutes"
            yield from out_of_range(place, monitor, {"every_minutes": (1, 40_320), "margin_minutes": (1, 40_320)})
