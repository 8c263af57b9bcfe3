"""The catcher as https://slack.com: Slack's own client is served, and every answer is as Slack describes it."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator
from slack_com import SlackCom, slack_api, slack_com
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

PUBLISHED = json.loads(Path(__file__).with_name("slack_api.json").read_text(encoding="utf-8"))
TOKEN = "xoxb-lab-1"
ATTACHMENT = {
    "fallback": "shop: database down",
    "title": "shop: database down",
    "title_link": "http://127.0.0.1:9093",
    "color": "danger",
    "text": "now",
}
JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[SlackCom]:
    with slack_com(tmp_path, "--token", TOKEN, "--token", "xoxb-lab-2", "--channel", "alerts") as running:
        yield running


def client(slack: SlackCom, token: str = TOKEN) -> WebClient:
    return WebClient(token, proxy=slack.proxy, ssl=ssl.create_default_context(cafile=str(slack.ca_file)))


def call(slack: SlackCom, method: str, body: Any = None, kind: str = JSON, token: str = TOKEN) -> requests.Response:
    """One call with any body, checked against what Slack publishes of the method's answers."""
    headers = {"Content-Type": kind, "Authorization": f"Bearer {token}" if token else ""}
    answer = requests.post(
        f"https://slack.com/api/{method}",
        body if isinstance(body, (str, bytes, type(None))) else json.dumps(body),
        headers={name: value for name, value in headers.items() if value},
        proxies={"https": slack.proxy},
        verify=str(slack.ca_file),
        timeout=10,
    )
    assert answer.headers["Content-Type"] == JSON
    said = answer.json()
    if said["ok"]:
        Draft202012Validator(PUBLISHED[method]["schema"]).validate(said)
    elif method in PUBLISHED:
        assert said.keys() == {"ok", "error"}
        assert said["error"] in {*PUBLISHED[method]["errors"], *PUBLISHED["every_method"]}
    return answer


def error(slack: SlackCom, method: str, body: Any = None, kind: str = JSON, token: str = TOKEN) -> str:
    answer = call(slack, method, body, kind, token)
    assert answer.status_code == 200
    return str(answer.json()["error"])


def test_slacks_own_client_posts_edits_and_deletes(slack: SlackCom) -> None:
    web = client(slack)
    assert web.auth_test()["bot_id"] == slack_api.identifier("B", TOKEN)
    posted = web.chat_postMessage(channel="#alerts", text="", attachments=[ATTACHMENT])
    assert posted["channel"] == slack_api.channel_id("alerts")
    web.chat_update(channel=posted["channel"], ts=posted["ts"], attachments=[ATTACHMENT | {"title": "shop: over"}])
    [message] = slack.messages()
    assert message["ts"] == posted["ts"]
    assert message["posted"]["attachments"] == [ATTACHMENT]
    assert message["payload"]["attachments"][0]["title"] == "shop: over"
    assert message["payload"]["channel"] == "#alerts"
    assert [edit["payload"] for edit in message["edits"]] == [message["payload"]]
    assert message["received"] < message["edits"][0]["received"] <= time.time()
    web.chat_delete(channel=posted["channel"], ts=posted["ts"])
    assert slack.messages() == []


def test_a_message_is_found_by_its_first_arrival_and_by_what_it_says_now(slack: SlackCom) -> None:
    web, before = client(slack), time.time()
    posted = web.chat_postMessage(channel="alerts", text="down")
    between = time.time()
    web.chat_update(channel=posted["channel"], ts=posted["ts"], text="over")
    assert len(slack.messages(since=before, contains="over")) == 1
    assert slack.messages(since=between) == slack.messages(contains="down") == []


