# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes between the apps' Sentry projects, accounts and check-ins. Pure.

The raw variables are read, so that references are checked even when single values are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import DsnError, parse
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.check_ins import (
    LONGEST_SLUG,
    backup_slug,
    job_slug,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import entries, entry, mapping, yes

CHECK_IN = "check_in"


def sentry_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One line per mistake in the variables `crowsnest_*`."""
    projects: dict[tuple[str, str], str] = {}
    for index, app in enumerate(mapping(app) for app in entries(variables.get("crowsnest_apps"))):
        path, sentry = entry("crowsnest_apps", index, app, "name"), app.get("sentry")
        if not isinstance(sentry, dict):
            continue
        if not sentry.get("dsn") and not sentry.get("frontend_dsn") and not variables.get("crowsnest_sentry"):
            yield f"{path}.sentry: there is no DSN. Needs `dsn`, or `crowsnest_sentry`, with which one is made."
        for key in ("dsn", "frontend_dsn"):
            other = projects.setdefault(project, path) if (project := _project(sentry.get(key))) else path
            if other != path:
                yield f"{path}.sentry.{key}: it is of the project of {other}. Needs a project of its own."


def check_in_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One line per backup or job that cannot check in."""
    for index, app in enumerate(mapping(app) for app in entries(variables.get("crowsnest_apps"))):
        path, sentry = entry("crowsnest_apps", index, app, "name"), app.get("sentry")
        jobs = [mapping(job) for job in entries(app.get("jobs"))]
        wanted = {f"backup.{CHECK_IN}": backup_slug(str(app.get("name")))} if _checks_in(app.get("backup")) else {}
        for number, job in enumerate(jobs):
            if _checks_in(job):
                wanted[f"jobs[{number}].{CHECK_IN}"] = job_slug(str(app.get("name")), str(job.get("name")))
        for key, slug in wanted.items():
            if not isinstance(sentry, dict) or not (sentry.get("dsn") or variables.get("crowsnest_sentry")):
                yield f"{path}.{key}: the backend has no DSN. Needs `sentry` with `dsn`, or with `crowsnest_sentry`."
            if len(slug) > LONGEST_SLUG:
                yield (
                    f"{path}.{key}: its monitor in Sentry would be {slug}. Needs shorter names, as Sentry takes "
                    f"{LONGEST_SLUG} characters."
                )


def _checks_in(value: Any) -> bool:
    return yes(mapping(value).get(CHECK_IN))


def _project(dsn: Any) -> tuple[str, str] | None:
    try:
        return parse(dsn).project_place if isinstance(dsn, str) else None
    except DsnError:
        return None
