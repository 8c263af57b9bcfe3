"""What is read of a host, from files as they are on real hosts."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils import host_facts

OS_RELEASES = {
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n'
    'VERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL="https://www.debian.org/"\n': (
        "debian",
        "12",
        "bookworm",
    ),
    'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL=13.2\n'
    "ID=debian\n": ("debian", "13", "trixie"),
    'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n'
    "UBUNTU_CODENAME=jammy\n": ("ubuntu", "22.04", "jammy"),
    'VERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\nLOGO=ubuntu-logo\n': (
        "ubuntu",
        "24.04",
        "noble",
    ),
    "# a comment\n\nID='arch'\n": ("arch", "", ""),
    "": ("unknown", "", ""),
}


@pytest.mark.parametrize("text", OS_RELEASES, ids=lambda text: str(OS_RELEASES[text]))
def test_the_operating_system_is_read_from_os_release(tmp_path: Path, text: str) -> None:
    (tmp_path / "os-release").write_text(text)
    found = host_facts.os_release(str(tmp_path / "os-release"))
    assert (found["id"], found["version"], found["codename"]) == OS_RELEASES[text]


MEMINFO = """\
MemTotal:         968032 kB
MemFree:           81120 kB
MemAvailable:     512000 kB
Buffers:           20000 kB
HugePages_Total:       0
DirectMap2M:     1009664 kB
"""
# (limit, used) of the container in MiB: (total, available)
LIMITS = {(0, 0): (945, 500), (512, 100): (512, 412), (512, 600): (512, 0), (4096, 100): (945, 500)}


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_memory_is_the_hosts_or_the_limit_of_the_container_that_plays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: tuple[int, int]
) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    monkeypatch.setattr(host_facts, "cgroup_memory_mib", lambda: limit)
    total, available = LIMITS[limit]
    assert host_facts.meminfo(str(tmp_path / "meminfo")) == {"total_mib": total, "available_mib": available}


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
    assert host_facts.listening_ports(str(tmp_path)) == {
        "9090": ["127.0.0.1"],
        "22": ["0.0.0.0", "::"],
        "9100": ["26.254.3.4"],
        "9091": ["::1"],
        "9092": ["::ffff:127.0.0.1"],
    }


def test_a_host_without_ipv6_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(HEAD)
    assert host_facts.listening_ports(str(tmp_path)) == {}


def test_a_port_that_is_really_open_is_found() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        assert "127.0.0.1" in host_facts.listening_ports()[str(server.getsockname()[1])]


def test_the_disk_of_a_path_that_does_not_exist_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    found = host_facts.disk(str(tmp_path / "not/yet/there"))
    assert (found["path"], found["own_mib"]) == (str(tmp_path), 0)
    assert found["total_mib"] == shutil.disk_usage(tmp_path).total // 2**20


def test_what_lies_on_the_disk_is_counted_as_our_own(tmp_path: Path) -> None:
    (tmp_path / "prometheus/wal").mkdir(parents=True)
    for name in ("prometheus/a", "prometheus/wal/b"):
        (tmp_path / name).write_bytes(os.urandom(3 * 2**20))
    (tmp_path / "gone").symlink_to("nowhere")
    assert host_facts.disk(str(tmp_path))["own_mib"] == 6


def process(proc: Path, pid: int, cmdline: bytes) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes(cmdline)


def test_the_flags_of_a_running_node_exporter_are_read(tmp_path: Path) -> None:
    process(tmp_path, 2, b"")  # a thread of the kernel
    process(tmp_path, 77, b"/usr/bin/python3\0prometheus-node-exporter\0")
    process(tmp_path, 99, b"/usr/bin/prometheus-node-exporter\0--web.listen-address=127.0.0.1:9100\0--a=b c\0")
    flags = ["--web.listen-address=127.0.0.1:9100", "--a=b c"]
    assert host_facts.node_exporter(str(tmp_path)) == {"installed": True, "flags": flags}


def test_a_node_exporter_that_does_not_run_may_still_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Callable[..., None]
) -> None:
    programs()
    assert host_facts.node_exporter(str(tmp_path)) == {"installed": False, "flags": None}
    programs(**{"prometheus-node-exporter": "exit 0"})
    assert host_facts.node_exporter(str(tmp_path)) == {"installed": True, "flags": None}


# --- who may ping ---


@pytest.mark.parametrize(("text", "groups"), [("0\t2147483647\n", [0, 2147483647]), ("1\t0\n", [1, 0]), ("", [1, 0])])
def test_the_groups_that_may_ping(tmp_path: Path, text: str, groups: list[int]) -> None:
    (tmp_path / "range").write_text(text)
    assert host_facts.ping_groups(str(tmp_path / "range")) == groups
    assert host_facts.ping_groups(str(tmp_path / "none")) == [1, 0]


# --- our units ---

SHOWN = """\
printf '%s' '\
Id=crowsnest-container-metrics.timer
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no

