# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person makes for the pages' domain outside of crowsnest: records of the DNS, and two open ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.files import is_here
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import subdomains


def records(answers: Mapping[str, str]) -> list[str]:
    """Lines of text; none without a domain."""
    domain = answers["domain"]
    if not domain or answers["proxy"] == "none":
        return []
    kind, address = _leads_to(answers)
    lines = [
        "Make these records in your DNS, and an AAAA record only if the server has an IPv6 address:",
        *(f"  {name:<{len(domain) + 2}}  {kind}  {address}" for name in (domain, f"*.{domain}")),
        f"  or, in place of *.{domain}, one for each name: {', '.join(f'{name}.{domain}' for name in subdomains())}",
        "Open ports 80 and 443 in the firewall of your provider (Lightsail: tab Networking of the instance).",
    ]
    if answers["proxy"] == "behind":
        lines.append("Your web server needs a block to hand on: docs/pages.md#behind-your-own-proxy")
    return lines


def _leads_to(answers: Mapping[str, str]) -> tuple[str, str]:
    """(A or AAAA, the address), as far as it can be known here: a private one is not that of the records."""
    host = answers["host"]
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        known = not is_here(answers) and not answers["jump_host"]
        return "A", f"the address of {host}" if known else "the public address of the server"
    if not ip.is_global:
        return "A", "the public address of the server"
    return "A" if ip.version == 4 else "AAAA", host
