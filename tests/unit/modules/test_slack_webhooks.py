"""Module slack_webhooks against a real server that answers as Slack does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils import slack
from ansible_collections.crowsnest.core.plugins.modules import slack_webhooks

Serve = Callable[..., Any]
Run = Callable[..., dict[str, Any]]
PATH = "/services/T0/B0/hush"

# Slack's answer to an empty message: does the run go on?
ANSWERS = {
    (400, "no_text"): True,
    (200, "ok"): True,
    (429, "rate_limited"): True,
    (500, "rollup_error"): True,
    (403, "invalid_token"): False,
    (404, "no_service"): False,
    (404, "channel_not_found"): False,
    (410, "channel_is_archived"): False,
}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_only_a_webhook_that_slack_refuses_for_good_fails(
    serve: Serve, run_module: Run, answer: tuple[int, str], check: bool
) -> None:
    server = serve(lambda *_: answer)
    result = run_module(slack_webhooks, check=check, webhooks={"slack": server.url + PATH})
    assert result.get("failed", False) is not ANSWERS[answer]
    assert (result["changed"] if ANSWERS[answer] else False) is False
    assert result["answers"] == {"slack": {"status": answer[0], "words": answer[1]}}


def test_slack_is_asked_with_a_message_it_shows_nobody(serve: Serve, run_module: Run) -> None:
    server = serve(lambda *_: (400, "no_text"))
    run_module(slack_webhooks, webhooks={"slack": server.url + PATH})
    ((method, path, body),) = server.asked
    assert (method, path, json.loads(body)) == ("POST", PATH, {"text": ""})


def test_a_refusal_names_every_refused_receiver_and_the_way_out_and_no_secret(serve: Serve, run_module: Run) -> None:
    good, bad = serve(lambda *_: (400, "no_text")), serve(lambda *_: (404, "no_service"))
    hooks = {"slack": good.url + PATH, "oncall": bad.url + PATH, "night": bad.url + PATH}
    result = run_module(slack_webhooks, webhooks=hooks)
    assert result["msg"] == (
        "Slack does not know the webhook of crowsnest_receivers oncall (no_service), night (no_service). "
        "Nothing was changed on any host. Make a new webhook at https://api.slack.com/apps (your app, Incoming "
        "Webhooks) and put it into the inventory."
    )
    assert "hush" not in json.dumps(result)


def assert_warned(result: dict[str, Any]) -> None:
    assert (result.get("failed", False), result["changed"], result["answers"]["slack"]["status"]) == (False, False, 0)
    (warning,) = result["warnings"]
    assert warning["event"]["msg"].startswith("Slack does not answer from this host, slack is unchecked: ")
    assert "hush" not in json.dumps(result)


def test_a_slack_that_is_away_is_a_warning(run_module: Run, closed_url: str) -> None:
    assert_warned(run_module(slack_webhooks, webhooks={"slack": closed_url + PATH}))


def test_a_slack_that_is_slow_is_a_warning(serve: Serve, run_module: Run, hold: Callable[..., tuple[int, str]]) -> None:
    assert_warned(run_module(slack_webhooks, webhooks={"slack": serve(hold).url + PATH}, timeout=1))


def test_a_slack_that_speaks_no_http_is_a_warning(run_module: Run, no_http_url: str) -> None:
    assert_warned(run_module(slack_webhooks, webhooks={"slack": no_http_url + PATH}))


# --- tokens of bots ---

TOKEN = "xoxb-1-hush"
# Slack's word for a token: what a person reads, or that the run goes on.
WORDS = {
    "invalid_auth": "slack (Slack does not know it: invalid_auth)",
    "token_revoked": "slack (it was revoked: token_revoked)",
    "account_inactive": "slack (its app or its workspace was removed: account_inactive)",
    "missing_scope": "slack (missing_scope)",
    "ratelimited": "",
    "internal_error": "",
}


@pytest.fixture
def ask_bot(serve: Serve, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    def ask(answer: tuple[int, str], **more: Any) -> dict[str, Any]:
        server = serve(lambda *_: answer)
        monkeypatch.setattr(slack, "AUTH_TEST", f"{server.url}/api/auth.test")
        return run_module(slack_webhooks, bot_tokens={"slack": TOKEN}, **more) | {"asked": server.asked}

    return ask


@pytest.mark.parametrize("word", WORDS)
def test_a_token_that_slack_refuses_for_good_fails_with_what_its_word_means(ask_bot: Run, word: str) -> None:
    result = ask_bot((200, json.dumps({"ok": False, "error": word})))
    assert result.get("failed", False) is bool(WORDS[word])
    if WORDS[word]:
        assert result["msg"] == (
            f"Slack refuses the token of crowsnest_receivers {WORDS[word]}. Nothing was changed on any host. Copy the "
            "Bot User OAuth Token at https://api.slack.com/apps (your app, OAuth & Permissions) into the inventory."
        )
    else:
        (warning,) = result["warnings"]
        assert warning["event"]["msg"] == f"Slack does not answer from this host, slack is unchecked: {word}"
    assert "hush" not in json.dumps({**result, "asked": ""})


def test_a_token_that_slack_takes_passes(ask_bot: Run) -> None:
    result = ask_bot((200, json.dumps({"ok": True, "team": "acme"})))
    assert (result["changed"], result["answers"]) == (False, {"slack": {"status": 200, "words": "ok"}})
    assert [each[:2] for each in result["asked"]] == [("POST", "/api/auth.test")]


@pytest.mark.parametrize("answer", [(502, "<html>"), (200, "<html>")], ids=str)
def test_an_answer_that_is_not_slack_s_is_a_warning(ask_bot: Run, answer: tuple[int, str]) -> None:
    (warning,) = ask_bot(answer)["warnings"]
    assert f"HTTP {answer[0]} without JSON" in warning["event"]["msg"]


def test_refused_webhooks_and_tokens_are_told_together(ask_bot: Run, serve: Serve) -> None:
    bad = serve(lambda *_: (404, "no_service"))
    told = ask_bot((200, '{"ok": false, "error": "invalid_auth"}'), webhooks={"oncall": bad.url + PATH})["msg"]
    assert told.startswith(
        "Slack does not know the webhook of crowsnest_receivers oncall (no_service). "
        "Slack refuses the token of crowsnest_receivers slack (Slack does not know it: invalid_auth). Nothing was"
    )