def test_a_message_that_a_person_deleted_cannot_be_edited(slack: SlackCom) -> None:
    posted = client(slack).chat_postMessage(channel="alerts", text="down")
    slack.delete(posted["ts"])
    assert error(slack, "chat.update", {"channel": posted["channel"], "ts": posted["ts"], "text": "over"}) == (
        "message_not_found"
    )
    assert requests.delete(f"{slack.url}/messages/{posted['ts']}", timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"channel": "#alerts", "text": "x"}, JSON),
        ({"channel": slack_api.channel_id("alerts"), "blocks": [{"type": "divider"}]}, JSON),
        ("channel=%23alerts&attachments=" + json.dumps([ATTACHMENT]), FORM),
    ],
)
def test_answers_have_the_published_shape(slack: SlackCom, body: Any, kind: str) -> None:
    posted = call(slack, "chat.postMessage", body, kind).json()
    assert posted["ok"]
    where = {"channel": posted["channel"], "ts": posted["ts"]}
    assert call(slack, "chat.update", {**where, "text": "y", "attachments": [ATTACHMENT]}).json()["text"] == "y"
    assert call(slack, "chat.delete", where).json()["ok"]
    assert call(slack, "auth.test").json()["ok"]


@pytest.mark.parametrize(
    ("method", "body", "kind", "token", "word"),
    [
        ("chat.postMessage", {"channel": "#alerts", "text": "x"}, JSON, "", "not_authed"),
        ("chat.postMessage", {"channel": "#alerts", "text": "x", "token": TOKEN}, JSON, "", "not_authed"),
        ("chat.postMessage", {"channel": "#alerts", "text": "x"}, JSON, "xoxb-other", "invalid_auth"),
        ("auth.test", None, JSON, "xoxb-other", "invalid_auth"),
        ("chat.postMessage", {"channel": "#nowhere", "text": "x"}, JSON, TOKEN, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0123456789", "text": "x"}, JSON, TOKEN, "channel_not_found"),
        ("chat.postMessage", {"text": "x"}, JSON, TOKEN, "channel_not_found"),
        ("chat.postMessage", {"channel": "alerts"}, JSON, TOKEN, "no_text"),
        ("chat.postMessage", {"channel": "alerts", "attachments": [{}] * 101}, JSON, TOKEN, "too_many_attachments"),
        ("chat.postMessage", {"channel": "alerts", "attachments": "x"}, JSON, TOKEN, "invalid_arguments"),
        ("chat.postMessage", {"channel": "alerts", "blocks": [{}]}, JSON, TOKEN, "invalid_blocks"),
        ("chat.postMessage", "{", JSON, TOKEN, "invalid_json"),
        ("chat.postMessage", "[]", JSON, TOKEN, "json_not_object"),
        ("chat.postMessage", "channel=alerts&attachments=[", FORM, TOKEN, "invalid_form_data"),
        ("chat.postMessage", "x", "image/png", TOKEN, "invalid_post_type"),
        ("chat.postMessage", b"x", "", TOKEN, "missing_post_type"),
        ("chat.update", {"channel": "#alerts", "ts": "TS", "text": "x"}, JSON, TOKEN, "channel_not_found"),
        ("chat.update", {"channel": "ID", "ts": "1700000000.000100", "text": "x"}, JSON, TOKEN, "message_not_found"),
        ("chat.update", {"channel": "ID", "ts": "TS", "text": "x"}, JSON, "xoxb-lab-2", "cant_update_message"),
        ("chat.update", {"channel": "ID", "ts": "TS", "text": "x" * 4001}, JSON, TOKEN, "msg_too_long"),
        ("chat.update", {"channel": "ID", "ts": "TS"}, JSON, TOKEN, "no_text"),
        ("chat.delete", {"channel": "ID", "ts": "TS"}, JSON, "xoxb-lab-2", "cant_delete_message"),
        ("chat.meMessage", {"channel": "alerts", "text": "x"}, JSON, TOKEN, "unknown_method"),
    ],
)
def test_refusals_are_slacks(slack: SlackCom, method: str, body: Any, kind: str, token: str, word: str) -> None:
    posted = call(slack, "chat.postMessage", {"channel": "alerts", "text": "first"}).json()
    if isinstance(body, dict):
        known = {"ID": posted["channel"], "TS": posted["ts"]}
        body = {name: known.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
    assert error(slack, method, body, kind, token) == word
    assert [(message["payload"]["text"], message["edits"]) for message in slack.messages()] == [("first", [])]


def test_a_token_in_a_form_counts(slack: SlackCom) -> None:
    assert call(slack, "auth.test", f"token={TOKEN}", FORM, token="").json()["ok"]


def test_an_edit_keeps_what_it_does_not_give(slack: SlackCom) -> None:
    posted = client(slack).chat_postMessage(
        channel="alerts", text="a", attachments=[ATTACHMENT], blocks=[{"type": "divider"}]
    )
    client(slack).chat_update(channel=posted["channel"], ts=posted["ts"], text="b")
    [message] = slack.messages()
    assert message["payload"] == {"channel": "alerts", "text": "b", "attachments": [ATTACHMENT]}


def test_faults_hold_for_the_api(slack: SlackCom) -> None:
    slack.fault("refuse", word="not_in_channel")
    with pytest.raises(SlackApiError, match="not_in_channel"):
        client(slack).chat_postMessage(channel="alerts", text="x")
    hook = f"{slack.url}/services/T0LAB/B0LAB/abcDEF123"
    assert requests.post(hook, json={"text": "x"}, timeout=10).text == "action_prohibited"
    slack.fault("refuse", word="no_service")
    assert error(slack, "auth.test") == "fatal_error"
    slack.fault("refuse", word="ratelimited")
    limited = call(slack, "chat.postMessage", {"channel": "alerts", "text": "x"})
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")
    slack.fault("down")
    with pytest.raises(requests.ConnectionError):
        call(slack, "auth.test")
    slack.fault("slow", seconds=0.3)
    began = time.monotonic()
    assert call(slack, "auth.test").json()["ok"]
    assert time.monotonic() - began >= 0.3


def test_the_rate_limit_holds_for_new_messages(tmp_path: Path) -> None:
    with slack_com(tmp_path, "--rate-limit") as slack:
        post = {"channel": "alerts", "text": "x"}
        with ThreadPoolExecutor(20) as pool:  # at once, as one a second is let through on a slow machine
            codes = list(pool.map(lambda _: call(slack, "chat.postMessage", post).status_code, range(40)))
        assert 429 in codes and codes.count(200) >= 10
        assert call(slack, "auth.test").json()["ok"]


def test_edits_survive_a_restart(tmp_path: Path) -> None:
    with slack_com(tmp_path) as slack:
        posted = client(slack).chat_postMessage(channel="alerts", text="down")
        client(slack).chat_update(channel=posted["channel"], ts=posted["ts"], text="over")
        before = slack.messages()
    with slack_com(tmp_path) as slack:
        assert slack.messages() == before
        client(slack).chat_update(channel=posted["channel"], ts=posted["ts"], text="again")
        assert [edit["payload"]["text"] for edit in slack.messages()[0]["edits"]] == ["over", "again"]


def test_the_page_shows_what_it_says_now_and_folds_what_it_said(slack: SlackCom) -> None:
    posted = client(slack).chat_postMessage(channel="#alerts", text="database down")
    assert "(edited)" not in requests.get(slack.url, timeout=10).text
    client(slack).chat_update(channel=posted["channel"], ts=posted["ts"], text="all well")
    page = requests.get(slack.url, timeout=10).text
    now, _, earlier = page.partition("<details>")
    assert 'all well <span class="edited">(edited)</span>' in now
    assert "database down" not in now
    assert "database down" in earlier


def test_tls_is_spoken_at_once_as_well_and_the_connection_stays_open(slack: SlackCom) -> None:
    port = int(slack.proxy.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=str(slack.ca_file))
    trust.verify_flags |= ssl.VERIFY_X509_STRICT  # Python's default from 3.13 on
    ask = b"GET /api/auth.test HTTP/1.1\r\nHost: slack.com\r\nAuthorization: Bearer xoxb-lab-1\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="slack.com") as secured,
    ):
        for _ in range(2):
            secured.sendall(ask)
            answer = HTTPResponse(secured)
            answer.begin()
            assert json.load(answer)["ok"]


def test_the_proxy_leads_to_slack_only(slack: SlackCom) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        requests.get("https://example.com", proxies={"https": slack.proxy}, timeout=10)


def test_who_does_not_trust_the_certificate_is_not_served(slack: SlackCom) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get("https://slack.com/health", proxies={"https": slack.proxy}, timeout=10)
    assert call(slack, "auth.test").json()["ok"]
