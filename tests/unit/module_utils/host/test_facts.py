"""What is read of a host, from files as they are on real hosts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.host import facts as host_facts

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


# --- what a kernel or a disk lacks ---

V1 = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t{memory}\npids\t0\t1\t1\n"
# (cgroup.controllers of version 2, /proc/cgroups): what can be limited.
CONTROLLERS: dict[tuple[str | None, str | None], list[str]] = {
    ("cpuset cpu memory pids\n", V1.format(memory=1)): ["cpu", "cpuset", "memory", "pids"],
    (None, V1.format(memory=1)): ["cpu", "memory", "pids"],
    (None, V1.format(memory=0)): ["cpu", "pids"],
    ("cpu pids\n", V1.format(memory=0)): ["cpu", "pids"],
    ("", V1.format(memory=1)): ["cpu", "memory", "pids"],  # both versions are mounted
    ("cpu memory pids\n", None): ["cpu", "memory", "pids"],
    (None, None): [],
}


@pytest.mark.parametrize("case", CONTROLLERS, ids=lambda case: "-".join(CONTROLLERS[case]) or "none")
def test_what_the_kernel_can_limit(tmp_path: Path, case: tuple[str | None, str | None]) -> None:
    paths = [tmp_path / "cgroup.controllers", tmp_path / "cgroups"]
    for path, text in zip(paths, case, strict=True):
        if text is not None:
            path.write_text(text)
    assert host_facts.cgroup_controllers(*map(str, paths)) == CONTROLLERS[case]


def test_a_file_system_that_is_mounted_read_only_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    wanted = [str(tmp_path), str(locked), str(tmp_path / "not/yet")]
    assert host_facts.read_only(wanted) == []
    real = os.statvfs(tmp_path)
    mounted = os.statvfs_result((*tuple(real)[:8], real.f_flag | os.ST_RDONLY, real.f_namemax))
    monkeypatch.setattr(host_facts.os, "statvfs", lambda path: mounted if Path(path) == locked else real)
    assert host_facts.read_only([*wanted, f"{locked}/crowsnest"]) == [str(locked), f"{locked}/crowsnest"]


# --- who may ping ---


@pytest.mark.parametrize(("text", "groups"), [("0\t2147483647\n", [0, 2147483647]), ("1\t0\n", [1, 0]), ("", [1, 0])])
def test_the_groups_that_may_ping(tmp_path: Path, text: str, groups: list[int]) -> None:
    (tmp_path / "range").write_text(text)
    assert host_facts.ping_groups(str(tmp_path / "range")) == groups
    assert host_facts.ping_groups(str(tmp_path / "none")) == [1, 0]


# --- our units ---

UNITS = ["crowsnest-container-metrics.timer", "crowsnest-container-metrics.service"]
# It answers to exactly this question.
SHOWN = """\
shift 2
[ "$*" = "crowsnest-container-metrics.timer crowsnest-container-metrics.service" ] || exit 1
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
    assert host_facts.units(UNITS) == {
        "crowsnest-container-metrics.timer": {"active": True, "enabled": True, "stale": False},
        "crowsnest-container-metrics.service": {"active": False, "enabled": False, "stale": True},
    }


@pytest.mark.parametrize("systemctl", ["exit 1", "true"])
def test_a_host_without_systemd_has_no_units(programs: Callable[..., None], systemctl: str) -> None:
    programs(systemctl=systemctl)
    assert host_facts.units(UNITS) == {}


def test_no_unit_is_asked_for_when_none_is_wanted(programs: Callable[..., None]) -> None:
    programs(systemctl="echo Id=somebody")
    assert host_facts.units([]) == {}


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


CRONS = {"usr/sbin/cron": True, "usr/sbin/crond": True, "units/cron.target": True, "usr/sbin/anacron": False}


