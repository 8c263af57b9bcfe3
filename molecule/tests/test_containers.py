# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every container of the stack, whichever a scenario has: what it may do, what it takes, who can reach it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

NAMES = "docker ps --filter label=com.docker.compose.project=crowsnest --format '{{.Names}}'"


@pytest.fixture(scope="module")
def containers(server: Any) -> dict[str, dict[str, Any]]:
    """{service: what Docker says of its container}."""
    names = server.check_output(NAMES).split()
    assert len(names) >= 5
    found = json.loads(server.check_output(f"docker inspect {' '.join(names)}"))
    return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}


def test_a_container_has_no_rights_it_does_not_need(containers: dict[str, dict[str, Any]]) -> None:
    for name, container in containers.items():
        limits = container["HostConfig"]
        uid, gid = (int(part) for part in container["Config"]["User"].split(":"))
        assert uid == gid > 12000, name
        assert limits["ReadonlyRootfs"], name
        assert limits["CapDrop"] == ["ALL"], name
        assert limits["SecurityOpt"] == ["no-new-privileges:true"], name
        assert not limits["Privileged"], name
        assert 0 < limits["Memory"] == limits["MemorySwap"], name
        assert 0 < limits["PidsLimit"] <= 1000, name
        assert limits["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}, name
        assert limits["RestartPolicy"]["Name"] == "unless-stopped", name


def test_a_container_stays_below_half_of_its_limits(
    containers: dict[str, dict[str, Any]], server: Any, figure: Any
) -> None:
    form = "'{{.Name}} {{.MemPerc}} {{.PIDs}} {{.MemUsage}}'"
    for container in containers.values():
        row = server.check_output(f"docker stats --no-stream --format {form} {container['Name'][1:]}")
        name, memory, processes, amount = row.split()[:4]
        figure(f"memory of {name}", amount)
        assert 0 < float(memory.rstrip("%")) < 50, row
        assert 0 < int(processes) < container["HostConfig"]["PidsLimit"] / 2, row


def test_nothing_of_ours_listens_beyond_loopback(containers: dict[str, dict[str, Any]], server: Any) -> None:
    owners = {pid: name for name in containers for pid in _processes(server, containers[name]["Name"][1:])}
    owners |= dict.fromkeys(server.check_output("pidof prometheus-node-exporter").split(), "node exporter")
    listeners = [line.split() for line in server.check_output("ss -ltnpH").splitlines()]
    ours = [
        (owners[pid], fields[3])
        for fields in listeners
        for pid in re.findall(r"pid=(\d+)", fields[-1])
        if pid in owners
    ]
    assert {name for name, _ in ours} == {*containers, "node exporter"}
    assert {address.rsplit(":", 1)[0] for _, address in ours} == {"127.0.0.1"}


def _processes(server: Any, container: str) -> list[str]:
    """Their ids on the host."""
    return server.check_output(f"docker top {container} -o pid").split()[1:]
