# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages through port 443, as people open them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from door import Door

DOMAIN = "watch.localhost"
AUTHORITY = "/var/lib/crowsnest/proxy/pki/authorities/local/root.crt"
GUARDED = ("", "prometheus", "alerts")


@pytest.fixture(scope="module")
def door(lab: Any, server: Any, tmp_path_factory: pytest.TempPathFactory) -> Door:
    authority: Path = tmp_path_factory.mktemp("door") / "root.crt"
    authority.write_text(server.file(AUTHORITY).content_string)
    return Door(lab.facts["hosts"][0]["ports"]["https"], authority, DOMAIN, "admin")


@pytest.fixture(scope="module")
def password(secret: Callable[[str], str]) -> str:
    return secret("proxy_password_admin")


def test_what_has_no_login_of_its_own_asks_for_one(door: Door, password: str) -> None:
    for name in GUARDED:
        statuses = [door.ask(name, login=given).status for given in ("", "wrong", password)]
        assert (name, statuses) == (name, [401, 401, 200 if name == "" else statuses[2]])
        assert statuses[2] < 400


def test_what_has_a_login_of_its_own_shows_that(door: Door) -> None:
    assert door.ask("grafana").headers["Location"].endswith("/login")
    assert "Uptime Kuma" in door.ask("uptime", "/dashboard").text
    assert door.ask("metabase", "/api/session/properties").status == 200
    assert door.ask("uptime", "/metrics").status == 401


def test_the_status_page_is_for_everybody(door: Door) -> None:
    assert door.ask("status").headers["Location"] == "/status/status"
    assert door.ask("status", "/status/status").status == 200
    assert [door.ask("status", path).status for path in ("/dashboard", "/metrics", "/setup")] == [404] * 3


def test_the_portal_shows_the_shop_and_its_figures(door: Door, password: str, eventually: Any) -> None:
    def cells() -> list[str]:
        row = re.search(r'<a href="[^"]*">shop</a></th>(.*?)</tr>', door.ask("", login=password).text, re.DOTALL)
        return re.findall(r"<td>\s*(.*?)</td>", row[1], re.DOTALL) if row else []

    up, requests, errors, latency, exceptions = eventually(
        lambda: "unknown" not in "".join(cells()) and cells(), 120, 3
    )
    assert up == '<span class="well">up</span>'
    assert float(requests) > 0
    assert errors.endswith(" %")
    assert latency.endswith(" s")
    assert float(exceptions) >= 0


def test_a_link_of_a_message_leads_to_its_runbook(door: Door, password: str) -> None:
    assert "<h1" in door.ask("", "/runbooks/AppDown.md", login=password).text


def test_another_user_comes_in_and_the_one_before_no_more(door: Door, password: str, lab: Any) -> None:
    run = lab.play(crowsnest_users=[{"name": "kim", "password": "A-long-passw0rd-of-kim"}])
    assert (run.status, run.recap["changed"]) == (0, 2), run.output  # its files, and that it took them
    kim = door._replace(user="kim")
    assert [kim.ask("", login="A-long-passw0rd-of-kim").status, door.ask("", login=password).status] == [200, 401]
    run = lab.play()
    assert run.status == 0, run.output
    assert door.ask("", login=password).status == 200