@pytest.mark.parametrize("file", CRONS)
def test_whether_a_cron_is_installed_is_seen(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch(mode=0o755)
    assert host_facts.cron(str(tmp_path / "usr/sbin"), str(tmp_path / "units")) is CRONS[file]


def test_backups_are_sized_by_job_the_oldest_first(tmp_path: Path) -> None:
    sizes = {
        "production/shop/shop_production_20261127_030000.sql.gz": 5,
        "production/shop/shop_production_20261126_030000.sql.gz": 4,
        "production/shop/shop_production_20261127_030000.json": 100,
        "production/shop/.shop_production_20261128_030000.sql.gz.partial": 100,
        "production/stack/stack_production_20261127_030000.tar.gz": 7,
        "notes.gz": 1,
    }
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert host_facts.backups(str(tmp_path)) == {"production/shop": [4, 5], "production/stack": [7]}
    assert host_facts.backups(str(tmp_path / "none")) == {}


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
    "context inspect"*) echo unix:///var/run/docker.sock;;
    "info"*) printf '[name=seccomp,profile=builtin]\\t/data/docker\\n';;
    "ps -q") printf 'a1\\nb2\\nc3\\nd4\\n';;
    "inspect --format"*" a1 b2 c3 d4")
        printf '101\\tcrowsnest\\tprometheus\\tFalse\\tprom:1\\t\\t\\t/crowsnest-prometheus-1\\n'
        printf '102\\tcrowsnest\\talertmanager\\tFalse\\tam:1\\t\\t\\t/am\\n'
        printf '103\\tshop\\tweb\\tFalse\\tshop:1\\t\\t\\t/shop-web-1\\n0\\t\\t\\t\\t\\t\\t\\t/restarting\\n'
        printf '104\\tshop\\tdb\\tFalse\\tpostgres:17\\torders\\tadmin\\t/shop-db-1\\n'
        printf '105\\tshop\\tweb\\tTrue\\tshop:1\\t\\t\\t/shop-web-run-1\\nhalf a\\tline\\n'
        echo 'Error: No such object: d4' >&2; exit 1;;
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
        "kind": "docker",
        "endpoint": "unix:///var/run/docker.sock",
        "masked": False,
        "folder": "/data/docker",
        "own": ["alertmanager", "prometheus"],
        "containers": {
            101: {"name": "crowsnest-prometheus-1", "service": "prometheus"},
            102: {"name": "am", "service": "alertmanager"},
            103: {"name": "shop-web-1", "service": ""},
            104: {"name": "shop-db-1", "service": ""},
            105: {"name": "shop-web-run-1", "service": ""},
        },
        "running": [
            {"name": "shop-db-1", "project": "shop", "image": "postgres:17", "database": "orders", "user": "admin"},
            {"name": "shop-web-1", "project": "shop", "image": "shop:1", "database": "", "user": ""},
        ],
        "images": ["prom/prometheus:v3.14.0", "prom/prometheus@sha256:aa", "shop:1", "shop@<none>"],
        "daemon": {},
        "bridge": host_facts.network.bridge_address(),
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


# What answers to the name `docker`: its script, and what it really is.
LOOK_ALIKES = {
    "podman": '[ "$1" = --version ] && echo podman version 4.9.3 || exit 125',
    "docker": '[ "$1" = --version ] && echo Docker version 28.2.2, build e6534b4 || exit 1',
    "rootless": """case "$1" in
        version) echo 28.2.2;;
        info) printf '[name=seccomp,profile=builtin name=rootless name=cgroupns]\\t/home/kim/.local/share/docker';;
        *) exit 1;;
    esac""",
}


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_what_is_called_docker_is_told_apart(programs: Callable[..., None], kind: str) -> None:
    programs(docker=LOOK_ALIKES[kind], dockerd="exit 1")
    assert docker_facts()["kind"] == kind


def test_podman_is_seen_without_an_engine(programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_facts, "SOCKET", "/nowhere")
    programs(docker=LOOK_ALIKES["podman"])
    assert (docker_facts()["kind"], docker_facts()["version"]) == ("podman", None)


