"""Per-app alert rules: which alerts an app gets, with which thresholds and words. PromQL is tested in tests/rules."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App, Thresholds
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import app_files

METRICS = ["127.0.0.1:8000"]
ALWAYS = ["AppDown", "AppInstanceDown", "AppMetricsUnreadable"]
HTTP = ["AppErrorRatioHigh", "AppExceptions", "AppLatencyHigh", "AppLatencyHigh", "AppMetricsMissing"]
DJANGO = ["AppDatabaseConnectionErrors"]


def rules(app: App, language: Any = "en") -> list[dict[str, Any]]:
    return [rule for group in app_files([app], language)["app.yml"] for rule in group["rules"]]


ALERTS_OF_FRAMEWORK = {
    "django": ALWAYS + HTTP + DJANGO,
    "fastapi": ALWAYS + HTTP,
    **dict.fromkeys(("flask", "express", "nestjs", "prom_client"), ALWAYS + HTTP),
    "generic": ALWAYS,
}


@pytest.mark.parametrize("framework", ALERTS_OF_FRAMEWORK)
def test_an_app_gets_the_alerts_its_framework_has_metrics_for(framework: Any) -> None:
    app = App(name="shop", framework=framework, metrics=METRICS)
    assert sorted(rule["alert"] for rule in rules(app)) == sorted(ALERTS_OF_FRAMEWORK[framework])


def test_an_alert_of_an_app_is_told_from_the_same_of_another_app() -> None:
    app = App(name="shop", framework="django", metrics=METRICS)
    assert {rule["labels"]["app"] for rule in rules(app)} == {"shop"}


NEEDED = {
    "django": "django_http_requests_before_middlewares_total",
    "flask": "flask_exporter_info",
    "prom_client": "http_requests_total / http_request_duration_seconds_count",
}


@pytest.mark.parametrize("framework", NEEDED)
def test_missing_metrics_are_named(framework: Any) -> None:
    app = App(name="shop", framework=framework, metrics=METRICS)
    for language in ("en", "ko"):
        (rule,) = (it for it in rules(app, language) if it["alert"] == "AppMetricsMissing")
        assert NEEDED[framework] in rule["annotations"]["description"]
        assert f"framework {framework}" in rule["annotations"]["description"]


def test_an_app_without_metrics_gets_no_group() -> None:
    assert app_files([App(name="shop", framework="django")], "en") == {"app.yml": []}


def test_each_app_has_a_group_of_its_own_and_rules_that_select_only_it() -> None:
    apps = [App(name=name, framework="django", metrics=METRICS) for name in ("shop", "blog")]
    groups = app_files(apps, "en")["app.yml"]
    assert [group["name"] for group in groups] == ["app_shop", "app_blog"]
    for group, app in zip(groups, apps, strict=True):
        for rule in group["rules"]:
            assert set(re.findall(r'app="([^"]*)"', rule["expr"])) == {app.name}, rule["alert"]


THRESHOLDS = Thresholds(
    error_ratio=0.125, error_for="7m", latency_p95_high_seconds=3.5, latency_p95_medium_seconds=0.5, down_for="20s"
)
# (alert, severity): (end of the expression, for, threshold shown)
DECLARED = {
    ("AppDown", "critical"): (" == 1", "20s", "up = 0, 20 s"),
    # Whether the app itself is down is known by then.
    ("AppMetricsUnreadable", "high"): (" == 0", "2m", "up = 0, 2 min"),
    ("AppInstanceDown", "high"): (" == 1)", "20s", "up = 0, 20 s"),
    ("AppErrorRatioHigh", "critical"): (
        ' > 0.125 and app:errors:increase5m{app="shop"} >= 5',
        "7m",
        "12.5 % and 5 / 5 min, 7 min",
    ),
    ("AppLatencyHigh", "high"): (" > 3.5", "5m", "3.5 s, 5 min"),
    ("AppLatencyHigh", "medium"): (" > 0.5", "10m", "0.5 s, 10 min"),
}


@pytest.mark.parametrize("which", DECLARED)
def test_declared_thresholds_are_in_the_rule_and_in_its_text(which: tuple[str, str]) -> None:
    app = App(name="shop", framework="django", metrics=METRICS, thresholds=THRESHOLDS)
    (rule,) = [rule for rule in rules(app) if (rule["alert"], rule["labels"]["severity"]) == which]
    end, wait, shown = DECLARED[which]
    assert rule["expr"].endswith(end)
    assert (rule["for"], rule["annotations"]["threshold"]) == (wait, shown)


def test_both_languages_have_words_for_every_alert_and_differ_in_nothing_else() -> None:
    app = App(name="shop", framework="django", metrics=METRICS)
    for english, korean in zip(rules(app, "en"), rules(app, "ko"), strict=True):
        said = korean.pop("annotations")
        for name, text in english.pop("annotations").items():
            assert re.fullmatch("[ -~]+", text), english["alert"]
            assert re.search("[가-힣]", said.pop(name)) or name == "value", english["alert"]
        assert (english, said) == (korean, {})


def test_every_summary_names_the_app_and_the_host() -> None:
    for language in ("en", "ko"):
        for rule in rules(App(name="shop", framework="django", metrics=METRICS), language):
            summary = rule["annotations"]["summary"]
            assert "{{ $labels.app }}" in summary, summary
            assert "{{ $labels.host }}" in summary, summary
