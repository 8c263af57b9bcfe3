# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What `./crowsnest scan` asks, and what the answers mean. Pure; `probing.py` connects."""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from pydantic import BaseModel

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.door import OpenPort

# A connection was made; it was refused; nothing came back, or only word that there is no way.
State = Literal["open", "closed", "filtered"]
HIGHEST_RATE = 250
_SHOWN = 20


class Reached(NamedTuple):
    """How Ansible reaches a host: a name or an address, SSH's port, and whether through a jump host."""

    name: str
    ssh: int
    jump: bool


class Target(BaseModel):
    """An address, the hosts of the inventory that are reached there, and the ports of their SSH."""

    address: str
    hosts: list[str]
    ssh: list[int]


class Scan(BaseModel):
    """What is asked by TCP, and what may be open. `names`: of crowsnest's own ports. `notes`: what is not asked."""

    targets: list[Target]
    notes: list[str]
    ports: str
    rate: int
    open_ports: list[OpenPort]
    names: dict[int, str]
    firewall: bool


class Answers(NamedTuple):
    """What one address answered. `source`: this machine's address on the way there, empty without a way.

    `alive`: the host still answered at the end. Where it did not, silence says nothing about its ports.
    """

    source: str
    states: Mapping[int, State]
    alive: bool


class Row(NamedTuple):
    """A port that is declared, or open. `note` says what is odd; `wrong`: it is not as declared."""

    port: int
    state: State
    declared: str
    note: str = ""
    wrong: bool = False


