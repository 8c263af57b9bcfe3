"""Who listens where, from /proc as it is on real hosts, and from this machine's own."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.host import facts as host_facts
from ansible_collections.crowsnest.core.plugins.module_utils.host import listeners as host_listeners

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = HEAD + (
    "   0: 0100007F:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0\n"
    "   2: 0403FE1A:238C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0\n"
    "   3: 0100007F:1F40 0100007F:D431 01 00000000:00000000 02:00000A2B 00000000     0        0 4 2 0 20 4 30 10 -1\n"
)
TCP6 = HEAD + (
    "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 5 1 0\n"
    "   1: 00000000000000000000000001000000:2383 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 6 1 0\n"
    "   2: 0000000000000000FFFF00000100007F:2384 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7 1 0\n"
)


def test_listening_ports_are_read_with_their_addresses_and_connections_are_not(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "tcp6").write_text(TCP6)
    assert host_listeners.listening_ports(str(tmp_path)) == {
        "9090": ["127.0.0.1"],
        "22": ["0.0.0.0", "::"],
        "9100": ["26.254.3.4"],
        "9091": ["::1"],
        "9092": ["::ffff:127.0.0.1"],
    }


def test_a_host_without_ipv6_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(HEAD)
    assert host_listeners.listening_ports(str(tmp_path)) == {}


def test_a_port_that_is_really_open_is_found() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        assert "127.0.0.1" in host_listeners.listening_ports()[str(server.getsockname()[1])]


# --- who it is ---

SYSTEMD = {"cgroup": "0::/system.slice/prometheus-node-exporter.service\n"}
PACKAGE = "/usr/bin/prometheus-node-exporter"


def process(
    proc: Path, pid: int, cmdline: str = "", parent: int = 1, sockets: tuple[int, ...] = (), **given: str
) -> None:
    """A process as /proc shows it; `given` may hold `exe` and `cgroup`."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "cmdline").write_text(cmdline)
    (folder / "status").write_text(f"Name:\tx\nPPid:\t{parent}\nUid:\t0\n")
    (folder / "cgroup").write_text(given.get("cgroup", "0::/\n"))
    (folder / "exe").symlink_to(given.get("exe") or cmdline.split("\0")[0] or "gone")
    for number, inode in enumerate(sockets):
        (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    (folder / "fd" / "99").symlink_to("/dev/null")


def listening(proc: Path, *rows: tuple[int, int]) -> None:
    """Sockets on loopback: (port, inode)."""
    (proc / "net").mkdir(exist_ok=True)
    lines = [f"0: 0100007F:{port:04X} 00000000:0000 0A 0:0 0:0 0 0 0 {inode} 1\n" for port, inode in rows]
    (proc / "net" / "tcp").write_text(HEAD + "".join(lines))


def who(proc: Path, containers: dict[int, dict[str, str]] | None = None) -> dict[str, Any]:
    """{port: row without its address} of ports with one listener."""
    found = host_listeners.listeners(containers or {}, str(proc))
    return {port: {key: value for key, value in rows[0].items() if key != "address"} for port, rows in found.items()}


def test_programs_containers_and_the_kernel_are_told_apart(tmp_path: Path) -> None:
    listening(tmp_path, (9100, 1), (9090, 2), (3000, 3), (2049, 4), (8000, 5))
    process(tmp_path, 1, "/sbin/init", parent=0)
    process(tmp_path, 700, "/usr/bin/containerd-shim-runc-v2")
    process(tmp_path, 812, "/usr/bin/node_exporter", sockets=(1,), cgroup="0::/system.slice/node_exporter.service\n")
    process(tmp_path, 850, "/bin/sh", parent=700, cgroup="0::/system.slice/docker-ab.scope\n")
    process(tmp_path, 851, "node\0app.js", parent=850, exe="/usr/bin/node", sockets=(3,))
    process(tmp_path, 860, "/bin/prometheus", parent=700, sockets=(2,))
    process(tmp_path, 870, "python3\0-m\0http.server", exe="/usr/bin/python3.13 (deleted)", sockets=(5,))
    containers = {850: {"name": "shop-web-1", "service": ""}, 860: {"name": "cn-1", "service": "prometheus"}}
    empty = {"pid": 0, "program": "", "unit": "", "container": "", "contained": False, "service": ""}
    inside = empty | {"contained": True}
    assert who(tmp_path, containers) == {
        "9100": empty | {"pid": 812, "program": "/usr/bin/node_exporter", "unit": "node_exporter.service"},
        "9090": inside | {"pid": 860, "program": "/bin/prometheus", "container": "cn-1", "service": "prometheus"},
        "3000": inside | {"pid": 851, "program": "/usr/bin/node", "container": "shop-web-1"},
        "8000": empty | {"pid": 870, "program": "/usr/bin/python3.13"},
        "2049": empty,
    }


def test_a_container_is_known_as_one_while_the_engine_does_not_answer(tmp_path: Path) -> None:
    listening(tmp_path, (9090, 1), (9091, 2), (9092, 3))
    process(tmp_path, 1, "/sbin/init", parent=0)
    process(tmp_path, 700, "/usr/bin/containerd-shim-runc-v2")
    process(tmp_path, 701, "/usr/bin/conmon")
    process(tmp_path, 860, "/bin/prometheus", parent=700, sockets=(1,))
    process(tmp_path, 861, "/bin/prometheus", parent=701, sockets=(2,))
    process(tmp_path, 862, "/usr/bin/prometheus", sockets=(3,))
    contained = {port: row["contained"] for port, row in who(tmp_path).items()}
    assert contained == {"9090": True, "9091": False, "9092": False}


# Lines of /proc/PID/cgroup: the unit.
UNITS = {
    "0::/system.slice/nginx.service\n": "nginx.service",
    "0::/system.slice/system-postgresql.slice/postgresql@17-main.service\n": "postgresql@17-main.service",
    "0::/system.slice/nginx.service/worker\n": "nginx.service",
    "12:pids:/system.slice/nginx.service\n1:name=systemd:/system.slice/nginx.service\n0::/\n": "nginx.service",
    "9:pids:/docker/15e2\n0::/docker/15e2/system.slice/nginx.service\n": "nginx.service",
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n": "",
    "0::/system.slice/docker-15e2.scope\n": "",
    "0::/user.slice/user-0.slice/session-3.scope\n": "",
    "": "",
}


@pytest.mark.parametrize("text", UNITS, ids=str.strip)
def test_the_unit_of_a_process_is_one_of_the_system(tmp_path: Path, text: str) -> None:
    process(tmp_path, 5, "x", cgroup=text)
    assert host_listeners.unit(5, str(tmp_path)) == UNITS[text]
    assert host_listeners.unit(6, str(tmp_path)) == ""


# A process named as the package's program: whether it is its service.
NODE_EXPORTERS: dict[str, tuple[dict[str, Any], bool]] = {
    "the package, by systemd": (SYSTEMD, True),
    "the package, without systemd": ({}, True),
    "a second one of the team's": ({"cgroup": "0::/system.slice/other.service\n"}, False),
    "in a container": ({"parent": 700}, False),
    "in a container of Podman": ({"parent": 701}, False),
}


@pytest.mark.parametrize("case", NODE_EXPORTERS)
def test_the_package_s_node_exporter_is_told_from_others(tmp_path: Path, case: str) -> None:
    given, ours = NODE_EXPORTERS[case]
    listening(tmp_path, (9100, 1))
    process(tmp_path, 1, "/sbin/init", parent=0)
    process(tmp_path, 700, "/usr/bin/containerd-shim-runc-v2")
    process(tmp_path, 701, "/usr/bin/conmon")
    process(tmp_path, 99, f"{PACKAGE}\0--web.listen-address=127.0.0.1:9100\0--a=b c\0", sockets=(1,), **given)
    assert who(tmp_path)["9100"]["service"] == ("node_exporter" if ours else "")
    flags = ["--web.listen-address=127.0.0.1:9100", "--a=b c"]
    assert host_facts.node_exporter(str(tmp_path))["flags"] == (flags if ours else None)


OTHERS = ["", "/usr/bin/python3\0prometheus-node-exporter\0", "/usr/local/bin/node_exporter\0"]


@pytest.mark.parametrize("cmdline", OTHERS)
def test_only_that_program_is_the_package_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cmdline: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    process(tmp_path, 77, cmdline)
    assert host_facts.node_exporter(str(tmp_path)) == {"installed": False, "flags": None}


def test_a_node_exporter_that_does_not_run_may_still_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shutil.copy("/bin/true", tmp_path / "prometheus-node-exporter")
    assert host_facts.node_exporter(str(tmp_path)) == {"installed": True, "flags": None}


def test_this_process_is_found_by_a_port_it_opened() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        (row,) = host_listeners.listeners({})[str(server.getsockname()[1])]
    assert (row["address"], row["pid"]) == ("127.0.0.1", os.getpid())
    assert row["program"] == os.path.realpath(sys.executable)
