# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What crowsnest generates as files in a folder, and the real programs that judge it.

The programs are taken from PATH, else from the images of the laboratory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from postgresql import free_port
from server_facts import FACTS

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters

Tool = Callable[..., subprocess.CompletedProcess[str]]
CURRENT = "/etc/crowsnest/current"


def tool(name: str) -> Tool:
    """A function that runs promtool or amtool in a folder it may only read."""
    found = shutil.which(name)
    image = "" if found else _lab_image(name)

    def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [found] if found else _in_container(image, name, folder, "none")
        return subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)

    return run


def _in_container(image: str, name: str, folder: Path, network: str, *options: str) -> list[str]:
    own = ["--network", network, "--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(folder)]
    place = ["--volume", f"{folder}:{folder}:{'ro' if network == 'none' else 'rw'}"]
    return ["docker", "run", "--rm", *own, *place, *options, "--entrypoint", name, image]


def _lab_image(name: str) -> str:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "molecule"))
    from lab import tools

    return tools.image(name)


HOSTVARS: dict[str, Any] = {"web1": {"preflight_look": {"host": FACTS}}, "web2": {"ansible_host": "10.0.0.2"}}


def write(folder: Path, declared: Mapping[str, Any]) -> Path:
    """The files of Prometheus, Alertmanager and its secrets as they lie in a container, in `folder`."""
    variables = {f"crowsnest_{name}": value for name, value in declared.items()}
    assert filters.declaration_mistakes(variables, {"server": ["web1"], "monitored": list(HOSTVARS)}, str(folder)) == []
    plan = filters.plan(variables, "web1", list(HOSTVARS), HOSTVARS)
    files = {
        **filters.prometheus_files(plan, str(folder)),
        **filters.alertmanager_files(plan, variables),
        **filters.secret_files(plan, variables, {})["alertmanager"],
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(CURRENT, str(folder)))
    return folder


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
def alertmanager(folder: Path, port: int = 0, **environment: str) -> Iterator[Alertmanager]:
    """Alertmanager with the configuration in `folder`, on loopback; it ends with the block."""
    url = f"http://127.0.0.1:{port or free_port()}"
    words = [
        *("--config.file=alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="),
        *(f"--web.listen-address={url.removeprefix('http://')}", f"--web.external-url={url}"),
    ]
    running = Alertmanager(url)
    with _started(folder, ("prometheus-alertmanager", "alertmanager"), "amtool", words, environment) as living:
        until(lambda: living() and running.ask("status"), 60)
        yield running


@contextmanager
def prometheus(folder: Path) -> Iterator[None]:
    """Prometheus with the configuration in `folder`, on loopback; it ends with the block."""
    words = [
        *("--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/series"),
        f"--web.listen-address=127.0.0.1:{free_port()}",
        "--rules.alert.resend-delay=1s",  # what was sent before it found Alertmanager is lost
    ]
    with _started(folder, ("prometheus",), "promtool", words, {}):
        yield


@contextmanager
def _started(
    folder: Path, names: Sequence[str], packed_with: str, words: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Callable[[], bool]]:
    """A program, and whether it lives; with what it said when it does not."""
    found = next((name for name in names if shutil.which(name)), "")
    options = [word for key, value in environment.items() for word in ("--env", f"{key}={value}")]
    inside = [] if found else _in_container(_lab_image(packed_with), names[-1], folder, "host", *options)
    log = folder / f"{names[-1]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*(inside or [found]), *words], cwd=folder, env=os.environ | environment, stdout=output, stderr=output
        )

    def lives() -> bool:
        assert process.poll() is None, log.read_text()
        return True

    try:
        yield lives
    finally:
        process.terminate()
        process.wait(20)


def until(answer: Callable[[], Any], seconds: float) -> Any:
    """The first answer that is true. Connections that are refused are no answer."""
    end, found = time.monotonic() + seconds, None
    while not found and time.monotonic() < end:
        with suppress(OSError):
            found = answer()
        if not found:
            time.sleep(0.05)
    assert found, f"not so within {seconds:g} s"
    return found
