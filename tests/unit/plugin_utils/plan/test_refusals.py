"""Hosts on which the stack could not run: refused before anything is changed, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.refusals import host_refusals, server_refusals

Facts = Callable[..., dict[str, Any]]


def engine(facts: Facts, **different: Any) -> list[str]:
    """Refusals of a server whose engine answers, with facts of Docker that differ."""
    here = facts(docker="28.2.2", compose="2.38.0")
    return server_refusals(here | {"docker": here["docker"] | different}, 512)


ENGINES: dict[str, tuple[dict[str, Any], str, str]] = {
    "Podman": ({"kind": "podman", "version": None}, "is Podman's", "apt-get remove podman-docker"),
    "Podman that answers as an engine": ({"kind": "podman", "version": "4.9.3"}, "is Podman's", "podman-docker"),
    "the snap": ({"kind": "snap"}, "may not read /opt", "snap remove docker"),
    "rootless": ({"kind": "rootless"}, "without root", "systemctl enable --now docker"),
    "another host": (
        {"endpoint": "tcp://10.0.0.9:2375"},
        "uses the engine at tcp://10.0.0.9:2375",
        "unset DOCKER_HOST",
    ),
    "a user's": (
        {"endpoint": "unix:///run/user/1000/docker.sock"},
        "/run/user/1000",
        "docker context use default",
    ),
    "a path from the folder in which docker runs": (
        {"endpoint": "unix://var/run/docker.sock"},
        "unix://var/run/docker.sock",
        "unset DOCKER_HOST",
    ),
    "masked": ({"version": "", "masked": True}, "may not start it", "systemctl unmask docker.service"),
}


@pytest.mark.parametrize("case", ENGINES)
def test_what_only_looks_like_an_engine_is_refused_with_one_sentence_and_what_to_do(facts: Facts, case: str) -> None:
    different, why, todo = ENGINES[case]
    (refusal,) = engine(facts, **different)
    assert why in refusal and todo in refusal


OWN_ENGINE = ["", "unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:///var/run//docker.sock"]
OWN_ENGINE += ["unix:////run/docker.sock", "unix://///run/docker.sock", "unix:///run/./docker.sock"]


@pytest.mark.parametrize("endpoint", OWN_ENGINE)
def test_the_engine_of_the_host_itself_is_taken(facts: Facts, endpoint: str) -> None:
    assert engine(facts, endpoint=endpoint) == []


# What a kernel can limit: what is missing, as the refusal words it.
CONTROLLERS = {
    ("cpu", "memory", "pids"): "",
    ("cpu", "pids"): "cannot limit memory (cgroups), so one service could use up all. Add `cgroup_enable=memory` to",
    ("cpu",): "cannot limit memory and pids (cgroups), so one service could use up all. Add `cgroup_enable=memory "
    "cgroup_enable=pids` to",
}


@pytest.mark.parametrize("controllers", CONTROLLERS)
def test_a_kernel_without_limits_is_refused_with_the_switch(facts: Facts, controllers: tuple[str, ...]) -> None:
    refusals = server_refusals(facts() | {"controllers": list(controllers)}, 512)
    assert bool(refusals) == bool(CONTROLLERS[controllers])
    assert all(CONTROLLERS[controllers] in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("architecture", "refused"), [("x86_64", 0), ("aarch64", 0), ("32-bit armv7l", 1), ("32-bit aarch64", 1)]
)
def test_a_32_bit_system_cannot_be_the_server(facts: Facts, architecture: str, refused: int) -> None:
    refusals = server_refusals(facts() | {"architecture": architecture}, 512)
    assert len(refusals) == refused
    assert all(architecture.split()[-1] in refusal for refusal in refusals)


# (read-only folders, whether it is the server): the folders that are named.
READ_ONLY: dict[tuple[tuple[str, ...], bool], str] = {
    ((), True): "",
    (("/opt/crowsnest",), True): "/opt/crowsnest",
    (("/opt/crowsnest",), False): "",
    (("/etc", "/usr", "/var/lib"), False): "/etc, /usr, /var/lib",
}


@pytest.mark.parametrize("case", READ_ONLY, ids=str)
def test_a_folder_that_cannot_be_written_is_told_where_it_is_needed(
    facts: Facts, case: tuple[tuple[str, ...], bool]
) -> None:
    folders, server = case
    refusals = host_refusals({"h": facts() | {"read_only": list(folders)}}, {} if server else {"h": "10.0.0.2"})
    assert bool(refusals) == bool(READ_ONLY[case])
    assert all(refusal.startswith(f"h: the run cannot write to {READ_ONLY[case]}, as") for refusal in refusals)


# (node exporter, version of Docker, ensurepip, whether it is the server): whether packages are missing.
PACKAGES: dict[tuple[bool, str | None, bool, bool], bool] = {
    (True, "28.2.2", True, True): False,
    (True, "", True, True): False,  # Docker is there and only starts
    (False, "28.2.2", True, True): True,
    (True, None, True, True): True,
    (True, "28.2.2", False, True): True,
    (True, None, False, False): False,
    (False, None, True, False): True,
}


@pytest.mark.parametrize("case", PACKAGES, ids=str)
def test_usr_may_be_read_only_where_all_packages_are_there(
    facts: Facts, case: tuple[bool, str | None, bool, bool]
) -> None:
    node_exporter, docker, ensurepip, server = case
    here = facts(node_exporter=node_exporter, docker=docker) | {"read_only": ["/usr"]}
    here["python"] = {"version": "3.13", "ensurepip": ensurepip}
    assert bool(host_refusals({"h": here}, {} if server else {"h": "10.0.0.2"})) is PACKAGES[case]


# Facts of node exporter's unit: what the refusal says.
NODE_EXPORTER_UNITS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "masked": ({"masked": True}, ["its unit is masked", "`systemctl unmask prometheus-node-exporter.service`"]),
    "started by hand": (
        {"own_start": "/etc/systemd/system/prometheus-node-exporter.service.d/flags.conf"},
        [
            "flags.conf starts node exporter in its own way",
            "the flags in /etc/default/prometheus-node-exporter have no effect",
            "Remove ExecStart from /etc/systemd/system/prometheus-node-exporter.service.d/flags.conf",
            "node_exporter_flags",
        ],
    ),
}


@pytest.mark.parametrize("further", [{}, {"h": "10.0.0.2"}], ids=["server", "further host"])
@pytest.mark.parametrize("case", NODE_EXPORTER_UNITS)
def test_a_unit_that_the_run_could_not_start_with_its_flags_is_refused(
    facts: Facts, case: str, further: dict[str, str]
) -> None:
    different, words = NODE_EXPORTER_UNITS[case]
    here = facts()
    (refusal,) = host_refusals({"h": here | {"node_exporter": here["node_exporter"] | different}}, further)
    assert refusal.startswith("h: ") and all(word in refusal for word in words)


# (free MiB below /var/lib, free MiB where Docker keeps images, both on one disk): the disks that are too small.
DISKS = {
    (50_000, 50_000, True): [],
    (2_000, 2_000, True): ["/var/lib"],
    (2_000, 50_000, False): [],  # room for metrics and what stays free; images lie elsewhere
    (1_000, 50_000, False): ["/var/lib"],
    (50_000, 1_000, False): ["/data/docker"],
    (1_000, 1_000, False): ["/var/lib", "/data/docker"],
}


@pytest.mark.parametrize("case", DISKS, ids=str)
def test_images_need_room_on_the_disk_on_which_docker_keeps_them(facts: Facts, case: tuple[int, int, bool]) -> None:
    here = facts(free_mib=case[0])
    here["images_disk"] = {"path": "/data/docker", "device": 1 if case[2] else 2, "free_mib": case[1]}
    refusals = server_refusals(here, 512)
    assert [refusal.split(" are free below ")[1].split(",")[0] for refusal in refusals] == DISKS[case]