@pytest.mark.parametrize("on_path", [True, False])
def test_the_snap_is_seen_also_where_its_folder_is_not_on_path(
    programs: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: bool
) -> None:
    programs()
    snap = tmp_path / "snap"
    snap.mkdir()
    (snap / "docker").write_text("#!/bin/sh\nexit 1\n")
    (snap / "docker").chmod(0o755)
    monkeypatch.setattr(host_facts, "SNAP", str(snap))
    if on_path:
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{snap}")
    assert docker_facts()["kind"] == "snap"


@pytest.mark.parametrize("state", ["masked", "loaded"])
def test_an_engine_that_systemd_may_not_start_is_seen(programs: Callable[..., None], state: str) -> None:
    programs(docker="exit 1", dockerd="exit 1", systemctl=f"echo LoadState={state}")
    assert docker_facts()["masked"] is (state == "masked")


PACKAGED = "/usr/bin/prometheus-node-exporter $ARGS"
# (argument vector of node exporter's unit, text of a drop-in): who starts it in another way than the package.
STARTS: dict[tuple[str, str | None], str] = {
    (PACKAGED, None): "",
    (PACKAGED, "[Service]\nMemoryMax=64M\n# ExecStart=\n"): "",
    (f"/usr/bin/nice -n 5 {PACKAGED}", "[Service]\nExecStart=\nExecStart=/usr/bin/nice …\n"): "",
    ("/usr/bin/prometheus-node-exporter --collector.systemd", "[Service]\nExecStart=\nExecStart=x\n"): "drop-in",
    (f"{PACKAGED} --collector.systemd", "[Service]\n ExecStart = x\n"): "drop-in",
    ("/usr/bin/prometheus-node-exporter ${ARGS}", "[Service]\nExecStart=x\n"): "drop-in",
    ("/usr/local/bin/node_exporter $ARGS", None): "unit",
    ("/usr/local/bin/node_exporter", "[Service]\nMemoryMax=64M\n"): "unit",
}


@pytest.mark.parametrize("case", STARTS, ids=str)
def test_who_starts_node_exporter_in_another_way_is_named(
    tmp_path: Path, programs: Callable[..., None], case: tuple[str, str | None]
) -> None:
    argv, text = case
    files = {"unit": "/usr/lib/systemd/system/prometheus-node-exporter.service", "drop-in": str(tmp_path / "own.conf")}
    (tmp_path / "last.conf").write_text("[Unit]\nAfter=network-online.target\n")
    if text is not None:
        (tmp_path / "own.conf").write_text(text)
    drop_ins = f"{files['drop-in']} {tmp_path}/last.conf {tmp_path}/gone.conf" if text is not None else ""
    start = f"{{ path=/usr/bin/x ; argv[]={argv} ; ignore_errors=no ; start_time=[n/a] ; pid=0 ; code=(null) }}"
    shown = f"LoadState=loaded\nFragmentPath={files['unit']}\nDropInPaths={drop_ins}\nExecStart={start}"
    programs(systemctl=f"while read -r line; do echo \"$line\"; done <<'END'\n{shown}\nEND")
    assert host_facts.node_exporter_unit() == {"masked": False, "own_start": files.get(STARTS[case], "")}


# What systemctl prints: whether the unit is masked.
UNIT_STATES = {
    "echo LoadState=masked; echo FragmentPath=/etc/systemd/system/prometheus-node-exporter.service": True,
    "echo LoadState=not-found; echo DropInPaths=": False,
    "exit 1": False,
}


@pytest.mark.parametrize("systemctl", UNIT_STATES)
def test_a_masked_unit_of_node_exporter_is_seen(programs: Callable[..., None], systemctl: str) -> None:
    programs(systemctl=systemctl)
    assert host_facts.node_exporter_unit() == {"masked": UNIT_STATES[systemctl], "own_start": ""}


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
