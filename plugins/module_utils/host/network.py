# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A host in its networks: its addresses, its firewall, who is logged in. Python 3.9, standard library."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.firewall import Firewall as Rules
from ansible_collections.crowsnest.core.plugins.module_utils.host.listeners import read
from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import Firewall, Login
from ansible_collections.crowsnest.core.plugins.module_utils.paths import CONFIG_ROOT


def default_address() -> str:
    """The address this host uses towards others, IPv6 if it has no other; loopback if it has no route to anybody.

    Connecting a UDP socket sends nothing. The addresses are reserved for documentation: RFC 5737, RFC 3849.
    """
    for family, other in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((other, 9))
            return str(probe.getsockname()[0])
    return "127.0.0.1"


def bridge_address(name: str = "docker0") -> str:
    """The address of this host for the containers of a bridge, empty if there is none: SIOCGIFADDR of netdevice(7)."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("256s", name.encode())
        return socket.inet_ntoa(fcntl.ioctl(asked.fileno(), 0x8915, request)[20:24])
    return ""


def firewall(folder: str = "/proc/net") -> Firewall:
    """Our firewall. The interfaces are those of a default route, of IPv4 or IPv6: they lead to the internet."""
    rows, rows_6 = (_rows(Path(folder, name)) for name in ("route", "ipv6_route"))
    found = {row[0] for row in rows if row[1] == row[7] == "00000000"}
    found |= {row[9] for row in rows_6 if row[1] == "00" and not int(row[0], 16) and row[9] != "lo"}
    ours = Rules(Path(CONFIG_ROOT, "firewall"))
    return {"rules": ours.in_force(), "there": ours.is_there(), "interfaces": sorted(found)}


def _rows(path: Path) -> list[list[str]]:
    """A table of the kernel; that of IPv6 is missing where it is switched off."""
    return [line.split() for line in read(str(path)).splitlines()] if path.exists() else []


def login(folder: str = "/proc") -> Login:
    """What sshd told the shell in which this runs; sudo keeps it from its children. Format: ssh(1), SSH_CONNECTION."""
    pid = os.getpid()
    while pid > 1:
        variables = Path(folder, str(pid), "environ").read_bytes().split(b"\0")
        for variable in variables:
            if variable.startswith(b"SSH_CONNECTION="):
                source, _, _, port = variable.decode().partition("=")[2].split()
                return {"source": source.partition("%")[0], "port": int(port)}
        # The name of the program, in brackets, may hold anything.
        pid = int(read(f"{folder}/{pid}/stat").rpartition(")")[2].split()[1])
    return {"source": "", "port": 0}
