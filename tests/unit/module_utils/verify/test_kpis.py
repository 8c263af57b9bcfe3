"""KPIs that were answered against those that are declared."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.http import Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Kpi
from ansible_collections.crowsnest.core.plugins.module_utils.verify.kpis import kpi_checks

ORDERS, REVENUE = Kpi(app="shop", kpi="orders"), Kpi(app="shop", kpi="revenue")


def answered(*kpis: Kpi) -> list[Sample]:
    return [Sample({"app": it["app"], "kpi": it["kpi"]}, 1) for it in kpis]


def test_all_that_are_answered_pass() -> None:
    (check,) = kpi_checks([ORDERS, REVENUE], answered(ORDERS, REVENUE), 3600)
    assert (check.status, check.detail) == ("PASS", "2 of 2 can be read")


def test_each_that_is_not_is_a_warning_of_its_own() -> None:
    warning, passed = kpi_checks([ORDERS, REVENUE], answered(REVENUE, Kpi(app="till", kpi="orders")), 3600)
    assert (warning.status, warning.detail) == ("WARN", "shop: orders cannot be read")
    assert warning.advice.endswith("See the runbook KpiUnreadable.")
    assert passed.detail == "1 of 2 can be read"


@pytest.mark.parametrize(("age_seconds", "soon"), [(5, True), (90, False)])
def test_it_is_waited_for_after_the_start_only(age_seconds: float, soon: bool) -> None:
    (check,) = kpi_checks([ORDERS], [], age_seconds)
    assert check.soon is soon


def test_where_none_is_declared_nothing_is_said() -> None:
    assert kpi_checks([], answered(ORDERS), 3600) == []


def test_a_refusal_is_a_fault_in_prometheus_own_words() -> None:
    (check,) = kpi_checks([ORDERS], ServiceError("too many samples"), 3600)
    assert (check.status, check.detail) == ("FAIL", "Prometheus refuses the query: too many samples")
