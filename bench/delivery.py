# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""From a fault to the message in Slack, per severity.

Tiny targets on the lab's host are declared as apps and killed one after the other. A rule file of the bench's own has
one rule per severity that fires as soon as a target does not answer (`for: 0s`), so that each fault is reported once at
every severity. The four alerts of a fault have different names, so the higher severity does not silence the lower one,
and each fault has a label `app`, so that it makes a group of its own, as a fault in another app does. What is measured:
reading the metrics (15 s), evaluating the rules (15 s), waiting for others of the group (Alertmanager, per severity),
and delivery to the catcher that plays Slack.
"""

from __future__ import annotations

import json
import time
from typing import Any

from lab.play import Lab

from bench.host import ROOT, apps, must, on_host, say, wait
from bench.table import Figure

SEVERITIES = ("critical", "high", "medium", "low")
FIRST_PORT = 19201
PROGRAM = "/run/crowsnest-bench-target.py"
BETWEEN = 7.0  # seconds between two faults: no part of the 15 s of an interval, so that they hit it at various points
LONGEST = 480.0  # seconds; low and medium alerts wait 5 minutes for others
ALWAYS = {"weekdays": "monday:sunday", "start": "00:00", "end": "23:59"}


def delivery(lab: Lab, runs: int) -> list[Figure]:
    """Seconds from a kill to the message in the catcher, per severity; one fault per run."""
    names = [f"bench{number + 1}" for number in range(runs)]
    rules = ROOT / ".lab" / lab.name / "bench_rules.yml"
    rules.write_text(json.dumps(rule_file()))
    try:
        _start(lab, names)
        must(lab.play(crowsnest_apps=[*apps(), *declared(names)], crowsnest_rule_files=[str(rules)],
                      crowsnest_office_hours=ALWAYS))  # fmt: skip
        wait("all targets are up", lambda: len(lab.query('up{job="app",app=~"bench.+"} == 1')) == runs, 120, 1)
        killed = {}
        for name in names:
            killed[name] = float(on_host(lab, f"date +%s.%N; systemctl kill --signal KILL {unit(name)}"))
            say(f"fault: {name} killed")
            time.sleep(BETWEEN)
        arrived = {
            severity: [_arrival(lab, name, severity) - killed[name] for name in names] for severity in SEVERITIES
        }
    finally:
        on_host(lab, f"systemctl stop {' '.join(map(unit, names))} 2>/dev/null || true; rm -f {PROGRAM}")
        rules.unlink()
    must(lab.play())
    return [Figure(f"Fault to Slack, {severity}", "s", seconds) for severity, seconds in arrived.items()]


def unit(name: str) -> str:
    """The systemd unit of a target."""
    return f"crowsnest-{name}.service"


def declared(names: list[str]) -> list[dict[str, Any]]:
    """The targets as apps; their own alerts are put off, only those of the rule file matter."""
    return [
        {"name": name, "metrics": [f"127.0.0.1:{FIRST_PORT + index}/metrics"], "thresholds": {"down_for": "1h"}}
        for index, name in enumerate(names)
    ]


def summary(name: str, severity: str) -> str:
    """What the message says, and nothing else in Slack does."""
    return f"The target {name} is gone ({severity} of the bench)"


def rule_file() -> dict[str, Any]:
    """One alert per severity, without a wait of its own."""
    rules = [
        {
            "alert": f"BenchTargetGone{severity.title()}",
            "expr": 'max by (app) (up{job="app", app=~"bench[0-9]+"}) == 0',
            "for": "0s",
            "labels": {"severity": severity},
            "annotations": {"summary": summary("{{ $labels.app }}", severity)},
        }
        for severity in SEVERITIES
    ]
    return {"groups": [{"name": "bench", "rules": rules}]}


def _start(lab: Lab, names: list[str]) -> None:
    on_host(lab, f"cat > {PROGRAM}", (ROOT / "bench/target.py").read_text())
    for index, name in enumerate(names):
        command = f"python3 {PROGRAM} {FIRST_PORT + index}"
        on_host(lab, f"systemd-run --quiet --collect --unit {unit(name)} {command}")


def _arrival(lab: Lab, name: str, severity: str) -> float:
    """When the message came, in seconds of the host's clock."""
    text = summary(name, severity)
    message = wait(f"message: {text}", lambda: lab.messages(0, text), LONGEST, 1)[0]
    say(f"message: {text}")
    return float(message["received"])
