# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Two hosts: a Debian 12 server with the team's own engine, and a host that is added and removed by one line."""

from __future__ import annotations

import json
import subprocess
from typing import Any

BOTH = ["-i", "molecule/fleet/inventory/hosts.yml"]


def _node_targets(lab: Any) -> dict[str, str]:
    targets = lab.get("prometheus", "/api/v1/targets")["data"]["activeTargets"]
    return {target["labels"]["host"]: target["health"] for target in targets if target["labels"]["job"] == "node"}


# What is true of the laboratory's machine: its clock is nobody's to set, and memory is tight in its containers.
LAB_ALERTS = {"HostClockNotSynchronised", "HostOutOfMemoryKill"}


def test_healthy_hosts_are_silent(lab: Any, eventually: Any) -> None:
    eventually(lambda: len(lab.query('probe_success{job="probe",app="shop"} == 1')) == 6, 120)
    # What was not there yet when it was first asked: such an alert goes on for two minutes.
    of_the_app = 'ALERTS{alertstate="firing",alertname=~"(App|Probe|Postgres|Redis|Celery).+"}'
    eventually(lambda: not lab.query(of_the_app), 240)
    firing = {labels["alertname"] for labels, _ in lab.query('ALERTS{alertstate="firing",severity!="none"}')}
    assert firing <= LAB_ALERTS


def test_both_hosts_are_watched(lab: Any, eventually: Any) -> None:
    eventually(lambda: _node_targets(lab) == {"lab1": "up", "lab2": "up"}, 60)
    systems = {labels["host"]: labels["version_id"] for labels, _ in lab.query("node_os_info")}
    assert systems == {"lab1": "12", "lab2": "13"}


def test_the_exporter_of_a_further_host_listens_on_its_private_address_only(lab: Any, hosts: dict[str, Any]) -> None:
    address = lab.facts["hosts"][1]["address"]
    listeners = hosts["lab2"].check_output("ss -ltnH sport = :9100").split()
    assert f"{address}:9100" in listeners
    assert hosts["lab1"].run(f"python3 -c \"import socket; socket.create_connection(('{address}', 9100), 3)\"").rc == 0


def test_a_port_that_the_run_itself_closes_is_not_reported(lab: Any, hosts: dict[str, Any]) -> None:
    hosts["lab2"].check_output("echo 'ARGS=\"--web.listen-address=:9100\"' > /etc/default/prometheus-node-exporter")
    hosts["lab2"].check_output("systemctl restart prometheus-node-exporter")
    run = lab.play(*BOTH)
    assert run.status == 0, run.output
    assert "FAIL" not in run.output.partition("TASK [verify : Show the report")[2]


def test_the_engine_that_was_there_is_kept(lab: Any, server: Any) -> None:
    settings = json.loads(server.file("/etc/docker/daemon.json").content_string)
    assert settings["max-concurrent-downloads"] == 2
    assert set(settings) == {"max-concurrent-downloads", "registry-mirrors"}
    assert settings["registry-mirrors"] == [lab.facts["registry_mirror"], "http://127.0.0.1:5999"]
    # The user's container was started before the run; an engine that was restarted by it would be younger.
    container = server.check_output("docker inspect --format '{{.State.StartedAt}}' redis-of-the-user")
    engine = server.check_output("stat --format %Y /proc/$(pidof -s dockerd)")
    assert int(engine) <= int(server.check_output(f"date --date={container} +%s"))
    assert server.check_output("dpkg-query --show --showformat '${Version}' docker.io").startswith("20.10")
    assert not server.exists("docker-ce")


def test_a_host_goes_and_comes_back_with_one_line(lab: Any, eventually: Any) -> None:
    one = lab.play()
    assert one.status == 0, one.output
    eventually(lambda: set(_node_targets(lab)) == {"lab1"}, 30)
    both = lab.play(*BOTH)
    assert both.status == 0, both.output
    eventually(lambda: _node_targets(lab) == {"lab1": "up", "lab2": "up"}, 60)


def test_a_host_that_does_not_answer_is_reported_and_stops_nothing(lab: Any, eventually: Any) -> None:
    container = lab.facts["hosts"][1]["container"]
    subprocess.run(["docker", "stop", "--time", "5", container], check=True, capture_output=True)
    try:
        run = lab.play(*BOTH)
        assert run.recap["unreachable"] == 1
        # Everything was done for the others; the verification at the end says what is missing.
        assert run.recap["failed"] == 1
        assert "stack : Reload what runs" in run.output
        words = " ".join(run.output.partition("TASK [verify : Show the report")[2].split())
        assert "FAIL hosts lab2 was not checked: it does not answer over SSH" in words
        eventually(lambda: _node_targets(lab) == {"lab1": "up", "lab2": "down"}, 60)
        assert lab.query(f'up{{host="lab2",instance="{lab.facts["hosts"][1]["address"]}:9100"}} == 0')
    finally:
        subprocess.run(["docker", "start", container], check=True, capture_output=True)
    eventually(lambda: _node_targets(lab) == {"lab1": "up", "lab2": "up"}, 120)
