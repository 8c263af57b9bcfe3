# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The keys of crowsnest in each app's env file. Pure.

One file is one call of the module `env_file`: what a call does not name, it removes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.encode import encode
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.settled import digest
from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import Project, dsn_of, is_made
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import Sentry
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

# Tools that build a frontend give it only variables whose names begin so, and read them only then:
# https://create-react-app.dev/docs/adding-custom-environment-variables/, https://vite.dev/guide/env-and-mode,
# https://nextjs.org/docs/app/guides/environment-variables
BUILT_IN = ("REACT_APP_", "VITE_", "NEXT_PUBLIC_")


def left(
    declared: Declaration, host: str, server: str, facts: HostFacts, made: Mapping[str, Project]
) -> dict[str, Mapping[str, Any]]:
    """{path: options of the module `env_file`} of the files on a host that are not as they should be.

    What is removed comes first: the same file may be declared by another path now, which gets the keys after that.
    `made` is {app: project} of those that `crowsnest_sentry` made. While that of an app is not known, its file stays.
    """
    own = {app.env_file: app for app in declared.apps if app.env_file and (app.host or server) == host}
    found = facts["env_files"]
    wanted = {path: _NONE for path in found if path not in own}
    wanted |= {path: _options(app, declared.environment, facts["releases"], made) for path, app in own.items()}
    unknown = {path for path, app in own.items() if declared.sentry and is_made(app) and app.name not in made}
    return {
        path: options
        for path, options in wanted.items()
        if path not in unknown and _identity(options) != found.get(path, _NOTHING)
    }


def _identity(options: Mapping[str, Any]) -> str:
    keys = {**options["values"], **options["secrets"]}
    return digest({key: f"{key}={encode(value)}" for key, value in keys.items()})


_NOTHING = digest({})
_NONE: Mapping[str, Any] = {
    "values": {},
    "secrets": {},
    "keep": [],
    "rebuild_keys": [],
    "compose": None,
    "recreate": [],
}


def _options(app: App, environment: str, releases: Mapping[str, str], made: Mapping[str, Project]) -> Mapping[str, Any]:
    """Of a file of which nothing is wanted any more, or of which nothing ever was, both mappings are empty."""
    values, secrets = {}, {}
    if app.sentry:
        values = dict(_settings(app.sentry, environment, release(app, releases)))
        secrets = dict(_addresses(app.sentry, dsn_of(app, made)))
    if app.analytics and app.analytics.env:
        values[app.analytics.env] = app.analytics.measurement_id
    restart = app.sentry.restart if app.sentry else []
    return {
        "values": values,
        "secrets": secrets,
        "keep": [app.sentry.names.release] if app.sentry and is_untold(app, releases) else [],
        "rebuild_keys": [key for key in (*values, *secrets) if _is_built_in(key, app.sentry)],
        "compose": app.compose if restart else None,
        "recreate": restart,
    }


def _settings(sentry: Sentry, environment: str, release: str | None) -> Iterator[tuple[str, str]]:
    yield sentry.names.environment, environment
    yield sentry.names.traces_sample_rate, f"{sentry.traces_sample_rate:g}"
    if release:
        yield sentry.names.release, release


def _addresses(sentry: Sentry, dsn: str) -> Iterator[tuple[str, str]]:
    if dsn:
        yield sentry.names.dsn, dsn
    if sentry.frontend_dsn:
        yield sentry.names.frontend_dsn, sentry.frontend_dsn.get_secret_value()


def _is_built_in(key: str, sentry: Sentry | None) -> bool:
    return key.startswith(BUILT_IN) or (sentry is not None and key == sentry.names.frontend_dsn)


def is_untold(app: App, releases: Mapping[str, str]) -> bool:
    """Whether an app's release is to be found on its host, and was not: docker or git may have failed for a moment."""
    return app.sentry is not None and app.sentry.release is not None and not release(app, releases)


def release(app: App, releases: Mapping[str, str]) -> str | None:
    """The release of an app as declared, or as found on its host; None when there is none."""
    wanted = app.sentry.release if app.sentry else None
    return releases.get(app.name) if wanted in ("git", "image") else wanted