Id=crowsnest-container-metrics.service
ActiveState=inactive
UnitFileState=
NeedDaemonReload=yes
'
"""


def test_our_units_are_active_enabled_and_stale_or_not(programs: Callable[..., None]) -> None:
    programs(systemctl=SHOWN)
    assert host_facts.units() == {
        "crowsnest-container-metrics.timer": {"active": True, "enabled": True, "stale": False},
        "crowsnest-container-metrics.service": {"active": False, "enabled": False, "stale": True},
    }


@pytest.mark.parametrize("systemctl", ["exit 1", "true"])
def test_a_host_without_systemd_has_no_units(programs: Callable[..., None], systemctl: str) -> None:
    programs(systemctl=systemctl)
    assert host_facts.units() == {}


# --- the toolbox ---

NAME, OTHER = "3.13-0123456789ab", "3.11-0123456789ab"
# Files in the folder, and where `current` points: what is said of it.
TOOLBOXES: list[tuple[list[str], str | None, str]] = [
    ([], None, ""),
    ([f"{NAME}/bin/python"], NAME, NAME),
    ([f"{NAME}/bin/python", "notes.txt"], NAME, NAME),
    ([f"{NAME}/bin/python"], None, ""),  # cut off before it came into force
    ([f"{NAME}/lib/x"], NAME, ""),  # damaged
    ([f"{NAME}/bin/python", f"{OTHER}/lib/x"], NAME, ""),  # cut off before the older one was removed
    ([f"{NAME}/bin/python"], OTHER, ""),
    (["mine/bin/python"], "mine", ""),
]


@pytest.mark.parametrize("files, link, expected", TOOLBOXES)
def test_the_toolbox_is_there_when_nothing_is_left_to_do(
    tmp_path: Path, files: list[str], link: str | None, expected: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    if link:
        (tmp_path / "current").symlink_to(link)
    assert host_facts.toolbox(str(tmp_path)) == expected


def test_a_host_without_a_toolbox_has_none(tmp_path: Path) -> None:
    assert host_facts.toolbox(str(tmp_path / "none")) == ""


@pytest.mark.parametrize("found", [True, False])
def test_whether_python_can_make_environments_is_seen(monkeypatch: pytest.MonkeyPatch, found: bool) -> None:
    monkeypatch.setattr(host_facts.importlib.util, "find_spec", lambda name: name if found else None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert host_facts.python() == {"version": version, "ensurepip": found}


# --- Docker, played by small programs on PATH ---


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make these shell scripts, {name: text}, all there is on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(host_facts, "daemon_json", dict)

    def write(**scripts: str) -> None:
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)

    return write


DOCKER = """\
case "$*" in
    "version --format {{.Server.Version}}") echo 26.1.5;;
    "compose version --short") echo 2.26.1;;
    "ps -q --filter label=com.docker.compose.project=crowsnest") printf 'a1\\nb2\\n';;
    "inspect --format"*" a1 b2") printf '101 prometheus\\n102 alertmanager\\n';;
    "image ls"*) printf 'prom/prometheus:v3.14.0 sha256:aa\\nshop:1 <none>\\n';;
    *) echo "unknown: $*" >&2; exit 1;;
