# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the playbook of a verb."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.processes import become, wait_for
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call

INTERRUPTED = 99  # what ansible-playbook ends with after Ctrl-C


def command(call: Call, **more: Any) -> list[str]:
    """The call of ansible-playbook. The verb's variables, and `more`, come before the options for Ansible itself."""
    variables = {**call.variables, **more}
    own = ["--extra-vars", json.dumps(variables, ensure_ascii=False)] if variables else []
    return ["ansible-playbook", call.verb.playbook, *own, *call.rest]


def play(call: Call) -> int:
    """Runs it; the exit status is that of ansible-playbook, or of what comes after it."""
    if call.verb.then:
        return play_first(call, call.verb.then)
    reports = [option.variable for option in call.verb.options if option.report and option.variable in call.variables]
    return play_for_report(call, reports[0]) if reports else become(command(call))


def play_for_report(call: Call, variable: str) -> int:
    """Only the report goes to stdout, all else to stderr. A run that ends without a report prints none."""
    with TemporaryDirectory(prefix="crowsnest-") as folder:
        report = Path(folder, "report")
        status = wait_for(command(call, **{variable: str(report)}), stdout=sys.stderr)
        if report.exists():
            sys.stdout.write(report.read_text(encoding="utf-8"))
    return status


def play_first(call: Call, then: Callable[[str], int]) -> int:
    """All that Ansible says goes to stderr; whatever it refuses is a mistake of usage or of the inventory: status 2."""
    with TemporaryDirectory(prefix="crowsnest-") as folder:
        file = Path(folder, "file")
        status = wait_for(command(call, **{f"{call.verb.name}_file": str(file)}), stdout=sys.stderr)
        if status or not file.exists():  # the latter where no host is left, or with --list-hosts
            return 2 if status < INTERRUPTED else status
        text = file.read_text(encoding="utf-8")
    return then(text)
