# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The door for people: who may open the pages, through which proxy, and with which certificates."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import Password, Strict

# own: Caddy serves 80 and 443. behind: the team's proxy does, and hands on. none: pages through SSH tunnels.
ProxyMode = Literal["own", "behind", "none"]
Certificates = Literal["letsencrypt", "internal"]


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError("an address or a network, such as 203.0.113.4 or 203.0.113.0/24") from None


Network = Annotated[str, AfterValidator(_network)]


class OpenPort(Strict):
    """A port of your hosts that may be reached from outside. A number in its place is its `port`."""

    port: Annotated[int, Field(ge=1, le=65535)] = Field(description="Its number.")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="`udp` for a VPN such as WireGuard, or for HTTP/3.")
    sources: list[Network] = Field(
        [], alias="from", description="Addresses and networks that may; all others find it closed. Default: everybody."
    )

    def lets_in(self, address: str) -> bool:
        """Whether this address may reach it."""
        own = ipaddress.ip_address(address)
        return not self.sources or any(own in ipaddress.ip_network(each) for each in self.sources)

    def __str__(self) -> str:
        return f"{self.port}{'/udp' if self.protocol == 'udp' else ''}"


def _as_port(value: Any) -> Any:
    return {"port": value} if isinstance(value, int | str) and not isinstance(value, bool) else value


OpenPortItem = Annotated[OpenPort, BeforeValidator(_as_port, json_schema_input_type=int | OpenPort)]


class User(Strict):
    """A person who may open the pages that have no login of their own."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")] = Field(description="Name at the login.")
    password: Password | None = Field(
        None, description="Default: generated once, in the inventory's folder secrets/ as proxy_password_NAME."
    )
