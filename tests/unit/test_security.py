"""docs/security.md tells every exception from the hardening of containers, with the reason that the service gives."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Service

PAGE = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text()
# Asks for every service there is.
KPIS = [{"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}]
EVERYTHING: dict[str, Any] = {
    "apps": [{"name": "shop", "database": {"name": "shop"}, "redis": {}, "kpis": KPIS}],
    "pushgateway": {},
    "domain": "watch.example.com",
}
Exceptions = set[tuple[str, str, str]]


def declared(registry: Mapping[str, Service]) -> Exceptions:
    """(capability or user, service, reason) of all containers."""
    context = context_of(EVERYTHING, total_mib=64_000, registry=registry)
    assert {planned.service for planned in context.services.values()} == set(registry)
    return {
        (what, planned.service, reason)
        for name, planned in context.services.items()
        for what, reason in _exceptions(context, name, planned).items()
        if reason
    }


def _exceptions(context: Context, name: str, planned: Planned) -> dict[str, str]:
    service = context.definition(name)
    return {"root": service.root, **service.container(context, planned).capabilities}


def listed(page: str) -> Exceptions:
    """What stands under the heading of the exceptions as "- **`CAPABILITY` of `service`.** reason"."""
    section = page.partition("\n## Exceptions and their reasons\n")[2].partition("\n## ")[0]
    entries = [" ".join(entry.split()) for entry in re.split(r"(?m)^- ", section)]
    found = [re.fullmatch(r"\*\*`([A-Z_]+|root)` of `(\w+)`\.\*\* (.+)", entry) for entry in entries]
    return {(entry[1], entry[2], entry[3]) for entry in found if entry and entry[1] != "CAPABILITY"}


def test_the_page_lists_the_exceptions_of_all_containers() -> None:
    assert listed(PAGE) == declared(REGISTRY)


def with_a_door(context: Context, planned: Planned) -> Container:
    own = REGISTRY["blackbox"].container(context, planned)
    return replace(own, capabilities={"NET_BIND_SERVICE": "browsers ask at port 80"})


def test_an_exception_that_the_page_does_not_list_would_be_found() -> None:
    registry = {**REGISTRY, "blackbox": replace(REGISTRY["blackbox"], container=with_a_door)}
    exceptions = declared(registry) - declared(REGISTRY)
    assert exceptions == {("NET_BIND_SERVICE", "blackbox", "browsers ask at port 80")}
    assert not exceptions <= listed(PAGE)
    line = "- **`NET_BIND_SERVICE` of `blackbox`.** browsers ask\n  at port 80\n"
    assert exceptions <= listed(PAGE.replace("- **No Docker healthcheck.**", line + "- **No Docker healthcheck.**"))
    assert listed(PAGE + line) == listed(PAGE), "only below the heading of the exceptions"
