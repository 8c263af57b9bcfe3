"""What verify says of the tokens of bots, asked of slack.com over TLS and through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_com import SlackCom, slack_com

from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import Check
from ansible_collections.crowsnest.core.plugins.module_utils.verify.slack import bot_checks

TOKEN = "xoxb-1-hush"
ADVICE = (
    "Copy the Bot User OAuth Token at https://api.slack.com/apps (your app, OAuth & Permissions) into the inventory. "
    "Run `./crowsnest site` with the same -i; it puts this right."
)


@pytest.fixture
def slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackCom]:
    with slack_com(tmp_path, "--token", TOKEN) as running:
        monkeypatch.setenv("https_proxy", running.proxy)
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))
        monkeypatch.setattr("urllib.request._opener", None)  # it keeps the environment of its first request
        yield running


def checks(folder: Path, token: str = TOKEN) -> list[Check]:
    (folder / "current/secrets").mkdir(parents=True, exist_ok=True)
    (folder / "current/secrets/slack_bot_token").write_text(token)
    return list(bot_checks(str(folder), {"slack": "secrets/slack_bot_token", "gone": "secrets/gone_bot_token"}))


def test_a_token_that_slack_takes_passes(slack: SlackCom, tmp_path: Path) -> None:
    assert checks(tmp_path) == [Check("PASS", "delivery", "Slack takes the token of slack")]


def test_a_token_that_slack_refuses_fails_and_is_not_shown(slack: SlackCom, tmp_path: Path) -> None:
    why = "Slack does not know it: invalid_auth"
    assert checks(tmp_path, "xoxb-2-hush") == [
        Check("FAIL", "delivery", f"Slack refuses the token of slack ({why})", ADVICE)
    ]


@pytest.mark.parametrize("word", ["token_revoked", "account_inactive"])
def test_slack_s_word_is_there_with_its_meaning(slack: SlackCom, tmp_path: Path, word: str) -> None:
    slack.fault("refuse", word=word)
    (check,) = checks(tmp_path)
    assert check.status == "FAIL" and f": {word})" in check.detail


def test_while_slack_is_away_or_busy_nothing_is_judged(slack: SlackCom, tmp_path: Path) -> None:
    for fault in ({"mode": "down"}, {"mode": "refuse", "word": "ratelimited"}):
        slack.fault(**fault)
        (check,) = checks(tmp_path)
        assert check.status == "WARN" and "so the token of slack is unchecked: " in check.detail


def test_a_certificate_that_is_not_slack_s_is_no_answer(
    slack: SlackCom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr("urllib.request._opener", None)
    (check,) = checks(tmp_path)
    assert check.status == "WARN" and "CERTIFICATE_VERIFY_FAILED" in check.detail
