# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Ports that the plan needs but other programs hold, on every host: each refusal names the program and what to do."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import PurePosixPath

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts, Listener
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.needs import NODE_EXPORTER
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned


def port_refusals(
    facts: Mapping[str, HostFacts],
    server: str,
    services: Mapping[str, Planned],
    watched: Mapping[str, str],
    base_ports: Mapping[str, int],
    public: Sequence[int] = (),
) -> list[str]:
    """One sentence for each port that another program holds; `public`: those of the pages on the server.

    `services` are the server's containers, on its loopback; node exporter listens on its port of every host, at the
    address `watched` of that host. `base_ports` is {service: the port that a declaration may change}. `facts` lacks
    hosts that do not answer.
    """
    ports = {name: planned.port for name, planned in services.items()}
    busy = {int(taken) for fact in facts.values() for taken in fact["listeners"]}
    busy |= {*ports.values(), *base_ports.values()}
    refusals = []
    for host, fact in facts.items():
        wanted = {name: ("127.0.0.1", number) for name, number in ports.items()} if host == server else {}
        wanted[NODE_EXPORTER] = (watched[host], base_ports[NODE_EXPORTER])
        for name, (address, number) in wanted.items():
            if stranger := next(_strangers(fact, name, address, number), None):
                who, stop = holder(stranger, fact, number)
                move = _move(name, services, base_ports, busy)
                refusals.append(
                    f"{host}, port {number}: {who} listens on it, and crowsnest's {name} needs it. {stop}, or {move}."
                )
    return [*refusals, *_public_refusals(facts.get(server), server, public)]


def _public_refusals(fact: HostFacts | None, server: str, ports: Sequence[int]) -> Iterator[str]:
    """A web server of the team keeps its ports: crowsnest never takes them, and never goes behind it by itself."""
    for port in ports if fact else ():
        if fact and (stranger := next(_strangers(fact, "proxy", "", port), None)):
            who, stop = holder(stranger, fact, port)
            yield (
                f"{server}, port {port}: {who} listens on it, and the pages of crowsnest_domain need it. Let it hand "
                "on to crowsnest's proxy: crowsnest_proxy: behind (docs/pages.md has what to paste). For "
                f"crowsnest_proxy: own {stop[0].lower()}{stop[1:]}."
            )


def _move(name: str, services: Mapping[str, Planned], base_ports: Mapping[str, int], busy: Set[int]) -> str:
    """What to declare instead: another port for the service, from which each of its containers finds a free one."""
    service = services[name].service if name in services else name
    containers = max(sum(planned.service == service for planned in services.values()), 1)
    numbered = f", from which {service}'s {containers} containers are numbered" if containers > 1 else ""
    other = _free(base_ports[service], containers, busy)
    return f"declare another port{numbered}: crowsnest_ports: {{{service}: {other}}}"


def _strangers(fact: HostFacts, name: str, address: str, port: int) -> Iterator[Listener]:
    """Who keeps a service from listening there; without an address, from listening on all.

    crowsnest's own services move to their new ports in the same run.
    A process that cannot be seen is taken for the service itself if that runs. Containers may live on while the engine
    does not answer. Their owner is unknown then, and the run starts the engine, so they are not refused.
    """
    silent = fact["docker"]["version"] == "" and name != NODE_EXPORTER
    runs = fact["node_exporter"]["flags"] is not None if name == NODE_EXPORTER else name in fact["docker"]["own"]
    for row in fact["listeners"].get(str(port), []):
        own = bool(row["service"]) or (not row["pid"] and runs) or (silent and row["contained"])
        if not own and (not address or _in_the_way(row["address"], address)):
            yield row


def _in_the_way(taken: str, wanted: str) -> bool:
    """Whether a listener on one address keeps another one off an address. `::` takes IPv4 as well, as a rule."""
    there = _unmapped(taken)
    try:
        here = _unmapped(wanted.strip("[]"))
    except ValueError:  # a name, which the host looks up
        return there.is_unspecified
    return there == here or (there.is_unspecified and (there.version == 6 or here.version == 4))


def _unmapped(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """`::ffff:127.0.0.1` is 127.0.0.1."""
    ip = ipaddress.ip_address(address)
    return (ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None) or ip


def holder(row: Listener, fact: HostFacts, port: int) -> tuple[str, str]:
    """Who listens, and how to stop it. Docker listens for the containers whose ports it publishes."""
    published = (binding["container"] for binding in fact["published"] if binding["port"] == port)
    container = row["container"] or (next(published, "") if row["program"].endswith("/docker-proxy") else "")
    if container:
        return f"container {container}", f"Stop it (`docker stop {container}`)"
    if not row["pid"]:
        return "another program", f"Stop it (`ss -ltnp sport = :{port}` on the host may name it)"
    name = PurePosixPath(row["program"]).name or "a program"
    if row["pid"] == 1 and name == "systemd":
        who = f"a socket of systemd (`systemctl list-sockets | grep :{port}` names it)"
        return who, "Stop it with `systemctl disable --now NAME.socket`"
    known = ", ".join(detail for detail in (f"pid {row['pid']}", row["program"], row["unit"]) if detail)
    if row["contained"] or name == "docker-proxy":
        return f"a container ({known})", "Stop it (`docker ps` names it)"
    return f"{name} ({known})", f"Stop it (`systemctl disable --now {row['unit']}`)" if row["unit"] else "Stop it"


def _free(port: int, containers: int, busy: Set[int]) -> int:
    """A port to propose, such as 19100 instead of 9100; the next ones are free as well, one for each container."""
    proposals = range(port % 50000 + 10000, 65536)
    return next(number for number in proposals if busy.isdisjoint(range(number, number + containers)))
