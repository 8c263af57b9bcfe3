# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is declared of the door for people: each mistake as one line."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes

GROUPS = {"server": ["web1"], "monitored": ["web1"]}


def found(**declared: Any) -> list[str]:
    return declaration_mistakes({f"crowsnest_{name}": value for name, value in declared.items()}, GROUPS, "")


SHOP = {"name": "shop", "url": "https://shop.example.com/"}


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"domain": "watch.example.com"},
        {"domain": "watch.example.com", "proxy": "behind", "apps": [SHOP]},
        {"domain": "watch.localhost", "certificates": "internal"},
        {"domain": "watch.localhost", "proxy": "behind"},
        {"domain": "shop.example.com", "proxy": "none", "apps": [SHOP]},
        {"domain": "watch.example.com", "firewall": True},
        {"domain": "watch.example.com", "firewall": True, "open_ports": [{"port": 443, "from": ["10.0.0.0/8"]}, 80]},
        {"domain": "watch.localhost", "certificates": "internal", "firewall": True, "open_ports": ["443"]},
        {"firewall": True, "open_ports": [22]},
        {"domain": "watch.example.com", "open_ports": [22]},
        {"domain": "watch.example.com", "users": [{"name": "kim"}, {"name": "lee", "password": "correct horse"}]},
    ],
)
def test_what_is_right(declared: dict[str, Any]) -> None:
    assert found(**declared) == []


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        (
            {"proxy": "behind"},
            "crowsnest_proxy: behind needs a name for the pages. Set crowsnest_domain, such as watch.example.com.",
        ),
        (
            {"domain": "watch.Local"},
            "crowsnest_domain: Let's Encrypt gives no certificates for 'watch.local', as no public DNS has it. Use a "
            "domain of yours, or set crowsnest_certificates: internal.",
        ),
        (
            {"domain": "shop.example.com", "apps": [SHOP]},
            "crowsnest_domain: crowsnest_apps[0] (shop).url has a name that the pages would take. Use a domain of "
            "their own, such as watch.shop.example.com.",
        ),
        (
            {"domain": "example.com", "apps": [{"name": "shop", "url": "https://status.example.com/"}]},
            "crowsnest_domain: crowsnest_apps[0] (shop).url has a name that the pages would take. Use a domain of "
            "their own, such as watch.example.com.",
        ),
        (
            {"domain": "watch.example.com", "users": [{"name": "kim"}, {"name": "kim"}]},
            "crowsnest_users: 'kim' is declared 2 times. Allowed: each name once.",
        ),
        (
            {"domain": "watch.example.com", "firewall": True, "open_ports": [22, {"port": 443, "protocol": "udp"}, 80]},
            "crowsnest_open_ports: 443 is missing, so nobody could open the pages of crowsnest_domain. Add 443.",
        ),
        (
            {
                "domain": "watch.example.com",
                "firewall": True,
                "open_ports": [22, {"port": 443, "from": ["10.0.0.0/8"]}],
            },
            "crowsnest_open_ports: neither 80 nor 443 is open to everybody, so Let's Encrypt could not ask for the "
            "pages, and gives no certificate. Add 80, which only leads to HTTPS.",
        ),
    ],
)
def test_a_mistake(declared: dict[str, Any], line: str) -> None:
    assert found(**declared) == [line]


@pytest.mark.parametrize(
    "declared",
    [
        {"domain": "watch"},
        {"domain": "https://watch.example.com/"},
        {"domain": "watch.example.com:443"},
        {"domain": "watch.example.com", "proxy": "caddy"},
        {"domain": "watch.example.com", "certificates": "own"},
        {"domain": "watch.example.com", "users": []},
        {"domain": "watch.example.com", "users": [{"name": "kim:lee"}]},
        {"domain": "watch.example.com", "users": [{"name": "kim", "password": "short"}]},
    ],
)
def test_a_value_that_is_none(declared: dict[str, Any]) -> None:
    (line,) = found(**declared)
    assert "short" not in line
