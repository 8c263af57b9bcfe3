# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the filters of this collection do: Ansible's values in, plain data or text out.

The plan and the declaration arrive as Ansible holds them (mappings) and become typed objects here, in one place. The
files of a service are {relative path: text}, ready for the module `config_directory`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings as declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.connection import inventory_option
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.business import business_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import entries
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.sentences import mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import Plan, make_plan, plain
from ansible_collections.crowsnest.core.plugins.plugin_utils.report import expectations as verification
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import plan_table, report
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.verify import verify_report as verify_report
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import HEADER, ROOT, images, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager import config as alertmanager
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import (
    message_templates,
    texts_of_test_alerts,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import (
    blackbox_config,
    blackbox_secrets,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import compose_file, fragment
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    CATALOGUE,
    DATA_ROOT,
    KEYS_DIRECTORY,
    REPLACEABLE,
    SECRETS,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana import config as grafana
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase import config as metabase
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase import objects as business
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import databases
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import questions
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import (
    prometheus_config,
    watched_addresses,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    alert_names,
    own_rule_mistakes,
    rule_files,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma import objects as kuma
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import job_urls, own_urls


def declaration_mistakes(variables: Mapping[str, Any], groups: Mapping[str, Any], inventory_dir: str) -> list[str]:
    """One sentence per mistake of the variables `crowsnest_*`; empty when all is well."""
    raw = plain(variables)
    paths, disabled = entries(raw.get("crowsnest_rule_files")), entries(raw.get("crowsnest_disabled_alerts"))
    own = own_rule_mistakes(paths, disabled, inventory_dir)
    read = [*own, *business_mistakes(raw, plain(groups), inventory_dir)]
    return [*mistakes(raw, plain(groups), alert_names()), *(" ".join(line.splitlines()) for line in read)]


def plan(
    variables: Mapping[str, Any], server: str, monitored: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The plan as plain data. A host of `monitored` that did not answer has no `preflight_look`.

    The address of a host is its `private_address`, else what it says itself, else (it does not answer) the one at which
    Prometheus watches it until now, else the one for SSH.
    """
    looks = {name: hostvars[name].get("preflight_look", {}) for name in monitored}
    facts = {name: plain(look["host"]) for name, look in looks.items() if "host" in look}
    watched = watched_addresses(facts[server]["files"])
    addresses = {}
    for name in monitored:
        said = facts[name]["address"] if name in facts else watched.get(name)
        addresses[name] = str(hostvars[name].get("private_address") or said or hostvars[name].get("ansible_host", name))
    return make_plan(plain(variables), server, addresses, facts, images()).model_dump(mode="json")


def plan_table_of(plan: Mapping[str, Any]) -> list[str]:
    """The plan as lines of text."""
    return plan_table(Plan.model_validate(plain(plan)))


def run_report(
    plan: Mapping[str, Any],
    variables: Mapping[str, Any],
    server: Mapping[str, Any],
    sources: Sequence[str],
    secrets_directory: str,
) -> list[str]:
    """What runs where, how to reach it and where alerts go, as lines of text.

    `server` are all variables of the server, `sources` what -i names.
    """
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    secrets = Path(secrets_directory)
    shown = secrets.relative_to(ROOT) if secrets.is_relative_to(ROOT) else secrets
    return report(typed, declared, server, inventory_option(sources, ROOT), str(shown))


def compose_project(plan: Mapping[str, Any]) -> str:
    """The text of the compose project, which includes the fragments of all services."""
    return yaml_text(compose_file(Plan.model_validate(plain(plan))))


def data_directories(plan: Mapping[str, Any], found: Mapping[str, str]) -> list[dict[str, str]]:
    """[{"path", "user", "mode"}] of the folders for data that are missing or not as they should be.

    They are a common parent, a folder for each service, and one for the keys that Prometheus needs; `found` is the fact
    `data` of the host.
    """
    services = Plan.model_validate(plain(plan)).services
    own = [service for name, service in services.items() if CATALOGUE[name].data]
    folders = {service.data_directory: service.user for service in own}
    if "uptime_kuma" in services:
        folders[KEYS_DIRECTORY] = services["prometheus"].user
    wanted = [
        {"path": DATA_ROOT, "user": "0", "mode": "0755"},
        *({"path": path, "user": str(user), "mode": "0750"} for path, user in folders.items()),
    ]
    return [it for it in wanted if found.get(it["path"]) != f"{it['user']}:{it['user']}:{it['mode']}"]


def reload_services(plan: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{service: {"url", "path"}} for the module `service_reload`, of those that can reload."""
    services = Plan.model_validate(plain(plan)).services
    return {
        name: {"url": f"http://127.0.0.1:{service.port}", "path": service.config_directory}
        for name, service in services.items()
        if CATALOGUE[name].reloads
    }


def prometheus_files(plan: Mapping[str, Any], inventory_dir: str) -> dict[str, str]:
    """prometheus.yml, rules/*.yml and the compose fragment. `plan` is the plan as Ansible holds it."""
    typed = Plan.model_validate(plain(plan))
    return {
        "prometheus.yml": yaml_text(prometheus_config(typed)),
        **rule_files(typed, inventory_dir),
        "compose.yml": yaml_text(fragment(typed, "prometheus")),
    }


def blackbox_files(plan: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    """blackbox.yml and the compose fragment; `variables` are all `crowsnest_*`."""
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    return {
        "blackbox.yml": yaml_text(blackbox_config(declared.apps)),
        "compose.yml": yaml_text(fragment(typed, "blackbox")),
    }


def alertmanager_files(plan: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    """alertmanager.yml, the message templates and the compose fragment; `variables` are all `crowsnest_*`."""
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    return {
        "alertmanager.yml": yaml_text(alertmanager.alertmanager_config(declared, typed)),
        **{f"templates/{name}": template for name, template in message_templates(declared, typed).items()},
        "compose.yml": yaml_text(fragment(typed, "alertmanager")),
    }


def grafana_files(plan: Mapping[str, Any], variables: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, str]:
    """grafana.ini, data sources, dashboards and the compose fragment; `variables` are all `crowsnest_*`.

    Dashboards are read again while it runs. What it reads only at its start is part of a label, which recreates it.
    """
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    shown = dashboards(typed)
    at_start = {
        "grafana.ini": HEADER + grafana.ini_text(grafana.grafana_ini(typed, declared)),
        "provisioning/datasources/crowsnest.yml": yaml_text(grafana.datasources(typed)),
        "provisioning/dashboards/crowsnest.yml": yaml_text(grafana.dashboard_providers(shown)),
        **{f"provisioning/{kind}/crowsnest.yml": yaml_text({"apiVersion": 1}) for kind in grafana.NOT_PROVISIONED},
    }
    read_at_start = grafana.grafana_secrets(declared, "", str(secrets.get("grafana_secret_key", "")))
    labels = {"crowsnest.configuration": grafana.start_digest(at_start.values(), read_at_start)}
    return {
        **at_start,
        **{grafana.dashboard_path(each): dashboard_json(each, declared.timezone) for each in shown},
        "compose.yml": yaml_text(fragment(typed, "grafana", labels)),
    }


def grafana_datasources(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The data sources as the provisioning file names them, for the module `grafana_admin`."""
    found: list[dict[str, Any]] = grafana.datasources(Plan.model_validate(plain(plan)))["datasources"]
    return found


def uptime_kuma_files(plan: Mapping[str, Any]) -> dict[str, str]:
    """The compose fragment; everything else in Uptime Kuma is made through its API."""
    return {"compose.yml": yaml_text(fragment(Plan.model_validate(plain(plan)), "uptime_kuma"))}


def uptime_kuma_objects(
    plan: Mapping[str, Any], variables: Mapping[str, Any], secrets: Mapping[str, str]
) -> dict[str, Any]:
    """Options of the module `uptime_kuma`; `variables` are all `crowsnest_*`. Some values are secret."""
    declared = declaration.read(plain(variables))
    return kuma.objects(Plan.model_validate(plain(plan)), declared, str(secrets.get("uptime_kuma_push_key", "")))


def metabase_files(plan: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{service: {path: text}} of Metabase and its database: compose fragments. All else is made through its API."""
    typed = Plan.model_validate(plain(plan))
    services = [name for name in ("metabase", "metabase_database") if name in typed.services]
    return {name: {"compose.yml": yaml_text(fragment(typed, name))} for name in services}


def app_databases(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Option `database_reader_databases` of the role database_reader; passwords are among it."""
    return databases(declaration.read(plain(variables)))


def metabase_objects(
    plan: Mapping[str, Any], variables: Mapping[str, Any], secrets: Mapping[str, str], inventory_dir: str
) -> dict[str, Any]:
    """Options of the module `metabase`; `variables` are all `crowsnest_*`. Some values are secret."""
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    given = {name: str(secrets.get(name, "")) for name in SECRETS}
    asked = {app.name: questions(app.business, Path(inventory_dir)) for app in declared.apps}
    password = given["database_reader_password"]
    return {
        "key_file": f"{typed.services['metabase'].config_directory}/api_key",
        "admin": metabase.admin(declared, given["metabase_admin_password"]),
        "site": {"name": declared.metabase_site_name, "locale": declared.language},
        **business.objects(declared.apps, asked, declared.metabase_users, password),
    }


def generated_secrets(directory: str, variables: Mapping[str, Any]) -> dict[str, str]:
    """{name: value} of `SECRETS`: the declared one, else the one in the folder. Those that are nowhere are left out."""
    declared = declaration.read(plain(variables))
    found = {name: path.read_text().strip() for name in SECRETS if (path := Path(directory, name)).is_file()}
    given = {name: value.get_secret_value() for name in SECRETS if (value := getattr(declared, name, None)) is not None}
    return found | given


def missing_secrets(plan: Mapping[str, Any], secrets: Mapping[str, str]) -> list[dict[str, str]]:
    """[{"name", "service", "data"}] of the secrets that planned services need and nobody gave.

    data: the folder of what is lost without the first one; empty where another one does as well.
    """
    services = Plan.model_validate(plain(plan)).services
    return [
        {"name": name, "service": service, "data": "" if name in REPLACEABLE else services[service].data_directory}
        for name, service in SECRETS.items()
        if service in services and name not in secrets
    ]


def secret_files(
    plan: Mapping[str, Any], variables: Mapping[str, Any], secrets: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """{service: {relative path: secret}} of all planned services; never part of a plan, a diff or a log.

    `secrets` are those of `generated_secrets`; on a first run in check mode some are not there yet.
    """
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    given = {name: str(secrets.get(name, "")) for name in SECRETS}
    push_key = given["uptime_kuma_push_key"]
    makers: dict[str, Callable[[], dict[str, str]]] = {
        "alertmanager": lambda: alertmanager.alertmanager_secrets(declared, typed, push_key),
        "blackbox": lambda: blackbox_secrets(declared.apps),
        "grafana": lambda: grafana.grafana_secrets(
            declared, given["grafana_admin_password"], given["grafana_secret_key"]
        ),
        "uptime_kuma": lambda: {
            "secrets/admin_password": given["uptime_kuma_admin_password"],
            "secrets/push_key": push_key,
            **job_urls(typed, push_key),
            **own_urls(typed, declared, push_key),
        },
        "metabase": lambda: metabase.metabase_secrets(typed, declared, given),
        "metabase_database": lambda: {"secrets/password": given["metabase_database_password"]},
    }
    return {name: make() for name, make in makers.items() if name in typed.services}


def alert_deliveries(variables: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """{severity: {integration: number of receivers}} for the module `alertmanager_test_alerts`."""
    return alertmanager.deliveries(declaration.read(plain(variables)))


def alert_texts(variables: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """{severity: annotations} in the declared language for the module `alertmanager_test_alerts`."""
    return texts_of_test_alerts(declaration.read(plain(variables)).language)


def delivery_report(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The deliveries of `alertmanager_test_alerts` as lines of text, one per severity and integration."""
    return [
        f"{row['severity']:<9} {row['integration']:<8} {_verdict(row)}" + (f" - {row['words']}" if row["words"] else "")
        for row in plain(rows)
    ]


def _verdict(row: Mapping[str, Any]) -> str:
    if row["delivered"] >= row["expected"]:
        return f"delivered to {row['expected']} of {row['expected']}"
    missing = "refused" if row["failed"] else "no answer in time"
    return f"{missing}, delivered to {max(row['delivered'], 0)} of {row['expected']}"


def expectations(
    plan: Mapping[str, Any],
    variables: Mapping[str, Any],
    secrets: Mapping[str, str],
    hostvars: Mapping[str, Mapping[str, Any]],
    inventory_dir: str,
    limited: bool = False,
) -> dict[str, Any]:
    """Parameter `expected` of the module `verify`; one of the `secrets` makes a label of Grafana.

    `limited`: the run was told to leave out hosts.
    """
    typed = Plan.model_validate(plain(plan))
    makers = {
        "prometheus": lambda: prometheus_files(plan, inventory_dir),
        "alertmanager": lambda: alertmanager_files(plan, variables),
        "blackbox": lambda: blackbox_files(plan, variables),
        "grafana": lambda: grafana_files(plan, variables, secrets),
        "uptime_kuma": lambda: uptime_kuma_files(plan),
        "metabase": lambda: metabase_files(plan)["metabase"],
        "metabase_database": lambda: metabase_files(plan)["metabase_database"],
    }
    return verification.expectations(
        typed,
        declaration.read(plain(variables)),
        {name: makers[name]() for name in typed.services},
        compose_project(plan),
        dashboards(typed) if "grafana" in typed.services else [],
        uptime_kuma_objects(plan, variables, {}) if "uptime_kuma" in typed.services else {},
        metabase_objects(plan, variables, {}, inventory_dir) if "metabase" in typed.services else {},
        {name: _last_look(hostvars[name], hostvars[typed.server], limited) for name in typed.hosts},
        hostvars[typed.server],
        limited,
    )


def _last_look(here: Mapping[str, Any], server: Mapping[str, Any], limited: bool) -> dict[str, Any] | str:
    """The facts of a host, or why there are none; `here` and `server` are variables of this host and of the server.

    A run that changes hosts looks at them again at its end (`verify_look`): what it saw before is past.
    """
    again = "verify_look" in server
    look = here.get("verify_look" if again else "preflight_look", {})
    if "host" in look:
        facts: dict[str, Any] = plain(look["host"])
        return facts
    if again and "unreachable" not in look and "host" in here.get("preflight_look", {}):
        return "a task of this run failed on it"
    return "--limit left it out, or it does not answer over SSH" if limited else "it does not answer over SSH"


def secret_digests(
    plan: Mapping[str, Any], variables: Mapping[str, Any], secrets: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """{service: {relative path: sha256}} of `secret_files`."""
    return {
        name: {path: verification.digest(text) for path, text in files.items()}
        for name, files in secret_files(plan, variables, secrets).items()
    }
