# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metabase and the PostgreSQL for its own data, as services of the stack."""

from __future__ import annotations

from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices, Question
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import (
    CONFIG_IN_CONTAINER,
    DATA_IN_CONTAINER,
    ENVIRONMENT_FILE,
    Container,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    GeneratedSecret,
    Login,
    Page,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.config import admin, metabase_secrets
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import (
    VERIFY_CONNECTIONS,
    first_parameters,
    objects,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.questions import questions


def _wanted(declaration: Declaration) -> bool:
    """Without a database to query, Metabase would only cost memory."""
    if declaration.metabase is None:
        return any(app.database for app in declaration.apps)
    return declaration.metabase


def _database_wanted(declaration: Declaration) -> bool:
    return _wanted(declaration) and declaration.metabase_database is None


def _container(context: Context, planned: Planned) -> Container:
    """Its key can only be a variable, so all of its secrets are variables of an `env_file`.

    https://www.metabase.com/docs/latest/configuring-metabase/environment-variables
    """
    return Container(
        pids=512,
        configured=False,
        environment={
            "JAVA_OPTS": f"-Xmx{planned.heap_mib}m",
            "MB_JETTY_HOST": "127.0.0.1",
            "MB_JETTY_PORT": str(planned.port),
            "MB_PLUGINS_DIR": f"{DATA_IN_CONTAINER}/plugins",  # where it unpacks its drivers
        },
        tmpfs=["/tmp"],  # noqa: S108 - the container's own
        env_file=[f"{planned.config_directory}/current/{ENVIRONMENT_FILE}"],
        depends_on=["metabase_database"] if "metabase_database" in context.services else [],
    )


def _database_container(_context: Context, planned: Planned) -> Container:
    """https://hub.docker.com/_/postgres; by default its image lets everybody on loopback in without a password."""
    return Container(
        command=[
            *("postgres", "-c", "listen_addresses=127.0.0.1"),
            *("-c", "shared_buffers=32MB", "-c", "max_connections=30"),
        ],
        environment={
            "PGDATA": f"{DATA_IN_CONTAINER}/postgresql",
            "PGPORT": str(planned.port),
            "POSTGRES_DB": "metabase",
            "POSTGRES_USER": "metabase",
            "POSTGRES_PASSWORD_FILE": f"{CONFIG_IN_CONTAINER}/secrets/password",
            "POSTGRES_INITDB_ARGS": "--auth-local=trust --auth-host=scram-sha-256",
        },
        tmpfs=["/tmp", f"/var/run/postgresql:uid={planned.user},gid={planned.user},mode=0700"],  # noqa: S108
    )


def _secret_files(context: Context, _planned: Planned) -> Files:
    return metabase_secrets(context)


def _database_secrets(context: Context, _planned: Planned) -> Files:
    return {"secrets/password": context.secret("metabase_database_password")}


def _objects(context: Context) -> dict[str, Any]:
    """Options of the module `metabase`."""
    planned, declared = context.services["metabase"], context.declaration
    ready = {
        app.name: questions(app.business, context.inventory_dir, declared.language, app.kpis) for app in declared.apps
    }
    return {
        "url": planned.url,
        "key_file": f"{planned.config_directory}/api_key",
        "admin": admin(declared, context.secret("metabase_admin_password")),
        "site": {"name": declared.metabase_site_name, "locale": declared.language},
        **objects(
            declared.apps, ready, declared.metabase_users, context.secret("database_reader_password"), declared.language
        ),
    }


def _expected(context: Context) -> OfServices:
    held = _objects(context)
    expected: list[Question] = [
        {"key": item["key"], "app": item["collection"], "name": item["name"], "parameters": first_parameters(item)}
        for item in held["questions"]
    ]
    return {"business": {"key_file": held["key_file"], "connections": VERIFY_CONNECTIONS, "questions": expected}}


METABASE = Service(
    name="metabase",
    port=3002,
    # Not measured, as Grafana is not. Classes, compiled code and threads of a Java program of this size.
    need_mib=320,
    limit_mib=512,
    wanted=_wanted,
    heap=lambda declaration: declaration.metabase_heap_mib,
    data=True,
    container=_container,
    secret_files=_secret_files,
    generated_secrets=(
        GeneratedSecret("metabase_admin_password"),
        GeneratedSecret("metabase_encryption_key"),
        GeneratedSecret("database_reader_password", replaceable=True),
    ),
    objects=_objects,
    scrape=None,
    health_path="/api/health",
    expected=_expected,
    unasked="questions",
    subdomain="metabase",
    page=Page(2, "what the business earns, in numbers that anybody can query"),
    login=Login("Metabase", lambda declaration: declaration.metabase_admin_email),
    without="; there are no numbers of the business (with 4 GB of memory it fits next to an app)",
)
METABASE_DATABASE = Service(
    name="metabase_database",
    port=5434,
    need_mib=70,
    limit_mib=192,
    wanted=_database_wanted,
    data=True,
    part_of="metabase",
    container=_database_container,
    secret_files=_database_secrets,
    generated_secrets=(GeneratedSecret("metabase_database_password"),),
    scrape=None,
)
