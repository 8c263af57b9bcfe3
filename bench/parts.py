# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is measured, part by part; each takes the lab and the number of runs and returns figures."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from lab.play import Lab, Run

from bench import scaling
from bench.backup import backup
from bench.delivery import delivery
from bench.host import BenchError, apps, must, on_host, say, wait
from bench.table import Figure, first_field, stats

# Everything of the stack but what was downloaded: images, Docker, node exporter's package and Python's libraries stay.
REMOVE = (
    "docker ps --all --quiet --filter label=com.docker.compose.project=crowsnest | xargs --no-run-if-empty docker rm -f"
    "; find /opt/crowsnest -mindepth 1 -maxdepth 1 ! -name toolbox -exec rm -rf {} +; rm -rf /var/lib/crowsnest"
)
# As the callback profile_tasks sums it up.
_KUMA_TASK = re.compile(r"Apply the declaration to Uptime Kuma -+ ([\d.]+)s")
SAMPLE_PAUSE = 5.0  # seconds between two looks at memory and series
SETTLED = 180  # seconds after which a started Prometheus has scraped everything often enough for a rate


def second(lab: Lab, runs: int) -> list[Figure]:
    """site.yml where everything is as declared already."""
    must(lab.play())
    found = [_timed("second run", lab, index) for index in range(runs)]
    if any(run.recap["changed"] for run in found):
        raise BenchError("a second run changed something")
    return _runs("Second run of site.yml", found)


def first(lab: Lab, runs: int) -> list[Figure]:
    """site.yml where nothing of the stack exists but what would have to be downloaded."""
    found = []
    for index in range(runs):
        on_host(lab, REMOVE)
        found.append(_timed("first run", lab, index))
        if not found[-1].recap["changed"]:
            raise BenchError("a first run changed nothing: the removal before it did not work")
    return _runs("First run of site.yml, nothing to download", found)


def change(lab: Lab, runs: int) -> list[Figure]:
    """A changed threshold, from the start of the play until Prometheus evaluates it."""
    seconds = []
    for index in range(runs):
        ratio = f"0.{61 + index % 30}"
        begun = lab.start(crowsnest_apps=_with_error_ratio(float(ratio)))
        try:
            wait(f"a threshold of {ratio}", lambda ratio=ratio: ratio in _error_rule(lab), 300)
            seconds.append(time.monotonic() - begun[1])
        finally:
            run = lab.finish(begun)
        must(run)
        say(f"change {index + 1}: {seconds[-1]:.1f} s")
    must(lab.play())
    return [Figure("Changed threshold until Prometheus uses it, from the start of the play", "s", seconds)]


def generate(_lab: Lab | None, runs: int) -> list[Figure]:
    """The pure part for growing numbers of hosts and apps."""
    figures = []
    scaling.warm_up()
    for hosts, apps_ in ((10, 1), (100, 10), (1000, 100)):
        seconds = [scaling.seconds(hosts, apps_) for _ in range(runs)]
        plural = "s" if apps_ > 1 else ""
        figures.append(Figure(f"Declaration to all files, {hosts:,} hosts and {apps_} app{plural}", "s", seconds))
    return figures


def memory(lab: Lab, runs: int) -> list[Figure]:
    """Memory of the stack's containers, their sum, and node exporter's."""
    _settle(lab)
    looks = []
    for index in range(runs):
        looks.append(_memory(lab))
        say(f"memory {index + 1}: {sum(looks[-1].values()):.0f} MiB")
        time.sleep(SAMPLE_PAUSE)
    containers = sorted(name for name in looks[0] if name != "node exporter")
    if not containers:
        raise BenchError("no container of the stack runs")
    return [
        *(Figure(f"Memory of {name}", "MiB", [look[name] for look in looks]) for name in containers),
        Figure("Memory of all containers", "MiB", [sum(look[name] for name in containers) for look in looks]),
        Figure(
            "Memory of node exporter (a process, not a container)", "MiB", [look["node exporter"] for look in looks]
        ),
    ]


