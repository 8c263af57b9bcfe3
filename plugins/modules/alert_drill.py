#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: alert_drill
short_description: Stop a container, measure what is told of it, and start it again
description:
  - Asks Prometheus when an alert that did not fire before fires, Alertmanager whether its count of delivered
    notifications rises after that, and after the start when the alert is over.
  - The container is started again whatever happens. A timer of systemd does it where this module is cut off.
options:
  name:
    description: What is stopped, in words.
    type: str
    required: true
  container:
    description: The container.
    type: str
    required: true
  wait:
    description: For how many seconds an alert and its delivery are waited for, and after the start its end.
    type: int
    required: true
  by_kuma:
    description: Whether Uptime Kuma notifies people itself, as no alert can be sent.
    type: bool
    default: false
  prometheus:
    description: URL of Prometheus.
    type: str
    required: true
  alertmanager:
    description: URL of Alertmanager.
    type: str
    required: true
attributes:
  check_mode:
    description: Nothing is stopped in check mode.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: See what is told when Uptime Kuma is down
  crowsnest.core.alert_drill:
    name: Uptime Kuma
    container: crowsnest-uptime_kuma-1
    wait: 420
    prometheus: http://127.0.0.1:9090
    alertmanager: http://127.0.0.1:9093
"""

RETURN = r"""
text:
  description: What was measured, in a line. Times count from the stop, the end from the start.
  type: str
  returned: when not in check mode
  sample: "Uptime Kuma         alert 141 s   sent 201 s   over  24 s   high PrometheusTargetMissing uptime_kuma"
problem:
  description: What is not as it should be; empty when all is.
  type: str
  returned: when not in check mode
"""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.alertmanager_client import (
    AlertmanagerClient,
    AlertmanagerError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus, ServiceError

TIMER = "crowsnest-alert-drill"
# Beyond the waiting, after which the timer starts the container.
SPARE = 120
PAUSE = 1.0
ALERTS = 'ALERTS{alertstate="firing", severity!="none"}'
# The group that Uptime Kuma itself notifies people of.
PATH = 'monitor_status{monitor_type="group", monitor_name=~"Alerting path|알림 경로"} == 0'


class DrillError(Exception):
    """Why nothing could be measured, or what a person has to put right."""


def command(*words: str) -> str:
    """What a program prints. Raises DrillError with its own words."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DrillError(f"`{' '.join(words)}`: {error}") from None
    if done.returncode != 0:
        raise DrillError(f"`{' '.join(words)}`: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout.strip()


def cut_off() -> bool:
    """Whether nobody reads any more what this module will print: the run was interrupted."""
    with suppress(OSError, ValueError):
        output = select.poll()
        output.register(sys.stdout, 0)
        return bool(output.poll(0))
    return False


@contextmanager
def stopped(container: str, seconds: int) -> Iterator[None]:
    """The container does not run; afterwards it does. First a timer is set that starts it, for the worst case."""

    def end(*_: object) -> None:
        raise DrillError("The run was interrupted.")

    command(
        "systemd-run", "--quiet", "--collect", f"--unit={TIMER}", f"--on-active={seconds}", "docker", "start", container
    )
    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        command("docker", "stop", container)
        yield
    finally:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # nothing comes between the repair and its end
        try:
            command("docker", "start", container)  # if it fails, the timer tries again
            command("systemctl", "stop", f"{TIMER}.timer")
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


class Drill:
    """One fault, as the services themselves see it."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.alertmanager = AlertmanagerClient(params["alertmanager"])
        self.known = self.firing()

    def firing(self) -> dict[frozenset[tuple[str, str]], str]:
        """{labels: in words} of what fires now. Raises ServiceError."""
        found = Prometheus(self.params["prometheus"]).query(PATH if self.params["by_kuma"] else ALERTS)
        words = ("severity", "alertname", "app", "job", "monitor_name")
        return {
            frozenset(labels.items()): " ".join(labels[word] for word in words if word in labels) for labels, _ in found
        }

    def new(self) -> dict[frozenset[tuple[str, str]], str]:
        """Those that did not fire before the fault."""
        return {labels: text for labels, text in self.firing().items() if labels not in self.known}

    def delivered(self, severities: tuple[str, ...]) -> int:
        """Notifications that the receivers of these severities took. Raises AlertmanagerError."""
        counts = self.alertmanager.delivery_counts()
        return sum(sent - failed for (receiver, _), (sent, failed) in counts.items() if receiver.startswith(severities))

    def until(self, look: Callable[[], Any]) -> float | None:
        """Seconds until `look` is true, None when it is not in time. Raises DrillError when nobody waits any more."""
        begun = time.monotonic()
        while time.monotonic() < begun + self.params["wait"]:
            if cut_off():
                raise DrillError("The run was interrupted.")
            with suppress(ServiceError, AlertmanagerError):  # it may be the one that was just started
                if look():
                    return time.monotonic() - begun
            time.sleep(PAUSE)
        return None

    def run(self) -> Iterator[tuple[str, str]]:
        """(what, what was measured). Raises DrillError, ServiceError, AlertmanagerError for what is wrong."""
        container, wait = self.params["container"], self.params["wait"]
        if command("docker", "inspect", "--format", "{{.State.Running}}", container) != "true":
            raise DrillError(f"{container} does not run, so nothing was stopped.")
        with stopped(container, 2 * wait + SPARE):
            fired = self.until(self.new)
            if fired is None:
                raise DrillError(f"No alert within {wait} s.")
            yield "alert", f"{fired:3.0f} s"
            alerts, sent = self.new(), 0.0
            if not self.params["by_kuma"]:
                sent = self.sent(tuple(dict(labels).get("severity", "high") for labels in alerts))
            yield "sent", f"{fired + sent:3.0f} s"
        over = self.until(lambda: not self.new())
        if over is None:
            raise DrillError("Its alert does not end.")
        yield "over", f"{over:3.0f} s"
        yield "", ", ".join(sorted(alerts.values()))

    def sent(self, severities: tuple[str, ...]) -> float:
        """Seconds until a receiver takes a further notification: Alertmanager first gathers the alerts of a group."""
        before = self.delivered(severities)
        seconds = self.until(lambda: self.delivered(severities) > before)
        if seconds is None:
            raise DrillError(f"Nothing was sent within {self.params['wait']} s: try ./crowsnest alert-test.")
        return seconds


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "wait": {"type": "int", "required": True},
            "by_kuma": {"type": "bool", "default": False},
            "prometheus": {"type": "str", "required": True},
            "alertmanager": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    words, problem = [f"{module.params['name']:<18}"], ""
    try:
        for what, measured in Drill(module.params).run():
            words.append(f"{what} {measured}".strip())
    except (DrillError, ServiceError, AlertmanagerError) as error:
        problem = str(error)
        words.append(problem)
    module.exit_json(changed=True, text="   ".join(words), problem=problem)


if __name__ == "__main__":
    main()