def numbers(text: str) -> list[int]:
    """The ports of `1-1024,8080`. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise ValueError(f"--ports: '{part.strip()}' is no port. Allowed: ports and ranges, such as 1-1024,8080.")
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= 65535:
            raise ValueError(f"--ports: '{part.strip()}' is no port. Allowed: 1 to 65535, the lower one first.")
        found.update(range(low, high + 1))
    return sorted(found)


def pace(text: str) -> int:
    """How many connections a second. Raises ValueError."""
    if not (text.isdecimal() and 1 <= int(text) <= HIGHEST_RATE):
        raise ValueError(f"--rate: '{text}' is no rate. Allowed: 1 to {HIGHEST_RATE} connections a second.")
    return int(text)


def targets(
    hosts: Mapping[str, Reached], found: Mapping[str, Sequence[str]]
) -> tuple[list[Target], list[str], list[str]]:
    """(what is asked, each address once; what is not asked; mistakes). `found` is {name: addresses}.

    A private address behind a jump host may be that of another machine in the network of this one.
    """
    asked: dict[str, Target] = {}
    notes, mistakes = [], []
    for host, (name, ssh, jump) in hosts.items():
        there = [each for each in found[name] if not jump or _ip(each).is_global]
        if jump and not there:
            notes.append(f"{host}: {name} is behind a jump host, where strangers do not reach it; it was not asked.")
        elif not there:
            mistakes.append(
                f"{host}: there is no address for {name}. Set ansible_host to an address or to a name in the DNS; a "
                "name of ~/.ssh/config is known to ssh alone."
            )
        elif all(_ip(each).version == 4 for each in there):
            notes.append(
                f"{host}: no IPv6 address is known, so none was asked. If it has one, set ansible_host to a name with "
                "an A and an AAAA record."
            )
        for address in there:
            target = asked.setdefault(address, Target(address=address, hosts=[], ssh=[]))
            target.hosts.append(host)
            target.ssh += [ssh] if ssh not in target.ssh else []
    return list(asked.values()), notes, mistakes


def order(target: Target, ports: Sequence[int]) -> list[int]:
    """SSH always, and last: its answer shows that the host has not shut this machine out on the way."""
    return [*(port for port in ports if port not in target.ssh), *target.ssh]


def viewpoint(address: str, source: str) -> str:
    """Why the answers are no proof of what strangers reach; empty when they are."""
    if source == address or _ip(address).is_loopback:
        return "This machine is the host itself, so this is no view from outside and no proof: scan from another one."
    if not _ip(address).is_global:
        return f"{address} is a private address, so this is no view from outside and no proof of what strangers reach."
    return ""


def judged(scan: Scan, target: Target, answers: Answers) -> list[Row]:
    """What is open or declared, by port."""
    declared: dict[int, list[OpenPort]] = {port: [OpenPort(port=port)] for port in target.ssh}
    declared |= {each.port: [] for each in scan.open_ports}
    for each in scan.open_ports:
        declared[each.port].append(each)
    rows = []
    for port, state in sorted(answers.states.items()):
        entries = declared.get(port, [])
        let_in = [_lets_in(entry, answers.source, target.address) for entry in entries]
        sources = [] if True in let_in else [source for entry in entries for source in entry.sources]
        text = f"from {', '.join(sources)}" if sources else "yes" if entries else "no"
        if True in let_in:
            rows.append(Row(port, state, text, *_declared(scan, state)))
        elif None in let_in:
            rows.append(Row(port, state, text, "this machine's own address is hidden, so it may be one of these"))
        elif state == "open":
            rows.append(Row(port, state, text, _way_out(scan, port, bool(entries)), wrong=True))
        elif entries:
            rows.append(Row(port, state, text))
    return rows


def _lets_in(port: OpenPort, source: str, address: str) -> bool | None:
    """Whether this machine may; None where a router hides its address from the host, as at home."""
    own = _ip(source)
    of_kind = any(ipaddress.ip_network(each).version == own.version for each in port.sources)
    if of_kind and not own.is_global and _ip(address).is_global:
        return None
    return port.lets_in(source)


def _declared(scan: Scan, state: State) -> tuple[str, bool]:
    """(note, whether it is wrong) of a port that should be open."""
    if state == "filtered":
        run = ", run `./crowsnest site` with the same -i" if scan.firewall else ""
        gone = "or take it out of crowsnest_open_ports"
        return f"Declared, but nothing comes back: open it in the firewall of your provider{run}, {gone}.", True
    return ("nothing listens there" if state == "closed" else ""), False


def _way_out(scan: Scan, port: int, declared: bool) -> str:
    name = scan.names.get(port, "")
    if not name:
        with suppress(OSError):
            name = socket.getservbyport(port, "tcp")
    own = "run `./crowsnest site` with the same -i" if scan.firewall else "set crowsnest_firewall: true"
    keep = "" if declared else f", or, if everybody may reach it, add {port} to crowsnest_open_ports"
    return f"{f'Usually {name}. ' if name else ''}To close it, {own} or use the firewall of your provider{keep}."


def doubt(target: Target, answers: Answers) -> str:
    """Why the silence of ports proves nothing; empty when it does."""
    ssh = " and ".join(map(str, target.ssh))
    if not answers.source:
        return f"This machine has no way to {target.address}, so nothing is known of it."
    if answers.alive:
        return ""
    if all(state == "filtered" for state in answers.states.values()):
        return (
            f"Nothing answers at {target.address}, not even SSH at port {ssh}: the host is down, the address is not "
            "its own, or something keeps this machine out. This proves nothing."
        )
    return (
        f"{target.address} answered at first and not at the end: the network failed, or the host keeps this machine "
        "out by now. Scan again later, more slowly: --rate 20."
    )


def table(scan: Scan, target: Target, answers: Answers, asked: int) -> list[str]:
    """The result for people; `asked`: how many ports there were to ask, fewer were answered when it was stopped."""
    unsure = doubt(target, answers)
    rows = [row for row in judged(scan, target, answers) if row.state == "open" or not unsure]
    wrong = [row for row in rows if row.wrong and row.declared == "no"]
    hidden = {row.port for row in wrong[_SHOWN:]}
    rest = Counter(answers.states.values()) - Counter(row.state for row in rows)
    kind = f"IPv{_ip(target.address).version}"
    return [
        f"{', '.join(target.hosts)} at {target.address} ({kind}): {len(answers.states):,} of {asked:,} ports",
        *([f"  {note}"] if (note := viewpoint(target.address, answers.source)) else []),
        *([f"  DOUBT  {unsure}"] if unsure else []),
        *_aligned(row for row in rows if row.port not in hidden),
        *([f"  … and {len(hidden):,} more open ports: something on the way may answer in its place"] if hidden else []),
        f"  all others: {', '.join(f'{count:,} {state}' for state, count in sorted(rest.items())) or 'none'}",
    ]


def _aligned(rows: Iterator[Row]) -> Iterator[str]:
    yield f"  {'':5} {'PORT':>5}  {'STATE':8}  DECLARED"
    for row in rows:
        note = f"  {row.note}" if row.note else ""
        yield f"  {'WRONG' if row.wrong else '':5} {row.port:>5}  {row.state:8}  {row.declared}{note}"


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)
