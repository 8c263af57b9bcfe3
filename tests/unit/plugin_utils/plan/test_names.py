# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Names of the pages against the DNS."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.names import addresses, name_refusals

DOMAIN, PAGE = "watch.example.com", "grafana.watch.example.com"
SERVER = ["203.0.114.5", "2a01:4f8::5"]


def refused(root: Sequence[str], page: Sequence[str], own: Sequence[str] = SERVER) -> list[str]:
    return list(name_refusals(DOMAIN, {DOMAIN: root, PAGE: page}, "web1", own))


def test_names_that_lead_to_the_server_are_right() -> None:
    assert refused(SERVER, SERVER[:1]) == []


def test_a_name_without_an_address_is_refused_with_the_records_to_make() -> None:
    (line,) = refused(SERVER, [])
    assert line.startswith(f"crowsnest_domain: the DNS has no address for {PAGE}, so Let's Encrypt gives no certific")
    assert f"{DOMAIN} and *.{DOMAIN}, that lead to 203.0.114.5 and 2a01:4f8::5." in line


@pytest.mark.parametrize("stale", [["198.51.101.9"], [SERVER[0], "2a01:4f8::bad"]])
def test_a_name_that_leads_elsewhere_too_is_refused(stale: list[str]) -> None:
    (line,) = refused(stale, SERVER)
    assert f"the DNS sends {DOMAIN} to {stale[-1]}, but web1 is 203.0.114.5, 2a01:4f8::5, so" in line


@pytest.mark.parametrize("own", [[], ["10.0.0.5"]])
def test_where_the_server_s_public_address_is_unknown_only_missing_names_are_refused(own: list[str]) -> None:
    assert refused(["203.0.114.9"], ["203.0.114.9"], own) == []
    (line,) = refused([], ["203.0.114.9"], own)
    assert "lead to the public address of web1" in line


def test_names_are_looked_up() -> None:
    found = addresses(["localhost", "no-such-name.invalid", "a" * 64 + ".example"])
    assert "127.0.0.1" in found["localhost"]
    assert list(found.values())[1:] == [[], []]
