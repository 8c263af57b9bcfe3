# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the plan must know of a host, read from /proc, /etc and the docker command. Python 3.9, standard library."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from stat import S_IMODE
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils import python_environment

PROJECT_LABEL = "com.docker.compose.project=crowsnest"
SERVICE_LABEL = "com.docker.compose.service"
NODE_EXPORTER = "prometheus-node-exporter"
# Units that we install and start.
UNITS = ["crowsnest-container-metrics.timer", "crowsnest-container-metrics.service"]
MIB = 1024 * 1024


def host_facts(data_path: str, files: list[str]) -> dict[str, object]:
    """All facts. `data_path` is where the stack's data will lie; the disk below its nearest existing parent counts.

    `files` are read as they are, so that a task that writes one can be left out when nothing would change.
    """
    docker = docker_facts()
    return {
        "os": os_release(),
        "address": default_address(),
        "service_manager": "systemd" if Path("/run/systemd/system").is_dir() else "sysvinit",
        "memory": {**meminfo(), "own_mib": sum(resident_mib(pid) for pid in docker.pop("pids"))},
        "disk": disk(data_path),
        "docker": docker,
        "node_exporter": node_exporter(),
        "ports": listening_ports(),
        "published": published_ports(),
        "data": owners(data_path),
        "python": python(),
        "toolbox": toolbox(),
        "ping_groups": ping_groups(),
        "units": units(),
        "files": {path: _read(path) for path in files if Path(path).is_file()},
    }


def os_release(path: str = "/etc/os-release") -> dict[str, str]:
    """{"id": "debian", "version": "13", "codename": "trixie"}; format: os-release(5)."""
    values = dict(line.split("=", 1) for line in _read(path).splitlines() if "=" in line)
    unquoted = {key: value.strip("\"'") for key, value in values.items()}
    return {
        "id": unquoted.get("ID", "unknown"),
        "version": unquoted.get("VERSION_ID", ""),
        "codename": unquoted.get("VERSION_CODENAME", ""),
    }


def meminfo(path: str = "/proc/meminfo") -> dict[str, int]:
    """Memory in MiB: {"total_mib", "available_mib"}; a container with a limit counts as a host of that size."""
    kib = {line.split(":")[0]: int(line.split()[1]) for line in _read(path).splitlines()}
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
            limit, used, stat = (_read(f"{folder}/{name}") for name in (limit_name, used_name, "memory.stat"))
        except OSError:
            continue
        if limit.strip().isdigit():
            droppable = dict(line.split() for line in stat.splitlines()).get(key, "0")
            return int(limit) // MIB, (int(used) - int(droppable)) // MIB
    return 0, 0


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


