"""One fault, one message: what each cause explains, for how long, and that what was told goes on to its own end.

Each pair of a cause and an effect is played to promtool on the rules of two apps, shop and blog. What is measured is
made up, so that a cause and its effect begin and end when a case wants it. Single situations are in causes_test.yml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from generated import write
from programs import Tool, tool

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_data, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.ranks import level_of

APPS = [
    {
        "name": name,
        "framework": "django",
        "url": f"https://{name}.example.com/",
        "metrics": [f"127.0.0.1:{port}"],
        "database": {"name": name},
        "redis": {"queues": ["celery"]},
        "backup": False,
        "container": f"{name}-web-1",
    }
    for name, port in (("shop", 8000), ("blog", 8001))
]
FILES = ("app", "causes", "containers", "dependency", "host", "postgres_exporter", "probes", "redis_exporter", "uptime")

# (minute, alert, whether it fires then)
Asked = tuple[float, str, bool]
# {series without its labels app, environment and host: (well, broken)}
Measured = Mapping[str, tuple[float, float]]
UP, NODE, URL = 'up{job="app"}', 'up{job="node"}', 'probe_success{job="probe", probe="url"}'


@dataclass(frozen=True)
class Fault:
    """`wait` of its alert and how long it goes on after the end; an effect looks back at causes for `window`."""

    measured: Measured
    wait: int
    keep: int = 0
    window: int = 0


CAUSES: dict[str, Fault] = {
    "HostDown": Fault({NODE: (1, 0), UP: (1, 0)}, 60, 120),
    "PostgresDown": Fault({'pg_up{job="postgres_exporter"}': (1, 0)}, 60, 120),
    "PostgresConnectionsHigh": Fault({'pg_stat_activity_count{job="postgres_exporter"}': (5, 97)}, 60, 120),
    "RedisDown": Fault({'redis_up{job="redis_exporter"}': (1, 0)}, 60, 120),
    "CertificateExpired": Fault({'probe_ssl_earliest_cert_expiry{job="probe", probe="url"}': (9e9, 0)}, 0),
    "AppDown": Fault({UP: (1, 0), URL: (1, 0)}, 120, 120),
    "CeleryWorkerMissing": Fault({'redis_pubsub_patterns{job="redis_exporter"}': (1, 0)}, 60, 120),
    "ProbeComponentFailed": Fault({'probe_success{job="probe", probe="mail"}': (1, 0)}, 60, 120),
    "ProbeFailed": Fault({URL: (1, 0)}, 60, 120),
}
EFFECTS: dict[str, Fault] = {
    "MonitorDown": Fault({'monitor_status{monitor_type="port", monitor_name="shop: port"}': (1, 0)}, 60),
    "QueueLong": Fault({'redis_script_values{job="redis_exporter", key="celery"}': (0, 2000)}, 300, window=360),
    "AppDatabaseConnectionErrors": Fault({"app:database_connection_errors:increase1m": (0, 50)}, 90, window=360),
}
FAULTS = {**CAUSES, **EFFECTS}
# Always so; the component is one of several that the health answer tells of.
WELL: Measured = {series: values for fault in FAULTS.values() for series, values in fault.measured.items()} | {
    'probe_success{job="probe", probe="answer"}': (1, 1),
    'pg_settings_max_connections{job="postgres_exporter"}': (100, 100),
    'pg_settings_superuser_reserved_connections{job="postgres_exporter"}': (3, 3),
}
STRONG = tuple(CAUSES)[:6]


@pytest.fixture(scope="module")
def promtool() -> Tool:
    return tool("promtool")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("causes"), APPS)


def written(folder: Path, apps: Sequence[Mapping[str, Any]]) -> Path:
    """Without what takes time and changes nothing here: other alerts, those of blog, and all texts."""
    folder = write(folder, {"apps": apps}) / "rules"
    for name in FILES:
        groups = yaml_data((folder / f"{name}.yml").read_text())["groups"]
        for group in groups:
            group["rules"] = [
                {key: value for key, value in rule.items() if key != "annotations"}
                for rule in group["rules"]
                if rule.get("alert", "HostDown") in FAULTS and rule.get("labels", {}).get("app") != "blog"
            ]
        (folder / f"{name}.yml").write_text(yaml_text({"groups": groups}))
    return folder


def case(name: str, breaks: Sequence[tuple[str, str, float, float]], asked: Sequence[Asked]) -> dict[str, Any]:
    """A promtool test. `breaks`: (app, alert whose fault it is, from minute, to minute)."""
    minutes = max(minute for minute, _, _ in asked)
    values = {
        (app, series): [well] * (int(minutes * 4) + 4) for app in ("shop", "blog") for series, (well, _) in WELL.items()
    }
    for app, fault, begin, end in breaks:
        for series, (_, broken) in FAULTS[fault].measured.items():
            for at in range(int(begin * 4), min(int(end * 4), int(minutes * 4) + 4)):
                values[app, series][at] = broken
    fires = 'max(ALERTS{{alertname="{}", app=~"shop|", host="web1", alertstate="firing"}})'
    return {
        "name": name,
        "interval": "15s",
        "input_series": [
            {"series": labelled(app, series), "values": " ".join(map(str, each))}
            for (app, series), each in values.items()
        ],
        "promql_expr_test": [
            {
                "expr": fires.format(alert),
                "eval_time": f"{int(minute * 60)}s",
                "exp_samples": [{"value": 1}] if firing else [],
            }
            for minute, alert, firing in asked
        ],
    }


def labelled(app: str, series: str) -> str:
    name, _, labels = series.rstrip("}").partition("{")
    host = "web1" if app == "shop" else "web2"
    own = "" if series == NODE else f'app="{app}", '
    return f'{name}{{{own}environment="production", host="{host}", {labels}}}'


def play(promtool: Tool, rules: Path, cases: Sequence[Mapping[str, Any]]) -> None:
    order = [group["name"] for file in FILES for group in yaml_data((rules / f"{file}.yml").read_text())["groups"]]
    files = [f"{name}.yml" for name in FILES]
    test = {"rule_files": files, "evaluation_interval": "15s", "group_eval_order": order, "tests": cases}
    (rules / "pair_test.yml").write_text(yaml_text(test))
    done = promtool(rules, "test", "rules", "pair_test.yml")
    assert cases
    assert done.returncode == 0, done.stdout + done.stderr


def begin_of(effect: str) -> float:
    """An alert without a wait cannot begin at the very moment of its cause and wait for it."""
    return 10 if FAULTS[effect].wait else 11


def wait_of(effect: str) -> float:
    """In minutes, and how long it looks back."""
    return (FAULTS[effect].wait + FAULTS[effect].window) / 60


# Each kind of effect: a cause itself, one that looks back, one of an app's own metrics.
FEW = ("ProbeFailed", "QueueLong", "AppDatabaseConnectionErrors")
per_cause = pytest.mark.parametrize("cause", CAUSES)


def explained(cause: str) -> list[str]:
    return [effect for effect in FAULTS if level_of(cause) < level_of(effect)]


@per_cause
def test_an_effect_begins_only_when_it_goes_on_after_its_cause(promtool: Tool, rules: Path, cause: str) -> None:
    # A minute after the end of its alert; weak ones explain for ten minutes at most.
    until = 19 + FAULTS[cause].keep / 60 if cause in STRONG else 20
    cases = []
    for effect in explained(cause):
        begins = until + wait_of(effect) + (1 if FAULTS[effect].window and cause not in STRONG else 0)
        silent = [(minute, effect, False) for minute in (11.5, 12, 15, 18, 19.5, begins - 0.75)]
        asked = [(15, cause, True), *silent, (begins + 0.75, effect, True)]
        cases.append(case(effect, [("shop", cause, 10, 18), ("shop", effect, begin_of(effect), 60)], asked))
    play(promtool, rules, cases)


@pytest.mark.parametrize("cause", ["PostgresDown", "RedisDown", "ProbeComponentFailed", "ProbeFailed"])
def test_a_cause_that_comes_and_goes_keeps_nobody_from_being_told(promtool: Tool, rules: Path, cause: str) -> None:
    """As the page of an app that answers every other request with an error: its own alert does not come."""
    breaks = [("shop", cause, begin, begin + 0.75) for begin in range(10, 30)] + [("shop", "QueueLong", 10, 60)]
    asked = [(20, cause, False), (14.75, "QueueLong", False), (15.75, "QueueLong", True), (29, "QueueLong", True)]
    play(promtool, rules, [case(cause, breaks, asked)])


@per_cause
def test_what_was_told_before_its_cause_goes_on_to_its_own_end_and_is_told_anew(
    promtool: Tool, rules: Path, cause: str
) -> None:
    cases = []
    for effect in [each for each in explained(cause) if each in FEW]:
        if CAUSES[cause].measured.keys() & FAULTS[effect].measured.keys():
            continue
        told = 5 + FAULTS[effect].wait / 60 + 0.5
        ended = 30 + FAULTS[effect].keep / 60
        anew = 60 + FAULTS[effect].wait / 60
        goes_on = [(minute, effect, True) for minute in (told, 15, 20, 25, 29.75, *((31,) if ended > 30 else ()))]
        ends = [(ended + 0.5, effect, False), (ended + 0.5, cause, True), (45, cause, False), (45, effect, False)]
        breaks = [("shop", effect, 5, 30), ("shop", cause, 12, 40), ("shop", effect, 60, 80)]
        cases.append(case(effect, breaks, [*goes_on, *ends, (anew + 0.5, effect, True)]))
    play(promtool, rules, cases)


@per_cause
def test_a_cause_that_lasts_explains_for_an_hour_or_ten_minutes(promtool: Tool, rules: Path, cause: str) -> None:
    until = 70 if cause in STRONG else 20
    cases = []
    for effect in [each for each in explained(cause) if each in FEW]:
        begins = until + FAULTS[effect].wait / 60
        asked = [(begins - 0.75, effect, False), (begins + 1, effect, True), (begins + 1, cause, True)]
        cases.append(case(effect, [("shop", cause, 10, 200), ("shop", effect, begin_of(effect), 200)], asked))
    play(promtool, rules, cases)


@per_cause
def test_a_cause_explains_neither_another_app_nor_what_does_not_depend_on_it(
    promtool: Tool, rules: Path, cause: str
) -> None:
    cases = []
    for effect in sorted({*FEW, *(each for each in FAULTS if level_of(cause) >= level_of(each))}):
        fault = FAULTS[effect]
        begins = 10 + fault.wait / 60
        asked = [(begins - 0.5, effect, False)] if fault.wait else []
        asked += [(begins + 0.75, effect, True)]
        other = [("blog", cause, 5, 60), ("shop", effect, 10, 60)]
        cases.append(case(f"of blog, {effect}", other, asked))
        if level_of(cause) >= level_of(effect) and effect != cause:
            cases.append(case(effect, [("shop", cause, 8, 60), ("shop", effect, 10, 60)], asked[-1:]))
    play(promtool, rules, cases)


@pytest.mark.parametrize(("cause", "fires"), [("", 12.75), ("CeleryWorkerMissing", 22.75), ("RedisDown", 72.75)])
def test_a_part_that_is_down_waits_for_what_is_wrong_with_its_app(
    promtool: Tool, tmp_path: Path, cause: str, fires: float
) -> None:
    """For ten minutes where its workers are missing, for an hour where its Redis is down."""
    rules = written(tmp_path, [*APPS, {"name": "crew", "part_of": "shop", "metrics": ["127.0.0.1:8002"]}])
    played = case("part", [("shop", cause, 9.75, 90)] * bool(cause), [(80, "ProbeFailed", False)])
    crew = labelled("shop", UP).replace('app="shop"', 'app="crew"')
    played["input_series"].append({"series": crew, "values": "1x39 0x320"})
    down = 'max(ALERTS{alertname="AppDown", app="crew", alertstate="firing"})'
    played["promql_expr_test"] += [
        {"expr": down, "eval_time": f"{int(60 * minute)}s", "exp_samples": [{"value": 1}] * fired}
        for minute, fired in ((fires - 1.25, False), (fires, True))
    ]
    play(promtool, rules, [played])


STARTED = 'container_start_time_seconds{{container="{}", project="{}"}}'
DEPLOYED = {"its own": ("shop-web-1", ""), "one of its project": ("shop-proxy-1", "shop")}


@pytest.mark.parametrize("which", DEPLOYED)
def test_what_an_app_shows_waits_three_minutes_for_a_deploy_but_not_for_a_restart_by_policy(
    promtool: Tool, rules: Path, which: str
) -> None:
    container, project = DEPLOYED[which]
    cases = []
    for effect, restarts, waits in (
        ("AppDown", 0, 3),
        ("ProbeFailed", 0, 3),
        ("AppDatabaseConnectionErrors", 0, 3),
        ("PostgresDown", 0, 0),
        ("ProbeFailed", 1, 0),
    ):
        begins = 10 + waits + FAULTS[effect].wait / 60
        asked = [(begins - 0.5, effect, False), (begins + 0.75, effect, True)]
        played = case(f"{effect}, {restarts} restarts", [("shop", effect, 10, 60)], asked)
        values = {
            f'container_running{{container="shop-web-1", project="{project}"}}': "1x100",
            STARTED.format(container, project): "-9e6x39 600x60",
            f'container_restarts_total{{container="{container}", project="{project}"}}': f"0x39 {restarts}x60",
        }
        played["input_series"] += [
            {"series": labelled("shop", series).replace('app="shop", ', ""), "values": each}
            for series, each in values.items()
        ]
        cases.append(played)
    play(promtool, rules, cases)


def test_an_app_that_is_restarted_again_and_again_is_told_of(promtool: Tool, rules: Path) -> None:
    asked = [(12, "ProbeFailed", False), (22, "ProbeFailed", True)]
    played = case("every two minutes", [("shop", "ProbeFailed", 10, 60)], asked)
    starts = " ".join(f"{start}x7" for start in range(600, 1500, 120))
    series = labelled("shop", STARTED.format("shop-web-1", "")).replace('app="shop", ', "")
    played["input_series"].append({"series": series, "values": f"-9e6x39 {starts}"})
    play(promtool, rules, [played])


@pytest.mark.parametrize(
    ("disabled", "left"),
    [
        (["HostDown"], "host"),
        (["PostgresDown", "PostgresConnectionsHigh"], "database"),
        (["ProbeComponentFailed"], "component"),
    ],
)
def test_a_cause_whose_alerts_are_disabled_explains_nothing(tmp_path: Path, disabled: list[str], left: str) -> None:
    write(tmp_path, {"apps": APPS, "disabled_alerts": disabled})
    recorded = yaml_data((tmp_path / "rules/causes.yml").read_text())["groups"][0]["rules"]
    assert left not in [rule["labels"]["cause"] for rule in recorded if "labels" in rule]


def test_a_database_that_is_down_explains_nothing_when_only_that_is_disabled(tmp_path: Path) -> None:
    write(tmp_path, {"apps": APPS, "disabled_alerts": ["PostgresDown"]})
    recorded = yaml_data((tmp_path / "rules/causes.yml").read_text())["groups"][0]["rules"]
    of_database = [rule for rule in recorded if rule.get("labels") == {"cause": "database"}]
    (seen,) = [rule["expr"] for rule in of_database if rule["record"] == "app:cause:active"]
    assert "pg_up" not in seen
    assert "pg_stat_activity_count" in seen
