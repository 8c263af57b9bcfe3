"""Module verify against real servers that answer as Prometheus 3.14 and Alertmanager 0.34 do, and a docker on PATH."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from shapes import misfits

from ansible_collections.crowsnest.core.plugins.module_utils.verify import run as verify_run
from ansible_collections.crowsnest.core.plugins.module_utils.verify import server as verify_server
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Expected, Report, Service
from ansible_collections.crowsnest.core.plugins.modules import verify
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.verify import verify_report

Run = Callable[..., dict[str, Any]]
IMAGES = {
    "prometheus": "sha256:aaaaaaaaaaaaaaaa",
    "alertmanager": "sha256:bbbbbbbbbbbbbbbb",
    "grafana": "sha256:cccccccccccccccc",
    "uptime_kuma": "sha256:dddddddddddddddd",
}
NODE = {"job": "node", "address": "127.0.0.1:9100", "path": "/metrics", "app": "", "probe": "", "host": "web1"}
ACTIVE = {
    "discoveredLabels": {"job": "node", "__address__": "127.0.0.1:9100", "__metrics_path__": "/metrics"},
    "labels": {"job": "node", "instance": "127.0.0.1:9100", "host": "web1"},
    "health": "up",
    "lastError": "",
}
PANEL = {"dashboard": "host", "panel": "CPU", "expr": "cpu", "empty": "", "app": ""}


def rules(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`groups` of the rules, one of which gives these alerts."""
    file = "/etc/crowsnest/current/rules/host.yml"
    return [{"name": "cpu", "file": file, "interval": 15, "rules": [{"name": "A", "health": "ok", "alerts": alerts}]}]


def vector(*rows: tuple[dict[str, str], float]) -> dict[str, Any]:
    """`data` of an instant query."""
    series = [{"metric": labels, "value": [1795265006.7, str(value)]} for labels, value in rows]
    return {"resultType": "vector", "result": series}


class Prometheus:
    """Answers as the API does; tests change its attributes."""

    def __init__(self) -> None:
        self.started = time.strftime("%Y-%m-%dT%H:%M:%S.683705607Z", time.gmtime(time.time() - 7200))
        self.configured = self.started
        self.asked: list[str] = []
        self.targets = [ACTIVE]
        self.alertmanager = ""
        self.alerts: list[dict[str, Any]] = []
        self.words = {"cpu": vector(({"host": "web1"}, 0.5)), "notification_requests_total": vector(({}, 5.0))}
        self.refused: set[str] = set()

    def data(self, path: str, query: str) -> Any:
        """`data` of one answer."""
        self.asked.append(query)
        host = {"host": "web1", "mountpoint": "/"}
        known: dict[str, Any] = {
            "/api/v1/status/runtimeinfo": {"startTime": self.started, "lastConfigTime": self.configured},
            "/api/v1/targets": {"activeTargets": self.targets},
            "/api/v1/rules": {"groups": rules(self.alerts)},
            "/api/v1/alertmanagers": {"activeAlertmanagers": [{"url": f"{self.alertmanager}/api/v2/alerts"}]},
        }
        if path != "/api/v1/query":
            return known[path]
        if any(word in query for word in ("used:percent", "host:clock_ahead:seconds")):
            return vector((host, 1.0))
        return next((answer for word, answer in self.words.items() if word in query), vector())

    def __call__(self, _: str, path: str, __: bytes) -> tuple[int, str]:
        if path == "/metrics":
            return 200, loaded("prometheus")
        url = urlsplit(path)
        query = parse_qs(url.query).get("query", [""])[0]
        if query in self.refused:
            return 400, '{"status":"error","errorType":"bad_data","error":"parse error: unclosed left parenthesis"}'
        return 200, json.dumps({"status": "success", "data": self.data(url.path, query)})


def loaded(name: str) -> str:
    return (
        f"{name}_config_last_reload_successful 1\n{name}_config_last_reload_success_timestamp_seconds {time.time()}\n"
    )


