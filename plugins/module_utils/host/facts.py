# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the plan needs to know of a host, read from /proc, /etc and the docker command. Python 3.9, standard library."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE

from ansible_collections.crowsnest.core.plugins.module_utils import git, python_environment
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.settled import settled
from ansible_collections.crowsnest.core.plugins.module_utils.env_file import settled as env_file_settled
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.services import image_tag
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag import settled as google_tag_settled
from ansible_collections.crowsnest.core.plugins.module_utils.host import network
from ansible_collections.crowsnest.core.plugins.module_utils.host.exported import exported
from ansible_collections.crowsnest.core.plugins.module_utils.host.listeners import (
    NODE_EXPORTER,
    command_line,
    is_node_exporter,
    listeners,
    listening_ports,
    read,
)
from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import (
    Container,
    Disk,
    Engine,
    FileSystem,
    FreeMemory,
    HostFacts,
    NodeExporterProcess,
    NodeExporterUnit,
    OperatingSystem,
    PublishedPort,
    Python,
    RunningContainer,
    Traffic,
    Unit,
)
from ansible_collections.crowsnest.core.plugins.module_utils.host.traffic import traffic
from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus
from ansible_collections.crowsnest.core.plugins.module_utils.paths import (
    BACKUPS,
    CONFIG_ROOT,
    DATA_ROOT,
    DOCKER_SOCKET,
    ENV_FILES,
    GOOGLE_TAGS,
    TOOLBOX,
)

# The compose project of crowsnest's own containers.
PROJECT = "crowsnest"
# Where the engine of this host listens, and where Ubuntu's package manager snap puts its programs.
SOCKET = DOCKER_SOCKET
SNAP = "/snap/bin"
MIB = 1024 * 1024
# A run does not wait long for what is only good to know.
PROMETHEUS_SECONDS = 2
# Where packages and crowsnest write files.
FOLDERS = ("/etc", "/usr", "/var/lib", CONFIG_ROOT, DATA_ROOT)


class DaemonJsonError(ValueError):
    """Why the engine's settings cannot be read."""


def host_facts(
    data_path: str,
    files: Sequence[str],
    unit_names: Sequence[str],
    released_apps: Mapping[str, Mapping[str, str]],
    prometheus_url: str,
    measured_apps: Sequence[str],
    declared_series: Mapping[str, Sequence[str]],
) -> HostFacts:
    """All facts. `data_path` is where the stack's data will be stored; the disk of its nearest existing parent counts.

    `files` are read as they are, so that a task that writes one can be skipped when nothing would change. `unit_names`
    are the systemd units that crowsnest installs and starts. `released_apps` are those whose release is asked,
    {app: {"compose": its compose file, "service": whose image tells it, or "" for the commit of that file's folder}}.
    Prometheus is asked for the traffic of `measured_apps`, and for `declared_series`, {app: names}.
    """
    # Each waits for other programs; together they take as long as the slowest.
    with ThreadPoolExecutor() as pool:
        engine, exporter_unit = pool.submit(docker_facts), pool.submit(node_exporter_unit)
        published, own_units = pool.submit(published_ports), pool.submit(units, unit_names)
        recorded = pool.submit(_recorded, prometheus_url, measured_apps, declared_series)
        released = pool.submit(releases, released_apps)
    docker = engine.result()
    containers = docker.pop("containers")
    measured, series = recorded.result()
    own = [pid for pid, container in containers.items() if container["service"]]
    return {
        "os": os_release(),
        "address": network.default_address(),
        "architecture": platform.machine() if sys.maxsize > 2**32 else f"32-bit {platform.machine()}",
        "controllers": cgroup_controllers(),
        "read_only": read_only(FOLDERS),
        "sudo": shutil.which("sudo") is not None,
        "service_manager": "systemd" if Path("/run/systemd/system").is_dir() else "sysvinit",
        "memory": {**meminfo(), "own_mib": sum(resident_mib(pid) for pid in own)},
        "disk": disk(data_path),
        "images_disk": file_system(docker.pop("folder")),
        "docker": docker,
        "node_exporter": {**node_exporter(), **exporter_unit.result()},
        "ports": listening_ports(),
        "listeners": listeners(containers),
        "published": published.result(),
        "data": owners(data_path),
        "configurations": settled(Path(CONFIG_ROOT)),
        "python": python(),
        "toolbox": toolbox(),
        "ping_groups": ping_groups(),
        "firewall": network.firewall(),
        "login": network.login(),
        "units": own_units.result(),
        "files": {path: read(path) for path in files if Path(path).is_file()},
        "cron": cron(),
        "backups": backups(),
        "env_files": env_file_settled.settled(Path(ENV_FILES)),
        "google_tags": google_tag_settled.settled(Path(GOOGLE_TAGS)),
        "releases": released.result(),
        "traffic": measured,
        "exported": series,
    }


