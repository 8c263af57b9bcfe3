"""Metabase's settings: what of the declaration and of the secrets becomes which variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.config import metabase_secrets

MAIL = {
    "type": "email",
    "to": ["ops@example.com"],
    "sender": "Shop <shop@example.com>",
    "smarthost": "smtp.example.com:587",
    "username": "shop",
    "password": "it is a $ecret #1",
}
SECRETS = {
    "metabase_encryption_key": "key-1",
    "metabase_admin_password": "admin-1",
    "metabase_database_password": "database-1",
}

MakeVariables = Callable[..., Mapping[str, str]]


@pytest.fixture
def variables(context: Callable[..., Context]) -> MakeVariables:
    """{variable: value} of the declared settings, each in single quotes."""

    def make(declared: Mapping[str, Any]) -> Mapping[str, str]:
        wanted = {"metabase": True, **declared}
        text = metabase_secrets(context(wanted, secrets=SECRETS, total_mib=3900))["secrets/environment"]
        return dict(line.partition("=")[::2] for line in text.splitlines())

    return lambda declared=None: {name: it[1:-1] for name, it in make(declared or {}).items()}


def test_its_own_database_is_the_container_beside_it(variables: MakeVariables) -> None:
    made = variables()
    assert {name: made[f"MB_DB_{name}"] for name in ("TYPE", "HOST", "PORT", "DBNAME", "USER", "PASS")} == {
        "TYPE": "postgres",
        "HOST": "127.0.0.1",
        "PORT": "5434",
        "DBNAME": "metabase",
        "USER": "metabase",
        "PASS": "database-1",
    }
    assert made["MB_ENCRYPTION_SECRET_KEY"] == "key-1"


# A value: how compose 2.26 was seen to read it back as it is.
QUOTED = {
    "crowsnest": "'crowsnest'",
    'a "shop" for $5 #1': "'a \"shop\" for $5 #1'",
    "Kim's shop": '"Kim\'s shop"',
    'Kim\'s "shop" for $5 \\ n\\n': '"Kim\'s \\"shop\\" for \\$5 \\\\ n\\\\n"',
}


@pytest.mark.parametrize("value", QUOTED)
def test_a_value_is_quoted_so_that_compose_reads_it_as_it_is(context: Callable[..., Context], value: str) -> None:
    made = context({"metabase": True, "metabase_site_name": value}, secrets=SECRETS, total_mib=3900)
    text = metabase_secrets(made)["secrets/environment"]
    assert f"MB_SITE_NAME={QUOTED[value]}\n" in text


def test_a_declared_database_takes_its_place(variables: MakeVariables) -> None:
    made = variables({"metabase_database": {"address": "[2001:db8::1]:6432", "user": "mb", "password": "declared-1"}})
    shown = [made[f"MB_DB_{name}"] for name in ("HOST", "PORT", "DBNAME", "USER", "PASS")]
    assert shown == ["2001:db8::1", "6432", "metabase", "mb", "declared-1"]


def test_title_language_and_time_zone_are_those_of_the_declaration(variables: MakeVariables) -> None:
    made = variables({"metabase_site_name": "Our shop", "language": "ko", "timezone": "Europe/Berlin"})
    shown = [made[f"MB_{name}"] for name in ("SITE_NAME", "SITE_LOCALE", "REPORT_TIMEZONE", "SITE_URL")]
    assert shown == ["Our shop", "ko", "Europe/Berlin", "http://127.0.0.1:3002"]


def test_nothing_calls_home_and_nothing_is_public(variables: MakeVariables) -> None:
    made = variables()
    off = ("ANON_TRACKING_ENABLED", "CHECK_FOR_UPDATES", "ENABLE_PUBLIC_SHARING", "LOAD_SAMPLE_CONTENT")
    assert {made[f"MB_{name}"] for name in off} == {"false"}


def test_mail_goes_through_the_first_receiver_of_that_kind(variables: MakeVariables) -> None:
    made = variables({"receivers": [MAIL]})
    assert {name: value for name, value in made.items() if name.startswith("MB_EMAIL")} == {
        "MB_EMAIL_SMTP_HOST": "smtp.example.com",
        "MB_EMAIL_SMTP_PORT": "587",
        "MB_EMAIL_SMTP_SECURITY": "starttls",
        "MB_EMAIL_SMTP_USERNAME": "shop",
        "MB_EMAIL_SMTP_PASSWORD": "it is a $ecret #1",
        "MB_EMAIL_FROM_ADDRESS": "shop@example.com",
        "MB_EMAIL_FROM_NAME": "Shop",
    }
    assert not [name for name in variables() if name.startswith("MB_EMAIL")]


# (smarthost, require_tls): MB_EMAIL_SMTP_SECURITY
SECURITY = {
    ("smtp.example.com:587", True): "starttls",
    ("smtp.example.com:465", True): "ssl",
    ("localhost:25", True): "starttls",
    ("localhost:25", False): "none",
}


@pytest.mark.parametrize("case", SECURITY, ids=str)
def test_mail_is_sent_with_tls_unless_a_relay_has_none(variables: MakeVariables, case: tuple[str, bool]) -> None:
    smarthost, required = case
    made = variables({"receivers": [{**MAIL, "smarthost": smarthost, "require_tls": required}]})
    assert made["MB_EMAIL_SMTP_SECURITY"] == SECURITY[case]


def test_slack_has_its_token_when_one_is_declared(variables: MakeVariables) -> None:
    assert variables({"metabase_slack_token": "xoxb-1"})["MB_SLACK_APP_TOKEN"] == "xoxb-1"
    assert "MB_SLACK_APP_TOKEN" not in variables()


def test_slack_has_the_token_of_the_first_bot_that_gets_alerts_when_none_is_declared(variables: MakeVariables) -> None:
    hook = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"}
    bots = [
        {"type": "slack", "name": name, "bot_token": f"xoxb-{name}", "channel": "#a"} for name in ("first", "second")
    ]
    assert variables({"receivers": [hook, *bots]})["MB_SLACK_APP_TOKEN"] == "xoxb-first"
    assert variables({"receivers": bots, "metabase_slack_token": "xoxb-1"})["MB_SLACK_APP_TOKEN"] == "xoxb-1"
    assert "MB_SLACK_APP_TOKEN" not in variables({"receivers": [hook]})


# A second address must not follow from who gets alerts: the account is made only once.
def test_the_first_account_is_the_declared_address(variables: MakeVariables) -> None:
    assert variables({"receivers": [MAIL]})["MB_ADMIN_EMAIL"] == "admin@crowsnest.invalid"
    assert variables({"metabase_admin_email": "me@example.com"})["MB_ADMIN_EMAIL"] == "me@example.com"


# The role may have ten connections at once on a server, whichever database they lead to.
@pytest.mark.parametrize(("names", "pool"), [(["shop"], "9"), (["shop", "depot"], "4"), (["a", "b", "c", "d"], "2")])
def test_all_pools_of_a_server_fit_the_limit_of_its_role(variables: MakeVariables, names: list[str], pool: str) -> None:
    apps = [{"name": name, "database": {"name": name}} for name in names]
    assert variables({"apps": apps})["MB_JDBC_DATA_WAREHOUSE_MAX_CONNECTION_POOL_SIZE"] == pool


def test_the_encryption_key_is_also_a_file_of_its_own(context: Callable[..., Context]) -> None:
    files = metabase_secrets(context({"metabase": True}, secrets=SECRETS, total_mib=3900))
    assert files["secrets/encryption_key"] == "key-1"