def series(lab: Lab, runs: int) -> list[Figure]:
    """How much Prometheus keeps and takes in."""
    _settle(lab)
    counts, rates = [], []
    for index in range(runs):
        counts.append(_value(lab, "prometheus_tsdb_head_series"))
        rates.append(_value(lab, "sum(rate(prometheus_tsdb_head_samples_appended_total[2m]))"))
        say(f"series {index + 1}: {counts[-1]:.0f}, {rates[-1]:.1f} samples/s")
        time.sleep(SAMPLE_PAUSE)
    return [
        Figure("Series in Prometheus (prometheus_tsdb_head_series)", "series", counts),
        Figure("Samples taken in (rate over 2 min)", "samples/s", rates),
    ]


def verify(lab: Lab, runs: int) -> list[Figure]:
    """The playbook that asks the running services whether all is as declared."""
    _settle(lab)
    found = [_timed("verify", lab, index, playbook="playbooks/verify.yml") for index in range(runs)]
    return _runs("verify.yml", found)


def uptime(lab: Lab, runs: int) -> list[Figure]:
    """The task that makes Uptime Kuma hold what is declared: with 100 more monitors, again, and without them."""
    many = [{"name": f"Port {number}", "type": "port", "address": "127.0.0.1:22"} for number in range(100)]
    cases = {"100 monitors created": many, "100 monitors, nothing to do": many, "100 monitors removed": []}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    os.environ["ANSIBLE_CALLBACKS_ENABLED"] = "ansible.posix.profile_tasks"
    try:
        for index in range(runs):
            for name, monitors in cases.items():
                found = _KUMA_TASK.search(must(lab.play(crowsnest_monitors=monitors)).output)
                if not found:
                    raise BenchError("the play does not say how long its tasks took")
                seconds[name].append(float(found[1]))
                say(f"{name} {index + 1}: {seconds[name][-1]:.1f} s")
    finally:
        del os.environ["ANSIBLE_CALLBACKS_ENABLED"]
    return [Figure(f"Task for Uptime Kuma, {name}", "s", values) for name, values in seconds.items()]


PARTS: dict[str, Callable[[Any, int], list[Figure]]] = {
    "second": second,
    "change": change,
    "verify": verify,
    "memory": memory,
    "series": series,
    "uptime": uptime,
    "delivery": delivery,
    "first": first,
    "generate": generate,
    "backup": backup,
}
# These need no host.
WITHOUT_LAB = {"generate", "backup"}


def _timed(what: str, lab: Lab, index: int, playbook: str = "site.yml") -> Run:
    run = must(lab.play(playbook=playbook))
    say(f"{what} {index + 1}: {run.seconds:.1f} s, {run.recap['ok']} tasks, {run.recap['changed']} changed")
    return run


def _runs(name: str, found: Sequence[Run]) -> list[Figure]:
    """Seconds and executed tasks: those that Ansible counts as ok, changed ones included, skipped ones not."""
    return [
        Figure(name, "s", [run.seconds for run in found]),
        Figure(f"{name}: executed tasks", "tasks", [run.recap["ok"] for run in found]),
    ]


def _with_error_ratio(ratio: float) -> list[dict[str, Any]]:
    return [{**app, "thresholds": {**app.get("thresholds", {}), "error_ratio": ratio}} for app in apps()]


def _error_rule(lab: Lab) -> str:
    groups = lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    rules = [rule["query"] for group in groups for rule in group["rules"] if rule["name"] == "AppErrorRatioHigh"]
    return str(rules)


def _settle(lab: Lab) -> None:
    """Wait until Prometheus has run for a while."""
    age = 'time() - process_start_time_seconds{job="prometheus"}'
    say(f"waiting until Prometheus has run for {SETTLED} s")
    wait("Prometheus runs long enough", lambda: [it for _, it in lab.query(age) if it > SETTLED], SETTLED + 60, 2)


def _value(lab: Lab, promql: str) -> float:
    found = lab.query(promql)
    if len(found) != 1:
        raise BenchError(f"{promql} gives {len(found)} series")
    return found[0][1]


def _memory(lab: Lab) -> dict[str, float]:
    """{container or "node exporter": MiB}."""
    names = "docker ps --quiet --filter label=com.docker.compose.project=crowsnest"
    containers = stats(on_host(lab, f"docker stats --no-stream --format '{{{{.Name}}}} {{{{.MemUsage}}}}' $({names})"))
    status = on_host(lab, "cat /proc/$(systemctl show --property MainPID --value prometheus-node-exporter)/status")
    return containers | {"node exporter": int(first_field(status, "VmRSS").split()[0]) / 2**10}
