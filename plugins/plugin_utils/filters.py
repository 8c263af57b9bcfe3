# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the filters of this collection do: Ansible's values in, plain data or text out.

The plan and the declaration arrive as Ansible holds them (mappings) and become typed objects here, in one place. The
files of a service are {relative path: text}, ready for the module `config_directory`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils import alertmanager_config as alertmanager
from ansible_collections.crowsnest.core.plugins.plugin_utils import declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils import expectations as verification
from ansible_collections.crowsnest.core.plugins.plugin_utils import grafana_config as grafana
from ansible_collections.crowsnest.core.plugins.plugin_utils.compose import compose_file, fragment
from ansible_collections.crowsnest.core.plugins.plugin_utils.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes import mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan import Plan, make_plan, plain
from ansible_collections.crowsnest.core.plugins.plugin_utils.prometheus_config import (
    blackbox_config,
    prometheus_config,
    watched_addresses,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.report import plan_table, report
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, HEADER, ROOT, images, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.rules import alert_names, own_rule_mistakes, rule_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import CATALOGUE, DATA_ROOT
from ansible_collections.crowsnest.core.plugins.plugin_utils.verify_report import verify_report as verify_report


def declaration_mistakes(variables: Mapping[str, Any], groups: Mapping[str, Any], inventory_dir: str) -> list[str]:
    """One sentence per mistake of the variables `crowsnest_*`; empty when all is well."""
    raw = plain(variables)
    paths = raw.get("crowsnest_rule_files")
    own = own_rule_mistakes(paths, inventory_dir) if isinstance(paths, list) else []
    return [*mistakes(raw, plain(groups), alert_names()), *own]


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
    plan: Mapping[str, Any], variables: Mapping[str, Any], host: str, inventory_dir: str, secrets_directory: str
) -> list[str]:
    """What runs where, how to reach it and where alerts go, as lines of text. `host` is what `ssh` takes."""
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    secrets = Path(secrets_directory)
    shown = secrets.relative_to(ROOT) if secrets.is_relative_to(ROOT) else secrets
    return report(typed, declared, host, f"inventories/{Path(inventory_dir).name}", str(shown))


def compose_project(plan: Mapping[str, Any]) -> str:
    """The text of /opt/crowsnest/compose.yaml."""
    return yaml_text(compose_file(Plan.model_validate(plain(plan))))


