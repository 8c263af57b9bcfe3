# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`./crowsnest demo`: a throw-away host on this machine, with a shop on it and everything that watches it."""

from __future__ import annotations

import sys

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.processes import wait_for
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call

LAB = ("python", "molecule/lab")
PAGES = (*LAB, "urls", "demo")
STEPS = (
    (
        "2/4 A throw-away host with Docker, like a team's own",
        (*LAB, "up", "demo", "--engine", "existing", "--memory", "4096"),
    ),
    ("3/4 A shop on it to watch", (*LAB, "app", "demo", "up")),
    ("4/4 What watches it: ansible-playbook site.yml", ("ansible-playbook", "site.yml")),
)


def main(call: Call) -> int:
    """The verb, with --destroy, --status or nothing after it. The exit status is that of the first step that fails."""
    if "destroy" in call.variables:
        return wait_for((*LAB, "down", "demo"))
    if "status" in call.variables:
        return wait_for((*LAB, "status", "demo")) or wait_for(PAGES)
    return start()


def start() -> int:
    """Goes through all steps; those that are done already are quick."""
    _say("1/4 The Python environment is there")
    for title, command in STEPS:
        _say(title)
        status = wait_for(command)
        if status:
            _say("The demo is not complete. Run ./crowsnest demo again: it continues from here.")
            return status
    return wait_for(PAGES)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
