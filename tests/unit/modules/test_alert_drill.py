# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Module alert_drill: a Docker and a systemd that only write down what they are told, and services that see it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from ansible_collections.crowsnest.core.plugins.modules import alert_drill as module

Serve = Callable[..., Any]
Run = Callable[..., dict[str, Any]]
# What each program does: it writes down its words, and fails where there is a file of its name.
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >>{0}/log
if [ "$1" = inspect ]; then echo "$(cat {0}/running)"; fi
if [ "$(basename "$0") $1" = "docker stop" ]; then echo false >{0}/running; fi
if [ "$1" = start ]; then echo true >{0}/running; fi
if [ -e {0}/"$(basename "$0")-$1-fails" ]; then echo "it refuses" >&2; exit 1; fi
"""
OURS = {"__name__": "ALERTS", "alertname": "PrometheusTargetMissing", "severity": "high", "job": "blackbox"}
OTHER = {"__name__": "ALERTS", "alertname": "HostCpuHigh", "severity": "medium", "host": "web1"}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its programs, and a container that runs."""
    for name in ("docker", "systemd-run", "systemctl"):
        (tmp_path / name).write_text(PROGRAM.format(tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "running").write_text("true\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "cut_off", lambda: False)
    return tmp_path


class Services:
    """Prometheus and Alertmanager: an alert while the container does not run, and what was sent of it."""

    def __init__(self, host: Path, told: bool = True, delivers: bool = True, ends: bool = True) -> None:
        self.host, self.told, self.delivers, self.ends = host, told, delivers, ends
        self.asked, self.counted, self.sent, self.was_stopped = list[str](), 0, 3, False

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        down = (self.host / "running").read_text() == "false\n"
        self.was_stopped |= down
        if path == "/metrics":
            self.counted += 1
            self.sent += down and self.delivers
            form = 'alertmanager_notification_requests_total{{integration="slack",receiver_name="{}"}} {}\n'
            return 200, form.format("heartbeat", self.counted) + form.format("high", self.sent)
        self.asked.append(unquote_plus(path))
        fires = down if self.ends else self.was_stopped
        found = [OTHER, *([OURS] if fires and self.told else [])]
        result = [{"metric": labels, "value": [0, "1"]} for labels in found]
        return 200, json.dumps({"data": {"resultType": "vector", "result": result}})


def drill(run_module: Run, serve: Serve, services: Services, **options: Any) -> dict[str, Any]:
    url = serve(services).url
    params = {"name": "blackbox exporter", "container": "blackbox-1", "wait": 1, "prometheus": url, "alertmanager": url}
    return run_module(module, **{**params, **options})


def done(host: Path) -> list[str]:
    return (host / "log").read_text().splitlines()


def test_what_is_told_is_measured_and_the_container_runs_again(host: Path, serve: Serve, run_module: Run) -> None:
    result = drill(run_module, serve, Services(host))
    times = r"alert +\d s +sent +\d s +over +\d s"
    assert re.fullmatch(rf"blackbox exporter +{times} +high PrometheusTargetMissing blackbox", result["text"])
    assert result["problem"] == ""
    assert done(host) == [
        "docker inspect --format {{.State.Running}} blackbox-1",
        "systemd-run --quiet --collect --unit=crowsnest-alert-drill --on-active=122 docker start blackbox-1",
        "docker stop blackbox-1",
        "docker start blackbox-1",
        "systemctl stop crowsnest-alert-drill.timer",
    ]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"told": False}, "No alert within 1 s"),
        ({"delivers": False}, "Nothing was sent within 1 s"),
        ({"ends": False}, "Its alert does not end"),
    ],
    ids=str,
)
def test_what_is_not_told_is_said(
    broken: dict[str, bool], problem: str, host: Path, serve: Serve, run_module: Run
) -> None:
    result = drill(run_module, serve, Services(host, **broken))
    assert result["problem"].startswith(problem)
    assert result["text"].endswith(result["problem"])
    assert done(host)[-1] == "systemctl stop crowsnest-alert-drill.timer"
    assert (host / "running").read_text() == "true\n"


def test_what_uptime_kuma_tells_itself_is_seen_in_its_monitor(host: Path, serve: Serve, run_module: Run) -> None:
    services = Services(host, delivers=False)
    result = drill(run_module, serve, services, by_kuma=True)
    assert result["problem"] == ""
    assert re.search(r"alert +(\d) s +sent +\1 s", result["text"])
    assert 'monitor_status{monitor_type="group"' in services.asked[0]


def test_without_a_timer_nothing_is_stopped(host: Path, serve: Serve, run_module: Run) -> None:
    (host / "systemd-run---quiet-fails").touch()
    result = drill(run_module, serve, Services(host))
    assert result["problem"].endswith("docker start blackbox-1`: it refuses")
    assert not [line for line in done(host) if line.startswith("docker stop")]


def test_a_container_that_does_not_start_again_is_left_to_the_timer(host: Path, serve: Serve, run_module: Run) -> None:
    (host / "docker-start-fails").touch()
    result = drill(run_module, serve, Services(host))
    assert result["problem"] == "`docker start blackbox-1`: it refuses"
    assert not [line for line in done(host) if line.startswith("systemctl")]


def test_a_container_that_does_not_run_is_left_alone(host: Path, serve: Serve, run_module: Run) -> None:
    (host / "running").write_text("false\n")
    result = drill(run_module, serve, Services(host))
    assert result["problem"] == "blackbox-1 does not run, so nothing was stopped."
    assert len(done(host)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_ended_starts_the_container_first(
    number: signal.Signals, host: Path, serve: Serve, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cut_off", lambda: os.kill(os.getpid(), number))
    result = drill(run_module, serve, Services(host, told=False), wait=60)
    assert result["problem"] == "The run was interrupted."
    assert done(host)[-2:] == ["docker start blackbox-1", "systemctl stop crowsnest-alert-drill.timer"]


def test_a_run_whose_output_nobody_reads_is_over(
    host: Path, serve: Serve, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cut_off", lambda: True)
    assert drill(run_module, serve, Services(host, told=False), wait=60)["problem"] == "The run was interrupted."
    assert (host / "running").read_text() == "true\n"


def test_it_is_noticed_that_nobody_reads_the_output() -> None:
    program = f"import sys, time\nfrom {module.__name__} import cut_off\nprint(cut_off(), file=sys.stderr)\n"
    program += "sys.stdin.read()\nprint(cut_off(), file=sys.stderr)\n"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "collections"}, cwd=Path(__file__).parents[3], text=True,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == "False\n"
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.readline() == "True\n"


def test_check_mode_stops_nothing(host: Path, serve: Serve, run_module: Run) -> None:
    assert drill(run_module, serve, Services(host), check=True)["changed"]
    assert not (host / "log").exists()
