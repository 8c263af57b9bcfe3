"""A secret at every place of the model reaches the program that needs it, and nothing that people or logs may show."""

import json
from functools import cache
from typing import Any

import pytest
from all_secrets import AllSecrets, secret_part
from pydantic import Field, create_model
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import Password, SecretUrl

Outputs = dict[str, Any]
SERVICES = {"prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma", "metabase"}


def outputs(declared: dict[str, Any], folder: str = "/nowhere") -> tuple[Outputs, Outputs]:
    """What a run makes of a declaration: what anybody may see, and what is a secret file or an option with `no_log`."""
    hostvars = {"web1": {"preflight_look": {"host": host_facts(total_mib=64_000)}}}
    variables = {f"crowsnest_{name}": value for name, value in declared.items()}
    plan = filters.plan(variables, "web1", ["web1"], hostvars, folder, folder)
    context, services = plan.pop("context"), plan["services"]
    directories = {name: filters.service_directory(context, name) for name in services}
    verified = filters.verify_secrets(context)
    shown = {
        "plan": [plan, filters.context_of(context).plan.model_dump_json()],
        "expected": [filters.expectations(context, hostvars), verified["secrets"]],
        "report": filters.run_report(context, {}, [], "secrets"),
        "project": filters.compose_project(context, {"files": {}, "data": {}}),
        **{name: {**made, "secrets": sorted(made["secrets"])} for name, made in directories.items()},
    }
    facts = hostvars["web1"]["preflight_look"]["host"]
    program = filters.backup_program(context, "web1", facts)
    written = filters.app_files(context, "web1", facts)["env_files"]
    shown["backup"] = {**program, "secrets": sorted(program["secrets"])}
    shown["app files"] = {path: {**options, "secrets": sorted(options["secrets"])} for path, options in written.items()}
    hidden = {
        "backup files": program["secrets"],
        "env files": [options["secrets"] for options in written.values()],
        "page_headers": verified["page_headers"],
        "sentry": filters.sentry_tests(variables, "web1", "", folder)["lookup"],
        "database_reader": filters.database_reader(context),
        **{f"{name} files": made["secrets"] for name, made in directories.items()},
        **{
            f"{name} objects": filters.service_objects(context, name)
            for name in services
            if filters.context_of(context).definition(name).objects
        },
    }
    return texts(shown), texts(hidden)


def texts(values: Outputs) -> Outputs:
    return {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}


@cache
def everything() -> AllSecrets:
    return AllSecrets(settings.Declaration)


@cache
def of_everything() -> tuple[Outputs, Outputs]:
    return outputs(everything().declared)


# Nobody needs the secret itself, as its hash does: test_proxy.py logs in with it.
HASHED = {"users[0].password"}
PLACES = {place: secret for secret, place in everything().places.items()}


def test_the_walk_finds_secrets_on_the_app_and_on_nested_models() -> None:
    assert {"apps[0].password", "apps[0].headers.X-Own", "apps[0].database.admin_password"} <= set(PLACES)
    assert {"heartbeat_url", "metabase_slack_token", "monitors[0].body", "metabase_database.password"} <= set(PLACES)
    assert {f"receivers[{number}]" for number in range(8)} == {
        place.partition(".")[0] for place in PLACES if place.startswith("receivers")
    }
    settings.Declaration.model_validate(everything().declared)


def test_every_service_makes_its_files() -> None:
    assert set(of_everything()[0]) >= SERVICES


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_reaches_who_needs_it_and_nobody_else_sees_it(place: str) -> None:
    shown, hidden = of_everything()
    unique = secret_part(PLACES[place])
    assert [name for name, text in shown.items() if unique in text] == []
    assert bool([name for name, text in hidden.items() if PLACES[place] in text]) == (place not in HASHED)


def test_nowhere_stand_asterisks_for_a_secret() -> None:
    shown, hidden = of_everything()
    assert [name for name, text in {**shown, **hidden}.items() if "***" in text] == []


@pytest.fixture
def larger_model(monkeypatch: pytest.MonkeyPatch) -> AllSecrets:
    """A model as it may become: an app has an address and a password of which no generator knows yet."""
    app = create_model("App", __base__=App, sentry_dsn=(SecretUrl, ...), sentry_password=(Password | None, None))
    model = create_model("Declaration", __base__=settings.Declaration, apps=(list[app], Field([])))
    monkeypatch.setattr(settings, "Declaration", model)
    return AllSecrets(model)


def test_a_secret_of_which_no_generator_knows_breaks_none_and_goes_nowhere(larger_model: AllSecrets) -> None:
    shown, hidden = outputs(larger_model.declared)
    new = {place: secret for secret, place in larger_model.places.items() if ".sentry_" in place}
    assert set(new) == {"apps[0].sentry_dsn", "apps[0].sentry_password"}
    everywhere = "".join([*shown.values(), *hidden.values()])
    assert "***" not in everywhere
    assert [place for place, secret in new.items() if secret in everywhere] == []
    assert [
        place
        for secret, place in larger_model.places.items()
        if place not in HASHED and place not in new and secret not in everywhere
    ] == []
