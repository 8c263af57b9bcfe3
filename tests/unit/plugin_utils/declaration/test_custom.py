"""What a team may declare of its own metrics, and the words of each refusal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomMetric

ROOT = Path(__file__).resolve().parents[4]
CAMPAIGNS: dict[str, Any] = {"name": "shop_campaigns", "description": "Active campaigns"}


def metric(**keys: Any) -> CustomMetric:
    return CustomMetric.model_validate({**CAMPAIGNS, **keys})


def test_the_example_of_the_docs_is_taken() -> None:
    text = (ROOT / "docs/operating.md").read_text()
    (example,) = (block for block in re.findall(r"(?ms)^```yaml\n(.+?)^```", text) if "custom_metrics" in block)
    (declared,) = yaml.safe_load(example)["crowsnest_apps"]
    app = App.model_validate(declared)
    assert [source.as_usual for source in app.metrics] == [True, False, False]
    assert [metric.type for metric in app.custom_metrics] == ["gauge", "counter", "histogram"]


def test_an_alert_has_a_time_and_a_severity_unless_declared() -> None:
    alert = metric(alert={"below": 0}).alert
    assert alert is not None
    assert (alert.below, alert.above, alert.wait, alert.severity) == (0, None, "5m", "medium")
    own = metric(alert={"above": 1.5, "for": "1h", "severity": "high"}).alert
    assert own is not None
    assert (own.above, own.wait, own.severity) == (1.5, "1h", "high")


SERIES = {"gauge": "shop_campaigns", "counter": "shop_campaigns", "histogram": "shop_campaigns_count"}


@pytest.mark.parametrize("kind", SERIES)
def test_each_kind_has_a_series_from_the_start(kind: str) -> None:
    assert metric(type=kind).exported == SERIES[kind]


# (type, labels): whether its panel needs a series
NEEDED = {
    ("gauge", ()): True,
    ("gauge", ("region",)): True,
    ("counter", ()): True,
    ("counter", ("reason",)): False,
    ("histogram", ()): True,
    ("histogram", ("endpoint",)): False,
}


@pytest.mark.parametrize("case", NEEDED, ids=str)
def test_what_waits_for_a_first_event_is_not_missed(case: tuple[str, tuple[str, ...]]) -> None:
    kind, labels = case
    declared = metric(type=kind, labels=list(labels))
    assert declared.needs == ((declared.exported,) if NEEDED[case] else ())


# (keys, words of the refusal)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "shop-campaigns"}, "String should match pattern"),
    ({"name": "shop:campaigns"}, "String should match pattern"),
    ({"name": 'x"} or vector(1)'}, "String should match pattern"),
    ({"type": "summary"}, "'gauge', 'counter' or 'histogram'"),
    ({"labels": ["region", "region"]}, "List each name in `labels` once"),
    ({"labels": ["app"]}, "`labels` may not have app"),
    ({"labels": ["__name__"]}, "`labels` may not have __name__"),
    ({"labels": ["a b"]}, "String should match pattern"),
    ({"type": "histogram", "name": "shop_calls_bucket"}, "without _bucket, _count and _sum"),
    ({"description": ""}, "String should match pattern"),
    ({"description": "{{ $value }}"}, "String should match pattern"),
    ({"unit": "{{ x }}"}, "String should match pattern"),
    ({"alert": {}}, "Set `above` or `below`"),
    ({"alert": {"above": 1, "below": 0}}, "Set `above` or `below`"),
    ({"alert": {"above": float("inf")}}, "finite number"),
    ({"alert": {"above": 1, "for": "0s"}}, "a duration longer than zero"),
    ({"alert": {"above": 1, "wait": "1m"}}, "Extra inputs are not permitted"),
    ({"alert": {"above": 1, "severity": "urgent"}}, "'critical', 'high', 'medium' or 'low'"),
]


@pytest.mark.parametrize(("keys", "words"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        metric(**keys)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ({"custom_metrics": [CAMPAIGNS]}, "`custom_metrics` and `metrics_prefix` need `metrics`"),
        ({"metrics_prefix": "shop_"}, "`custom_metrics` and `metrics_prefix` need `metrics`"),
        ({"metrics": [":8000"], "metrics_prefix": "shop-"}, "String should match pattern"),
        ({"metrics": [":8000"], "custom_metrics": [CAMPAIGNS] * 2}, "List each name in `custom_metrics` once"),
    ],
)
def test_an_app_has_a_page_and_each_metric_once(app: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        App.model_validate({"name": "shop", **app})
    assert words in str(refused.value)
