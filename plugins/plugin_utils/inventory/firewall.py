# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of `./crowsnest new`: what the firewall would close on the server, and whether it is wanted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.files import firewall_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.new import (
    INVENTORIES,
    UserError,
    further_ports,
    wants_firewall,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.questions import FIREWALL
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.reachable import owners

_OFF = "The firewall stays off: crowsnest_firewall (docs/security.md#firewall) turns it on."


def offer(flags: Mapping[str, Any], facts: HostFacts | None) -> int:
    """Turns it on in the new inventory where the person wants it; `facts` are None if the server did not answer.

    Returns the exit status: 0, or 2 where it was asked for and nobody knows what it would close.
    """
    settings = INVENTORIES / flags["name"] / "group_vars/all/settings.yml"
    text = settings.read_text()
    if facts is None:
        print(f"The server was not looked at, so what a firewall would close is not known. {_OFF}")
        return 2 if wants_firewall(flags) else 0
    # Behind an address translation sshd listens at another port than the one that was given.
    stay = [*yaml.safe_load(text)["crowsnest_open_ports"], facts["login"]["port"]]
    stay = [port for port in dict.fromkeys(stay) if port]
    closing = {port: who for port, who in owners(facts).items() if port not in stay}
    print("\n".join(["", *_told(stay, closing)]))
    more = _answer(flags, "no" if closing else "yes")
    if more is None:
        print(_OFF)
        return 0
    settings.write_text(firewall_text(text, list(dict.fromkeys([*stay, *more]))))
    print(f"The next run turns it on: see crowsnest_firewall and crowsnest_open_ports in {settings.name}.")
    return 0


def _told(stay: list[int], closing: Mapping[int, str]) -> list[str]:
    left = ", ".join(map(str, stay))
    if not closing:
        return [
            f"Only {left} can be reached from outside by TCP. The firewall keeps it so, and closes UDP, as of a VPN."
        ]
    return [
        f"The firewall leaves {left} open. It closes UDP, as of a VPN, and these, those that Docker publishes too:",
        *(f"  {port:>5}  {who}" for port, who in closing.items()),
        "The firewall of your provider (Lightsail: tab Networking) is a second line: open the same ports there.",
    ]


def _answer(flags: Mapping[str, Any], default: str) -> list[int] | None:
    """Further ports that stay open, or None for no firewall."""
    if flags.get(FIREWALL.key) or flags.get("yes") or not sys.stdin.isatty():
        return further_ports(flags.get(FIREWALL.key) or FIREWALL.default)
    while True:
        try:
            return further_ports(input(f"{FIREWALL.text} [{default}]: ").strip() or default)
        except UserError as mistake:
            print(mistake)
        except (EOFError, KeyboardInterrupt):
            print()
            return None
