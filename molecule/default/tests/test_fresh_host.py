# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A short look at what the first run made of a fresh host; what the services do is tested in the scenario complete."""

from __future__ import annotations

import json
from typing import Any


def test_the_engine_that_the_run_installed_rotates_logs_and_survives_its_restart(server: Any) -> None:
    settings = json.loads(server.file("/etc/docker/daemon.json").content_string)
    assert settings["live-restore"] is True
    assert settings["log-opts"] == {"max-size": "10m", "max-file": "5"}


def test_what_does_not_fit_the_host_is_not_there(lab: Any, server: Any) -> None:
    assert lab.facts["memory"]["limit_mib"] < 4096
    assert "metabase" not in server.check_output("docker ps --all --format '{{.Names}}'")


def test_the_app_that_arrived_after_the_run_is_watched(lab: Any, eventually: Any) -> None:
    probes = 'probe_success{job="probe",app="shop"} == 1'
    eventually(lambda: len(lab.query(probes)) == 6, 120)
    eventually(lambda: lab.query('up{job="app",app="shop"} == 1'), 60)


def test_verify_is_satisfied(lab: Any, eventually: Any) -> None:
    def passes() -> bool:
        run = lab.play(playbook="playbooks/verify.yml")
        print(run.output)  # shown when the test fails
        return run.status == 0

    eventually(passes, 120)
