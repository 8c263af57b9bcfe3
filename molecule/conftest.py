# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scenarios' tests share: the lab's host over SSH, its pages on loopback, and runs of the play."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import testinfra

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / ".cache/test/figures.txt"


@dataclass(frozen=True)
class Run:
    """How a playbook ended: its exit status, everything it printed, and how long it took in seconds."""

    status: int
    output: str
    seconds: float

    @property
    def recap(self) -> dict[str, int]:
        """Sums over all hosts: {"ok": 27, "changed": 0, …}."""
        lines = self.output.partition("PLAY RECAP")[2].splitlines()
        pairs = [word.split("=") for line in lines if " : " in line for word in line.split(" : ")[1].split()]
        return {name: sum(int(count) for key, count in pairs if key == name) for name, _ in pairs}


@dataclass(frozen=True)
class Lab:
    """One lab as `molecule/lab up` described it."""

    name: str
    facts: dict[str, Any]

    def url(self, service: str) -> str:
        """Where a page of the first host is reached from this machine."""
        return f"http://127.0.0.1:{self.facts['hosts'][0]['ports'][service]}"

    def get(self, service: str, path: str, **parameters: str) -> Any:
        """JSON of a page."""
        answer = requests.get(self.url(service) + path, params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of every series of an instant query."""
        result = self.get("prometheus", "/api/v1/query", query=promql)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def messages(self, since: float, contains: str = "") -> list[dict[str, Any]]:
        """What the Slack catcher received since a time, oldest first."""
        found = self.get("slack_catcher", "/messages", since=str(since), contains=contains)["messages"]
        return sorted(found, key=lambda message: message["received"])

    def play(self, *words: str, playbook: str = "site.yml", **variables: Any) -> Run:
        """Run a playbook with extra variables, as a user would after a change of the inventory."""
        return self.finish(self.start(*words, playbook=playbook, **variables))

    def start(self, *words: str, playbook: str = "site.yml", **variables: Any) -> tuple[subprocess.Popen[str], float]:
        """Begin a playbook; `finish` waits for its end."""
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        process = subprocess.Popen(
            ["ansible-playbook", "-i", "inventories/lab", playbook, *extra, *words],
            cwd=ROOT,
            env={
                **os.environ,
                "CROWSNEST_LAB": self.name,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_FORCE_COLOR": "0",  # Molecule asks for colours
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return process, time.monotonic()

    def finish(self, begun: tuple[subprocess.Popen[str], float]) -> Run:
        """The end of a playbook that was begun."""
        process, start = begun
        output, _ = process.communicate(timeout=600)
        return Run(process.returncode, output, time.monotonic() - start)


@pytest.fixture(scope="session")
def figure(lab: Lab) -> Callable[[str, str], None]:
    """Note a measured figure; `./crowsnest test` prints them at its end."""

    def note(name: str, value: str) -> None:
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(f"{lab.name}: {name}: {value}\n")

    return note


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of this scenario."""
    name = os.environ.get("CROWSNEST_LAB", "demo")
    return Lab(name, json.loads((ROOT / ".lab" / name / "lab.json").read_text()))


@pytest.fixture(scope="session")
def hosts(lab: Lab) -> dict[str, Any]:
    """The lab's hosts by inventory name; commands run as root over SSH."""
    return {
        host["name"]: testinfra.get_host(f"ssh://{host['name']}", ssh_config=lab.facts["ssh_config"], sudo=True)
        for host in lab.facts["hosts"]
    }


@pytest.fixture(scope="session")
def server(hosts: dict[str, Any]) -> Any:
    """The host that runs the stack."""
    return hosts["lab1"]


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait for something that takes a moment: the first true value of a function, or a failure with the last one."""

    def wait(look: Callable[[], Any], seconds: float, pause: float = 1.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(pause)
        return found

    return wait
