# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What crowsnest generates as files in a folder, and Prometheus and Alertmanager that run on them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from programs import running
from server_facts import FACTS

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER

HOSTVARS: dict[str, Any] = {"web1": {"preflight_look": {"host": FACTS}}, "web2": {"ansible_host": "10.0.0.2"}}


def write(folder: Path, declared: Mapping[str, Any], secrets: str = "/nowhere") -> Path:
    """The files of Prometheus, Alertmanager and its secrets as they lie in a container, in `folder`.

    `secrets` is the folder of generated secrets.
    """
    variables = {f"crowsnest_{name}": value for name, value in declared.items()}
    assert filters.declaration_mistakes(variables, {"server": ["web1"], "monitored": list(HOSTVARS)}, str(folder)) == []
    context = filters.plan(variables, "web1", list(HOSTVARS), HOSTVARS, str(folder), secrets)["context"]
    made = [filters.service_directory(context, name) for name in ("prometheus", "alertmanager")]
    files = {name: text for each in made for name, text in {**each["files"], **each["secrets"]}.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(CONFIG_IN_CONTAINER, str(folder)))
    return folder


def hurry(folder: Path) -> None:
    """Let Alertmanager's groups wait for a second only."""
    config = folder / "alertmanager.yml"
    config.write_text(re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", config.read_text()))


class Alertmanager:
    """A running Alertmanager, through its API: https://github.com/prometheus/alertmanager/blob/main/api/v2"""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: Any) -> Any:
        """The answer of `/api/v2/<path>`. Raises OSError."""
        answer = requests.get(f"{self.url}/api/v2/{path}", params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Alerts that fire now: `[{"labels": …, "annotations": …}]`."""
        requests.post(f"{self.url}/api/v2/alerts", json=list(alerts), timeout=10).raise_for_status()

    def alerts(self, filter: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Alerts that match all of `filter`, such as `['app="shop"']`."""
        found: list[dict[str, Any]] = self.ask("alerts", filter=filter)
        return found


@contextmanager
def alertmanager(folder: Path, port: int = 0, words: Sequence[str] = (), **environment: str) -> Iterator[Alertmanager]:
    """Alertmanager with the configuration in `folder`, on loopback; it ends with the block."""
    own = ["--config.file=alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    with running("alertmanager", folder, *own, *words, port=port, **environment) as url:
        yield Alertmanager(url)


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """The URL of Prometheus with the configuration in `folder`, on loopback; it ends with the block."""
    words = [
        *("--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/series"),
        "--rules.alert.resend-delay=1s",  # what was sent before it found Alertmanager is lost
    ]
    with running("prometheus", folder, *words) as url:
        yield url
