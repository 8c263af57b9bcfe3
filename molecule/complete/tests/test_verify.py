# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What verify says of a healthy host; what it finds on others is in test_by_hand.py."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from complete.declared import ROOT


def test_a_healthy_host_passes(lab: Any, figure: Any, patience: float) -> None:
    run = lab.play(playbook="playbooks/verify.yml")
    figure("verify", f"{run.seconds:.1f} s")
    assert run.status == 0, run.output
    assert "FAIL" not in run.output
    assert "no data" not in run.output  # of an app's dashboard that is only a warning
    assert run.recap["changed"] == 0
    assert run.seconds < 30 * patience  # bench measures; this is two scenarios on one machine


def test_json_is_all_that_is_on_standard_output(lab: Any) -> None:
    run = subprocess.run(
        ["./crowsnest", "verify", "--json", "-i", "inventories/lab"],
        cwd=ROOT, env=lab.environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    report = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert report["failed"] == 0
    assert report["passed"] == len([check for check in report["checks"] if check["status"] == "PASS"]) > 10
