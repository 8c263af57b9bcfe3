# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""uptime_kuma and the logins of a real Uptime Kuma."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from kuma_module import Hurry, Run, Wire, runner
from uptime_kuma import CLIENT, PASSWORD, Kuma


def test_a_wrong_password_is_tried_once(run: Run, wire: Wire) -> None:
    message = run(password="Another-Secret-1", container="crowsnest-uptime_kuma-1")["msg"]
    assert re.search(r"refuses the login of admin \((authIncorrectCreds|Incorrect username or password\.)\)", message)
    assert "docker exec -it crowsnest-uptime_kuma-1 node extra/reset-password.js" in message
    assert wire.calls.count("login") == 1


def test_a_weak_password_for_a_new_account_is_refused(
    new_kuma: Kuma, wire: Wire, capsys: pytest.CaptureFixture[str]
) -> None:
    message = runner(new_kuma.url, capsys)(password="abc")["msg"]
    assert "does not take the password for the new account admin" in message
    assert new_kuma.rows("user") == []


def test_two_factors_are_named(run: Run, kuma: Kuma) -> None:
    with kuma.hands() as client:
        client.prepare_2fa(PASSWORD)
        client.save_2fa(PASSWORD)
        try:
            assert "two-factor authentication" in run()["msg"]
        finally:
            client.disable_2fa(PASSWORD)


@pytest.fixture
def limited(kuma: Kuma) -> Iterator[Kuma]:
    """It has had its 20 logins of this minute."""
    kuma.limit_logins(True)
    client = CLIENT(kuma.url, timeout=30)
    wrong = {"username": "nobody", "password": "wrong", "token": ""}
    answers = [client.sio.call("login", wrong, timeout=30)["msg"] for _ in range(21)]
    client.disconnect()
    assert answers[-1].startswith("Too frequently")
    yield kuma
    kuma.limit_logins(False)


def test_too_many_logins_are_waited_for(run: Run, limited: Kuma, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(monkeypatch)
    hurry.then = lambda: limited.limit_logins(len(hurry.sleeps) < 3)
    assert run(settings={"keepDataPeriodDays": 90})["changed"] is True
    assert wire.calls.count("login") == 4


def test_too_many_logins_end_some_time(run: Run, limited: Kuma, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry = Hurry(monkeypatch)
    assert "refuses all logins for now" in run()["msg"]
    assert 60 < sum(hurry.sleeps) < 90


@pytest.mark.parametrize(
    "version, known", [("1.23.17", True), ("2.0.0-dev.0", True), ("1.22.1", False), ("3.0.0", False)]
)
def test_only_known_versions_are_touched(run: Run, wire: Wire, version: str, known: bool) -> None:
    wire.version = version
    assert ("knows 1.23 and 2.x" in run(settings={"keepDataPeriodDays": 1}).get("msg", "")) is not known
    assert ("setSettings" in wire.calls) is known
