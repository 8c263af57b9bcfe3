# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports of a host others can reach, and whose they are."""

from __future__ import annotations

import ipaddress

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.taken_ports import holder


def owners(facts: HostFacts) -> dict[int, str]:
    """{port: who listens there} of those that others can reach."""
    return {port: _owner(facts, port) for port in sorted(open_ports(facts))}


def _owner(facts: HostFacts, port: int) -> str:
    rows = [row for row in facts["listeners"].get(str(port), []) if from_outside(row["address"], facts)]
    published = (f"container {row['container']}" for row in facts["published"] if row["port"] == port)
    return holder(rows[0], facts, port)[0] if rows else next(published, "another program")


def open_ports(facts: HostFacts) -> dict[int, set[str]]:
    """{port: addresses} that others can reach, of the programs on a host and of what Docker publishes there."""
    listening = [(int(port), address) for port, addresses in facts["ports"].items() for address in addresses]
    published = [(row["port"], row["address"]) for row in facts["published"]]
    found: dict[int, set[str]] = {}
    for port, address in [*listening, *published]:
        if from_outside(address, facts):
            found.setdefault(port, set()).add(address)
    return found


def from_outside(address: str, facts: HostFacts) -> bool:
    """Whether others can reach it: any address, a public one, or the one that the host itself uses towards others.

    The last is a private one behind a provider's address translation. Other private ones are those of Docker's bridges.
    """
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip.is_unspecified or (mapped or ip).is_global or str(mapped or ip) == facts["address"]
