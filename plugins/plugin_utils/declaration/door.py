# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The door for people: who may open the pages, through which proxy, and with which certificates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import Password, Strict

# own: Caddy serves 80 and 443. behind: the team's proxy does, and hands on. none: pages through SSH tunnels.
ProxyMode = Literal["own", "behind", "none"]
Certificates = Literal["letsencrypt", "internal"]


class User(Strict):
    """A person who may open the pages that have no login of their own."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")] = Field(description="Name at the login.")
    password: Password | None = Field(
        None, description="Default: generated once, in the inventory's folder secrets/ as proxy_password_NAME."
    )
