# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes between what is written into the apps' own files: one file, or one key, that is declared twice. Pure.

The raw variables are read, so that references are checked even when single values are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import SentryNames
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import entries, entry, mapping


def app_file_mistakes(variables: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """One line per mistake in `crowsnest_apps`; an app without a host is on the server."""
    server = next(iter(groups.get("server", [])), None)
    places: dict[tuple[Any, Any], str] = {}
    for index, app in enumerate(mapping(app) for app in entries(variables.get("crowsnest_apps"))):
        path, host = entry("crowsnest_apps", index, app, "name"), app.get("host") or server
        for key, file in _files(app):
            other = places.setdefault((host, str(file)), f"{path}.{key}")
            if other != f"{path}.{key}":
                yield f"{path}.{key}: {other} is this file as well. Needs a file of its own."
        yield from _names_twice(path, app)


def _files(app: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The declared files with their keys, each once."""
    if app.get("env_file"):
        yield "env_file", app["env_file"]
    templates = entries(mapping(app.get("analytics")).get("templates"))
    for number, template in enumerate(templates):
        if template not in templates[:number]:
            yield f"analytics.templates[{number}]", template


def _names_twice(path: str, app: Mapping[str, Any]) -> Iterator[str]:
    keys: dict[str, str] = {}
    for key, name in _names(app):
        other = keys.setdefault(name, key) if isinstance(name, str) else key
        if other != key:
            yield f"{path}.{key}: `{other}` has this name as well. Needs another name."


def _names(app: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names of the keys in its env file, by what declares them."""
    if isinstance(sentry := app.get("sentry"), dict):
        given = mapping(sentry.get("names"))
        for key, usual in SentryNames().model_dump().items():
            yield f"sentry.names.{key}", given.get(key, usual)
    if env := mapping(app.get("analytics")).get("env"):
        yield "analytics.env", env
