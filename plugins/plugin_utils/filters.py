# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the filters of this collection do: Ansible's values in, plain data or text out.

The files of a service are {relative path: text}, ready for the module `config_directory`. All that a run decided and
declared travels as one text (`plan` makes it), which Ansible passes on without looking into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    DIRECTORY_MODE,
    MODE,
    make_release,
)
from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.module_utils.paths import (
    COMPOSE_FILE,
    DATA_ROOT,
    KEYS_DIRECTORY,
    PLAN_FILE,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Kept
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files import environment, projects, tags
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings as declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import HOST_PROGRAMS, work
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import backup as crowsnest_backup
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.connection import inventory_option, reached
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import (
    declaration_mistakes as found_mistakes,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter import scan as perimeter_scan
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import backup_hosts, jobs_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.names import addresses as looked_up
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.names import name_refusals
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import make_plan, plain
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan, in_force
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.ports import usual_ports
from ansible_collections.crowsnest.core.plugins.plugin_utils.report import expectations as verification
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.alert_drill import announcement, drills, refusal
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.found import found_lines
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import plan_table, report
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.verify import verify_report as verify_report
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import ROOT, images, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.config import deliveries
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import texts_of_test_alerts
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import (
    compose_file,
    service_files,
    validation,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import container_name
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import READERS, databases
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import gives_key
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import host_names


def declaration_mistakes(variables: Mapping[str, Any], groups: Mapping[str, Any], inventory_dir: str) -> list[str]:
    """One sentence per mistake of the variables `crowsnest_*`; empty when all is well."""
    return found_mistakes(plain(variables), plain(groups), inventory_dir)


def plan(
    variables: Mapping[str, Any],
    server: str,
    monitored: Sequence[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    inventory_dir: str,
    secrets_directory: str,
) -> dict[str, Any]:
    """{"context", "services", "images", "registry_mirrors", "toolbox", "node_exporter", "firewall", "table", …}.

    That is what a run decided. `context` is a text for the other filters, with the declaration and its secrets in it.
    The rest is for tasks; `toolbox` are the hosts that need the role's libraries.
    A host of `monitored` that did not answer has no `preflight_look`. The address of a host is its `private_address`,
    else what it reports itself, else (it does not answer) the one at which Prometheus has watched it so far, else the
    one for SSH.
    """
    raw = plain(variables)
    looks = {name: hostvars[name].get("preflight_look", {}) for name in monitored}
    facts: dict[str, HostFacts] = {name: plain(look["host"]) for name, look in looks.items() if "host" in look}
    watched = in_force(facts[server]["files"]).hosts
    addresses = {}
    for name in monitored:
        own = facts[name]["address"] if name in facts else watched.get(name)
        addresses[name] = str(hostvars[name].get("private_address") or own or hostvars[name].get("ansible_host", name))
    declared = declaration.read(raw)
    decided = make_plan(declared, server, addresses, facts, REGISTRY, images())
    held = Context(decided, declared, REGISTRY)
    context = {
        "plan": decided.model_dump(mode="json"),
        "variables": raw,
        "inventory_dir": inventory_dir,
        "secrets_directory": secrets_directory,
    }
    return {
        "context": json.dumps(context),
        "services": list(decided.services),
        "images": {name: service.image for name, service in decided.services.items()},
        "registry_mirrors": declared.registry_mirrors,
        "toolbox": list(dict.fromkeys([*_with_modules(decided), *backup_hosts(declared, server)])),
        "node_exporter": {
            "addresses": decided.hosts,
            "port": decided.node_exporter_port,
            "replaced_flags": decided.replaced_flags,
            "textfile_directory": declared.textfile_directory,
        },
        "firewall": decided.firewall,
        "refusals": [*decided.refusals, *_names(held, facts[server], hostvars[server])],
        "table": plan_table(held, facts[server]["traffic"]),
    }


def _names(held: Context, found: HostFacts, variables: Mapping[str, Any]) -> Iterator[str]:
    """Names of the pages that do not lead to the server, before Let's Encrypt is asked for the first time."""
    first = "proxy" in held.services and "proxy" not in found["docker"]["own"]
    if first and held.declaration.proxy_mode == "own" and held.declaration.certificates == "letsencrypt":
        names, server = list(host_names(held)), str(variables.get("ansible_host", held.server))
        there = looked_up([*names, server])
        yield from name_refusals(names[0], {name: there[name] for name in names}, held.server, there[server])


def _with_modules(plan: Plan) -> list[str]:
    """The server, where modules speak to an API by a library."""
    running = {planned.service for planned in plan.services.values()}
    return [plan.server] if {"uptime_kuma", *READERS} & running else []


@lru_cache(maxsize=1)
def _read(context: str) -> tuple[Plan, declaration.Declaration, Path, Path]:
    """A task uses several filters on the same text."""
    fields = json.loads(context)
    plan, declared = Plan.model_validate(fields["plan"]), declaration.read(fields["variables"])
    return plan, declared, Path(fields["inventory_dir"]), Path(fields["secrets_directory"])


def context_of(text: str) -> Context:
    """The value that generators take, with the secrets that exist by now."""
    plan, declared, inventory_dir, secrets_directory = _read(str(text))
    secrets, made = generated_secrets(secrets_directory, declared), projects.kept(secrets_directory, declared)
    return Context(plan, declared, REGISTRY, secrets, inventory_dir, made)


def generated_secrets(directory: Path, declared: declaration.Declaration) -> dict[str, str]:
    """{name: value} of all generated secrets: the declared one, else the one in the folder. Some may not exist yet."""
    secrets = {}
    people = {f"proxy_password_{user.name}": user.password for user in declared.users}
    for name in (secret.name for service in REGISTRY.values() for secret in service.secrets(declared)):
        own, path = people.get(name) or getattr(declared, name, None), directory / name
        if own is not None:
            secrets[name] = own.get_secret_value()
        elif path.is_file():
            secrets[name] = path.read_text().strip()
    return secrets


def missing_secrets(context: str) -> list[dict[str, str]]:
    """[{"name", "service", "data"}] of the secrets that planned services need and that do not exist yet.

    data: the folder of what is lost without the first one; empty where another secret works as well.
    """
    held = context_of(context)
    return [
        {"name": secret.name, "service": name, "data": "" if secret.replaceable else planned.data_directory}
        for name, planned in held.services.items()
        for secret in held.definition(name).secrets(held.declaration)
        if secret.name not in held.secrets
    ]


def service_directory(context: str, name: str) -> dict[str, Any]:
    """Options of the module `config_directory` for a service that runs; `validate` needs its `image` on the host.

    `release` is what the fact `configurations` says where nothing is left to do. Secrets among the options are never
    part of a plan, a diff or a log; on a first run in check mode some are empty.
    """
    held, name = context_of(context), plain(name)
    planned, service = held.services[name], held.definition(name)
    files, secrets, stable = service_files(held, name), held.secret_files(name), service.stable
    return {
        "path": planned.config_directory,
        "group": planned.user,
        "image": planned.image,
        "files": files,
        "secrets": secrets,
        "stable": stable,
        "validate": validation(held, name),
        "release": make_release(files, secrets, "", str(planned.user), MODE, DIRECTORY_MODE, stable).identity,
    }


def service_objects(context: str, name: str) -> dict[str, Any]:
    """Options of the module that speaks to a service's API. Some values are secret."""
    held, name = context_of(context), plain(name)
    make_objects = held.definition(name).objects
    if make_objects is None:
        raise ValueError(f"{name} has no API to configure")
    return make_objects(held)


def backup_program(context: str, host: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What the role `backup` makes on a host, whose facts are `found`.

    {"path", "files", "secrets", "release": as those of `service_directory`, "starters": [{"path", "text", "mode"}] that
    are not as they should be, "packages": those that are missing}. Nothing where no backup is made and none was.
    """
    held, host = context_of(context), plain(host)
    there = crowsnest_backup.DIRECTORY in found["configurations"]
    if not there and host not in backup_hosts(held.declaration, held.server):
        return {"release": "", "starters": [], "packages": []}
    files, secrets = crowsnest_backup.program_files(held, host), crowsnest_backup.program_secrets(held, host)
    found_files = plain(found["files"])
    return {
        "path": crowsnest_backup.DIRECTORY,
        "files": files,
        "secrets": secrets,
        "release": make_release(files, secrets, "", "0", MODE, DIRECTORY_MODE).identity,
        "starters": [
            {"path": path, "text": text, "mode": mode}
            for path, (text, mode) in crowsnest_backup.starter_files().items()
            if found_files.get(path) != text
        ],
        "packages": [] if found["cron"] else ["cron"],
    }


def host_program(
    name: str,
    service_manager: str,
    files: Mapping[str, str],
    units: work.Units,
    settings: Mapping[str, str],
    context: str,
) -> work.Work:
    """What is left to do for a native program on a host; `context` is empty for one that needs nothing of it."""
    make = HOST_PROGRAMS[str(name)].settings
    own = make(context_of(context)) if make else None
    return work.host_program(str(name), service_manager, files, units, settings, own)


def app_files(context: str, host: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What is left to write into the apps' own files on a host, whose facts are `found`.

    {"env_files": {path: options of the module `env_file`}, "templates": those of the module `google_tag`, or None when
    nothing is left to do}.
    """
    held, facts = context_of(context), plain(found)
    place = held.declaration, plain(host), held.server
    return {
        "env_files": environment.left(*place, facts, held.sentry),
        "templates": tags.templates(*place) if tags.left(*place, facts) else None,
    }


def sentry_account(context: str) -> dict[str, Any]:
    """Options of the module `sentry`; {} when it has nothing to make.

    And `file`, where its answer is kept, and `kept`, the projects in it without their DSNs.
    """
    _, declared, _, secrets_directory = _read(str(context))
    options, made = projects.options(declared), projects.kept(secrets_directory, declared)
    if not options:
        return {}
    kept = [{key: value for key, value in project.items() if key != "dsn"} for project in made.values()]
    return {**options, "file": str(secrets_directory / projects.KEPT), "kept": kept}


def sentry_tests(variables: Mapping[str, Any], server: str, app: str, secrets_directory: str) -> dict[str, Any]:
    """What the command sentry-test needs, from the variables `crowsnest_*` and the projects that were made.

    {"lookup": the account as the module `sentry_test` takes it, or None, "environment", "hosts": {host: {app: DSN, or
    empty where it does not exist yet}}, "mistake": why there is nothing to test, or empty}.
    """
    declared = declaration.read(plain(variables))
    common = {
        "lookup": projects.login(declared.sentry) if declared.sentry else None,
        "environment": declared.environment,
    }
    made = projects.kept(Path(plain(secrets_directory)), declared)
    try:
        return {**common, "hosts": projects.tests(declared, made, plain(server), plain(app)), "mistake": ""}
    except ValueError as mistake:
        return {**common, "hosts": {}, "mistake": str(mistake)}


def sentry_report(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The events of `sentry_test` as lines of text, one per app."""
    return [
        f"{'FAIL' if not row['taken'] or row['seen'] is False else 'PASS'}  {row['app']}: {row['text']}"
        for row in plain(rows)
    ]


def backup_call(variables: Mapping[str, Any], server: str, job: str) -> dict[str, Any]:
    """{"hosts": that have this backup, or any when `job` is empty, "mistake": why there is none, or empty}."""
    try:
        jobs = jobs_of(declaration.read(plain(variables)), plain(server), plain(job))
    except ValueError as mistake:
        return {"hosts": [], "mistake": str(mistake)}
    return {"hosts": list(dict.fromkeys(each.host for each in jobs)), "mistake": ""}


def compose_project(context: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What the role `stack` makes on the server, whose facts are `found`.

    {"files": [{"path", "text", "mode"}] and "data_directories": [{"path", "user", "mode"}] that are not as they should
    be, "reload": services for the module `service_reload`}
    """
    held, found_files = context_of(context), plain(found["files"])  # not all facts: they are many
    files = {
        COMPOSE_FILE: yaml_text(compose_file(held)),
        PLAN_FILE: held.plan.to_keep().model_dump_json(indent=1) + "\n",
    }
    return {
        "files": [
            {"path": path, "text": text, "mode": "0600" if path == PLAN_FILE else "0644"}
            for path, text in files.items()
            if found_files.get(path) != text
        ],
        "data_directories": _data_directories(held, plain(found["data"])),
        "reload": {
            name: {**how, "path": service.config_directory}
            for name, service in held.services.items()
            if (how := _how_it_reloads(held, name))
        },
    }


def _how_it_reloads(held: Context, name: str) -> dict[str, str]:
    """Where it takes a new configuration while it runs; empty for a container that is recreated."""
    service, planned = held.definition(name), held.services[name]
    if service.admin_socket:
        socket, file = service.admin_socket
        return {"socket": f"{planned.data_directory}/{socket}", "file": file}
    return {"url": planned.url} if service.reload_metric else {}


def _data_directories(held: Context, found: Mapping[str, str]) -> list[dict[str, str]]:
    """A common parent, a folder for each service with data, and one for the keys that Prometheus needs."""
    own = [planned for name, planned in held.services.items() if held.definition(name).data]
    folders = {planned.data_directory: planned.user for planned in own}
    if any(gives_key(held, name) for name in held.services):
        folders[KEYS_DIRECTORY] = held.services["prometheus"].user
    wanted = [
        {"path": DATA_ROOT, "user": "0", "mode": "0755"},
        *({"path": path, "user": str(user), "mode": "0750"} for path, user in folders.items()),
    ]
    return [row for row in wanted if found.get(row["path"]) != f"{row['user']}:{row['user']}:{row['mode']}"]


def database_reader(context: str) -> list[dict[str, Any]]:
    """Option `database_reader_databases` for the services that run, passwords among its values."""
    held = context_of(context)
    running = {planned.service for planned in held.services.values()}
    return [
        database
        for service, reader in READERS.items()
        if service in running
        for database in databases(held.declaration, reader, held.secret(reader.secret))
    ]


def run_report(context: str, server: Mapping[str, Any], sources: Sequence[str], secrets_directory: str) -> list[str]:
    """What runs where, how to reach it and where alerts go, as lines of text.

    `server` are all variables of the server, `sources` what -i names.
    """
    secrets = Path(secrets_directory)
    folder = secrets.relative_to(ROOT) if secrets.is_relative_to(ROOT) else secrets
    return report(context_of(context), server, inventory_option(sources, ROOT), str(folder))


def test_alerts(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the module `alertmanager_test_alerts`, from the variables `crowsnest_*` alone."""
    declared = declaration.read(plain(variables))
    return {
        "url": _declared_url(declared, "alertmanager"),
        "deliveries": deliveries(declared),
        "texts": texts_of_test_alerts(declared.language),
        "environment": declared.environment,
        "container": container_name("alertmanager"),
    }


def _declared_url(declared: declaration.Declaration, service: str) -> str:
    """Where a service of one container is, without a plan."""
    return f"http://127.0.0.1:{declared.ports.get(service, REGISTRY[service].port)}"


def alert_drill(variables: Mapping[str, Any], server: str, app: str = "", agreed: bool = False) -> dict[str, Any]:
    """What `./crowsnest alert-drill` does, from the variables `crowsnest_*` alone, or why it refuses."""
    declared = declaration.read(plain(variables))
    faults = drills(declared, app)
    return {
        "refusal": refusal(declared, server, app, agreed),
        "faults": faults,
        "announcement": announcement(server, faults),
        **{service: _declared_url(declared, service) for service in ("prometheus", "alertmanager")},
    }


def found(
    variables: Mapping[str, Any], server: str, monitored: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Lines of text about what runs on the hosts and is not declared; none when there is nothing and all answered.

    `variables` are the right ones `crowsnest_*`. A host that did not answer has no `preflight_look`.
    """
    looks: dict[str, HostFacts | None] = {}
    for name in monitored:
        here = hostvars[name]
        facts: HostFacts | None = plain(here.get("preflight_look", {}).get("host"))
        if facts:
            facts["address"] = str(here.get("private_address") or facts["address"])
        looks[name] = facts
    names = {str(hostvars[name].get("ansible_host", name)): name for name in monitored}
    return found_lines(declaration.read(plain(variables)), server, looks, names)


def scan(
    variables: Mapping[str, Any], hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], ports: str, rate: str
) -> dict[str, Any]:
    """{"scan": what `./crowsnest scan` asks of these hosts, as JSON, "mistakes": why it cannot; empty when it can}."""
    declared = declaration.read(plain(variables))
    ways = {plain(host): perimeter_scan.Reached(*reached(hostvars[host])) for host in hosts}
    there = looked_up(list({way.name for way in ways.values()}))
    targets, notes, mistakes = perimeter_scan.targets(ways, there)
    try:
        perimeter_scan.numbers(plain(ports))
        asked = perimeter_scan.Scan(
            targets=targets,
            notes=notes,
            ports=plain(ports),
            rate=perimeter_scan.pace(plain(rate)),
            open_ports=[port for port in declared.open_ports if port.protocol == "tcp"],
            names={port: name for name, port in (usual_ports(REGISTRY) | declared.ports).items()},
            firewall=declared.firewall,
        )
    except ValueError as mistake:
        return {"scan": "", "mistakes": [*mistakes, str(mistake)]}
    return {"scan": asked.model_dump_json(by_alias=True), "mistakes": mistakes}


def delivery_report(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The deliveries of `alertmanager_test_alerts` as a table, one line per severity and integration."""
    named = [(row["severity"].replace("_", " "), row) for row in plain(rows)]
    width = max((len(name) for name, _ in named), default=0)
    return [
        f"{name:<{width}}  {row['integration']:<8} {_verdict(row)}" + (f" - {row['words']}" if row["words"] else "")
        for name, row in named
    ]


def _verdict(row: Mapping[str, Any]) -> str:
    if row["delivered"] >= row["expected"]:
        return f"delivered to {row['expected']} of {row['expected']}"
    missing = "refused" if row["failed"] else "no answer in time"
    return f"{missing}, delivered to {max(row['delivered'], 0)} of {row['expected']}"


def expectations(context: str, hostvars: Mapping[str, Mapping[str, Any]], limited: bool = False) -> dict[str, Any]:
    """Option `expected` of the module `verify`. `limited`: --limit left out hosts."""
    held = context_of(context)
    server = hostvars[held.server]
    looks = {name: _last_look(hostvars[name], server, limited) for name in held.plan.hosts}
    return dict(verification.expectations(held, looks, cast("Kept", server), limited))


def verify_secrets(context: str) -> dict[str, Any]:
    """{"secrets", "grafana_password", "page_headers"}: the other options of the module `verify`."""
    held = context_of(context)
    return {
        "secrets": verification.secret_digests(held),
        "grafana_password": held.secret("grafana_admin_password"),
        "page_headers": json.dumps(headers) if (headers := verification.page_headers(held)) else "",
    }


# Facts that the second look of a run does not ask for.
_ASKED_ONCE = ("releases", "traffic", "exported")


def _last_look(here: Mapping[str, Any], server: Mapping[str, Any], limited: bool) -> HostFacts | str:
    """The facts of a host, or why there are none; `here` and `server` are variables of this host and of the server.

    A run that changes hosts reads their facts again at its end (`verify_look`): the earlier ones are out of date, but
    for those that only the first look asks for.
    """
    again, first = "verify_look" in server, here.get("preflight_look", {})
    look = here.get("verify_look", {}) if again else first
    if "host" in look:
        once = {key: value for key, value in first.get("host", {}).items() if key in _ASKED_ONCE}
        facts: HostFacts = plain({**look["host"], **once})
        return facts
    if again and "unreachable" not in look and "host" in first:
        return "a task of this run failed on it"
    return "--limit left it out, or it does not answer over SSH" if limited else "it does not answer over SSH"
