# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The firewall of each host as the declaration wants it, and why it cannot be: nobody may be locked out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts, Login
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.door import OpenPort
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.firewall import ruleset

# Where SSH listens on a host that is not reached through it.
SSH_PORT = 22


def firewalls(
    declaration: Declaration, facts: Mapping[str, HostFacts], server: str, address: str, exporter: int
) -> dict[str, str]:
    """{host: its rules, empty without a firewall}, of the hosts that answer.

    The server, at this address, may reach node exporter, at the port `exporter`, and the apps' metrics on the others.
    """
    rules = {}
    for host, found in facts.items():
        watched = watched_ports(declaration, host, server, exporter) if host != server else ()
        ssh, interfaces = found["login"]["port"] or SSH_PORT, found["firewall"]["interfaces"]
        rules[host] = ruleset(interfaces, declaration.open_ports, watched, address, ssh) if declaration.firewall else ""
    return rules


def watched_ports(declaration: Declaration, host: str, server: str, exporter: int) -> set[int]:
    """The ports of a host at which the server reads metrics."""
    apps = (app for app in declaration.apps if (app.host or server) == host)
    return {exporter, *(source.page.port for app in apps for source in app.metrics)}


def firewall_refusals(declaration: Declaration, facts: Mapping[str, HostFacts]) -> Iterator[str]:
    """One sentence for each host that would let this run in no more, or that has nothing to close."""
    for host, found in facts.items() if declaration.firewall else ():
        login = found["login"]
        if not found["firewall"]["interfaces"]:
            yield (
                f"crowsnest_firewall: {host} has no default route, so no interface leads to the internet. "
                "`ip route` there shows its routes. Without a firewall: crowsnest_firewall: false."
            )
        if login["port"] and not _lets_in(declaration.open_ports, login):
            yield (
                f"crowsnest_open_ports: port {login['port']} of {host} is not open to {login['source']}, from where "
                f"this run logs in over SSH, so nobody here could log in any more. Add {login['port']}, or "
                f"{{port: {login['port']}, from: [{login['source']}]}}."
            )


def _lets_in(ports: Sequence[OpenPort], login: Login) -> bool:
    ssh = (port for port in ports if (port.port, port.protocol) == (login["port"], "tcp"))
    return any(port.lets_in(login["source"]) for port in ssh)