esac"""


def docker_facts() -> dict[str, Any]:
    return host_facts.docker_facts()


def test_what_runs_in_docker_is_read(programs: Callable[..., None]) -> None:
    programs(docker=DOCKER, dockerd="exit 1")
    found = docker_facts()
    found.pop("python_client")
    assert found == {
        "version": "26.1.5",
        "compose": "2.26.1",
        "own": ["alertmanager", "prometheus"],
        "pids": [101, 102],
        "images": ["prom/prometheus:v3.14.0", "prom/prometheus@sha256:aa", "shop:1", "shop@<none>"],
        "daemon": {},
        "from_docker": False,
    }


# As Docker 20, 26 and 29 print it.
PUBLISHED = """\
shop-web-1\t127.0.0.1:8000->8000/tcp
db\t0.0.0.0:5432->5432/tcp, :::5432->5432/tcp
new-db\t0.0.0.0:5433->5432/tcp, [::]:5433->5432/tcp
range\t0.0.0.0:9000-9001->9000-9001/tcp, 0.0.0.0:53->53/udp
inside\t5432/tcp, 9000-9001/tcp
host-network\t
"""


def test_ports_that_docker_publishes_are_read_of_all_containers(programs: Callable[..., None]) -> None:
    programs(docker=f"printf '{PUBLISHED}'")
    assert [(it["container"], it["address"], it["port"]) for it in host_facts.published_ports()] == [
        ("shop-web-1", "127.0.0.1", 8000),
        ("db", "0.0.0.0", 5432),
        ("db", "::", 5432),
        ("new-db", "0.0.0.0", 5433),
        ("new-db", "::", 5433),
        ("range", "0.0.0.0", 9000),
        ("range", "0.0.0.0", 9001),
    ]


def test_a_host_without_docker_publishes_nothing(programs: Callable[..., None]) -> None:
    programs()
    assert host_facts.published_ports() == []


def test_a_host_without_any_of_the_programs_has_no_engine(programs: Callable[..., None]) -> None:
    programs()
    found = docker_facts()
    assert (found["version"], found["compose"], found["own"], found["from_docker"]) == (None, None, [], False)


def test_an_engine_that_is_stopped_has_no_version(programs: Callable[..., None]) -> None:
    programs(docker='[ "$1" = compose ] && echo 2.26.1 || exit 1', dockerd="exit 1")
    found = docker_facts()
    assert (found["version"], found["compose"], found["own"], found["images"]) == ("", "2.26.1", [], [])


def test_an_engine_without_compose_is_seen_as_such(programs: Callable[..., None]) -> None:
    programs(docker='[ "$1" = version ] && echo 20.10.24 || exit 1', dockerd="exit 1")
    assert (docker_facts()["version"], docker_facts()["compose"]) == ("20.10.24", None)


# dpkg knows the name of a package that others only mention.
@pytest.mark.parametrize("status", ["installed", "not-installed"])
def test_dockers_own_package_is_told_from_the_distributions(programs: Callable[..., None], status: str) -> None:
    programs(**{"dpkg-query": f"printf {status}"})
    assert docker_facts()["from_docker"] is (status == "installed")


def test_a_program_that_hangs_says_nothing(programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    run = host_facts.subprocess.run
    monkeypatch.setattr(host_facts.subprocess, "run", lambda *a, **options: run(*a, **{**options, "timeout": 0.2}))
    programs(docker="exec /bin/sleep 5", dockerd="exit 1")
    assert docker_facts()["version"] == ""


# Content of daemon.json: the settings, or None where it must be mended first.
DAEMON_JSON = {'{"live-restore": true}': {"live-restore": True}, "": {}, "{": None, "[]": None}


@pytest.mark.parametrize("text", DAEMON_JSON)
def test_settings_of_the_engine_are_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daemon.json"
    assert host_facts.daemon_json(str(path)) == {}
    path.write_text(text)
    expected = DAEMON_JSON[text]
    if expected is None:
        with pytest.raises(ValueError, match=r"."):
            host_facts.daemon_json(str(path))
    else:
        assert host_facts.daemon_json(str(path)) == expected


def test_memory_of_a_process_counts_with_its_children_and_a_gone_one_has_none() -> None:
    assert 5 < host_facts.resident_mib(os.getpid()) < 4000
    assert host_facts.resident_mib(2**22 + 1) == 0
