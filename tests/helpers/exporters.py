# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""An exporter as crowsnest starts it, and a Prometheus that reads it by the job and the rules that crowsnest writes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests
import yaml
from programs import running

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import prometheus_config
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import rule_files

# PromQL → {values of these labels, as far as a series has them: its value}.
Ask = Callable[[str], dict[tuple[str, ...], float]]
_LABELS = ("app", "host", "queue", "relname", "kpi", "region")


@contextmanager
def watched(context: Context, name: str, folder: Path) -> Iterator[Ask]:
    """The container `name` and Prometheus, both running; the result asks the latter."""
    planned, service = context.services[name], context.definition(name)
    write(folder, service.files(context, planned))
    command = service.container(context, planned).command
    words = [_here(word, folder) for word in command if "listen-address" not in word]
    secrets = context.secret_files(name)
    own = environment("".join(secrets.values()))
    assert [secret for secret in own.values() if secret in " ".join(words)] == []
    with running(service.name, folder, *words, port=planned.port, **own), read(context, service.name, folder) as ask:
        yield ask


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Files of a container below a folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@contextmanager
def read(context: Context, service: str, folder: Path, hurried: Mapping[str, str] | None = None) -> Iterator[Ask]:
    """Prometheus, running, with the job and the rules of a service, and those of apps that depend on it.

    `hurried` replaces parts of the service's rules.
    """
    config = prometheus_config(context)
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] == service]
    own = f"rules/{service}.yml"
    rules = {name: text for name, text in rule_files(context).items() if name in (own, "rules/dependency.yml")}
    config["rule_files"] = list(rules)
    del config["alerting"]
    for part, other in (hurried or {}).items():
        assert part in rules[own]
        rules[own] = rules[own].replace(part, other)
    write(folder, {**rules, "prometheus.yml": yaml.safe_dump(config)})
    storage = f"--storage.tsdb.path={folder}/data"
    with running("prometheus", folder, "--config.file=prometheus.yml", storage) as url:

        def ask(expr: str) -> dict[tuple[str, ...], float]:
            found = requests.get(f"{url}/api/v1/query", params={"query": expr}, timeout=10).json()["data"]["result"]
            series = [(it["metric"], float(it["value"][1])) for it in found]
            return {tuple(labels[each] for each in _LABELS if each in labels): value for labels, value in series}

        yield ask


def _here(word: str, folder: Path) -> str:
    return word.replace(CONFIG_IN_CONTAINER, str(folder)).replace(f"={DATA_IN_CONTAINER}/", f"={folder}/data-of-it-")


def environment(text: str) -> dict[str, str]:
    """The variables of an `env_file`, as a shell reads it, which agrees with compose on its quotes."""
    script = f"set -a\n{text}\nenv -0"
    done = subprocess.run(["env", "-i", "sh", "-c", script], check=True, capture_output=True, text=True)
    pairs = [each.split("=", 1) for each in done.stdout.split("\0") if each]
    return {name: value for name, value in pairs if name in text and name not in ("PWD", "_")}
