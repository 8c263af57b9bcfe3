# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The order of this scenario's tests, and its services as a person has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests
from lab.metabase_client import Metabase
from uptime_kuma_api import UptimeKumaApi

# What only looks comes first; the last one removes everything. Each file leaves the host as declared.
ORDER = (
    "test_containers",
    "test_stack",
    "test_verify",
    "test_pages",
    "test_grafana",
    "test_metabase",
    "test_uptime_kuma",
    "test_side_by_side",
    "test_maintenance",
    "test_alerting_path",
    "test_changes",
    "test_come_and_go",
    "test_by_hand",
    "test_cut_off",
    "test_docs_commands",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by ORDER; a file that it does not name is a mistake."""
    unknown = {item.path.stem for item in items} - set(ORDER)
    if unknown:
        raise pytest.UsageError(f"{', '.join(sorted(unknown))}: no place in ORDER of {__file__}")
    items.sort(key=lambda item: ORDER.index(item.path.stem))


@pytest.fixture
def metabase(metabase_login: Callable[[], Metabase]) -> Metabase:
    """Logged in as the first account."""
    return metabase_login()


@pytest.fixture(scope="session")
def metabase_ready(lab: Any) -> Callable[[], bool]:
    """Whether Metabase says that it is ready."""

    def ready() -> bool:
        try:
            return requests.get(f"{lab.url('metabase')}/api/health", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    return ready


@pytest.fixture
def kuma(kuma_login: Callable[[], AbstractContextManager[UptimeKumaApi]]) -> Iterator[UptimeKumaApi]:
    """Logged in for the whole test."""
    with kuma_login() as api:
        yield api


@pytest.fixture(scope="session")
def status_page(lab: Any) -> Callable[[str], requests.Response]:
    """A status page of Uptime Kuma, as everybody gets it."""
    return lambda slug: requests.get(f"{lab.url('uptime_kuma')}/api/status-page/{slug}", timeout=10)
