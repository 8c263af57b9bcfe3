"""Metabase through the filters: containers, secrets, objects, what is verified."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from contexts import context_of
from module_options import taken

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.options import ARGUMENT_SPEC, mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.expectations import expectations
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER, ROOT
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import compose_file, service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import databases
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.service import (
    METABASE,
    METABASE_DATABASE,
)

DATABASE = {"name": "shop", "admin_user": "keeper", "admin_password": "hush-admin"}
DECLARED: dict[str, Any] = {"apps": [{"name": "shop", "database": DATABASE}], "metabase_slack_token": "hush-token"}
SECRETS = {
    "metabase_admin_password": "hush-first",
    "metabase_encryption_key": "hush-key",
    "metabase_database_password": "hush-own",
    "database_reader_password": "hush-reader",
}
FOLDERS = {"metabase": "/var/lib/crowsnest/metabase", "metabase_database": "/var/lib/crowsnest/metabase_database"}


@pytest.fixture
def made() -> Context:
    """On a server with room for both."""
    return context_of(DECLARED, secrets=SECRETS, total_mib=3900)


def expected(made: Context, facts: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return expectations(made, {"web1": facts(total_mib=3900)}, {}, limited=False)


def test_each_of_both_services_has_its_compose_fragment(made: Context) -> None:
    for name in FOLDERS:
        (text,) = service_files(made, name).values()
        assert text.startswith(HEADER)
        assert list(yaml.safe_load(text)["services"]) == [name]
    elsewhere = {**DECLARED, "metabase_database": {"address": "db.example.com:5432", "password": "hush-hush-1"}}
    assert set(FOLDERS) & set(context_of(elsewhere, total_mib=3900).services) == {"metabase"}


def test_the_module_takes_what_is_made_for_it(made: Context) -> None:
    assert METABASE.objects
    objects = METABASE.objects(made)
    assert mistakes(taken(ARGUMENT_SPEC, objects)) == []
    assert objects["key_file"] == "/opt/crowsnest/metabase/api_key"
    assert objects["admin"]["password"] == "hush-first"
    assert objects["databases"][0]["password"] == "hush-reader"


def test_no_secret_stands_in_a_file_that_everybody_may_read_nor_in_what_is_verified(
    made: Context, facts: Callable[..., dict[str, Any]]
) -> None:
    open_texts = [service_files(made, name) for name in made.services]
    assert "hush" not in f"{made.plan}{open_texts}{compose_file(made)}{expected(made, facts)}"
    assert made.secret_files("metabase_database") == {"secrets/password": "hush-own"}
    assert set(made.secret_files("metabase")) == {
        "secrets/environment",
        "secrets/admin_password",
        "secrets/encryption_key",
    }


def test_verify_asks_every_question_as_the_dashboard_does(made: Context, facts: Callable[..., dict[str, Any]]) -> None:
    asked = expected(made, facts)["business"]
    parameters = {each["name"]: each["parameters"] for each in asked["questions"]}
    assert len(parameters) == 11
    assert parameters["Orders today"] == []
    assert [each["value"] for each in parameters["Revenue per day"]] == ["past30days~"]


def test_run_metabase_and_verify_share_the_reader_s_connections(
    made: Context, facts: Callable[..., dict[str, Any]]
) -> None:
    (database,) = databases(made.declaration)
    environment = made.secret_files("metabase")["secrets/environment"]
    (pool,) = re.findall(r"(?m)^MB_JDBC_DATA_WAREHOUSE_MAX_CONNECTION_POOL_SIZE='(\d+)'$", environment)
    asked = expected(made, facts)["business"]["connections"]
    assert database["connections"] == int(pool) + 1, "a run needs one while Metabase uses all of its own"
    assert 1 <= asked <= int(pool) // 3, "people use Metabase while a verification asks"
    assert f"at most {database['connections']} connections" in (ROOT / "docs/security.md").read_text()


# With another key Metabase cannot read its database; another password of the reader is given to both sides by the run.
def test_a_lost_reader_s_password_may_be_made_anew_and_the_others_not() -> None:
    secrets = [*METABASE.generated_secrets, *METABASE_DATABASE.generated_secrets]
    assert {secret.name for secret in secrets if secret.replaceable} == {"database_reader_password"}
    assert {secret.name for secret in secrets} == set(SECRETS)


def test_mistakes_of_questions_are_found_with_all_others() -> None:
    wrong = {"crowsnest_apps": [{"name": "shop", "business": {"questions": [{"name": "a", "sql": "DROP TABLE a"}]}}]}
    found = declaration_mistakes(wrong, {"server": ["web1"], "monitored": ["web1"]}, "/nowhere")
    assert any("the app has no `database`" in line for line in found)
    assert any("a question may only read" in line for line in found)
