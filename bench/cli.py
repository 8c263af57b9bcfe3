# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of the benchmark: a lab of its own, every part, one table."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from lab.play import Lab
from lab.progress import LabError

from bench import matrix
from bench.host import NAME, ROOT, BenchError, laboratory, make_sure_of_the_host, must, say
from bench.machine import describe
from bench.parts import PARTS, WITHOUT_LAB
from bench.table import Figure, document, table

PAGE = ROOT / "docs/benchmark.md"
ENOUGH = 5  # runs, for figures that go on the page
NOTES = (
    "Runs are those of `ansible-playbook site.yml` over SSH with pipelining, from the start of the program to its end, "
    "on one host with one app. Executed tasks are those that Ansible counts as ok.",
    "A first run finds Docker, all images, node exporter's package and the toolbox's Python libraries on the host, but "
    "no container of the stack, nothing else in `/opt/crowsnest` and no `/var/lib/crowsnest`: nothing is downloaded.",
    "The task for Uptime Kuma is one call of the module over SSH, start of Python included: one connection, one login, "
    "everything read and compared.",
    "Memory of containers is what `docker stats` shows: the control group's usage without file pages that nobody uses; "
    "looked at some minutes after the start, with the app under its usual light load. "
    "That of node exporter is the resident memory of its process (VmRSS), its program file included.",
    "Fault to Slack: from killing a target until the catcher that plays Slack has the message; one fault a run, a few "
    "seconds apart. The alerts have no wait of their own, office hours are always. What remains: up to 15 s until the "
    "metrics are read, up to 15 s until the rules are evaluated, and the time Alertmanager gathers alerts of a group: "
    "10 s critical, 1 min high, 5 min medium and low.",
    "Backups are made of orders of a shop in PostgreSQL 18 on this machine, not in the lab, and sent to ministack, "
    "encrypted. CPU is that of the program and of what it starts (psql, pg_dump; pg_dump and gzip); the server's own "
    "is in none of the figures. A backup also counts the rows and reads its file back, as `gzip -t` does. Memory is "
    "that of the largest process. A restore also reads the file before it, counts the rows and collects statistics "
    "after it.",
    "For comparison, not run here: prometheus.prometheus 0.30.2 "
    "(<https://github.com/prometheus-community/ansible>), four services on one host: first run 93 s, second run 62 s "
    "(median of 3), 135 tasks executed. Measured earlier by this project's authors on a 2-core machine over SSH with "
    "pipelining; not rerun here.",
)


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="crowsnest bench",
        description="Measure crowsnest on a throw-away host.",
        epilog="To see which messages each fault sends (this takes hours): ./crowsnest bench faults --help",
    )
    top.add_argument("--runs", type=int, default=ENOUGH, help=f"how often each thing is measured (default {ENOUGH})")
    top.add_argument("--only", default="", metavar="PART,…", help=f"some parts only: {', '.join(PARTS)}")
    top.add_argument("--keep", action="store_true", help="leave the throw-away host running")
    return top


def chosen(only: str) -> list[str]:
    """The parts to measure, in the order in which they do not disturb each other. BenchError for an unknown one."""
    wanted = [name for name in only.split(",") if name] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise BenchError(f"--only {','.join(unknown)}: there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]


def measure(names: list[str], lab: Lab | None, runs: int) -> list[Figure]:
    """All figures; a part that fails has a line that says so, and the others are measured all the same."""
    figures = []
    for name in names:
        say(f"--- {name}")
        try:
            figures += PARTS[name](lab, runs)
        except (BenchError, LabError, ValueError, requests.RequestException) as error:
            say(f"{name} failed: {error}")
            figures.append(Figure(name, "", failed=str(error).splitlines()[0][:80]))
    return figures


@contextmanager
def laboratory_of_its_own(keep: bool) -> Iterator[Lab]:
    """A lab with the stack and the sample app on it; removed at the end, also after a failure."""
    try:
        laboratory("up", NAME, "--memory", "4096")
        lab = Lab(NAME, json.loads((ROOT / ".lab" / NAME / "lab.json").read_text()))
        make_sure_of_the_host(lab)
        say("first run of all, with downloads; not measured")
        must(lab.play())
        laboratory("app", NAME, "up")
        yield lab
    finally:
        if not keep:
            laboratory("down", NAME)


def main(words: list[str]) -> int:
    """Exit status 0, or 1 when a part could not be measured, 2 for wrong usage."""
    if words[:1] == ["faults"]:
        return matrix.main(words[1:])
    options = parser().parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit that still removes the lab
    try:
        names = chosen(options.only)
        if options.runs < 1:
            raise BenchError(f"--runs {options.runs}: at least 1")
    except BenchError as error:
        sys.stderr.write(f"crowsnest bench: {error}\n")
        return 2
    try:
        if WITHOUT_LAB.issuperset(names):
            figures = measure(names, None, options.runs)
        else:
            with laboratory_of_its_own(options.keep) as lab:
                figures = measure(names, lab, options.runs)
                machine = describe(lab.facts, ROOT)
    except BenchError as error:
        sys.stderr.write(f"crowsnest bench: {error}\n")
        return 1
    complete = names == list(PARTS) and options.runs >= ENOUGH and all(figure.values for figure in figures)
    sys.stdout.write(f"{table(figures)}\n{NOTES[-1]}\n")
    if complete:
        PAGE.write_text(document(figures, machine, NOTES, PAGE.read_text()))
    say(f"written to {PAGE}" if complete else f"{PAGE.name} is only written by a complete bench with {ENOUGH} runs")
    return 0 if all(figure.values for figure in figures) else 1
