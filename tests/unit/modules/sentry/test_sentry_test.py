# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The test event: what becomes of it at a server that keeps it, loses it, refuses it or hangs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_module import outcome
from sentry_stub import TOKEN, Stub

from ansible_collections.crowsnest.core.plugins.modules import sentry_test

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def dsn(stub: Stub) -> str:
    stub.add_team("web")
    stub.add_project("shop", "web")
    return str(stub.keys[0]["dsn"]["public"])


@pytest.fixture
def events(capsys: pytest.CaptureFixture[str], dsn: str) -> Events:
    """What the module reports of these DSNs; it prints no key and no token."""

    def run(dsns: dict[str, str], check: bool = False, **different: Any) -> list[dict[str, Any]]:
        options = {"dsns": dsns, "environment": "staging", "timeout": 1, **different}
        result, printed = outcome(sentry_test, capsys, options, check)
        assert TOKEN not in printed
        assert dsn not in printed
        found: list[dict[str, Any]] = result["events"]
        return found

    return run


@pytest.fixture
def account(stub: Stub) -> dict[str, str]:
    return {"url": stub.url, "organization": "acme", "token": TOKEN}


def test_without_an_account_nobody_knows_whether_it_is_kept(events: Events, dsn: str) -> None:
    (row,) = events({"shop": dsn})
    assert (row["app"], row["taken"], row["seen"]) == ("shop", True, None)
    assert row["text"].endswith("took the event.")


def test_with_an_account_it_is_looked_up(events: Events, dsn: str, account: dict[str, str], stub: Stub) -> None:
    stub.visible_after = 0.5
    (row,) = events({"shop": dsn}, account=account, timeout=5)
    assert row["seen"]
    assert row["text"].endswith("took the event. It can be seen there.")
    assert row["event"] in stub.events


def test_a_server_that_takes_it_and_drops_it(events: Events, dsn: str, account: dict[str, str], stub: Stub) -> None:
    stub.envelope = "lost"
    (row,) = events({"shop": dsn}, account=account)
    assert (row["taken"], row["seen"]) == (True, False)
    assert "took the event. But it cannot be seen after 1 s." in row["text"]


def test_an_event_at_another_server_than_the_account_s_is_not_looked_up(
    events: Events, dsn: str, account: dict[str, str]
) -> None:
    (row,) = events({"shop": dsn}, account={**account, "url": "https://sentry.io"})
    assert (row["taken"], row["seen"]) == (True, None)


def test_a_token_that_may_not_look(events: Events, dsn: str, account: dict[str, str], stub: Stub) -> None:
    stub.scopes = []
    (row,) = events({"shop": dsn}, account=account)
    assert row["seen"] is False
    assert "The token needs the scope project:read." in row["text"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("429", "takes no errors now: for 60 s (organization)."),
        ("413", "answered 413"),
        ("500", "answered 500"),
        ("hang", "does not answer: timed out."),
    ],
)
def test_each_app_has_a_line_of_its_own(fault: str, told: str, events: Events, dsn: str, stub: Stub) -> None:
    stub.envelope = fault
    wrong = dsn.replace(stub.keys[0]["public"], "0" * 32)
    rows = events({"shop": dsn, "blog": wrong, "idle": "https://sentry.io/1"})
    assert [row["taken"] for row in rows] == [False] * 3
    assert told in rows[0]["text"]
    assert rows[2]["text"].startswith("The DSN has no key before the host.")


def test_a_wrong_key(events: Events, dsn: str, stub: Stub) -> None:
    (row,) = events({"shop": dsn.replace(stub.keys[0]["public"], "0" * 32)})
    assert "refuses the key: " in row["text"]


def test_check_mode_sends_nothing(events: Events, dsn: str, stub: Stub) -> None:
    assert events({"shop": dsn}, check=True) == []
    assert stub.asked == []
