"""Declared metrics against what Prometheus has."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.http import Sample, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify.custom import custom_checks, exported_question
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import CustomMetric

CAMPAIGNS, REFUNDS, OTHERS = (
    CustomMetric(app=app, series=series, setting="custom_metrics")
    for app, series in (("shop", "shop_campaigns"), ("shop", "shop_refunds_total"), ("blog", "shop_campaigns"))
)
WANTED = [CAMPAIGNS, REFUNDS, OTHERS]


def found(*metrics: CustomMetric) -> list[Sample]:
    return [Sample({"app": it["app"], "__name__": it["series"]}, 1) for it in metrics]


def test_all_that_are_exported_pass() -> None:
    (check,) = custom_checks(WANTED, found(*WANTED), {"shop", "blog"})
    assert (check.status, check.detail) == ("PASS", "3 of 3 declared ones are exported")


def test_each_that_an_app_does_not_export_is_a_warning_of_its_own() -> None:
    lines = [(it.status, it.detail) for it in custom_checks(WANTED, found(CAMPAIGNS), {"shop", "blog"})]
    assert lines == [
        ("WARN", "shop: shop_refunds_total is declared, but not exported"),
        ("WARN", "blog: shop_campaigns is declared, but not exported"),
        ("PASS", "1 of 3 declared ones are exported"),
    ]


def test_nobody_warns_of_an_app_that_is_down_or_new() -> None:
    assert custom_checks(WANTED, [], set()) == []


def test_where_none_is_declared_nothing_is_said() -> None:
    assert custom_checks([], [], {"shop"}) == []


def test_a_refusal_is_a_fault_in_prometheus_own_words() -> None:
    (check,) = custom_checks(WANTED, ServiceError("too many samples"), {"shop"})
    assert (check.status, check.detail) == ("FAIL", "Prometheus refuses the query: too many samples")


def test_one_question_asks_for_each_name_once() -> None:
    names = "shop_campaigns|shop_refunds_total"
    assert exported_question(WANTED) == f'group by (app, __name__) ({{__name__=~"{names}", job="app"}})'


def test_the_advice_names_the_setting_that_is_wrong() -> None:
    signal = CustomMetric(app="shop", series="refunds_total", setting="signals.refunds")
    metric, refunds = custom_checks([CAMPAIGNS, signal], [], {"shop"})
    assert "Correct `custom_metrics`, or the app. See the runbook AppMetricOutOfRange." in metric.advice
    assert "Correct `signals.refunds`, or the app. See the runbook AppSignalMissing." in refunds.advice
