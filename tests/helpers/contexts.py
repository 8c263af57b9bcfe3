# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What generators take, made of a declaration and a made-up host; each test says only in what its own differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import Project
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration, read
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Service

# Those by whose names and numbers examples are written: a service that is added later changes none of them. What holds
# for every service is tested with REGISTRY.
SAMPLE: Mapping[str, Service] = {
    name: REGISTRY[name]
    for name in (
        *("prometheus", "alertmanager", "blackbox", "grafana", "uptime_kuma"),
        *("metabase", "metabase_database"),
    )
}


def variables_of(declared: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`{"apps": …}` → `{"crowsnest_apps": …}`."""
    return {f"crowsnest_{name}": value for name, value in (declared or {}).items()}


def declaration_of(declared: Mapping[str, Any] | None = None) -> Declaration:
    """The declaration of `{"apps": …}` (names without `crowsnest_`)."""
    return read(variables_of(declared))


def plan_of(
    declared: Mapping[str, Any] | None = None,
    hosts: Sequence[str] = ("web1",),
    registry: Mapping[str, Service] = SAMPLE,
    **facts: Any,
) -> Plan:
    """The plan of `{"apps": …}` on a server web1 with these facts."""
    addresses = {name: f"203.0.113.{number}" for number, name in enumerate(hosts, 1)}
    known = {**dict.fromkeys(registry, "image:1"), **images()}
    return make_plan(declaration_of(declared), "web1", addresses, {"web1": host_facts(**facts)}, registry, known)


def context_of(
    declared: Mapping[str, Any] | None = None,
    hosts: Sequence[str] = ("web1",),
    secrets: Mapping[str, str] | None = None,
    folder: Path = Path(),
    registry: Mapping[str, Service] = SAMPLE,
    sentry: Mapping[str, Project] | None = None,
    **facts: Any,
) -> Context:
    """The context of `{"apps": …}` on a server web1 with these facts."""
    plan = plan_of(declared, hosts, registry, **facts)
    return Context(plan, declaration_of(declared), registry, secrets or {}, folder, sentry or {})
