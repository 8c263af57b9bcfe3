"""Rules of declared metrics: which there are, and their words. PromQL is tested in tests/rules."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import Language
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import app_files


def app(*metrics: dict[str, Any]) -> App:
    declared = [{"name": f"m{number}", "description": "Words", **it} for number, it in enumerate(metrics)]
    return App.model_validate({"name": "shop", "metrics": [":8000"], "custom_metrics": declared})


def test_only_metrics_with_a_declared_alert_have_a_rule() -> None:
    (group,) = app_files([app({}, {"alert": {"above": 1}}), app()], "en")["custom.yml"]
    assert [rule["labels"]["metric"] for rule in group["rules"]] == ["m1"]
    assert "custom.yml" not in app_files([app({})], "en")


SUMMARIES: dict[tuple[Language, str], str] = {
    ("en", "above"): "{{ $labels.app }}: m0 is above 2.5 (region {{ $labels.region }})",
    ("en", "below"): "{{ $labels.app }}: m0 is below 2.5 (region {{ $labels.region }})",
    ("ko", "above"): "{{ $labels.app }}: m0 값이 2.5 초과(region={{ $labels.region }})",
    ("ko", "below"): "{{ $labels.app }}: m0 값이 2.5 미만(region={{ $labels.region }})",
}


@pytest.mark.parametrize("case", SUMMARIES, ids=str)
def test_the_summary_says_which_bound_was_passed_and_where(case: tuple[Language, str]) -> None:
    language, side = case
    (group,) = app_files([app({"labels": ["region"], "alert": {side: 2.5}})], language)["custom.yml"]
    assert group["rules"][0]["annotations"]["summary"] == SUMMARIES[case]


# (unit, type, language): the template of the value and the threshold
UNITS: dict[tuple[str, str, Language], tuple[str, str]] = {
    ("count", "gauge", "en"): ("{{ $value | humanize }}", "> 2, 5 min"),
    ("count", "gauge", "ko"): ("{{ $value | humanize }}", "2 초과, 5분 지속"),
    ("KRW", "gauge", "en"): ("{{ $value | humanize }} KRW", "> 2 KRW, 5 min"),
    ("KRW", "gauge", "ko"): ("{{ $value | humanize }} KRW", "2 KRW 초과, 5분 지속"),
    ("KRW", "counter", "en"): ("{{ $value | humanize }} KRW / 5 min", "> 2 KRW / 5 min, 5 min"),
    ("KRW", "counter", "ko"): ("5분간 {{ $value | humanize }} KRW", "5분간 2 KRW 초과, 5분 지속"),
    ("seconds", "histogram", "en"): ("{{ $value | humanizeDuration }}", "> {{ 2 | humanizeDuration }}, 5 min"),
    ("seconds", "histogram", "ko"): ("{{ $value | humanizeDuration }}", "{{ 2 | humanizeDuration }} 초과, 5분 지속"),
    ("bytes", "counter", "en"): ("{{ $value | humanize1024 }}B / 5 min", "> {{ 2 | humanize1024 }}B / 5 min, 5 min"),
    ("bytes", "counter", "ko"): ("5분간 {{ $value | humanize1024 }}B", "5분간 {{ 2 | humanize1024 }}B 초과, 5분 지속"),
    ("ratio", "gauge", "en"): ("{{ $value | humanizePercentage }}", "> {{ 2 | humanizePercentage }}, 5 min"),
    ("ratio", "gauge", "ko"): ("{{ $value | humanizePercentage }}", "{{ 2 | humanizePercentage }} 초과, 5분 지속"),
}


@pytest.mark.parametrize("case", UNITS, ids=str)
def test_value_and_threshold_have_the_same_unit(case: tuple[str, str, Language]) -> None:
    unit, kind, language = case
    (group,) = app_files([app({"unit": unit, "type": kind, "alert": {"above": 2}})], language)["custom.yml"]
    annotations = group["rules"][0]["annotations"]
    assert (annotations["value"], annotations["threshold"]) == UNITS[case]


def test_a_large_bound_keeps_all_its_digits() -> None:
    (group,) = app_files([app({"unit": "KRW", "alert": {"above": 1234567}})], "en")["custom.yml"]
    (rule,) = group["rules"]
    assert rule["expr"].endswith(" > 1234567")
    assert rule["annotations"]["threshold"] == "> 1234567 KRW, 5 min"
    assert rule["annotations"]["summary"] == "{{ $labels.app }}: m0 is above 1234567"


# {every: how long it still fires without a value}
KEPT = {"30s": "690s", "5m": "180s", "1h": "180s"}


@pytest.mark.parametrize("every", KEPT)
def test_the_alert_of_a_kpi_waits_for_the_one_that_it_is_unreadable(every: str) -> None:
    kpi = {"name": "orders", "sql": "SELECT 1 AS value", "every": every, "description": "O", "alert": {"below": 1}}
    shop = App.model_validate({"name": "shop", "database": {"name": "shop"}, "kpis": [kpi]})
    (group,) = app_files([shop, app({"alert": {"below": 1}})], "en")["kpi.yml"]
    assert [rule["keep_firing_for"] for rule in group["rules"]] == [KEPT[every]]


KPI_SUMMARIES: dict[Language, tuple[str, str]] = {
    "en": (
        "{{ $labels.app }}: orders is below 1",
        "Orders. Declared by your team. The dashboard Business shows its past.",
    ),
    "ko": (
        "{{ $labels.app }}: orders 값이 1 미만",
        'Orders. 팀에서 설정한 KPI입니다. "비즈니스 현황" 대시보드에서 추이를 확인하세요.',
    ),
}


@pytest.mark.parametrize("language", KPI_SUMMARIES)
def test_the_alert_of_a_kpi_names_it_without_the_beginning_of_its_series(language: Language) -> None:
    kpi = {"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders", "alert": {"below": 1}}
    shop = App.model_validate({"name": "shop", "database": {"name": "shop"}, "kpis": [kpi]})
    (group,) = app_files([shop, app()], language)["kpi.yml"]
    (rule,) = group["rules"]
    assert (rule["alert"], rule["labels"]["kpi"]) == ("KpiOutOfRange", "orders")
    assert (rule["annotations"]["summary"], rule["annotations"]["description"]) == KPI_SUMMARIES[language]