def disk(path: str) -> dict[str, object]:
    """{"path", "total_mib", "free_mib", "own_mib"}: the file system below `path`, and what `path` itself holds."""
    existing = next(folder for folder in (Path(path), *Path(path).parents) if folder.is_dir())
    usage = shutil.disk_usage(existing)
    own = sum(_allocated(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)
    return {
        "path": str(existing),
        "total_mib": usage.total // MIB,
        "free_mib": usage.free // MIB,
        "own_mib": own // MIB,
    }


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


def default_address() -> str:
    """The address this host uses towards others. Connecting a UDP socket sends nothing (192.0.2.0/24: RFC 5737)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def listening_ports(folder: str = "/proc/net") -> dict[str, list[str]]:
    """{"9090": ["127.0.0.1"]}: TCP ports somebody listens on, with the addresses; see proc(5), state 0A is LISTEN."""
    ports: dict[str, list[str]] = {}
    for name in ("tcp", "tcp6"):
        try:
            lines = _read(f"{folder}/{name}").splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == "0A":
                address, port = fields[1].split(":")
                ports.setdefault(str(int(port, 16)), []).append(_address(address))
    return ports


def _address(hexadecimal: str) -> str:
    """`0100007F` → `127.0.0.1`; IPv6 words are little-endian as well."""
    words = [bytes.fromhex(hexadecimal[start : start + 8])[::-1] for start in range(0, len(hexadecimal), 8)]
    raw = b"".join(words)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def node_exporter(folder: str = "/proc") -> dict[str, Any]:
    """{"installed": bool, "flags": its command-line flags, None when it does not run}."""
    for process in Path(folder).glob("[0-9]*"):
        try:
            words = _read(f"{process}/cmdline").rstrip("\0").split("\0")
        except OSError:  # it ended meanwhile
            continue
        if Path(words[0]).name == NODE_EXPORTER:
            return {"installed": True, "flags": words[1:]}
    return {"installed": shutil.which(NODE_EXPORTER) is not None, "flags": None}


def python() -> dict[str, Any]:
    """{"version": "3.13", "ensurepip": bool}: this Python, and whether it can make environments as it is."""
    ensurepip = importlib.util.find_spec("ensurepip") is not None
    return {"version": python_environment.python_version(), "ensurepip": ensurepip}


def toolbox(path: str = "/opt/crowsnest/toolbox") -> str:
    """Name of the Python environment of the role toolbox; "" when something is left to do, if only to tidy up."""
    return "" if python_environment.leftovers(Path(path)) else python_environment.in_force(Path(path))


def ping_groups(path: str = "/proc/sys/net/ipv4/ping_group_range") -> list[int]:
    """[first, last] of the groups that may ping without any rights (icmp(7)); [1, 0], the kernel's default, is none."""
    try:
        first, last = _read(path).split()
    except (OSError, ValueError):
        return [1, 0]
    return [int(first), int(last)]


def docker_facts() -> dict[str, Any]:
    """What there is of Docker.

    {"version", "compose", "own", "pids", "daemon", "images", "python_client", "from_docker"}. Version None: no engine;
    "": installed but not answering. `own` are the running services of our compose project and `pids` their processes,
    `daemon` is /etc/docker/daemon.json, `images` what is there, with and without digest.
    `python_client`: this Python has the library that Ansible's Docker modules need. `from_docker`: it is Docker's own
    package, not the distribution's.
    """
    facts: dict[str, Any] = {
        "version": None,
        "compose": None,
        "own": [],
        "pids": [],
        "images": [],
        "daemon": daemon_json(),
    }
    facts["from_docker"] = _output("dpkg-query", "-W", "-f", "${db:Status-Status}", "docker-ce") == "installed"
    facts["python_client"] = importlib.util.find_spec("requests") is not None
    if not shutil.which("docker") or not (shutil.which("dockerd") or Path("/var/run/docker.sock").exists()):
        return facts
    facts["version"] = _output("docker", "version", "--format", "{{.Server.Version}}")
    facts["compose"] = _output("docker", "compose", "version", "--short") or None
    if facts["version"]:
        ids = _output("docker", "ps", "-q", "--filter", f"label={PROJECT_LABEL}").split()
        form = '{{.State.Pid}} {{index .Config.Labels "' + SERVICE_LABEL + '"}}'
        rows = _output("docker", "inspect", "--format", form, *ids).splitlines() if ids else []
        facts["pids"] = [int(row.split()[0]) for row in rows]
        facts["own"] = sorted(row.split()[1] for row in rows)
        images = _output("docker", "image", "ls", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}")
        tags = [line.split() for line in images.splitlines()]
        by_digest = {f"{tag.rpartition(':')[0]}@{digest}" for tag, digest in tags}
        facts["images"] = sorted({tag for tag, _ in tags} | by_digest)
    return facts


def published_ports() -> list[dict[str, Any]]:
    """[{"container", "address", "port"}]: TCP ports of the host that Docker hands to containers, of whatever project.

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


def units() -> dict[str, dict[str, bool]]:
    """{name: {"active", "enabled", "stale"}} of our units; stale: its file changed since systemd read it.

    Empty without systemd. A unit that does not exist is none of the three. Format: systemctl(1), show.
    """
    shown = _output("systemctl", "show", "--property=Id,ActiveState,UnitFileState,NeedDaemonReload", *UNITS)
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n") if block]
    return {
        block["Id"]: {
            "active": block["ActiveState"] == "active",
            "enabled": block["UnitFileState"] == "enabled",
            "stale": block["NeedDaemonReload"] == "yes",
        }
        for block in blocks
    }


def daemon_json(path: str = "/etc/docker/daemon.json") -> dict[str, object]:
    """The engine's settings; empty when there are none. Raises ValueError when the file is no JSON mapping."""
    if not Path(path).exists():
        return {}
    content = json.loads(_read(path) or "{}")
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON mapping")
    return content


def _output(*command: str) -> str:
    """What a command prints, or "" when it fails, hangs or is missing: an engine that does not answer is a fact."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def resident_mib(pid: int) -> int:
    """Resident memory in MiB of a process and everything it started; 0 when it is gone."""
    try:
        status = _read(f"/proc/{pid}/status")
        children = _read(f"/proc/{pid}/task/{pid}/children").split()
    except OSError:
        return 0
    kib = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return kib // 1024 + sum(resident_mib(int(child)) for child in children)