def _recorded(
    prometheus_url: str, measured_apps: Sequence[str], declared_series: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Traffic], dict[str, dict[str, bool]]]:
    """What Prometheus is asked for, one after the other: if it is silent, only the first question waits."""
    prometheus = Prometheus(prometheus_url, PROMETHEUS_SECONDS)
    return traffic(prometheus, measured_apps), exported(prometheus, declared_series)


def os_release(path: str = "/etc/os-release") -> OperatingSystem:
    """{"id": "debian", "version": "13", "codename": "trixie"}; format: os-release(5)."""
    values = dict(line.split("=", 1) for line in read(path).splitlines() if "=" in line)
    unquoted = {key: value.strip("\"'") for key, value in values.items()}
    return {
        "id": unquoted.get("ID", "unknown"),
        "version": unquoted.get("VERSION_ID", ""),
        "codename": unquoted.get("VERSION_CODENAME", ""),
    }


def meminfo(path: str = "/proc/meminfo") -> FreeMemory:
    """Memory in MiB; a container with a limit counts as a host of that size."""
    kib = {line.split(":")[0]: int(line.split()[1]) for line in read(path).splitlines()}
    total, available = kib["MemTotal"] // 1024, kib["MemAvailable"] // 1024
    limit, used = cgroup_memory_mib()
    if limit and limit < total:
        total, available = limit, max(limit - used, 0)
    return {"total_mib": total, "available_mib": available}


def cgroup_memory_mib() -> tuple[int, int]:
    """(limit, used) in MiB of the container this runs in; (0, 0) on a real host, which has no limit on its root.

    Used leaves out pages of files that can be dropped at once (inactive_file), as MemAvailable does.
    """
    for folder, limit_name, used_name, key in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit, used, stat = (read(f"{folder}/{name}") for name in (limit_name, used_name, "memory.stat"))
        except OSError:
            continue
        if limit.strip().isdigit():
            droppable = dict(line.split() for line in stat.splitlines()).get(key, "0")
            return int(limit) // MIB, (int(used) - int(droppable)) // MIB
    return 0, 0


def cgroup_controllers(unified: str = "/sys/fs/cgroup/cgroup.controllers", split: str = "/proc/cgroups") -> list[str]:
    """What the kernel can limit, such as memory and pids; a controller may be disabled at boot.

    Version 2 lists them in one file, version 1 in a table with a column `enabled`; newer kernels leave out of the table
    what version 1 cannot have. Format: cgroups(7).
    """
    texts = [read(path) if Path(path).is_file() else "" for path in (unified, split)]
    rows = [line.split() for line in texts[1].splitlines() if not line.startswith("#")]
    return sorted({*texts[0].split(), *(row[0] for row in rows if row[-1] == "1")})


def read_only(folders: Sequence[str]) -> list[str]:
    """The folders in which nothing can be written because their file system is mounted read-only."""
    return [folder for folder in folders if os.statvfs(_existing(folder)).f_flag & os.ST_RDONLY]


def _existing(path: str) -> Path:
    """The folder, or its nearest parent that exists."""
    return next(folder for folder in (Path(path), *Path(path).parents) if folder.is_dir())


