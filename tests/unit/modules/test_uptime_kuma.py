# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""uptime_kuma where no Uptime Kuma answers. Everything else is tested with a real one, in tests/real."""

from __future__ import annotations

import sys

import pytest
from kuma_module import ALL, SITE, Run, runner


@pytest.fixture
def run(closed_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")  # which the module changes
    return runner(closed_url, capsys)


def test_check_mode_without_a_running_kuma_predicts_everything(run: Run) -> None:
    result = run(check=True, **ALL)
    assert (result["counts"]["created"], result["version"]) == (12, "")
    assert result["msg"].startswith("Predicted as for an empty Uptime Kuma: Uptime Kuma does not answer at http://")


def test_a_kuma_that_does_not_answer_is_one_sentence(run: Run, closed_url: str) -> None:
    message = run()["msg"]
    assert message.startswith(f"Uptime Kuma does not answer at {closed_url}: unable to connect. See `sudo")
    assert "\n" not in message


def test_a_missing_library_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uptime_kuma_api", None)
    assert run()["msg"].startswith("The Python library uptime_kuma_api is missing")


def test_mistakes_are_reported_before_kuma_is_asked(run: Run, closed_url: str) -> None:
    message = run(monitors=[{**SITE, "interval": 0}, {"key": "x", "name": "x", "type": "http"}])["msg"]
    assert message.startswith(
        f"Uptime Kuma at {closed_url}: nothing was changed, 2 mistakes: monitors[0] (shop/website).interval: 0"
    )
    message = run(monitors=[{**SITE, "type": "htp", "headers": {"A": "SECRET-HEADER"}}])["msg"]
    assert message.startswith("value of type must be one of: dns, docker, ") and "got: htp found in mon" in message
