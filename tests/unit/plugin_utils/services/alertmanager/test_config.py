"""alertmanager.yml as data: promises per severity, receivers, secrets. tests/rules asks amtool for the routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import (
    alertmanager_config,
    alertmanager_secrets,
    deliveries,
    slack_bots,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

MakeContext = Callable[..., Context]
MakeConfig = Callable[..., dict[str, Any]]
# A server that is too small for Uptime Kuma.
SMALL = {"total_mib": 945, "used_mib": 120}
SECRETS_MADE = {"uptime_kuma_push_key": "hush-push-key"}

SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/hush-slack", "channel": "#alerts"}
DISCORD = {"type": "discord", "webhook_url": "https://discord.com/api/webhooks/1/hush-discord"}
TEAMS = {"type": "teams", "webhook_url": "https://prod-1.logic.azure.com/workflows/1?sig=hush-teams"}
TELEGRAM = {"type": "telegram", "bot_token": "1:hush-telegram", "chat_id": -1001234567890}
NTFY = {"type": "ntfy", "url": "https://ntfy.example.com/hush-topic", "token": "hush-token"}
WEBHOOK = {"type": "webhook", "url": "https://example.com/hush-webhook"}
EMAIL = {
    "type": "email",
    "to": ["a@example.com", "b@example.com"],
    "sender": "crowsnest@example.com",
    "smarthost": "smtp.example.com:587",
    "username": "crowsnest",
    "password": "hush-email",
}
SNS = {
    "type": "sns",
    "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall",
    "access_key": "AKIA",
    "secret_key": "hush-sns",
}
KINDS = [SLACK, DISCORD, TEAMS, TELEGRAM, NTFY, WEBHOOK, EMAIL, SNS]
ALL = {"receivers": KINDS, "heartbeat_url": "https://hc-ping.com/hush-heartbeat"}


@pytest.fixture
def config(context: MakeContext) -> MakeConfig:
    """alertmanager.yml of a declaration, on a server web1 with everything."""

    def make(**declared: Any) -> dict[str, Any]:
        return alertmanager_config(context(declared))

    return make


def receivers(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {receiver.pop("name"): receiver for receiver in config["receivers"]}


def severity_routes(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {route["receiver"]: route for route in config["route"]["routes"] if "repeat_interval" in route}


SECRETS = "/etc/crowsnest/current/secrets"
# For each severity the group's wait, its interval, and the interval of repetition.
PROMISES = {
    "critical": ("10s", "15s", "10m"),
    "high": ("1m", "5m", "1h"),
    "medium": ("5m", "15m", "4h"),
    "low": ("5m", "30m", "24h"),
}


@pytest.mark.parametrize("severity", PROMISES)
def test_each_severity_has_its_promise(config: MakeConfig, severity: str) -> None:
    route = severity_routes(config())[severity]
    assert route["matchers"] == [f'severity="{severity}"']
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == PROMISES[severity]
    assert ("active_time_intervals" in route) == (severity == "low")


# repeat_after: repeat intervals of critical, high, medium, low and of rules without a severity
REPEATS = {
    "10m": ["10m", "1h", "4h", "24h", "1h"],
    "30m": ["30m", "1h", "4h", "24h", "1h"],
    "6h": ["6h", "6h", "6h", "24h", "6h"],
    "2d": ["2d", "2d", "2d", "2d", "2d"],
}


@pytest.mark.parametrize("repeat_after", REPEATS)
def test_no_alert_is_repeated_sooner_than_declared(config: MakeConfig, repeat_after: str) -> None:
    routes = severity_routes(config(repeat_after=repeat_after))
    root = config(repeat_after=repeat_after)["route"]
    found = [*(routes[severity]["repeat_interval"] for severity in SEVERITIES), root["repeat_interval"]]
    assert found == REPEATS[repeat_after]


def test_what_has_no_known_severity_goes_the_way_of_high(config: MakeConfig) -> None:
    route = config()["route"]
    assert (route["receiver"], route["group_by"]) == ("high", ["alertname", "app", "host", "environment"])


def test_a_success_is_told_where_people_read_never_where_a_phone_may_ring(config: MakeConfig) -> None:
    every = [{**receiver, "severities": list(SEVERITIES)} for receiver in KINDS]
    found = receivers(config(receivers=[*every, {**SLACK, "name": "night", "severities": ["critical"]}]))["notice"]
    assert {name: len(items) for name, items in found.items()} == dict.fromkeys(
        (
            "slack_configs",
            "discord_configs",
            "msteamsv2_configs",
            "telegram_configs",
            "webhook_configs",
            "email_configs",
        ),
        1,
    )
    assert found["webhook_configs"][0]["url_file"] == f"{SECRETS}/ntfy_url"
    assert [item["send_resolved"] for items in found.values() for item in items] == [False] * 6


def test_the_weekly_message_goes_there_too_and_its_title_to_a_phone_that_gets_low_alerts(config: MakeConfig) -> None:
    every = [{**receiver, "severities": list(SEVERITIES)} for receiver in KINDS]
    found = receivers(config(receivers=[*every, {**SLACK, "name": "night", "severities": ["critical"]}]))
    report = found["report"]
    assert {name: len(items) for name, items in report.items()} == dict.fromkeys((*found["notice"], "sns_configs"), 1)
    assert [item["send_resolved"] for items in report.values() for item in items] == [False] * 7
    assert report["sns_configs"][0]["message"] == '{{ template "crowsnest.title.plain" . }}'
    assert found["low"]["sns_configs"][0]["message"] != report["sns_configs"][0]["message"]


# (a service outside is declared, Uptime Kuma runs): the files with the addresses at which the heartbeat is posted
HEARTBEATS: dict[tuple[bool, bool], list[str]] = {
    (True, True): ["heartbeat", "heartbeat_uptime_kuma"],
    (True, False): ["heartbeat"],
    (False, True): ["heartbeat_uptime_kuma"],
    (False, False): [],
}


@pytest.mark.parametrize("case", HEARTBEATS, ids=str)
def test_the_heartbeat_goes_to_the_service_outside_and_to_uptime_kuma(
    context: MakeContext, case: tuple[bool, bool]
) -> None:
    declared = {"heartbeat_url": ALL["heartbeat_url"]} if case[0] else {}
    made = context(declared, secrets=SECRETS_MADE, **({} if case[1] else SMALL))
    found = receivers(alertmanager_config(made))["heartbeat"].get("webhook_configs", [])
    assert found == [{"url_file": f"{SECRETS}/{name}", "send_resolved": False} for name in HEARTBEATS[case]]
    assert list(alertmanager_secrets(made)) == [f"secrets/{name}" for name in HEARTBEATS[case]]


def test_the_heartbeat_is_sent_every_minute(config: MakeConfig) -> None:
    route = config()["route"]["routes"][0]
    assert route == {
        "matchers": ['alertname="AlertingPathAlive"'],
        "receiver": "heartbeat",
        "group_wait": "0s",
        "group_interval": "1m",
        "repeat_interval": "50s",
    }


def test_test_alerts_come_one_by_one_at_once_and_at_any_hour(config: MakeConfig) -> None:
    route = config()["route"]["routes"][1]
    assert (route["matchers"], route["group_by"], route["group_wait"]) == (['test="true"'], ["..."], "1s")
    assert route["routes"] == [{"matchers": [f'severity="{name}"'], "receiver": name} for name in SEVERITIES]


# weekdays as declared: as Alertmanager gets them. Its own ranges end with Saturday.
WEEKDAYS = {
    "monday:friday": ["monday", "tuesday", "wednesday", "thursday", "friday"],
    "saturday": ["saturday"],
    "monday:sunday": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    "saturday:monday": ["saturday", "sunday", "monday"],
    "sunday:sunday": ["sunday"],
}


@pytest.mark.parametrize("weekdays", WEEKDAYS)
def test_office_hours_are_the_declared_ones_in_the_declared_time_zone(config: MakeConfig, weekdays: str) -> None:
    hours = {"weekdays": weekdays, "start": "08:30", "end": "17:00"}
    assert config(office_hours=hours, timezone="Europe/Berlin")["time_intervals"] == [
        {
            "name": "office-hours",
            "time_intervals": [
                {
                    "weekdays": WEEKDAYS[weekdays],
                    "times": [{"start_time": "08:30", "end_time": "17:00"}],
                    "location": "Europe/Berlin",
                }
            ],
        }
    ]


# Asked of a real Alertmanager in tests/rules/test_inhibition.py.
def test_only_a_higher_severity_of_crowsnests_own_alerts_silences_lower_ones_of_the_same(config: MakeConfig) -> None:
    for rule, severity in zip(config()["inhibit_rules"], SEVERITIES, strict=False):
        assert {'crowsnest_alert="true"', f'severity="{severity}"'} <= {*rule["source_matchers"]}
        assert "alertname" in rule["equal"]
    assert len(config()["inhibit_rules"]) == len(SEVERITIES) - 1


# --- receivers and their secrets ---

# All get every severity unless declared otherwise, but e-mail and SNS the critical one. ntfy is a webhook, too.
CHATS = ["slack_configs", "discord_configs", "msteamsv2_configs", "telegram_configs", "webhook_configs"]
WANTED = {"critical": [*CHATS, "email_configs", "sns_configs"], "high": CHATS, "medium": CHATS, "low": CHATS}


@pytest.mark.parametrize("severity", WANTED)
def test_a_severity_reaches_the_receivers_that_want_it(config: MakeConfig, severity: str) -> None:
    assert list(receivers(config(**ALL))[severity]) == WANTED[severity]


def test_a_receiver_can_choose_its_severities(config: MakeConfig) -> None:
    entries = [{**SLACK, "severities": ["low"]}, {**SLACK, "name": "oncall", "severities": ["critical", "low"]}]
    found = receivers(config(receivers=entries))
    files = {name: [it["api_url_file"] for it in found[name].get("slack_configs", [])] for name in SEVERITIES}
    slack, oncall = (f"/etc/crowsnest/current/secrets/{name}_webhook_url" for name in ("slack", "oncall"))
    assert files == {"critical": [oncall], "high": [], "medium": [], "low": [slack, oncall]}


TITLE, TEXT = '{{ template "crowsnest.title.plain" . }}', '{{ template "crowsnest.text.plain" . }}'
BUTTONS = [
    {
        "type": "button",
        "text": word,
        "url": f'{{{{ template "crowsnest.button.{word.lower()}" . }}}}',
    }
    for word in ("Runbook", "Dashboard", "Acknowledge")
]
BOT = {"type": "slack", "bot_token": "xoxb-1-hush", "channel": "#alerts"}
MATTERMOST = {"type": "slack", "webhook_url": "https://chat.example.com/hooks/hush"}
SLACK_TITLE, SLACK_TEXT = '{{ template "crowsnest.title.slack" . }}', '{{ template "crowsnest.text.slack" . }}'
DISCORD_TITLE, DISCORD_TEXT = '{{ template "crowsnest.title.discord" . }}', '{{ template "crowsnest.text.discord" . }}'
SUBJECT = '{{ template "crowsnest.title.ascii" . }}'
PHONE_TITLE, PHONE_TEXT = '{{ template "crowsnest.title.phone" . }}', '{{ template "crowsnest.text.phone" . }}'
INTEGRATIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        SLACK,
        {
            "api_url_file": f"{SECRETS}/slack_webhook_url",
            "channel": "#alerts",
            "username": "crowsnest",
            "send_resolved": True,
            "color": '{{ template "crowsnest.color" . }}',
            "title": SLACK_TITLE,
            "title_link": '{{ template "crowsnest.link" . }}',
            "text": '{{ template "crowsnest.text.buttons" . }}',
            "fallback": SLACK_TITLE,
            "actions": BUTTONS,
        },
    ),
    (
        BOT,
        {
            "api_url": "https://slack.com/api/chat.postMessage",
            "http_config": {"authorization": {"credentials_file": f"{SECRETS}/slack_bot_token"}},
            "update_message": True,
            "username": "crowsnest",
            "channel": "#alerts",
            "send_resolved": True,
            "color": '{{ template "crowsnest.color" . }}',
            "title": SLACK_TITLE,
            "title_link": '{{ template "crowsnest.link" . }}',
            "text": '{{ template "crowsnest.text.buttons" . }}',
            "fallback": SLACK_TITLE,
            "actions": BUTTONS,
        },
    ),
    (  # it shows no such buttons
        MATTERMOST,
        {
            "api_url_file": f"{SECRETS}/slack_webhook_url",
            "username": "crowsnest",
            "send_resolved": True,
            "color": '{{ template "crowsnest.color" . }}',
            "title": SLACK_TITLE,
            "title_link": '{{ template "crowsnest.link" . }}',
            "text": SLACK_TEXT,
            "fallback": SLACK_TITLE,
        },
    ),
    (
        DISCORD,
        {
            "webhook_url_file": f"{SECRETS}/discord_webhook_url",
            "send_resolved": True,
            "title": DISCORD_TITLE,
            "message": DISCORD_TEXT,
        },
    ),
    (
        TEAMS,
        {
            "webhook_url_file": f"{SECRETS}/teams_webhook_url",
            "send_resolved": True,
            "title": '{{ template "crowsnest.title.teams" . }}',
            "text": '{{ template "crowsnest.text.teams" . }}',
        },
    ),
    (
        TELEGRAM,
        {
            "bot_token_file": f"{SECRETS}/telegram_bot_token",
            "chat_id": -1001234567890,
            "send_resolved": True,
            "parse_mode": "",
            "message": f"{PHONE_TITLE}\n{PHONE_TEXT}",
        },
    ),
    (
        NTFY,
        {
            "url_file": f"{SECRETS}/ntfy_url",
            "http_config": {"authorization": {"credentials_file": f"{SECRETS}/ntfy_token"}},
            "send_resolved": True,
            "payload": {"title": PHONE_TITLE, "message": PHONE_TEXT},
        },
    ),
    (WEBHOOK, {"url_file": f"{SECRETS}/webhook_url", "send_resolved": True}),
    (
        EMAIL,
        {
            "to": "a@example.com, b@example.com",
            "from": "crowsnest@example.com",
            "smarthost": "smtp.example.com:587",
            "auth_username": "crowsnest",
            "auth_password_file": f"{SECRETS}/email_password",
            "require_tls": True,
            "send_resolved": True,
            "headers": {"Subject": TITLE},
            "html": "",
            "text": TEXT,
        },
    ),
    (
        SNS,
        {
            "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall",
            "sigv4": {"region": "ap-northeast-2", "profile": "sns"},
            "subject": SUBJECT,
            "message": f"{TITLE}\n{TEXT}",
        },
    ),
    (
        {key: value for key, value in SNS.items() if "key" not in key},
        {
            "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall",
            "sigv4": {"region": "ap-northeast-2"},
            "subject": SUBJECT,
            "message": f"{TITLE}\n{TEXT}",
        },
    ),
]


@pytest.mark.parametrize(("declared", "expected"), INTEGRATIONS, ids=lambda entry: entry.get("type", ""))
def test_a_receiver_becomes_an_integration(
    config: MakeConfig, declared: dict[str, Any], expected: dict[str, Any]
) -> None:
    kind = {"teams": "msteamsv2", "ntfy": "webhook"}.get(declared["type"], declared["type"])
    assert receivers(config(receivers=[declared]))["critical"] == {f"{kind}_configs": [expected]}


def test_a_relay_without_tls_is_used_only_where_that_was_declared(config: MakeConfig) -> None:
    relay = {**EMAIL, "smarthost": "localhost:25"}
    for required in (True, False):
        found = receivers(config(receivers=[{**relay, "require_tls": required}]))
        assert found["critical"]["email_configs"][0]["require_tls"] is required


def test_secrets_are_files_of_their_own_and_stand_nowhere_else(context: MakeContext) -> None:
    found = alertmanager_secrets(context(ALL, secrets=SECRETS_MADE))
    topic, _, query = found.pop("secrets/ntfy_url").partition("?")
    assert topic == NTFY["url"] and parse_qs(query)["message"][0].endswith("{{.message}}{{end}}")
    assert found == {
        "secrets/teams_webhook_url": TEAMS["webhook_url"],
        "secrets/telegram_bot_token": "1:hush-telegram",
        "secrets/ntfy_token": "hush-token",
        "secrets/slack_webhook_url": SLACK["webhook_url"],
        "secrets/discord_webhook_url": DISCORD["webhook_url"],
        "secrets/webhook_url": WEBHOOK["url"],
        "secrets/email_password": "hush-email",
        "secrets/heartbeat": "https://hc-ping.com/hush-heartbeat",
        "secrets/heartbeat_uptime_kuma": "http://127.0.0.1:3001/api/push/a30f1b86d0f269b8966860ae0574355a",
        "secrets/aws_credentials": "[sns]\naws_access_key_id = AKIA\naws_secret_access_key = hush-sns\n",
    }
    text = str(alertmanager_config(context(ALL, secrets=SECRETS_MADE)))
    assert "hush" not in text
    assert found["secrets/heartbeat_uptime_kuma"] not in text


def test_every_file_that_is_named_is_written_and_the_other_way_round(context: MakeContext) -> None:
    entries = [{**WEBHOOK, "name": "heartbeat"}, *ALL["receivers"]]  # a name that could clash
    made = context({**ALL, "receivers": entries})
    named = {
        value.removeprefix("/etc/crowsnest/current/")
        for receiver in alertmanager_config(made)["receivers"]
        for entries in receiver.values()
        if isinstance(entries, list)
        for entry in entries
        for key, value in entry.items()
        if key.endswith("_file")
    } | {"secrets/ntfy_token"}
    found = alertmanager_secrets(made)
    assert named | {"secrets/aws_credentials"} == set(found)
    assert found["secrets/heartbeat_url"] == WEBHOOK["url"]


def test_the_token_of_a_bot_is_a_file_and_stands_nowhere_else(context: MakeContext) -> None:
    made = context({"receivers": [BOT, {**BOT, "name": "oncall"}]})
    assert {path: text for path, text in alertmanager_secrets(made).items() if "token" in path} == {
        "secrets/slack_bot_token": "xoxb-1-hush",
        "secrets/oncall_bot_token": "xoxb-1-hush",
    }
    assert slack_bots(made.declaration) == {"slack": "secrets/slack_bot_token", "oncall": "secrets/oncall_bot_token"}
    assert "hush" not in str(alertmanager_config(made))


def test_news_of_a_bot_is_posted_never_edited(config: MakeConfig) -> None:
    found = receivers(config(receivers=[BOT], weekly_report={}))
    for name in ("notice", "report"):
        (news,) = found[name]["slack_configs"]
        assert (news["update_message"], news["send_resolved"]) == (False, False)
        assert [button["text"] for button in news["actions"]] == ["Dashboard"]


def test_without_receivers_there_are_no_secrets(context: MakeContext) -> None:
    assert alertmanager_secrets(context(**SMALL)) == {}


def test_deliveries_count_the_receivers_of_each_severity() -> None:
    entries = [SLACK, {**SLACK, "name": "oncall", "severities": ["critical"]}, EMAIL]
    assert deliveries(Declaration.model_validate({"receivers": entries})) == {
        "critical": {"slack": 2, "email": 1},
        "high": {"slack": 1},
        "medium": {"slack": 1},
        "low": {"slack": 1},
    }


def test_those_with_after_are_receivers_of_their_own_and_are_tested_at_once() -> None:
    late = {"after": "15m", "severities": ["critical", "high"]}
    entries = [SLACK, {**NTFY, **late}, {**WEBHOOK, **late}, {**SNS, "after": "1h"}]
    assert deliveries(Declaration.model_validate({"receivers": entries})) == {
        "critical": {"slack": 1},
        "critical_after_15m": {"webhook": 2},
        "critical_after_1h": {"sns": 1},
        "high": {"slack": 1},
        "high_after_15m": {"webhook": 2},
        "medium": {"slack": 1},
        "low": {"slack": 1},
    }


NIGHT = {"title": "Night", "start": "02:00", "end": "03:00"}
SHOP = {**NIGHT, "title": "Shop", "apps": ["shop"]}


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_way_to_those_with_after_is_the_usual_one_but_for_its_wait(config: MakeConfig, severity: str) -> None:
    """Its grouping, its repeats, maintenance windows and, of low alerts, office hours."""
    windows, apps = [NIGHT, SHOP], [{"name": "shop", "url": "https://shop.example.com/"}]
    entries = [SLACK, {**WEBHOOK, "after": "15m"}]
    made = config(receivers=entries, maintenance=windows, apps=apps)["route"]["routes"]
    usual, later = (
        next(route for route in made if route.get("receiver") == name) for name in (severity, f"{severity}_after_15m")
    )
    own = {"matchers", "receiver", "group_wait"}
    assert {key: value for key, value in later.items() if key not in own} == {
        key: value for key, value in usual.items() if key not in own
    }
    assert later["group_wait"] == "15m" and later["mute_time_intervals"] == ["maintenance: Night"]