def file_system(path: str) -> FileSystem:
    """The file system below `path`, which need not exist yet."""
    existing = _existing(path)
    usage = shutil.disk_usage(existing)
    return {
        "path": str(existing),
        "device": existing.stat().st_dev,
        "total_mib": usage.total // MIB,
        "free_mib": usage.free // MIB,
    }


def disk(path: str) -> Disk:
    """`file_system`, and what `path` itself holds."""
    own = sum(_allocated(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)
    return {**file_system(path), "own_mib": own // MIB}


def owners(path: str) -> dict[str, str]:
    """{"/var/lib/crowsnest": "0:0:0755", …}: user, group and mode of a folder and the folders in it."""
    folders = [Path(path), *sorted(Path(path).iterdir())] if Path(path).is_dir() else []
    states = [(folder, folder.lstat()) for folder in folders if folder.is_dir()]
    return {str(folder): f"{state.st_uid}:{state.st_gid}:{S_IMODE(state.st_mode):04o}" for folder, state in states}


def _allocated(path: Path) -> int:
    """Bytes a file takes on the disk; 0 when it was removed meanwhile, as Prometheus does with old blocks."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def node_exporter(folder: str = "/proc") -> NodeExporterProcess:
    """Whether the package's program is installed, and the flags with which it runs."""
    for pid in (int(process.name) for process in Path(folder).glob("[0-9]*")):
        if is_node_exporter(pid, folder):
            return {"installed": True, "flags": command_line(pid, folder)[1:]}
    return {"installed": shutil.which(NODE_EXPORTER) is not None, "flags": None}


def node_exporter_unit() -> NodeExporterUnit:
    """Whether systemd is kept from starting it, and the file that starts it in another way than the package, else "".

    The package's unit starts it with the flags of /etc/default alone, `$ARGS`; a drop-in with an ExecStart of its own
    or a team's unit of that name may not. Without systemd, and without such a unit, it is neither.
    Format: systemctl(1), show.
    """
    names = "LoadState,FragmentPath,DropInPaths,ExecStart"
    properties = _output("systemctl", "show", f"--property={names}", f"{NODE_EXPORTER}.service")
    unit = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line)
    start = unit.get("ExecStart", "")
    files = [unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split()]
    texts = {path: read(path) for path in files[1:] if Path(path).is_file()}
    by_hand = [path for path, text in texts.items() if re.search(r"^\s*ExecStart\s*=", text, re.MULTILINE)]
    as_packaged = not start or f"/{NODE_EXPORTER} $ARGS ;" in start
    return {
        "masked": unit.get("LoadState") == "masked",
        "own_start": "" if as_packaged else [files[0], *by_hand][-1],
    }


def python() -> Python:
    """This Python, and whether it can create environments without further packages."""
    ensurepip = importlib.util.find_spec("ensurepip") is not None
    return {"version": python_environment.python_version(), "ensurepip": ensurepip}


def toolbox(path: str = TOOLBOX) -> str:
    """Name of the Python environment of the role toolbox; "" when something is left to do, even if only to tidy up."""
    return "" if python_environment.leftovers(Path(path)) else python_environment.in_force(Path(path))


def cron(programs: str = "/usr/sbin:/usr/bin", units: str = "/lib/systemd/system") -> bool:
    """Whether a cron is installed: Debian's own, cronie, or systemd-cron, which has a unit and no program."""
    return any(shutil.which(name, path=programs) for name in ("cron", "crond")) or Path(units, "cron.target").exists()


def backups(path: str = BACKUPS) -> dict[str, list[int]]:
    """{"production/shop": [bytes of each backup, the oldest first]}; their names sort by time."""
    found: dict[str, list[int]] = {}
    for file in sorted(Path(path).glob("*/*/*.gz")):
        found.setdefault(f"{file.parts[-3]}/{file.parts[-2]}", []).append(file.stat().st_size)
    return found


def releases(apps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """{app: its release}, of those that tell it; see `host_facts`."""
    told = {name: _release(Path(app["compose"]), app["service"]) for name, app in apps.items()}
    return {name: release for name, release in told.items() if release}


def _release(compose: Path, service: str) -> str:
    return image_tag(compose, service) if service else git.commit(compose.parent)


def ping_groups(path: str = "/proc/sys/net/ipv4/ping_group_range") -> list[int]:
    """[first, last] of the groups that may ping without privileges (icmp(7)); [1, 0], the kernel's default, is none."""
    try:
        first, last = read(path).split()
    except (OSError, ValueError):
        return [1, 0]
    return [int(first), int(last)]


def docker_facts() -> Engine:
    """The state of Docker. An engine that does not answer has no containers and no images."""
    engine = _without_engine()
    if not shutil.which("docker") or not (shutil.which("dockerd") or Path(SOCKET).exists()):
        return engine
    engine["version"], compose, engine["endpoint"] = _outputs(
        ("docker", "version", "--format", "{{.Server.Version}}"),
        ("docker", "compose", "version", "--short"),
        ("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"),
    )
    engine["compose"] = compose or None
    if engine["version"]:
        return _as_the_engine_says(engine)
    engine["masked"] = _output("systemctl", "show", "--property=LoadState", "docker.service") == "LoadState=masked"
    return engine


def _without_engine() -> Engine:
    """What is known before the engine is queried."""
    daemon = daemon_json()
    return {
        "version": None,
        "compose": None,
        "kind": _kind(),
        "endpoint": "",
        "masked": False,
        "own": [],
        "containers": {},
        "folder": str(daemon.get("data-root", "/var/lib/docker")),
        "images": [],
        "daemon": daemon,
        "bridge": network.bridge_address(),
        "from_docker": _output("dpkg-query", "-W", "-f", "${db:Status-Status}", "docker-ce") == "installed",
        "python_client": importlib.util.find_spec("requests") is not None,
        "running": [],
    }


def _as_the_engine_says(engine: Engine) -> Engine:
    """The same with what an engine that answers says of itself."""
    info, images, ids = _outputs(
        ("docker", "info", "--format", "{{.SecurityOptions}}\t{{.DockerRootDir}}"),
        ("docker", "image", "ls", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}"),
        ("docker", "ps", "-q"),
    )
    options, _, folder = info.partition("\t")
    inspected = _inspected(ids.split())
    containers = {int(row["pid"]): _container(row) for row in inspected}
    tags = [line.split() for line in images.splitlines()]
    by_digest = {f"{tag.rpartition(':')[0]}@{digest}" for tag, digest in tags}
    return {
        **engine,
        "kind": "rootless" if "name=rootless" in options else engine["kind"],
        "folder": folder or engine["folder"],
        "containers": containers,
        "own": sorted(container["service"] for container in containers.values() if container["service"]),
        "running": sorted((_running(row) for row in inspected if _of_the_team(row)), key=lambda it: it["name"]),
        "images": sorted({tag for tag, _ in tags} | by_digest),
    }


def _kind() -> str:
    """What the command `docker` really is: Podman's package podman-docker has a command of that name, too."""
    path = shutil.which("docker") or shutil.which("docker", path=SNAP) or ""
    if path.startswith(f"{SNAP}/"):
        return "snap"
    return "podman" if path and _output(path, "--version").startswith("podman") else "docker"


# {name: what it is, as a template of docker inspect}. Of the environment, which holds passwords, only these two.
_INSPECTED = {
    "pid": "{{.State.Pid}}",
    **{name: f'{{{{index .Config.Labels "com.docker.compose.{name}"}}}}' for name in ("project", "service", "oneoff")},
    "image": "{{.Config.Image}}",
    **{
        name: f'{{{{range .Config.Env}}}}{{{{if eq (printf "%.{len(key)}s" .) "{key}"}}}}'
        f"{{{{slice . {len(key)}}}}}{{{{end}}}}{{{{end}}}}"
        for name, key in {"database": "POSTGRES_DB=", "user": "POSTGRES_USER="}.items()
    },
    "name": "{{.Name}}",  # never empty, so that no column at the end is
}


def _inspected(ids: Sequence[str]) -> list[dict[str, str]]:
    """`_INSPECTED` of the containers that run, except those that end meanwhile."""
    form = "\t".join(_INSPECTED.values())
    lines = _output("docker", "inspect", "--format", form, *ids, partly=True) if ids else ""
    columns = (line.split("\t") for line in lines.splitlines())
    rows = [dict(zip(_INSPECTED, row)) for row in columns if len(row) == len(_INSPECTED)]
    return [{**row, "name": row["name"].lstrip("/")} for row in rows if row["pid"] != "0"]


def _container(row: Mapping[str, str]) -> Container:
    return {"name": row["name"], "service": row["service"] if row["project"] == PROJECT else ""}


def _of_the_team(row: Mapping[str, str]) -> bool:
    """Neither crowsnest's own, nor one of `docker compose run`, which ends soon."""
    return row["project"] != PROJECT and row["oneoff"].lower() != "true"


def _running(row: Mapping[str, str]) -> RunningContainer:
    return {
        "name": row["name"],
        "project": row["project"],
        "image": row["image"],
        "database": row["database"],
        "user": row["user"],
    }


def published_ports() -> list[PublishedPort]:
    """TCP ports of the host that Docker forwards to containers, of any project.

    Format: https://docs.docker.com/reference/cli/docker/container/ls/; `0.0.0.0:8000-8001->80-81/tcp, :::53->53/udp`.
    """
    rows = [line.partition("\t") for line in _output("docker", "ps", "--format", "{{.Names}}\t{{.Ports}}").splitlines()]
    found = (
        (name, re.fullmatch(r"(.+):(\d+)(?:-(\d+))?->[\d-]+/tcp", part))
        for name, _, ports in rows
        for part in ports.split(", ")
    )
    return [
        {"container": name, "address": match[1].strip("[]"), "port": port}
        for name, match in found
        if match
        for port in range(int(match[2]), int(match[3] or match[2]) + 1)
    ]


def units(names: Sequence[str]) -> dict[str, Unit]:
    """{name: state} of these units; empty without systemd. Format: systemctl(1), show."""
    if not names:
        return {}  # without names systemctl would show the manager itself
    properties = _output("systemctl", "show", "--property=Id,ActiveState,UnitFileState,NeedDaemonReload", *names)
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in properties.split("\n\n") if block]
    return {
        block["Id"]: {
            "active": block["ActiveState"] == "active",
            "enabled": block["UnitFileState"] == "enabled",
            "stale": block["NeedDaemonReload"] == "yes",
        }
        for block in blocks
    }


def daemon_json(path: str = "/etc/docker/daemon.json") -> dict[str, object]:
    """The engine's settings; empty when there are none. Raises DaemonJsonError if the file is not a JSON mapping."""
    if not Path(path).exists():
        return {}
    try:
        content = json.loads(read(path) or "{}")
    except ValueError as error:
        raise DaemonJsonError(str(error)) from None
    if not isinstance(content, dict):
        raise DaemonJsonError("it is not a JSON mapping")
    return content


def _outputs(*commands: Sequence[str]) -> list[str]:
    """`_output` of each, asked side by side: most of what the docker command takes is its own start."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda command: _output(*command), commands))


def _output(*command: str, partly: bool = False) -> str:
    """What a command prints, or "" when it fails, hangs or is missing: an engine that does not answer is a fact.

    `partly`: what it prints counts even when it fails.
    """
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 or partly else ""


def resident_mib(pid: int) -> int:
    """Resident memory in MiB of a process and everything it started; 0 if it has ended."""
    try:
        status = read(f"/proc/{pid}/status")
        children = read(f"/proc/{pid}/task/{pid}/children").split()
    except OSError:
        return 0
    kib = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return kib // 1024 + sum(resident_mib(int(child)) for child in children)
