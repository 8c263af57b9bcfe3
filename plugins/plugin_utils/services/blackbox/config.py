# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How apps are probed from outside: blackbox.yml and its secret files, as pure functions of the declared apps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import AUTHORIZATION
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import health
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER

# The module of probes without options of their own.
USUAL = "http"
# Headers that blackbox exporter takes in the configuration only, as it does not regard them as secrets.
_IN_THE_CLEAR = ("host", "user-agent")


class Probe(NamedTuple):
    """One address that is probed.

    `name` is the label `probe`, `module` the name of the module of blackbox.yml, `http` what it has under `http`.
    """

    name: str
    module: str
    url: str
    http: Mapping[str, Any]


def probes(app: App) -> Iterator[Probe]:
    """All probes of an app. Apps without options of their own share modules."""
    request, own = _asked(app), "" if app.as_usual else f"{app.name}/"
    if app.url:
        yield Probe("url", f"{own}{USUAL}", app.url, request | _accepted(app))
    if app.health.basic:
        yield Probe("health", f"{own}{USUAL}", urljoin(app.url or "", app.health.basic), request | _accepted(app))
    if app.health.detailed:
        detailed, names = urljoin(app.url or "", app.health.detailed), app.health.components
        yield Probe("answer", f"{app.name}/answer", detailed, request | health.answer_judged(names))
        for name in names:
            yield Probe(name, f"{own}component_{name}", detailed, request | health.component_judged(name))


def blackbox_config(apps: Sequence[App], further: Iterable[Probe] = ()) -> dict[str, Any]:
    """blackbox.yml: https://github.com/prometheus/blackbox_exporter/blob/master/CONFIGURATION.md

    `apps` are those of the declaration; their secrets are in the files of `blackbox_secrets`. `further` probes are
    those that ask other servers.
    """
    modules: dict[str, Mapping[str, Any]] = {USUAL: {}}
    modules |= {probe.module: probe.http for app in apps for probe in probes(app)}
    modules |= {probe.module: probe.http for probe in further}
    return {"modules": {name: _module(http) for name, http in modules.items()}}


def _module(http: Mapping[str, Any]) -> dict[str, Any]:
    return {"prober": "http", "timeout": "8s", "http": {"preferred_ip_protocol": "ip4", **http}}


def _asked(app: App) -> dict[str, Any]:
    """Login, headers and certificate of an app; secrets by their files.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config
    """
    login = {"username": app.username, "password_file": _secret_path(app, "password")}
    values = {name: value.get_secret_value() for name, value in app.headers.items()}
    clear = {name: value for name, value in values.items() if name.lower() in _IN_THE_CLEAR}
    files = {
        name: {"files": [_secret_path(app, f"headers/{name}")]}
        for name in values
        if name not in clear and name.lower() != "authorization"
    }
    schemes = [found[1] for name in values if (found := _authorization(name, values[name]))]
    credentials = [{"type": scheme, "credentials_file": _secret_path(app, "authorization")} for scheme in schemes]
    return {
        **({"basic_auth": login} if app.username else {}),
        **({"authorization": credentials[0]} if credentials else {}),
        **({"headers": clear} if clear else {}),
        **({"http_headers": files} if files else {}),
        **({} if app.verify_tls else {"tls_config": {"insecure_skip_verify": True}}),
        **({} if app.follows_redirects else {"follow_redirects": False}),
    }


def _authorization(name: str, value: str) -> re.Match[str] | None:
    """Scheme and credentials of this header, for which blackbox exporter has keys of their own."""
    return AUTHORIZATION.fullmatch(value) if name.lower() == "authorization" else None


def _accepted(app: App) -> dict[str, list[int]]:
    """The accepted status codes, if not the usual ones; probes of components have their own."""
    codes = accepted_codes(app)
    return {"valid_status_codes": codes} if codes else {}


def accepted_codes(app: App) -> list[int]:
    """All status codes of a healthy answer; empty if they are the usual ones."""
    ranges = [status.partition("-") for status in app.own_status]
    return sorted({code for first, _, last in ranges for code in range(int(first), int(last or first) + 1)})


def blackbox_secrets(apps: Sequence[App]) -> dict[str, str]:
    """{"secrets/shop/password": …}: what blackbox exporter reads for each probe."""
    files = {}
    for app in apps:
        if app.password is not None:
            files[_secret_file(app, "password")] = app.password.get_secret_value()
        for name, secret in app.headers.items():
            value = secret.get_secret_value()
            if found := _authorization(name, value):
                files[_secret_file(app, "authorization")] = found[2]
            elif name.lower() not in _IN_THE_CLEAR:
                files[_secret_file(app, f"headers/{name}")] = value
    return files


def _secret_file(app: App, name: str) -> str:
    return f"secrets/{app.name}/{name}"


def _secret_path(app: App, name: str) -> str:
    return f"{CONFIG_IN_CONTAINER}/{_secret_file(app, name)}"
