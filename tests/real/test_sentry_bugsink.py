# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The module sentry with a real Bugsink, and what comes through the DSN that it returns."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bugsink
import pytest
from ansible_module import outcome
from bugsink import Bugsink

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import parse
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.envelope import send
from ansible_collections.crowsnest.core.plugins.modules import sentry as module
from ansible_collections.crowsnest.core.plugins.modules import sentry_test

Run = Callable[..., dict[str, Any]]
SHOP = {"name": "shop", "team": "backend"}
SEND = """
import sys, sentry_sdk
sentry_sdk.init(sys.argv[1], environment="staging")
try:
    1 / 0
except ZeroDivisionError as error:
    sentry_sdk.capture_exception(error)
sentry_sdk.flush(10)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    with bugsink.running(tmp_path_factory.mktemp("bugsink")) as server:
        yield server


@pytest.fixture
def run(server: Bugsink, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*projects: dict[str, Any], check: bool = False, token: str = "") -> dict[str, Any]:
        options = {"url": server.url, "token": token or server.token, "projects": list(projects), "dsns": True}
        result, printed = outcome(module, capsys, options, check)
        assert server.token not in printed
        return result

    return run


def test_a_project_its_dsn_and_an_event_through_it(run: Run, server: Bugsink) -> None:
    predicted = run(SHOP, check=True)
    assert server.rows("projects") == []
    result = run(SHOP)
    assert result["changes"] == predicted["changes"] == ["create team backend", "create project shop"]
    (project,) = result["projects"]
    subprocess.run([bugsink.CACHE / "bin/python", "-c", SEND, project["dsn"]], check=True, timeout=60)
    (issue,) = server.issues(project["id"])
    assert (issue["calculated_type"], issue["calculated_value"]) == ("ZeroDivisionError", "division by zero")
    again = run(SHOP)
    assert (again["changed"], again["projects"]) == (False, [project])


def test_a_test_event_is_kept_and_a_wrong_key_is_in_no_message(server: Bugsink) -> None:
    project = server.new_project("tested")
    dsn = parse(project["dsn"])
    assert send(dsn, "shop", "staging", datetime.now(UTC)).taken
    (issue,) = server.issues(project["id"])
    assert "Test event of crowsnest for shop" in issue["calculated_value"] + issue["calculated_type"]
    wrong = dsn._replace(key=f"{1:032x}")
    refused = send(wrong, "shop", "staging", datetime.now(UTC))
    assert not refused.taken
    assert "refuses the key: " in refused.text
    assert wrong.key not in refused.text


def test_a_test_event_is_not_looked_up_in_an_api_that_bugsink_does_not_have(
    server: Bugsink, capsys: pytest.CaptureFixture[str]
) -> None:
    account = {"url": server.url, "organization": "any", "token": server.token}
    options = {"dsns": {"shop": server.new_project("looked")["dsn"]}, "environment": "staging", "account": account}
    result, _ = outcome(sentry_test, capsys, options, False)
    assert [(row["taken"], row["seen"]) for row in result["events"]] == [(True, None)]


def test_more_projects_than_a_page_has(run: Run, server: Bugsink) -> None:
    team = server.ask("teams", {"name": "many"})["id"]
    for number in range(251):
        server.ask("projects", {"team": team, "name": f"app{number:03}"})
    result = run({"name": "app250", "team": "many"})
    assert result["changed"] is False and result["projects"][0]["dsn"].startswith("http://")


def test_messages_to_slack_are_a_warning(run: Run) -> None:
    result = run({"name": "blog", "team": "web", "slack_channel": "#errors"})
    (warning,) = [each["event"]["msg"] for each in result["warnings"]]
    assert "project blog: this is Bugsink, whose alerts have no API" in warning
    assert result["projects"][0]["alerts"] == "none"


def test_check_ins_are_refused_which_is_a_warning(run: Run) -> None:
    monitor = {"slug": "cron_backup", "name": "cron: backup", "crontab": "0 3 * * *", "margin_minutes": 120}
    result = run({"name": "cron", "team": "web", "monitors": [monitor]})
    (warning,) = [each["event"]["msg"] for each in result["warnings"]]
    assert "project cron: this is Bugsink, which has no cron monitors and refuses check-ins" in warning
    address = parse(result["projects"][0]["dsn"]).check_in("cron_backup", "production", "ok")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(address, timeout=20)  # noqa: S310 - on loopback
    assert run({"name": "cron", "team": "web"})["changed"] is False


@pytest.mark.parametrize(
    "token, words", [("0" * 40, "Invalid Bearer token"), ("abc", "must be 40 lowercase hex chars")]
)
def test_a_wrong_token(run: Run, token: str, words: str) -> None:
    message = run(SHOP, token=token)["msg"]
    assert "the token is not accepted" in message and words in message


def test_data_stays_over_a_restart(tmp_path: Path) -> None:
    with bugsink.running(tmp_path) as server:
        made = server.new_project("shop")
        port = int(server.url.rsplit(":", 1)[1])
    with bugsink.running(tmp_path, port) as server:
        assert [row["dsn"] for row in server.rows("projects")] == [made["dsn"]]