def data_directories(plan: Mapping[str, Any], found: Mapping[str, str]) -> list[dict[str, str]]:
    """[{"path", "user", "mode"}] of the folders for data that are missing or not as they should be.

    They are a common parent and one folder for each service; `found` is the fact `data` of the host.
    """
    services = Plan.model_validate(plain(plan)).services
    own = [service for name, service in services.items() if CATALOGUE[name].data]
    wanted = [
        {"path": DATA_ROOT, "user": "0", "mode": "0755"},
        *({"path": service.data_directory, "user": str(service.user), "mode": "0750"} for service in own),
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


def blackbox_files(plan: Mapping[str, Any]) -> dict[str, str]:
    """blackbox.yml and the compose fragment."""
    typed = Plan.model_validate(plain(plan))
    return {
        "blackbox.yml": yaml_text(blackbox_config(typed)),
        "compose.yml": yaml_text(fragment(typed, "blackbox")),
    }


def alertmanager_files(plan: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    """alertmanager.yml, the message templates and the compose fragment; `variables` are all `crowsnest_*`."""
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    time = f'{{{{ . | tz "{declared.timezone}" | date "2006-01-02 15:04 MST" }}}}'  # Go's way to name a format
    template = FILES / "slack" / f"crowsnest.{declared.language}.tmpl"
    return {
        "alertmanager.yml": yaml_text(alertmanager.alertmanager_config(declared, typed.server)),
        "templates/crowsnest.tmpl": template.read_text(),
        "templates/time.tmpl": '{{ define "crowsnest.time" }}' + time + "{{ end }}\n",
        "templates/dashboard.tmpl": alertmanager.dashboard_template(typed, declared.language),
        "compose.yml": yaml_text(fragment(typed, "alertmanager")),
    }


def grafana_files(plan: Mapping[str, Any], variables: Mapping[str, Any], secret_key: str) -> dict[str, str]:
    """grafana.ini, data sources, dashboards and the compose fragment; `variables` are all `crowsnest_*`.

    Dashboards are read again while it runs. What it reads only at its start is part of a label, which recreates it.
    """
    typed, declared = Plan.model_validate(plain(plan)), declaration.read(plain(variables))
    shown = dashboards(typed)
    at_start = {
        "grafana.ini": HEADER + grafana.ini_text(grafana.grafana_ini(typed, declared)),
        "provisioning/datasources/crowsnest.yml": yaml_text(grafana.datasources(typed)),
        "provisioning/dashboards/crowsnest.yml": yaml_text(grafana.dashboard_providers(shown)),
    }
    secrets = grafana.grafana_secrets(declared, "", str(secret_key))
    labels = {"crowsnest.configuration": grafana.start_digest(at_start.values(), secrets)}
    return {
        **at_start,
        **{grafana.dashboard_path(each): dashboard_json(each, declared.timezone) for each in shown},
        "compose.yml": yaml_text(fragment(typed, "grafana", labels)),
    }


def grafana_datasources(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The data sources as the provisioning file names them, for the module `grafana_admin`."""
    found: list[dict[str, Any]] = grafana.datasources(Plan.model_validate(plain(plan)))["datasources"]
    return found


def grafana_secrets(variables: Mapping[str, Any], admin_password: str, secret_key: str) -> dict[str, str]:
    """{relative path: secret} of Grafana; never part of a plan, a diff or a log."""
    return grafana.grafana_secrets(declaration.read(plain(variables)), str(admin_password), str(secret_key))


def alertmanager_secrets(variables: Mapping[str, Any]) -> dict[str, str]:
    """{relative path: secret} of all receivers; never part of a plan, a diff or a log."""
    return alertmanager.alertmanager_secrets(declaration.read(plain(variables)))


def alert_deliveries(variables: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """{severity: {integration: number of receivers}} for the module `alertmanager_test_alerts`."""
    return alertmanager.deliveries(declaration.read(plain(variables)))


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
    secret_key: str,
    hostvars: Mapping[str, Mapping[str, Any]],
    inventory_dir: str,
    limited: bool = False,
) -> dict[str, Any]:
    """Parameter `expected` of the module `verify`; `secret_key` is Grafana's, which makes one of its labels.

    `limited`: the run was told to leave out hosts.
    """
    typed = Plan.model_validate(plain(plan))
    makers = {
        "prometheus": lambda: prometheus_files(plan, inventory_dir),
        "alertmanager": lambda: alertmanager_files(plan, variables),
        "blackbox": lambda: blackbox_files(plan),
        "grafana": lambda: grafana_files(plan, variables, secret_key),
    }
    looks = {name: hostvars[name].get("preflight_look", {}) for name in typed.hosts}
    return verification.expectations(
        typed,
        declaration.read(plain(variables)),
        {name: makers[name]() for name in typed.services},
        compose_project(plan),
        dashboards(typed) if "grafana" in typed.services else [],
        {name: plain(look["host"]) for name, look in looks.items() if "host" in look},
        limited,
    )


def secret_digests(
    plan: Mapping[str, Any], variables: Mapping[str, Any], admin_password: str, secret_key: str
) -> dict[str, dict[str, str]]:
    """{service: {relative path: sha256}} of all secret files of the planned services."""
    secrets = {
        "alertmanager": alertmanager_secrets(variables),
        "grafana": grafana_secrets(variables, admin_password, secret_key),
    }
    return {
        name: {path: verification.digest(text) for path, text in secrets[name].items()}
        for name in secrets
        if name in plan["services"]
    }
