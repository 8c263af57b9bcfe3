# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A running lab as tests and the benchmark use it: its pages on loopback, and runs of a playbook."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import requests

from lab.state import REPOSITORY


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

    @property
    def environment(self) -> dict[str, str]:
        """What Ansible needs in the environment to act on this lab."""
        return {
            **os.environ,
            "CROWSNEST_LAB": self.name,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",  # Molecule asks for colours
        }

    def url(self, service: str) -> str:
        """Where a page of the first host is reached from this machine."""
        return f"http://127.0.0.1:{self.facts['hosts'][0]['ports'][service]}"

    def get(self, service: str, path: str, **parameters: str) -> Any:
        """JSON of a page."""
        answer = requests.get(self.url(service) + path, params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def post(self, service: str, path: str, body: Any) -> None:
        """Send JSON to a page."""
        requests.post(self.url(service) + path, json=body, timeout=10).raise_for_status()

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of every series of an instant query."""
        result = self.get("prometheus", "/api/v1/query", query=promql)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def versions(self) -> dict[str, str]:
        """Service → version that runs, of those that say it in their metrics."""
        series = [labels for labels, _ in self.query('{__name__=~".+_build_info"}')]
        return {labels["job"]: labels["version"].partition("+")[0] for labels in series if labels.get("version")}

    def messages(self, since: float, contains: str = "", by: str = "webhook") -> list[dict[str, Any]]:
        """What the Slack catcher received since a time by a webhook, or by the bot (`by="bot"`), oldest first."""
        found = self.get("slack_catcher", "/messages", since=str(since), contains=contains)["messages"]
        return sorted((message for message in found if by in message), key=lambda message: message["received"])

    def play(self, *words: str, playbook: str = "site.yml", **variables: Any) -> Run:
        """Run a playbook with extra variables, as a user would after a change of the inventory."""
        return self.finish(self.start(*words, playbook=playbook, **variables))

    def start(self, *words: str, playbook: str = "site.yml", **variables: Any) -> tuple[subprocess.Popen[str], float]:
        """Begin a playbook; `finish` waits for its end."""
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        process = subprocess.Popen(
            ["ansible-playbook", "-i", "inventories/lab", playbook, *extra, *words],
            cwd=REPOSITORY,
            env=self.environment,
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
