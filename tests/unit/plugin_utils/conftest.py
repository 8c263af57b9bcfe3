"""A host and a plan to start from; each test says only in what its own differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import images


def plan_of(declared: Mapping[str, Any] | None = None, hosts: Sequence[str] = ("web1",), **facts: Any) -> Plan:
    """The plan of `{"apps": …}` (names without `crowsnest_`) on a server web1 with these facts."""
    variables = {f"crowsnest_{name}": value for name, value in (declared or {}).items()}
    addresses = {name: f"203.0.113.{number}" for number, name in enumerate(hosts, 1)}
    return make_plan(variables, "web1", addresses, {"web1": host_facts(**facts)}, images())


@pytest.fixture
def facts() -> Callable[..., dict[str, Any]]:
    """`host_facts` of tests/helpers."""
    return host_facts


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """`plan_of` of this file."""
    return plan_of
