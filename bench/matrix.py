# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`./crowsnest bench faults`: makes the faults of molecule/lab/faults.py one at a time and records their messages.

Takes hours, in several labs at once (`--labs`) fewer. What is measured stays in RESULTS, so a run that was cut off goes
on where it ended.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from lab import state
from lab.fault_course import Post, Seen, allowed, complaints, course, settle
from lab.faults import APPS, FAULTS, TWIN_PORTS, Fault, by_name
from lab.play import Lab
from lab.progress import LabError

from bench.host import ROOT, BenchError, apps, laboratory, make_sure_of_the_host, must, on_host, say
from bench.machine import describe
from bench.table import markdown

NAME = "faults"
RESULTS = ROOT / ".cache/bench/faults.json"
PAGE = ROOT / "docs/faults.md"
NAMES = [fault.name for fault in FAULTS]
SETTLE = 1200.0  # seconds until the alerts of the fault before must be over
BEGINS = 180.0  # seconds in which all monitors judge what was just started
TARGET = "/run/crowsnest-bench-target.py"
HEADER = (
    *("Fault", "Its rule waits", "First message", "Allowed", "Messages before and after the repair", "Edits"),
    *("Over after", "Ends", "As it should be", "Measured"),
)
INTRODUCTION = """Each fault is made in the laboratory on its own, and repaired. Every message that reaches the stand-in
for Slack is counted. [The script for each fault](../molecule/lab/faults.py) is one line.

A fault passes when all of this holds; the list below the table says what does not:
- The first message arrives in time: within 60 s plus the wait of its rule for a critical cause (the laboratory waits
  10 s for an app that is down) and the time until an average passes its limit, 120 s for an effect, and 1 h or 4 h
  plus the wait for severity high or medium.
- Its title names what is affected and the cause. At most one more message follows before the repair.
- Exactly one message says that it is over (of two things two), and no alert begins in the 6 minutes after the repair.
- A deploy sends no message, and a flap sends one.

Edits of a message notify nobody, so they are counted separately.
"""


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(prog="crowsnest bench faults", description="Measure which messages each fault sends.")
    top.add_argument("--only", default="", metavar="FAULT,…", help=", ".join(NAMES))
    top.add_argument("--again", action="store_true", help="also those that were measured before")
    top.add_argument("--lab", default="", metavar="NAME", help="a lab that runs, such as demo; it lacks some things")
    top.add_argument("--labs", type=int, default=1, metavar="N", help="share the faults among so many labs at once")
    top.add_argument("--name", default=NAME, help="of the throw-away lab (default: %(default)s)")
    top.add_argument("--keep", action="store_true", help="leave the throw-away hosts running")
    return top


def chosen(only: str) -> list[Fault]:
    """The faults that are named, or all. BenchError for an unknown one."""
    names = [name for name in only.split(",") if name] or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        raise BenchError(f"--only {','.join(unknown)}: there are {', '.join(NAMES)}")
    return [fault for fault in FAULTS if fault.name in names]


def measure(lab: Lab, faults: list[Fault]) -> None:
    """Write down what each fault brought; a fault that cannot be made or repaired stops no other."""
    known: set[str] = set()
    for number, fault in enumerate(faults, 1):
        say(f"--- {fault.name} ({number} of {len(faults)})")
        known |= settle(lab, say, SETTLE, known, fault)
        result: dict[str, Any] = {"date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "despite": sorted(known)}
        try:
            if fault.needs and not lab.query(fault.needs):
                raise BenchError(f"this laboratory has no {fault.needs}")
            result["seen"] = asdict(course(lab, fault, lambda script: on_host(lab, script, seconds=300), say))
        except (BenchError, LabError, requests.RequestException) as error:
            result["failed"] = " ".join(str(error).split())[:200]
        say(f"{fault.name}: {verdict(fault, {fault.name: result})}")
        record(fault, result, describe(lab.facts, ROOT))


def recorded() -> dict[str, Any]:
    """{fault: its result} of this run and of those before it."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def record(fault: Fault, result: Mapping[str, Any], machine: Mapping[str, str]) -> None:
    """Add a result to the others, and make the page of them; other labs do so as well."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = {**recorded(), fault.name: result}
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False))
        PAGE.write_text(document(results, machine))


def document(results: Mapping[str, Any], machine: Mapping[str, str]) -> str:
    """docs/faults.md: a line for each fault, whether it was measured or not."""
    where = "".join(f"- {name}: {value}\n" for name, value in machine.items())
    told = "".join(f"- {fault.name}: {verdict(fault, results)}\n" for fault in FAULTS)
    head = "<!-- Made by ./crowsnest bench faults. Do not edit: run it again. -->\n\n# Faults and their messages"
    passed = f"{sum(not wrong(fault, results) for fault in FAULTS)} of {len(FAULTS)} are as they should be."
    return f"{head}\n\n{INTRODUCTION}\n{where}\n{passed}\n\n{table(FAULTS, results)}\n## The messages\n\n{told}"


def table(faults: Sequence[Fault], results: Mapping[str, Any]) -> str:
    """A line for each fault."""
    return markdown([HEADER, *(row(fault, results) for fault in faults)])


