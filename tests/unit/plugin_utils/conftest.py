"""A host, a plan and a context to start from; each test says only in what its own differ."""

from __future__ import annotations

from collections.abc import Callable

import contexts
import pytest
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context


@pytest.fixture
def facts() -> Callable[..., HostFacts]:
    """`host_facts` of tests/helpers."""
    return host_facts


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """`plan_of` of tests/helpers."""
    return contexts.plan_of


@pytest.fixture
def context() -> Callable[..., Context]:
    """`context_of` of tests/helpers."""
    return contexts.context_of
