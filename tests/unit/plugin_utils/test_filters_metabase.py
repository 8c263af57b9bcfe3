"""What the roles metabase and database_reader get of a declaration with a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from module_options import taken

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.options import ARGUMENT_SPEC, mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER

DATABASE = {"name": "shop", "admin_user": "keeper", "admin_password": "hush-admin"}
VARIABLES: dict[str, Any] = {
    "crowsnest_apps": [{"name": "shop", "database": DATABASE}],
    "crowsnest_metabase_slack_token": "hush-token",
}
SECRETS = {
    "metabase_admin_password": "hush-first",
    "metabase_encryption_key": "hush-key",
    "metabase_database_password": "hush-own",
    "database_reader_password": "hush-reader",
}
FOLDERS = {"metabase": "/var/lib/crowsnest/metabase", "metabase_database": "/var/lib/crowsnest/metabase_database"}


@pytest.fixture
def plan(facts: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    hostvars = {"web1": {"preflight_look": {"host": facts(total_mib=3900)}}}
    return filters.plan(VARIABLES, "web1", ["web1"], hostvars)


def test_each_of_both_services_has_its_compose_fragment(plan: dict[str, Any]) -> None:
    made = filters.metabase_files(plan)
    assert {name: list(files) for name, files in made.items()} == {name: ["compose.yml"] for name in FOLDERS}
    for name, files in made.items():
        assert files["compose.yml"].startswith(HEADER)
        assert list(yaml.safe_load(files["compose.yml"])["services"]) == [name]
    services = {name: it for name, it in plan["services"].items() if name != "metabase_database"}
    assert list(filters.metabase_files({**plan, "services": services})) == ["metabase"]


def test_the_module_takes_what_is_made_for_it(plan: dict[str, Any]) -> None:
    made = filters.metabase_objects(plan, VARIABLES, SECRETS, "/nowhere")
    assert mistakes(taken(ARGUMENT_SPEC, made)) == []
    assert made["key_file"] == "/opt/crowsnest/metabase/api_key"
    assert made["admin"]["password"] == "hush-first"
    assert made["databases"][0]["password"] == "hush-reader"


def test_no_secret_stands_in_a_file_that_everybody_may_read_nor_in_what_is_verified(
    plan: dict[str, Any], facts: Callable[..., dict[str, Any]]
) -> None:
    looks = {"web1": {"preflight_look": {"host": facts(total_mib=3900)}}}
    expected = filters.expectations(plan, VARIABLES, SECRETS, looks, "/nowhere")
    open_texts = f"{plan}{filters.metabase_files(plan)}{filters.compose_project(plan)}{expected}"
    assert "hush" not in open_texts
    secret = filters.secret_files(plan, VARIABLES, SECRETS)
    assert secret["metabase_database"] == {"secrets/password": "hush-own"}
    assert set(secret["metabase"]) == {"secrets/environment", "secrets/admin_password", "secrets/encryption_key"}


def test_verify_asks_every_question_as_the_dashboard_does(
    plan: dict[str, Any], facts: Callable[..., dict[str, Any]]
) -> None:
    looks = {"web1": {"preflight_look": {"host": facts(total_mib=3900)}}}
    asked = filters.expectations(plan, VARIABLES, SECRETS, looks, "/nowhere")["business"]
    parameters = {each["name"]: each["parameters"] for each in asked["questions"]}
    assert len(parameters) == 11
    assert parameters["Orders today"] == []
    assert [it["value"] for it in parameters["Revenue per day"]] == ["past30days~"]


# With another key Metabase cannot read its database; another password of the reader is given to both sides by the run.
def test_a_lost_reader_s_password_may_be_made_anew_and_the_others_not(plan: dict[str, Any]) -> None:
    found = {row["name"]: row["data"] for row in filters.missing_secrets(plan, {}) if row["service"] in FOLDERS}
    assert found == {
        "metabase_admin_password": FOLDERS["metabase"],
        "metabase_encryption_key": FOLDERS["metabase"],
        "metabase_database_password": FOLDERS["metabase_database"],
        "database_reader_password": "",
    }


def test_mistakes_of_questions_are_found_with_all_others() -> None:
    wrong = {"crowsnest_apps": [{"name": "shop", "business": {"questions": [{"name": "a", "sql": "DROP TABLE a"}]}}]}
    found = filters.declaration_mistakes(wrong, {"server": ["web1"], "monitored": ["web1"]}, "/nowhere")
    assert any("the app has no `database`" in line for line in found)
    assert any("a question only reads" in line for line in found)
