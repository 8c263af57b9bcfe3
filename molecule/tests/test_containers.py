# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every container of the stack, whichever a scenario has: what it may do, what it takes, who can reach it.

What to expect is what the compose files on the host say; Docker is asked what it made of that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

OURS = "--filter label=com.docker.compose.project=crowsnest"
LABEL = "com.docker.compose.{}"


@dataclass(frozen=True)
class Container:
    """What Docker says of a container, and what is declared for its service."""

    actual: dict[str, Any]
    declared: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.actual["Name"][1:])


# The exception of docs/security.md, and the ports at which it listens: the pages, and Caddy's way to HTTPS.
FOR_EVERYBODY = {"proxy": ("80", "443")}


@pytest.fixture(scope="module")
def containers(lab: Any, server: Any) -> dict[str, Container]:
    """{service: container} of all that exist, also of those that stopped."""
    names = server.check_output(f"docker ps --all --quiet {OURS}")
    if not names and lab.name == "role":
        pytest.skip("a role without a container")
    assert names, "there is no container at all"
    found = json.loads(server.check_output(f"docker inspect {' '.join(names.split())}"))
    labels = [each["Config"]["Labels"] for each in found]
    paths = {path for label in labels for path in label[LABEL.format("project.config_files")].split(",")}
    files = " ".join(f"--file {path}" for path in sorted(paths))
    declared = json.loads(server.check_output(f"docker compose {files} config --format json"))["services"]
    made = {label[LABEL.format("service")]: each for label, each in zip(labels, found, strict=True)}
    assert made.keys() == declared.keys()
    return {service: Container(made[service], declared[service]) for service in declared}


def test_every_declared_service_runs(containers: dict[str, Container]) -> None:
    assert {service: found.actual["State"]["Status"] for service, found in containers.items()} == dict.fromkeys(
        containers, "running"
    )


def test_a_container_has_no_rights_it_does_not_need(containers: dict[str, Container]) -> None:
    for service, container in containers.items():
        limits = container.actual["HostConfig"]
        assert container.actual["Config"]["User"] == container.declared["user"], service
        uid, gid = (int(part) for part in container.declared["user"].split(":"))
        assert uid == gid, service
        assert uid > 12000 or service in FOR_EVERYBODY, service
        assert limits["ReadonlyRootfs"], service
        assert limits["CapDrop"] == ["ALL"], service
        added = [name.removeprefix("CAP_") for name in limits["CapAdd"] or []]
        assert added == (["NET_BIND_SERVICE"] if service in FOR_EVERYBODY else []), service
        assert limits["SecurityOpt"] == ["no-new-privileges:true"], service
        assert not limits["Privileged"], service
        assert limits["RestartPolicy"]["Name"] == "unless-stopped", service
        assert not any("docker.sock" in mount["Source"] for mount in container.actual["Mounts"]), service


def test_a_container_has_the_limits_that_are_declared(containers: dict[str, Container]) -> None:
    for service, container in containers.items():
        limits = container.actual["HostConfig"]
        assert 0 < limits["Memory"] == limits["MemorySwap"] == int(container.declared["mem_limit"]), service
        assert 0 < limits["PidsLimit"] == container.declared["pids_limit"] <= 1000, service
        assert limits["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}, service


def test_no_two_services_have_the_same_user(containers: dict[str, Container]) -> None:
    users = [container.declared["user"] for container in containers.values()]
    assert len(set(users)) == len(users)


def test_a_container_stays_below_half_of_its_limits(
    containers: dict[str, Container], lab: Any, server: Any, figure: Any
) -> None:
    """Of the programs that really run here: what a double takes says nothing of what it stands for.

    Files that the kernel keeps in memory count for whoever read them first, and go when memory is needed; of them,
    `docker stats` takes off only those that were read once.
    """
    for service, container in containers.items():
        if service in lab.facts["doubles"]:
            continue
        used, processes = _use(server, container.name)
        figure(f"memory of {container.name}", f"{used / 2**20:.1f} MiB")
        assert 0 < used < int(container.declared["mem_limit"]) / 2, service
        assert 0 < processes < container.declared["pids_limit"] / 2, service


def _use(server: Any, name: str) -> tuple[int, int]:
    """(bytes that the kernel cannot take back, processes and threads)."""
    url = f"http://docker/containers/{name}/stats?stream=false&one-shot=true"
    found = json.loads(server.check_output(f"curl --silent --unix-socket /var/run/docker.sock '{url}'"))
    memory = found["memory_stats"]
    cached = memory["stats"]["active_file"] + memory["stats"]["inactive_file"]
    return memory["usage"] - cached, found["pids_stats"]["current"]


def test_nothing_of_ours_listens_beyond_loopback(containers: dict[str, Container], server: Any) -> None:
    owners = {pid: service for service in containers for pid in _processes(server, containers[service].name)}
    owners |= dict.fromkeys(server.run("pidof prometheus-node-exporter").stdout.split(), "node exporter")
    listeners = [line.split() for line in server.check_output("ss -ltnpH").splitlines()]
    ours = [
        (owners[pid], fields[3])
        for fields in listeners
        for pid in re.findall(r"pid=(\d+)", fields[-1])
        if pid in owners
    ]
    assert {name for name, _ in ours} == set(owners.values())
    beyond = {(name, address.rsplit(":", 1)[1]) for name, address in ours if not address.startswith("127.0.0.1:")}
    assert beyond == {(name, port) for name, ports in FOR_EVERYBODY.items() if name in containers for port in ports}


def _processes(server: Any, container: str) -> list[str]:
    """Their ids on the host."""
    return server.check_output(f"docker top {container} -o pid").split()[1:]
