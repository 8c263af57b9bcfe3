"""What a team may declare of its KPIs, and the words of each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import ROOT, yaml_data

ORDERS: dict[str, Any] = {"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}


def kpi(**keys: Any) -> Kpi:
    return Kpi.model_validate({**ORDERS, **keys})


# {every: for how many seconds an answer counts}
VALID = {"30s": 90, "5m": 900, "15m": 2700, "1h": 5400}


@pytest.mark.parametrize("every", VALID)
def test_an_answer_outlives_two_failures_but_a_rare_one_is_missed_soon(every: str) -> None:
    assert kpi(every=every).valid_seconds == VALID[every]


def test_prometheus_is_as_patient_as_is_declared() -> None:
    """The promtool case names each KPI after its `every`."""
    cases = yaml_data((ROOT / "tests/rules/query_exporter_test.yml").read_text())["tests"]
    (case,) = (it for it in cases if "how long an answer counts" in it["name"])
    (samples,) = (it["exp_samples"] for it in case["promql_expr_test"])
    found = {it["labels"].partition('kpi="')[2].rstrip('"}'): it["value"] for it in samples}
    assert found.pop("never") == kpi(every="30s").patience_seconds
    assert found == {every: kpi(every=every).patience_seconds for every in VALID}


def test_its_series_is_a_gauge_with_what_is_declared_of_it() -> None:
    made = kpi(labels=["region"], unit="KRW", alert={"below": 1}).metric
    assert (made.name, made.type, made.labels, made.unit) == ("kpi_orders", "gauge", ["region"], "KRW")
    assert made.lowest_counts


# (keys, words of the refusal)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "Orders"}, "String should match pattern"),
    ({"name": "orders-now"}, "String should match pattern"),
    ({"name": "1st"}, "String should match pattern"),
    ({"name": "o" * 41}, "String should match pattern"),
    ({"sql": None}, "Set either `sql` or `file`"),
    ({"file": "a.sql"}, "Set either `sql` or `file`"),
    ({"every": "29s"}, "a duration from 30s to 1h"),
    ({"every": "1h1s"}, "a duration from 30s to 1h"),
    ({"every": "soon"}, "a duration: whole numbers"),
    ({"labels": ["Region"]}, "String should match pattern"),
    ({"labels": ["지역"]}, "String should match pattern"),
    ({"labels": ["region", "region"]}, "List each name in `labels` once"),
    *(
        ({"labels": [name]}, f"`labels` may not have {name}: crowsnest or Prometheus sets it")
        for name in ("app", "host", "environment", "job", "instance", "database", "query", "kpi", "value", "__name__")
    ),
    ({"unit": "{{ x }}"}, "String should match pattern"),
    ({"description": ""}, "String should match pattern"),
    ({"alert": {}}, "Set `above` or `below`"),
    ({"type": "counter"}, "Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("keys", "words"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        kpi(**keys)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ({"kpis": [ORDERS]}, "`kpis` needs `database`: what their SQL is put to"),
        ({"database": {"name": "shop"}, "kpis": [ORDERS, ORDERS]}, "List each name in `kpis` once"),
    ],
)
def test_an_app_has_a_database_and_each_kpi_once(app: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        App.model_validate({"name": "shop", **app})
    assert words in str(refused.value)
