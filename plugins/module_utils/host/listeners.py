# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which process listens on which TCP port of a host, read from /proc. Python 3.9, standard library."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Container, Listener, Process

NODE_EXPORTER = "prometheus-node-exporter"
# The programs of Docker and Podman that start the processes of containers.
DOCKER_PARENT = "containerd-shim"
CONTAINER_PARENTS = (DOCKER_PARENT, "conmon")


def read(path: str) -> str:
    """The text of a file of the system, whatever bytes it holds."""
    return Path(path).read_text(encoding="utf-8", errors="replace")


def listening_ports(folder: str = "/proc/net") -> dict[str, list[str]]:
    """{"9090": ["127.0.0.1"]}: TCP ports that some process listens on, with the addresses."""
    ports: dict[str, list[str]] = {}
    for port, address, _ in _sockets(folder):
        ports.setdefault(port, []).append(address)
    return ports


def listeners(containers: Mapping[int, Container], proc: str = "/proc") -> dict[str, list[Listener]]:
    """{"9090": who listens there}; `containers` is {process id: container} of the running ones.

    A process that cannot be seen may be the kernel itself, for NFS for example.
    """
    owners = _socket_owners(proc)
    found: dict[str, list[Listener]] = {}
    for port, address, inode in _sockets(f"{proc}/net"):
        row: Listener = {"address": address, **_process(owners.get(inode, 0), containers, proc)}
        found.setdefault(port, []).append(row)
    return found


def _sockets(folder: str) -> Iterator[tuple[str, str, str]]:
    """(port, address, inode) of each listening socket; see proc(5), state 0A is LISTEN. A kernel may lack IPv6."""
    for name in ("tcp", "tcp6"):
        try:
            lines = read(f"{folder}/{name}").splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == "0A":
                address, port = fields[1].split(":")
                yield str(int(port, 16)), _address(address), fields[9]


def _address(hexadecimal: str) -> str:
    """`0100007F` → `127.0.0.1`; IPv6 words are little-endian as well."""
    words = [bytes.fromhex(hexadecimal[start : start + 8])[::-1] for start in range(0, len(hexadecimal), 8)]
    raw = b"".join(words)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _socket_owners(proc: str) -> dict[str, int]:
    """{inode: process id}, the lowest id of those that share a socket: usually the parent."""
    owners: dict[str, int] = {}
    for pid in sorted(int(path.name) for path in Path(proc).glob("[0-9]*")):
        for target in _links(f"{proc}/{pid}/fd"):
            if target.startswith("socket:["):
                owners.setdefault(target[len("socket:[") : -1], pid)
    return owners


def _links(folder: str) -> Iterator[str]:
    """Where the links in a folder point; except those that disappear meanwhile."""
    with suppress(OSError):
        for link in Path(folder).iterdir():
            with suppress(OSError):
                yield str(link.readlink())


def _process(pid: int, containers: Mapping[int, Container], proc: str) -> Process:
    container = next((containers[parent] for parent in _with_parents(pid, proc) if parent in containers), None)
    service = "node_exporter" if is_node_exporter(pid, proc) else ""
    named = container or Container(name="", service=service)
    return {
        "pid": pid,
        "program": program(pid, proc),
        "unit": "" if container else unit(pid, proc),
        "container": named["name"],
        "contained": _started_by(pid, (DOCKER_PARENT,), proc),
        "service": named["service"],
    }


def _with_parents(pid: int, proc: str) -> Iterator[int]:
    """A process and those that started it, up to the first one."""
    while pid > 0:
        yield pid
        try:
            found = re.search(r"^PPid:\s+(\d+)", read(f"{proc}/{pid}/status"), re.MULTILINE)
        except OSError:
            return
        pid = int(found[1]) if found else 0


def _started_by(pid: int, programs: tuple[str, ...], proc: str) -> bool:
    """Whether a process, or one of those that started it, is a program whose name begins like one of these."""
    return any(Path(program(parent, proc)).name.startswith(programs) for parent in _with_parents(pid, proc))


def program(pid: int, proc: str = "/proc") -> str:
    """Path of the program that a process runs; empty if it has ended or belongs to the kernel."""
    try:
        return str(Path(f"{proc}/{pid}/exe").readlink()).replace(" (deleted)", "")
    except OSError:
        return ""


def unit(pid: int, proc: str = "/proc") -> str:
    """The service of systemd that a process belongs to, such as `nginx.service`; empty if it is not a system service.

    Format: cgroups(7), `0::/system.slice/nginx.service`; a user's own services lie below `user@1000.service`.
    """
    try:
        groups = read(f"{proc}/{pid}/cgroup")
    except OSError:
        return ""
    found = re.findall(r"/system\.slice/(?:[^/\n]+\.slice/)*([^/\n]+\.service)(?:/|$)", groups, re.MULTILINE)
    return str(found[-1]) if found else ""


def command_line(pid: int, proc: str = "/proc") -> list[str]:
    """The command line of a process; empty if it has ended or belongs to the kernel."""
    try:
        return read(f"{proc}/{pid}/cmdline").rstrip("\0").split("\0")
    except OSError:
        return []


def is_node_exporter(pid: int, proc: str = "/proc") -> bool:
    """Whether a process is the service of the distribution's package, not a container or the team's own second one."""
    return (
        Path("".join(command_line(pid, proc)[:1])).name == NODE_EXPORTER
        and unit(pid, proc) in ("", f"{NODE_EXPORTER}.service")
        and not _started_by(pid, CONTAINER_PARENTS, proc)
    )