@pytest.fixture
def prometheus() -> Prometheus:
    """What Prometheus says."""
    return Prometheus()


@pytest.fixture
def expected(serve: Any, prometheus: Prometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Expected:
    """A server on which all is as declared: a stack of two services with their files, containers and answers."""
    monkeypatch.setattr(verify_run, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(verify_server, "read_release", rights_of_root)
    alertmanager = serve(lambda *_: (200, loaded("alertmanager")))
    prometheus.alertmanager = alertmanager.url
    urls = {"prometheus": serve(prometheus).url, "alertmanager": alertmanager.url}
    (tmp_path / "compose.yaml").write_text("name: crowsnest\n")
    services = {name: service(name, url, tmp_path) for name, url in urls.items()}
    docker(tmp_path, monkeypatch, {name: container(name) for name in services})
    return {
        "host": "web1",
        "services": services,
        "compose": {"path": str(tmp_path / "compose.yaml"), "sha256": sha256("name: crowsnest\n")},
        "targets": [NODE],
        "rules": {"host.yml/cpu": 1},
        "receivers": {"slack": ["team"]},
        "slack_bots": {},
        "heartbeat": True,
        "certificates": {},
        "hosts": ["web1"],
        "apps": ["shop"],
        "dashboards": {},
        "grafana_plugins": {},
        "backups": [],
        "analytics": [],
        "custom_metrics": [],
        "kpis": [],
        "weekly_report": "",
        "monitors": [],
        "status_pages": [],
        "app_metrics": [],
        "business": {"key_file": "", "connections": 1, "questions": []},
        "queries": [PANEL],
        "checks": [
            {"status": "PASS", "area": "ports", "detail": "only declared ones", "advice": "", "kind": "", "name": ""}
        ],
    }


def rights_of_root(path: str) -> dict[str, verify_server.Found]:
    """The release as if root had written it, which a test must not need."""
    root = Path(path, "current")
    files = {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}
    return {name: verify_server.Found(sha256(file.read_text()), "0:21000:0640") for name, file in files.items()}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def service(name: str, url: str, folder: Path) -> Service:
    """What is expected of one service, and its release on the disk."""
    release = folder / name / "releases/abc"
    (release / "secrets").mkdir(parents=True)
    (release / "config.yml").write_text(name)
    (release / "secrets/key").write_text(f"{name}-secret")
    (folder / name / "current").symlink_to("releases/abc")
    os.utime(folder / name / "current", (time.time() - 7200,) * 2, follow_symlinks=False)
    return {
        "url": url,
        "path": str(folder / name),
        "container": f"crowsnest-{name}-1",
        "image": f"example/{name}:1",
        "user": 21000,
        "limit_mib": 64,
        "command": ["--a"],
        "environment": {},
        "labels": {},
        "reloads": name in ("prometheus", "alertmanager"),
        "answers": "/metrics",
        "unasked": "targets, rules, alerts, delivery, panels, certificates, hosts" if name == "prometheus" else "",
        "key": "",
        "files": {"config.yml": sha256(name)},
    }


def secrets(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"secrets/key": sha256(f"{name}-secret")} for name in names or ("prometheus", "alertmanager")}


def container(name: str, **state: Any) -> dict[str, Any]:
    """What `docker inspect` says."""
    running = {"Status": "running", "Running": True, "OOMKilled": False, "StartedAt": "2026-11-21T11:42:06.7Z"}
    return {
        "Name": f"/crowsnest-{name}-1",
        "Image": IMAGES[name],
        "RestartCount": 0,
        "State": {**running, **state},
        "HostConfig": {"Memory": 64 * 2**20},
        "Config": {"Image": f"example/{name}:1", "User": "21000:21000", "Cmd": ["--a"], "Env": [], "Labels": {}},
    }


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, containers: dict[str, dict[str, Any]]) -> None:
    """A program `docker` that knows these containers and the images of all services."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "containers").write_text(json.dumps(list(containers.values())))
    images = [{"Id": IMAGES[name]} for name in containers]
    (folder / "images").write_text(json.dumps(images))
    program = folder / "bin/docker"
    program.write_text(f'#!/bin/sh\ncat "{folder}/$1s"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")


def lines(result: dict[str, Any], status: str) -> list[str]:
    return [f"{it['area']}: {it['detail']}" for it in result["report"]["checks"] if it["status"] == status]


def test_a_stack_as_declared_passes(run_module: Run, expected: Expected) -> None:
    result = run_module(verify, expected=expected, secrets=secrets())
    report = result["report"]
    assert lines(result, "FAIL") + lines(result, "WARN") == []
    assert result["changed"] is False
    assert (report["host"], report["failed"], report["warnings"]) == ("web1", 0, 0)
    assert report["passed"] == len(report["checks"])
    sample = yaml.safe_load(verify.RETURN)["report"]["sample"]
    assert misfits(expected, Expected) + misfits(report, Report) + misfits(sample, Report) == []
    assert {it["area"] for it in report["checks"]} == {
        *("ports", "containers", "files", "configuration", "targets", "rules", "alertmanager", "alerts"),
        *("delivery", "heartbeat", "certificates", "disk", "memory", "clock", "backups", "panels"),
    }


def test_a_query_error_is_a_fault_in_prometheus_own_words(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    prometheus.refused = {"cpu"}
    result = run_module(verify, expected=expected, secrets=secrets())
    words = "HTTP 400: parse error: unclosed left parenthesis"
    assert lines(result, "FAIL") == [f"panels: host: CPU: the query is refused: {words}"]
    assert result["report"]["failed"] == 1


def test_a_declared_metric_that_an_app_does_not_export_is_a_warning(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    expected["custom_metrics"] = [
        {"app": "shop", "series": name, "setting": "custom_metrics"} for name in ("shop_orders", "shop_lost")
    ]
    prometheus.words["by (app) (min_over_time"] = vector(({"app": "shop"}, 1.0))
    prometheus.words["shop_lost|shop_orders"] = vector(({"app": "shop", "__name__": "shop_orders"}, 1.0))
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "WARN") == ["metrics: shop: shop_lost is declared, but not exported"]
    assert "metrics: 1 of 2 declared ones are exported" in lines(result, "PASS")


def test_a_kpi_that_its_database_does_not_answer_is_a_warning(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    expected["kpis"] = [{"app": "shop", "kpi": name} for name in ("orders", "lost")]
    prometheus.words["query_timestamp"] = vector(({"app": "shop", "kpi": "orders"}, 1.0))
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "WARN") == ["KPIs: shop: lost cannot be read"]
    assert "KPIs: 1 of 2 can be read" in lines(result, "PASS")


def test_what_failed_comes_first(run_module: Run, expected: Expected, prometheus: Prometheus) -> None:
    prometheus.targets = []
    expected["receivers"] = {}
    statuses = [it["status"] for it in run_module(verify, expected=expected, secrets=secrets())["report"]["checks"]]
    assert statuses == sorted(statuses, key=["FAIL", "WARN", "PASS"].index)
    assert set(statuses) == {"FAIL", "WARN", "PASS"}


def test_a_prometheus_that_does_not_answer_is_said_once(run_module: Run, expected: Expected, closed_url: str) -> None:
    expected["services"]["prometheus"]["url"] = closed_url
    (fault,) = lines(run_module(verify, expected=expected, secrets=secrets()), "FAIL")
    assert fault.startswith(f"services: prometheus does not answer at {closed_url} (")
    assert fault.endswith("; not checked: targets, rules, alerts, delivery, panels, certificates, hosts")


def test_a_prometheus_that_falls_silent_is_said_once(
    run_module: Run, expected: Expected, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = prometheus.data

    def hang_up(path: str, query: str) -> Any:
        if path == "/api/v1/query":
            raise ConnectionAbortedError
        return data(path, query)

    monkeypatch.setattr(prometheus, "data", hang_up)
    (fault,) = lines(run_module(verify, expected=expected, secrets=secrets()), "FAIL")
    assert fault.startswith("services: prometheus does not answer at ")


def test_a_container_that_does_not_run_is_said_once(
    run_module: Run, expected: Expected, closed_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = container("alertmanager", Status="exited", Running=False, ExitCode=1)
    docker(tmp_path, monkeypatch, {"prometheus": container("prometheus"), "alertmanager": gone})
    expected["services"]["alertmanager"]["url"] = closed_url
    faults = lines(run_module(verify, expected=expected, secrets=secrets()), "FAIL")
    assert faults == [
        "containers: alertmanager is exited with exit code 1",
        "alertmanager: Prometheus sends no alerts to it",
    ]


def test_an_engine_that_does_not_answer_is_said_once(run_module: Run, expected: Expected, tmp_path: Path) -> None:
    (tmp_path / "bin/docker").write_text("#!/bin/sh\necho no JSON\n")
    (fault,) = lines(run_module(verify, expected=expected, secrets=secrets()), "FAIL")
    assert fault.startswith("containers: Docker does not answer: ")


def test_a_changed_secret_is_named_and_not_shown(run_module: Run, expected: Expected, tmp_path: Path) -> None:
    (tmp_path / "prometheus/current/secrets/key").write_text("of another hand")
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "FAIL") == ["files: prometheus: changed: secrets/key"]
    assert "of another hand" not in json.dumps(result)


def test_a_changed_compose_project_is_named(run_module: Run, expected: Expected) -> None:
    expected["compose"]["sha256"] = sha256("another")
    faults = lines(run_module(verify, expected=expected, secrets=secrets()), "FAIL")
    assert faults == [f"files: {expected['compose']['path']} is not as generated"]


def test_grafana_is_asked_when_it_is_planned(
    run_module: Run, expected: Expected, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("prometheus", "alertmanager", "grafana")
    grafana = serve(lambda _, path, __: (200, "") if path == "/metrics" else (401, '{"message":"Invalid"}'))
    expected["services"]["grafana"] = service("grafana", grafana.url, tmp_path)
    docker(tmp_path, monkeypatch, {name: container(name) for name in names})
    result = run_module(verify, expected=expected, secrets=secrets(*names), grafana_password="of-the-user-admin")
    assert lines(result, "FAIL") == [
        "grafana: Grafana refuses the password of admin: it was changed by hand or declared since, "
        "or the user is locked"
    ]
    assert "of-the-user-admin" not in json.dumps(result["report"])


def test_slack_is_asked_about_the_token_of_a_bot(
    run_module: Run, expected: Expected, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack = serve(lambda *_: (200, '{"ok": false, "error": "token_revoked"}'))
    monkeypatch.setattr("ansible_collections.crowsnest.core.plugins.module_utils.slack.AUTH_TEST", slack.url)
    expected["slack_bots"] = {"team": "secrets/key"}
    result = run_module(verify, expected=expected, secrets=secrets("prometheus", "alertmanager"))
    assert lines(result, "FAIL") == ["delivery: Slack refuses the token of team (it was revoked: token_revoked)"]
    assert "alertmanager-secret" not in json.dumps(result["report"])


def test_uptime_kuma_is_asked_with_its_key_when_it_is_planned(
    run_module: Run, expected: Expected, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("prometheus", "alertmanager", "uptime_kuma")
    kuma = serve(lambda _, path, __: (200, 'monitor_status{monitor_name="shop"} 1' if path == "/metrics" else "{}"))
    (tmp_path / "kuma.key").write_text("uk1_of-kuma")
    expected["services"]["uptime_kuma"] = {
        **service("uptime_kuma", kuma.url, tmp_path),
        "key": str(tmp_path / "kuma.key"),
    }
    expected |= {"monitors": ["shop", "blog"], "status_pages": ["status"]}
    docker(tmp_path, monkeypatch, {name: container(name) for name in names})
    result = run_module(verify, expected=expected, secrets=secrets(*names))
    assert lines(result, "FAIL") == ["uptime: 1 of 2 declared monitors report no state: blog"]
    assert "uk1_of-kuma" not in json.dumps(result["report"])


def test_what_may_be_right_in_a_moment_is_asked_again(
    run_module: Run, expected: Expected, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[], [{**ACTIVE, "health": "unknown"}]])
    data = prometheus.data

    def slowly(path: str, query: str) -> Any:
        if path == "/api/v1/targets":
            prometheus.targets = next(answers, [ACTIVE])
        return data(path, query)

    monkeypatch.setattr(prometheus, "data", slowly)
    result = run_module(verify, expected=expected, secrets=secrets(), wait=20)
    assert (result["report"]["failed"], result["report"]["warnings"]) == (0, 0)
    assert next(answers, None) is None


def test_a_new_configuration_makes_an_old_prometheus_young(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    del prometheus.words["cpu"]
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "FAIL") == ["panels: host: CPU: no data"]
    prometheus.configured = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "FAIL") == []
    (warning,) = lines(result, "WARN")
    assert warning.startswith("panels: 1 without data because Prometheus has had this configuration for 6")


def test_deliveries_count_since_alertmanager_has_its_configuration_an_hour_at_most(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    for age, allowed in ((7200, range(3600, 3601)), (900, range(900, 960)), (5, range(60, 61))):
        link = Path(expected["services"]["alertmanager"]["path"], "current")
        os.utime(link, (time.time() - age,) * 2, follow_symlinks=False)
        prometheus.asked.clear()
        run_module(verify, expected=expected, secrets=secrets())
        (window,) = {
            seconds for query in prometheus.asked for seconds in re.findall(r"notifications_total{.+}\[(\d+)s", query)
        }
        assert int(window) in allowed


def test_what_prometheus_alerts_about_is_a_warning(run_module: Run, expected: Expected, prometheus: Prometheus) -> None:
    labels = {"alertname": "HostDiskFilling", "severity": "critical", "host": "web1", "mountpoint": "/"}
    prometheus.alerts = [{"labels": labels, "state": "firing", "value": "9.1e+01"}]
    result = run_module(verify, expected=expected, secrets=secrets())
    assert (lines(result, "WARN"), lines(result, "FAIL")) == (["disk: web1 / is 91 % full"], [])


def test_a_receiver_that_was_mended_by_a_new_configuration_is_past(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    receiver = {"integration": "slack", "receiver_name": "critical"}
    labels = {"alertname": "AlertmanagerNotificationsFailing", "severity": "critical", "integration": "slack"}
    prometheus.words["receiver:failing:timestamp"] = vector((receiver, time.time() - 120))
    prometheus.alerts = [{"labels": labels, "state": "firing", "value": "5"}]
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "FAIL") == ["delivery: messages (critical) do not reach team"]
    link = Path(expected["services"]["alertmanager"]["path"], "current")
    os.utime(link, (time.time() - 90,) * 2, follow_symlinks=False)
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "FAIL") + lines(result, "WARN") == []


def test_a_login_in_an_address_is_not_shown(run_module: Run, expected: Expected, prometheus: Prometheus) -> None:
    address = "http://kim:s3cr3t/pw@127.0.0.1:8107/"
    prometheus.targets = [{**ACTIVE, "health": "down", "lastError": f'Get "{address}": EOF'}]
    text = json.dumps(run_module(verify, expected=expected, secrets=secrets())["report"])
    assert "kim" not in text
    assert "s3cr3t" not in text


@pytest.mark.parametrize("address", ["https://a.example.com/@team", "https://a.example.com:8443/h?to=me@b.de"])
def test_an_at_in_an_address_is_not_always_a_login(
    run_module: Run, expected: Expected, prometheus: Prometheus, address: str
) -> None:
    prometheus.targets = [{**ACTIVE, "health": "down", "lastError": f'Get "{address}": EOF'}]
    assert address in json.dumps(run_module(verify, expected=expected, secrets=secrets())["report"])


def test_without_waiting_is_decided_at_once(run_module: Run, expected: Expected, prometheus: Prometheus) -> None:
    prometheus.targets = []
    result = run_module(verify, expected=expected, secrets=secrets())
    assert lines(result, "FAIL") == ["targets: node web1 127.0.0.1:9100 is declared but not watched"]


def test_what_will_not_be_right_in_a_moment_is_not_waited_for(run_module: Run, expected: Expected) -> None:
    expected["compose"]["sha256"] = sha256("another")
    assert run_module(verify, expected=expected, secrets=secrets(), wait=600)["report"]["seconds"] < 60


def test_check_mode_on_a_host_without_the_stack_has_nothing_to_ask(run_module: Run, expected: Expected) -> None:
    Path(expected["compose"]["path"]).unlink()
    result = run_module(verify, check=True, expected=expected)
    assert (result["changed"], result["report"]) == (False, {})
    assert run_module(verify, expected=expected)["report"]["failed"] > 0


def test_a_hundred_and_fifty_panels_take_less_than_three_seconds(run_module: Run, expected: Expected) -> None:
    expected["queries"] = [{**PANEL, "expr": f"cpu {number}"} for number in range(150)]
    report = run_module(verify, expected=expected, secrets=secrets())["report"]
    assert report["failed"] == 0
    assert report["seconds"] < 3


def test_an_outage_of_an_app_of_many_targets_fails_no_run_and_is_a_few_lines(
    run_module: Run, expected: Expected, prometheus: Prometheus
) -> None:
    apps = [{**NODE, "job": "app", "app": "shop", "address": f"127.0.0.1:{port}"} for port in range(8000, 8010)]
    expected["targets"] = [*apps, {**NODE, "job": "probe", "app": "shop", "probe": "url", "address": "http://a/"}]
    expected["queries"] = [{**PANEL, "panel": f"P{number}", "expr": "app:x", "app": "shop"} for number in range(10)]
    down = {**ACTIVE, "health": "down", "lastError": "connection refused"}
    labels = {"app": "shop", "host": "web1"}
    prometheus.targets = [
        {
            **down,
            "labels": labels,
            "discoveredLabels": {**ACTIVE["discoveredLabels"], "job": "app", "__address__": it["address"]},
        }
        for it in apps
    ]
    probe = {"job": "probe", "__address__": "http://a/", "__metrics_path__": "/metrics"}
    prometheus.targets.append({**ACTIVE, "labels": {**labels, "probe": "url"}, "discoveredLabels": probe})
    prometheus.words["probe_success"] = vector(({"app": "shop", "probe": "url", "instance": "http://a/"}, 0))
    prometheus.alerts = [
        {"labels": {"alertname": name, "severity": "critical", **labels}, "state": "firing", "value": "0"}
        for name in ("AppDown", "ProbeFailed", "MonitorDown", "AppErrorRatioHigh")
    ]
    report = run_module(verify, expected=expected, secrets=secrets())["report"]
    assert [line for line in verify_report(report) if line.startswith(("FAIL", "WARN"))] == [
        "WARN    targets        10 targets of app shop are down: 127.0.0.1:8000 (connection refused), "
        "127.0.0.1:8001 (connection refused), 127.0.0.1:8002 (connection refused) and 7 more",
        "WARN    alerts         4 alerts fire: AppDown shop (critical), AppErrorRatioHigh shop (critical), "
        "MonitorDown shop (critical) and 1 more",
        "WARN    probes         shop is not reachable, or does not answer as it should: url",
        "WARN    panels         10 without data because shop is down, or was less than 5 min ago: "
        "host: P0, host: P1, host: P2 and 7 more",
    ]
    assert len([it for it in report["checks"] if it["area"] == "targets"]) == 11
