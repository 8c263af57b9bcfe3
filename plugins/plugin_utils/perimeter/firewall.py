# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules of a host's firewall for nft: https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks. Pure.

They judge a packet before Docker rewrites its address, so a port that a container publishes is closed like any other;
an INPUT firewall such as ufw leaves those open. What goes out, Docker's own rules and the team's stay untouched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.door import OpenPort

TABLE = "crowsnest"
# After connections are known (-200), before addresses are rewritten (-100).
_PRIORITY = -150
# New connections to SSH from one address: more are guesses of a password. https://wiki.nftables.org/wiki-nftables/index.php/Meters
_SSH_RATE = "30/minute burst 30 packets"


def ruleset(
    interfaces: Sequence[str], ports: Sequence[OpenPort], watched: Collection[int], server: str, ssh: int
) -> str:
    """A file for `nft -f`, which may be loaded any number of times.

    `interfaces` lead to the internet; `ports` are open as declared, and those that are `watched`, such as node
    exporter's, to this address of the server. `ssh` is the port of SSH.
    """
    rules = [
        f"iifname != {{ {', '.join(_quoted(interfaces))} }} accept",
        "ct state established,related accept",
        "ct state invalid drop",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "udp sport 67 udp dport 68 accept",
        "udp sport 547 udp dport 546 accept",
        # A neighbour may send what is for a container straight to its address.
        "fib daddr type != local counter drop",
        # Whom a declaration names may log in as often as they like.
        *(rule for port in ports for rule in _accepted(f"{port.protocol} dport {port.port}", port.sources)),
        *(rule for port in sorted(watched) for rule in _accepted(f"tcp dport {port}", [server])),
        f"tcp dport {ssh} ct state new update @ssh_4 {{ ip saddr limit rate over {_SSH_RATE} }} counter drop",
        f"tcp dport {ssh} ct state new update @ssh_6 {{ ip6 saddr limit rate over {_SSH_RATE} }} counter drop",
        *(f"{port.protocol} dport {port.port} accept" for port in ports if not port.sources),
        "counter drop",
    ]
    return "\n".join(
        [
            f"table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *(_set(name, kind) for name, kind in (("ssh_4", "ipv4_addr"), ("ssh_6", "ipv6_addr"))),
            "  chain before_dnat {",
            f"    type filter hook prerouting priority {_PRIORITY}; policy accept;",
            *(f"    {rule}" for rule in rules),
            "  }",
            "}",
            "",
        ]
    )


def _set(name: str, kind: str) -> str:
    return f"  set {name} {{\n    type {kind}\n    size 65535\n    flags dynamic,timeout\n    timeout 5m\n  }}"


def _accepted(port: str, sources: Sequence[str]) -> Iterator[str]:
    """Rules that let these networks in."""
    kinds = {"ip": [each for each in sources if ":" not in each], "ip6": [each for each in sources if ":" in each]}
    for kind, networks in kinds.items():
        if networks:
            yield f"{kind} saddr {{ {', '.join(networks)} }} {port} accept"


def _quoted(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]
