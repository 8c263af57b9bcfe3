# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How the pages of metrics of apps are requested: options of a scrape job, and the files that it reads. Pure.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.metrics import MetricsSource
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER


class AppPage(NamedTuple):
    """A page of an app. `name` tells it from all others, and is where its files lie: `shop/0`."""

    name: str
    app: App
    source: MetricsSource


def app_pages(apps: Sequence[App]) -> Iterator[AppPage]:
    """All pages of all apps, in the order of the declaration."""
    for app in apps:
        for position, source in enumerate(app.metrics):
            yield AppPage(f"{app.name}/{position}", app, source)


def request_options(page: AppPage, address: str) -> dict[str, Any]:
    """Keys of a scrape job that request this page as declared; `address` is where the server reaches it."""
    source = page.source
    login = {"username": source.username, "password_file": _in_container(_secret(page, "password"))}
    token = {"credentials_file": _in_container(_secret(page, "bearer_token"))}
    headers = {name: {"files": [_in_container(_secret(page, f"headers/{name}"))]} for name in _secret_headers(source)}
    return {
        **({"scheme": "https"} if source.scheme == "https" else {}),
        **({"basic_auth": login} if source.username else {}),
        **({"authorization": token} if source.bearer_token else {}),
        **({"http_headers": headers} if headers else {}),
        **({} if source.verify_tls else {"tls_config": {"insecure_skip_verify": True}}),
        **({"tls_config": {"ca_file": _in_container(_authority(page))}} if source.ca_file else {}),
        **(_with_host(source.host_header, address) if source.host_header else {}),
    }


def _with_host(host: str, address: str) -> dict[str, Any]:
    """Prometheus refuses a header Host, but sends a proxy the name of the target as Host; the app stands in for one.

    The request is then `GET http://HOST/path`, which a server must accept, and uvicorn without httptools takes for a
    path: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    """
    return {
        "proxy_url": f"http://{address}",
        "relabel_configs": [{"target_label": "__address__", "replacement": host}],
    }


def secret_files(apps: Sequence[App]) -> dict[str, str]:
    """{"secrets/shop/0/password": …}: what Prometheus reads for each request."""
    files = {}
    for page in app_pages(apps):
        source = page.source
        if source.password is not None:
            files[_secret(page, "password")] = source.password.get_secret_value()
        if source.bearer_token is not None:
            files[_secret(page, "bearer_token")] = source.bearer_token.get_secret_value()
        for name in _secret_headers(source):
            files[_secret(page, f"headers/{name}")] = source.headers[name].get_secret_value()
    return files


def authority_files(apps: Sequence[App], inventory_dir: Path) -> dict[str, str]:
    """{"authorities/shop/0.pem": …}: certificates that are trusted for one page each."""
    return {
        _authority(page): (inventory_dir / page.source.ca_file).read_text()
        for page in app_pages(apps)
        if page.source.ca_file
    }


def _secret_headers(source: MetricsSource) -> list[str]:
    return [name for name in source.headers if name.lower() != "host"]


def _secret(page: AppPage, name: str) -> str:
    return f"secrets/{page.name}/{name}"


def _authority(page: AppPage) -> str:
    return f"authorities/{page.name}.pem"


def _in_container(path: str) -> str:
    return f"{CONFIG_IN_CONTAINER}/{path}"
