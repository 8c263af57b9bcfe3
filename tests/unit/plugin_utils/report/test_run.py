"""What a person reads at the end of a run: the pages, who may open them, where alerts go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import report
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

MakeContext = Callable[..., Context]
SMALL = {"total_mib": 945, "used_mib": 520}
SHOP = {"apps": [{"name": "shop", "url": "https://shop.example.com/"}]}
SERVER = {"inventory_hostname": "web1", "ansible_user": "deploy", "ansible_host": "203.0.113.10"}
URL = {"external_urls": {"uptime_kuma": "https://status.example.com/"}}


def lines(context: MakeContext, declared: dict[str, Any], server: Mapping[str, Any] = SERVER, **host: Any) -> list[str]:
    return report(context(declared, **host), server, "-i inventories/x", "s")


def test_every_page_has_its_address(context: MakeContext) -> None:
    assert lines(context, {"ports": {"uptime_kuma": 13001}})[:4] == [
        "grafana       http://127.0.0.1:3000",
        "uptime_kuma   http://127.0.0.1:13001",
        "prometheus    http://127.0.0.1:9090",
        "alertmanager  http://127.0.0.1:9093",
    ]


# (how the server is reached): how its pages are
WAYS: list[tuple[dict[str, Any], str]] = [
    (
        {**SERVER, "ansible_ssh_common_args": "-o ProxyCommand='sshpass -p hunter2 ssh -W %h:%p jump'"},
        "on the host's loopback. From your machine, and with ansible_ssh_common_args of the inventory: ssh -N -L ",
    ),
    (SERVER, "on the host's loopback. From your machine: ssh -N -L 3000:127.0.0.1:3000 -L 3001:127.0.0.1:3001 "),
    ({"ansible_connection": "local"}, "on the loopback of this machine."),
    ({"ansible_connection": "amazon.aws.aws_ssm"}, "on the host's loopback."),
]


@pytest.mark.parametrize(("server", "way"), WAYS)
def test_the_way_to_the_pages_is_a_command_that_works(context: MakeContext, server: dict[str, Any], way: str) -> None:
    (line,) = (line for line in lines(context, {}, server) if line.startswith("These pages listen"))
    assert line.removeprefix("These pages listen ").startswith(way)
    assert line.endswith("deploy@203.0.113.10") == ("ansible_host" in server)


def test_pages_with_an_address_of_their_own_need_no_tunnel(context: MakeContext) -> None:
    assert [line for line in lines(context, URL) if "ssh" in line] == []


PASSWORDS = {"grafana_admin_password": "a-long-password", "uptime_kuma_admin_password": "another-password"}
# (declared): where the passwords of Grafana and Uptime Kuma are
LOGINS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["in s/grafana_admin_password", "in s/uptime_kuma_admin_password"]),
    (PASSWORDS, [f"the declared crowsnest_{name}" for name in PASSWORDS]),
]


@pytest.mark.parametrize(("declared", "places"), LOGINS, ids=["made once", "declared"])
def test_it_says_where_each_password_is_and_never_which(
    context: MakeContext, declared: dict[str, Any], places: list[str]
) -> None:
    found = lines(context, declared)
    assert [line for line in found if "user is admin" in line] == [
        f"{title}'s user is admin, the password is {place}."
        for title, place in zip(("Grafana", "Uptime Kuma"), places, strict=True)
    ]
    assert [secret for secret in PASSWORDS.values() if secret in " ".join(found)] == []


def test_what_is_switched_off_has_no_page_and_no_login_but_a_reason(context: MakeContext) -> None:
    found = lines(context, {**SHOP, **URL}, **SMALL)
    assert "user is admin" not in " ".join(found)
    assert "/status/" not in " ".join(found)
    assert (
        "uptime_kuma is switched off: needs 200 MiB of memory, 17 MiB are left; "
        "jobs, ports and monitors of your own are not watched, and there is no status page"
    ) in found
    # The name of the others says it.
    assert [line.count(";") for line in found if line.startswith("grafana is switched off")] == [0]


def test_what_a_switched_off_exporter_would_have_watched_is_told() -> None:
    made = context_of({"apps": [{"name": "shop", "redis": {}}]}, registry=REGISTRY, **SMALL)
    found = report(made, SERVER, "-i inventories/x", "s")
    (line,) = [line for line in found if line.startswith("redis_exporter_shop is switched off")]
    assert line.endswith("; Redis, its memory and its Celery queues are not watched")


# What is declared: addresses of pages that everybody may read
PAGES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    (SHOP, ["http://127.0.0.1:3001/status/status"]),
    ({**SHOP, **URL}, ["https://status.example.com/status/status"]),
    ({**SHOP, "status_pages": []}, []),
    (
        {**SHOP, "status_pages": [{"slug": name, "title": name} for name in ("a", "b")]},
        ["http://127.0.0.1:3001/status/a", "http://127.0.0.1:3001/status/b"],
    ),
]


@pytest.mark.parametrize(("declared", "addresses"), PAGES, ids=str)
def test_status_pages_are_named_as_they_need_no_login(
    context: MakeContext, declared: dict[str, Any], addresses: list[str]
) -> None:
    found = [line for line in lines(context, declared) if "/status/" in line]
    assert found == [f"Status page without a login: {address}" for address in addresses]


CRITICAL, HIGH = {"severities": ["critical"]}, {"severities": ["high"]}
SLACK = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
SNS = {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall"}
# Receivers: whether Uptime Kuma can tell one of them that the alerting path is broken
TOLD: list[tuple[list[dict[str, Any]], bool]] = [
    ([], False),
    ([SNS], False),
    ([{**SLACK, **HIGH}], False),
    ([{**SLACK, **HIGH}, SNS], False),
    ([SLACK], True),
    ([{**SLACK, **CRITICAL}, SNS], True),
    ([{"type": "discord", "webhook_url": "https://discord.com/api/webhooks/1/x"}], True),
]
NOBODY = (
    "Uptime Kuma can notify nobody when the alerting path is broken: declare a receiver of critical alerts of "
    "type slack, discord, teams, telegram, ntfy, webhook, email."
)


@pytest.mark.parametrize(("receivers", "told"), TOLD, ids=str)
def test_it_says_when_uptime_kuma_can_tell_nobody(
    context: MakeContext, receivers: list[dict[str, Any]], told: bool
) -> None:
    assert (NOBODY in lines(context, {"receivers": receivers})) != told


def test_an_uptime_kuma_that_is_switched_off_has_nothing_to_tell(context: MakeContext) -> None:
    assert NOBODY not in lines(context, {}, **SMALL)


def test_where_errors_and_visits_go_is_named_without_a_key(context: MakeContext) -> None:
    dsn = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42"
    wired = {
        "env_file": "/srv/.env",
        "sentry": {"dsn": dsn},
        "analytics": {"measurement_id": "G-ABCDE12345", "env": "GA"},
    }
    found = lines(context, {"apps": [{**SHOP["apps"][0], **wired}, {"name": "quiet"}]})
    assert [line for line in found if "Sentry," in line or "Analytics" in line] == [
        "Errors go to Sentry, those of shop to o1.ingest.sentry.io (project 42). "
        "Prove it: ./crowsnest sentry-test -i inventories/x",
        "Google Analytics counts visits of shop (G-ABCDE12345).",
    ]


# --- who tells exceptions ---

DJANGO = {"framework": "django", "metrics": [":8000"]}
DSN = f"https://{'0' * 32}@o1.ingest.sentry.io/2"
ACCOUNT = {"organization": "acme", "token": "sntryu_x", "slack_channel": "#errors"}
IN_SLACK = "Sentry in Slack #errors"
OURS_TOO = "the alert AppExceptions, and by Sentry as it is set up there"
# What an app declares, what Sentry does with alerts of its project (None: it was not made), who tells its exceptions.
VOICES: list[tuple[dict[str, Any], str | None, str]] = [
    ({**DJANGO, "sentry": {}}, "slack", f"{IN_SLACK}; the alert AppExceptions speaks while Sentry is down or full"),
    ({"sentry": {}}, "slack", IN_SLACK),
    ({**DJANGO, "sentry": {}}, "email", OURS_TOO),
    ({**DJANGO, "sentry": {}}, "none", OURS_TOO),
    ({**DJANGO, "sentry": {"dsn": DSN}}, None, OURS_TOO),
    ({"sentry": {"dsn": DSN}}, None, "Sentry as it is set up there"),
]


@pytest.mark.parametrize(("app", "alerts", "voice"), VOICES)
def test_it_says_who_tells_exceptions(
    context: MakeContext, app: dict[str, Any], alerts: str | None, voice: str
) -> None:
    declared = {"sentry": ACCOUNT, "apps": [{"name": "shop", "env_file": "/srv/shop/.env", **app}, {"name": "blog"}]}
    made = {"shop": {"name": "shop", "slug": "shop", "id": "2", "dsn": DSN, "alerts": alerts}} if alerts else {}
    found = report(context(declared, sentry=made), SERVER, "", "s")
    assert [line for line in found if line.startswith("Exceptions")] == [f"Exceptions of shop are told by {voice}."]


def test_it_says_when_the_weekly_message_comes_and_to_whom(context: MakeContext) -> None:
    hook = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
    told = [{**hook, "name": "team"}, {**hook, "name": "night", "severities": ["critical"]}]
    declared = {"weekly_report": {"weekday": "friday", "at": "17:30"}, "receivers": told}
    assert "Every Friday 17:30 a summary goes to team." in report(context(declared), SERVER, "", "s")
    assert "a summary goes" not in str(report(context({"receivers": told}), SERVER, "", "s"))


def test_where_our_alert_is_disabled_or_sentry_is_not_asked_the_report_says_so(context: MakeContext) -> None:
    app = {"name": "shop", "env_file": "/srv/shop/.env", "sentry": {}, **DJANGO}
    made = {"shop": {"name": "shop", "slug": "shop", "id": "2", "dsn": DSN, "alerts": "slack"}}
    declared = {"sentry": ACCOUNT, "apps": [app], "disabled_alerts": ["AppExceptions"]}
    assert f"Exceptions of shop are told by {IN_SLACK}." in report(context(declared, sentry=made), SERVER, "", "s")
    unasked = {"sentry": {"dsn": DSN.replace("o1.ingest.sentry.io", "bugsink")}, "name": "shop"}
    declared = {"apps": [{**app, **unasked}]}
    assert f"Exceptions of shop are told by {OURS_TOO}." in report(context(declared), SERVER, "", "s")
