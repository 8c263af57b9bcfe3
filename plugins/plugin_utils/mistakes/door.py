# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes of the door for people: its domain, its proxy, its users. Pure.

The raw variables are read, so that references are checked even when single values are wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import entries, entry, mapping, shown
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import subdomains

# Ends of names that no public DNS has: RFC 2606, 6761, 6762, 8375, and what routers at home use.
_NOT_PUBLIC = ("localhost", "local", "test", "example", "invalid", "internal", "home.arpa", "lan", "home", "corp")


def door_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One line per mistake in the variables `crowsnest_*`."""
    domain, proxy = variables.get("crowsnest_domain"), variables.get("crowsnest_proxy")
    if not domain and proxy in ("own", "behind"):
        yield f"crowsnest_proxy: {proxy} needs a name for the pages. Set crowsnest_domain, such as watch.example.com."
    if isinstance(domain, str) and proxy != "none":
        yield from _name_mistakes(domain.lower(), variables)
        yield from _port_mistakes(variables)
    users = Counter(str(mapping(user).get("name")) for user in entries(variables.get("crowsnest_users")))
    yield from (
        f"crowsnest_users: {shown(name)} is declared {count} times. Allowed: each name once."
        for name, count in users.items()
        if count > 1
    )


def _name_mistakes(domain: str, variables: Mapping[str, Any]) -> Iterator[str]:
    if _lets_encrypt(variables) and not _is_public(domain):
        yield (
            f"crowsnest_domain: Let's Encrypt gives no certificates for {shown(domain)}, as no public DNS has it. "
            "Use a domain of yours, or set crowsnest_certificates: internal."
        )
    ours = {domain, *(f"{name}.{domain}" for name in subdomains())}
    for index, app in enumerate(mapping(app) for app in entries(variables.get("crowsnest_apps"))):
        if _host(app.get("url")) in ours:
            path = entry("crowsnest_apps", index, app, "name")
            yield (
                f"crowsnest_domain: {path}.url has a name that the pages would take. "
                f"Use a domain of their own, such as watch.{domain}."
            )


def _port_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """Ports that the pages need, and that the firewall would close."""
    if variables.get("crowsnest_firewall") is not True or "crowsnest_open_ports" not in variables:
        return
    declared = [mapping(port) or {"port": port} for port in entries(variables["crowsnest_open_ports"])]
    tcp = [port for port in declared if port.get("protocol", "tcp") == "tcp"]
    if "443" not in {str(port.get("port")) for port in tcp}:
        yield "crowsnest_open_ports: 443 is missing, so nobody could open the pages of crowsnest_domain. Add 443."
    public = {str(port.get("port")) for port in tcp if not port.get("from")}
    if _lets_encrypt(variables) and not {"80", "443"} & public:
        yield (
            "crowsnest_open_ports: neither 80 nor 443 is open to everybody, so Let's Encrypt could not ask for the "
            "pages, and gives no certificate. Add 80, which only leads to HTTPS."
        )


def _lets_encrypt(variables: Mapping[str, Any]) -> bool:
    own = variables.get("crowsnest_proxy") in (None, "own")
    return own and variables.get("crowsnest_certificates", "letsencrypt") == "letsencrypt"


def _is_public(domain: str) -> bool:
    return "." in domain and not any(f".{domain}".endswith(f".{end}") for end in _NOT_PUBLIC)


def _host(url: Any) -> str:
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:  # a broken address: the model refuses it
        return ""
