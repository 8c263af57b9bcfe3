"""Metabase's settings: what of the declaration and of the secrets becomes which variable."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils import declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.metabase_config import admin_email, metabase_secrets
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan import Plan

MAIL = {
    "type": "email",
    "to": ["ops@example.com"],
    "sender": "Shop <shop@example.com>",
    "smarthost": "smtp.example.com:587",
    "username": "shop",
    "password": "it's a $ecret #1",
}
SECRETS = {
    "metabase_encryption_key": "key-1",
    "metabase_admin_password": "admin-1",
    "metabase_database_password": "database-1",
}

MakeVariables = Callable[..., Mapping[str, str]]


@pytest.fixture
def variables(plan: Callable[..., Plan]) -> MakeVariables:
    """{variable: value} of the declared settings, as a shell reads the file; so it must be quoted like one."""

    def make(declared: Mapping[str, Any]) -> Mapping[str, str]:
        wanted = {"metabase": True, **declared}
        made = declaration.read({f"crowsnest_{name}": value for name, value in wanted.items()})
        planned = {name: it for name, it in wanted.items() if name in declaration.Settings.model_fields}
        text = metabase_secrets(plan(planned, total_mib=3900), made, SECRETS)["secrets/environment"]
        return dict(line.replace("\\'", "'\\''").partition("=")[::2] for line in text.splitlines())

    return lambda declared=None: {name: shlex.split(it)[0] for name, it in make(declared or {}).items()}


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
        "MB_EMAIL_SMTP_PASSWORD": "it's a $ecret #1",
        "MB_EMAIL_FROM_ADDRESS": "shop@example.com",
        "MB_EMAIL_FROM_NAME": "Shop",
    }
    assert not [name for name in variables() if name.startswith("MB_EMAIL")]


def test_slack_has_its_token_when_one_is_declared(variables: MakeVariables) -> None:
    assert variables({"metabase_slack_token": "xoxb-1"})["MB_SLACK_APP_TOKEN"] == "xoxb-1"
    assert "MB_SLACK_APP_TOKEN" not in variables()


@pytest.mark.parametrize(
    ("declared", "email"),
    [
        ({}, "admin@crowsnest.invalid"),
        ({"crowsnest_receivers": [MAIL]}, "ops@example.com"),
        ({"crowsnest_receivers": [MAIL], "crowsnest_metabase_admin_email": "me@example.com"}, "me@example.com"),
    ],
)
def test_the_first_account_is_a_declared_address_or_who_gets_the_alerts(declared: dict[str, Any], email: str) -> None:
    assert admin_email(declaration.read(declared)) == email
