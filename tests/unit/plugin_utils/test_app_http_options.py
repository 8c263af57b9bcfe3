"""How an app is asked over HTTP: login, headers, certificate and status, for blackbox exporter and for Uptime Kuma."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import (
    blackbox_config,
    blackbox_secrets,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import databases
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import app_monitors

URL = "https://shop.example.com/"
FILES = "/etc/crowsnest/current/secrets/shop"
LOGIN = {"username": "kim", "password": "hush-password"}

# What an app declares: fields of blackbox's HTTP module, fields of Kuma's monitor, and the secret files.
OPTIONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, str]]] = [
    (
        LOGIN,
        {"basic_auth": {"username": "kim", "password_file": f"{FILES}/password"}},
        {"authMethod": "basic", "basic_auth_user": "kim", "basic_auth_pass": "hush-password"},
        {"password": "hush-password"},
    ),
    (
        {"username": "key", "password": ""},
        {"basic_auth": {"username": "key", "password_file": f"{FILES}/password"}},
        {"authMethod": "basic", "basic_auth_user": "key", "basic_auth_pass": ""},
        {"password": ""},
    ),
    (
        {"headers": {"X-Token": "hush-1", "Cookie": "a=hush-2"}},
        {
            "http_headers": {
                "X-Token": {"files": [f"{FILES}/headers/X-Token"]},
                "Cookie": {"files": [f"{FILES}/headers/Cookie"]},
            }
        },
        {"headers": json.dumps({"X-Token": "hush-1", "Cookie": "a=hush-2"})},
        {"headers/X-Token": "hush-1", "headers/Cookie": "a=hush-2"},
    ),
    (
        {"headers": {"authorization": "Token hush-1 x"}},
        {"authorization": {"type": "Token", "credentials_file": f"{FILES}/authorization"}},
        {"headers": '{"authorization": "Token hush-1 x"}'},
        {"authorization": "hush-1 x"},
    ),
    (
        {"headers": {"Host": "shop.example.com", "User-Agent": "crowsnest"}},
        {"headers": {"Host": "shop.example.com", "User-Agent": "crowsnest"}},
        {"headers": json.dumps({"Host": "shop.example.com", "User-Agent": "crowsnest"})},
        {},
    ),
    ({"verify_tls": False}, {"tls_config": {"insecure_skip_verify": True}}, {"ignoreTls": True}, {}),
    ({"accepted_status": [401]}, {"valid_status_codes": [401]}, {"accepted_statuscodes": ["401"]}, {}),
    (
        {"accepted_status": ["200-299", "404"]},
        {"valid_status_codes": [*range(200, 300), 404]},
        {"accepted_statuscodes": ["200-299", "404"]},
        {},
    ),
    (
        {"accepted_status": ["301", "302"]},
        {"valid_status_codes": [301, 302], "follow_redirects": False},
        {"accepted_statuscodes": ["301", "302"], "maxredirects": 0},
        {},
    ),
]
per_option = pytest.mark.parametrize(
    ("declared", "blackbox", "kuma", "files"), OPTIONS, ids=[str(it[0]) for it in OPTIONS]
)


def app(**keys: Any) -> App:
    return App.model_validate({"name": "shop", "url": URL, **keys})


@per_option
def test_both_programs_ask_an_app_as_it_is_declared(
    declared: dict[str, Any], blackbox: dict[str, Any], kuma: dict[str, Any], files: dict[str, str]
) -> None:
    asked = app(**declared, health={"basic": "/health/"})
    modules = blackbox_config([asked])["modules"]
    assert modules["shop/http"] == {**modules["http"], "http": {**modules["http"]["http"], **blackbox}}
    assert blackbox_secrets([asked]) == {f"secrets/shop/{name}": text for name, text in files.items()}
    plain = app_monitors(app(health={"basic": "/health/"}))
    assert app_monitors(asked)[1:] == [{**each, **kuma} for each in plain[1:]]
    assert len(plain) == 3


def test_components_are_asked_with_the_login_and_judged_by_their_own_status() -> None:
    health = {"detailed": "/d/", "components": ["database"]}
    found = blackbox_config([app(health=health), app(health=health, name="staging", accepted_status=[401], **LOGIN)])
    shared, own = (found["modules"][name]["http"] for name in ("component_database", "staging/component_database"))
    login = {"basic_auth": {"username": "kim", "password_file": f"{FILES.replace('shop', 'staging')}/password"}}
    assert own == {**shared, **login}
    (*_, monitor) = app_monitors(app(health=health, accepted_status=[401], **LOGIN))
    assert monitor["basic_auth_pass"] == "hush-password"
    assert "401" not in monitor["accepted_statuscodes"]


def test_only_an_app_that_needs_it_has_modules_of_its_own() -> None:
    health = {"basic": "/up", "detailed": "/d/", "components": ["database"]}
    apps = [{"name": name, "url": URL, "health": health} for name in ("blog", "shop")]
    apps[1] |= {"verify_tls": False}
    files = made({"crowsnest_apps": apps})
    jobs = yaml.safe_load(files["prometheus/prometheus.yml"])["scrape_configs"]
    (targets,) = (job["static_configs"] for job in jobs if job["job_name"] == "probe")
    used = {(it["labels"]["app"], it["labels"]["probe"]): it["labels"]["__param_module"] for it in targets}
    assert used == {
        **{("blog", probe): "http" for probe in ("url", "health")},
        **{(app, "answer"): f"{app}/answer" for app in ("blog", "shop")},
        ("blog", "database"): "component_database",
        **{("shop", probe): "shop/http" for probe in ("url", "health")},
        ("shop", "database"): "shop/component_database",
    }
    assert set(used.values()) <= set(yaml.safe_load(files["blackbox/blackbox.yml"])["modules"])


# --- secrets ---

SECRETS = {"password": "hush-a-1", "X-Token": "hush-b-2", "admin": "hush-c-3", "meta": "hush-d-4"}
VARIABLES: dict[str, Any] = {
    "crowsnest_apps": [
        {
            "name": "shop",
            "url": URL,
            "health": {"basic": "/up", "detailed": "/d/", "components": ["database"]},
            "metrics": [":8000"],
            "username": "kim",
            "password": SECRETS["password"],
            "headers": {"X-Token": SECRETS["X-Token"]},
            "database": {"name": "shop", "admin_user": "postgres", "admin_password": SECRETS["admin"]},
            "business": {"starter": False, "questions": [{"name": "One", "sql": "SELECT 1", "chart": "number"}]},
        },
        {"name": "api", "url": URL, "headers": {"Authorization": f"Bearer {SECRETS['X-Token']}"}},
    ],
    "crowsnest_metabase": True,
    "crowsnest_metabase_database": {"address": "127.0.0.1:5432", "password": SECRETS["meta"]},
}


def context(variables: dict[str, Any]) -> Context:
    declared = {name.removeprefix("crowsnest_"): value for name, value in variables.items()}
    return context_of(declared, total_mib=16_000)


def made(variables: dict[str, Any]) -> dict[str, str]:
    """{service/path: text} of every file that is generated and no secret."""
    held = context(variables)
    groups = {name: service_files(held, name) for name in held.services}
    return {f"{name}/{path}": text for name, files in groups.items() for path, text in files.items()}


def test_the_plan_and_what_is_no_secret_file_hold_no_secret() -> None:
    files = made(VARIABLES)
    assert "hush" not in context(VARIABLES).plan.model_dump_json()
    assert [path for path, text in files.items() if "hush" in text] == []
    assert len(files) > 20


def test_no_secret_reaches_a_program_as_asterisks() -> None:
    held = context(VARIABLES)
    secret = {name: held.secret_files(name) for name in held.services}
    api = [make(held) for name in held.services if (make := held.definition(name).objects)]
    written = json.dumps([made(VARIABLES), secret, api, databases(held.declaration)])
    assert "***" not in written
    assert [name for name, value in SECRETS.items() if value not in written] == []
    assert secret["blackbox"] == {
        "secrets/shop/password": SECRETS["password"],
        "secrets/shop/headers/X-Token": SECRETS["X-Token"],
        "secrets/api/authorization": SECRETS["X-Token"],
    }