def row(fault: Fault, results: Mapping[str, Any]) -> tuple[str, ...]:
    """A line of the table."""
    name = f"{fault.name} ({fault.note})" if fault.note else fault.name
    if not (seen := seen_of(fault, results)):
        return (name, *["-"] * (len(HEADER) - 3), "not measured", "-")
    return (
        name,
        f"{seen.wait:.0f} s",
        f"{seen.first.at - seen.made:.0f} s" if seen.first else "none",
        f"{allowed(fault, seen.wait):.0f} s" if fault.kind != "none" else "none",
        f"{len(seen.before)} and {len(seen.after)}",
        str(seen.edits),
        f"{seen.ends[-1].at - seen.repaired:.0f} s" if seen.ends else "-",
        str(len(seen.ends)),
        "no" if wrong(fault, results) else "yes",
        results[fault.name]["date"],
    )


def verdict(fault: Fault, results: Mapping[str, Any]) -> str:
    """What was told first, and what is not as it should be."""
    seen = seen_of(fault, results)
    first = [f"“{seen.first.title}”"] if seen and seen.first else []
    return "; ".join([*first, *wrong(fault, results)]) or "nothing"


def wrong(fault: Fault, results: Mapping[str, Any]) -> list[str]:
    """What is not as it should be; empty when all is."""
    result = results.get(fault.name, {"failed": "not yet"})
    if not (seen := seen_of(fault, results)):
        return [f"not measured: {result['failed']}"]
    return [*complaints(fault, seen), *(f"while {each} fired" for each in result["despite"])]


def seen_of(fault: Fault, results: Mapping[str, Any]) -> Seen | None:
    """What was seen of a fault, None where it was not measured."""
    plain = results.get(fault.name, {}).get("seen")
    return plain and Seen(**{**plain, "posts": [Post(**post) for post in plain["posts"]]})


@contextmanager
def laboratory_of_its_own(name: str, keep: bool) -> Iterator[Lab]:
    """Two hosts, the stack, the sample app, and the apps that only some faults need; removed at the end."""
    try:
        laboratory("up", name, "--engine", "existing", "--memory", "4096", "--hosts", "2")
        lab = Lab(name, state.need(name))
        make_sure_of_the_host(lab)
        on_host(lab, f"cat > {TARGET}", (ROOT / "bench/target.py").read_text())
        for number, port in enumerate(TWIN_PORTS, 1):
            # A unit with a file, so that it can be started again.
            unit = f"[Service]\nExecStart=/usr/bin/python3 {TARGET} {port}\n"
            on_host(lab, f"cat > /run/systemd/system/fault-twin{number}.service && systemctl daemon-reload", unit)
            on_host(lab, f"systemctl start fault-twin{number}")
        on_host(lab, by_name("certificate-expires").repair)
        laboratory("app", name, "up")
        say("first run of all, with downloads")
        hosts = ("-i", "molecule/fleet/inventory/hosts.yml")
        must(lab.play(*hosts, crowsnest_apps=[*apps(), *APPS]))
        silence_the_clock(lab)
        say(f"waiting {BEGINS:.0f} s, so that nothing of the start is told during a fault")
        time.sleep(BEGINS)
        yield lab
    finally:
        if not keep:
            laboratory("down", name)


def silence_the_clock(lab: Lab) -> None:
    """A laboratory cannot set it; that would be told in the middle of a fault."""
    start = datetime.now(UTC)
    matcher = {"name": "alertname", "value": "HostClockNotSynchronised", "isRegex": False, "isEqual": True}
    times = {"startsAt": start.isoformat(), "endsAt": (start + timedelta(days=1)).isoformat()}
    silence = {"matchers": [matcher], **times, "createdBy": "bench", "comment": "the laboratory's clock"}
    lab.post("alertmanager", "/api/v2/silences", silence)


def side_by_side(faults: Sequence[Fault], options: argparse.Namespace) -> None:
    """A run of this program for each lab, with its share of the faults; all end with this one."""
    shares = [share for number in range(options.labs) if (share := faults[number :: options.labs])]
    running = [
        subprocess.Popen(
            [
                *(sys.executable, str(ROOT / "bench"), "faults", "--again", "--name", f"{options.name}{number}"),
                *("--only", ",".join(fault.name for fault in share), *["--keep"] * options.keep),
            ],
            stdout=subprocess.DEVNULL,
        )
        for number, share in enumerate(shares, 1)
    ]
    try:
        for run in running:
            run.wait()
    finally:
        for run in running:
            run.terminate()
        for run in running:
            run.wait()


def main(words: list[str]) -> int:
    """Exit status 0, or 1 when a fault is not as it should be or was not measured, 2 for wrong usage."""
    options = parser().parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit that still repairs, and removes the lab
    try:
        faults = chosen(options.only)
    except BenchError as error:
        sys.stderr.write(f"crowsnest bench faults: {error}\n")
        return 2
    try:
        before = recorded()
        left = [fault for fault in faults if options.again or not seen_of(fault, before)]
        if options.lab:
            measure(Lab(options.lab, state.need(options.lab)), left)
        elif options.labs > 1:
            for everywhere in (False, True):
                side_by_side([fault for fault in left if fault.everywhere == everywhere], options)
        elif left:
            with laboratory_of_its_own(options.name, options.keep) as lab:
                measure(lab, left)
    except (BenchError, LabError) as error:
        sys.stderr.write(f"crowsnest bench faults: {error}\n")
        return 1
    results = recorded()
    sys.stdout.write(table(faults, results))
    return 1 if any(wrong(fault, results) for fault in faults) else 0
