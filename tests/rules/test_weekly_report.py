"""The weekly message: what a real Prometheus knows of two weeks, as a real Alertmanager delivers it."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import contexts
import pytest
from generated import alertmanager, write
from posted import Posted, posted
from programs import command, free_port, running, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.weekly_report import settings
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES

PROGRAM = FILES / "weekly_report/weekly_report.py"
SEOUL = ZoneInfo("Asia/Seoul")
MINUTE, HOUR, DAY = 60, 3600, 86400
NOW = int(time.time()) // 300 * 300
# Series of every five minutes have so many samples in a week.
STEPS = 7 * DAY // 300
DATABASE = {"address": "127.0.0.1:5432", "name": "shop", "admin_user": "a", "admin_password": "a-long-password"}


def kpi(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "sql": "SELECT 1 AS value", "description": "Counted.", **more}


DECLARED: dict[str, Any] = {
    "apps": [
        {
            "name": "shop",
            "framework": "django",
            "metrics": [":8000"],
            "url": "https://shop.example.com/",
            "database": DATABASE,
            "kpis": [
                kpi("active_customers", unit="people"),
                kpi("orders"),
                kpi("returning", unit="ratio"),
                kpi("refunds"),
                kpi("by_region", labels=["region"], sql="SELECT region, 1 AS value FROM orders"),
            ],
        },
        {"name": "blog", "url": "https://blog.example.com/"},
        {"name": "tool"},
    ],
    "weekly_report": {},
    "receivers": [{"type": "slack", "webhook_url": "http://127.0.0.1:1/x"}],
}
Point = tuple[int, float]


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("weekly_report", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["weekly_report"] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


weekly_report = program()


# --- two weeks in Prometheus ------------------------------------------------------------------------------------------


def every(seconds: int, since: int, value: Any = 1, until_: int = 0) -> list[Point]:
    """Samples from so many seconds before NOW to so many; `value` is a number, or a function of the time before NOW."""
    ages = range(since, until_ - 1, -seconds)
    return [(NOW - age, value(age) if callable(value) else value) for age in ages]


def rising(each: float) -> list[Point]:
    """A counter that rises by `each` every five minutes."""
    return every(300, 14 * DAY, lambda age: each * (14 * DAY - age) / 300)


def pages(view: str, each: float, seconds: float, app: str = "shop") -> dict[str, list[Point]]:
    """A page with `each` answers every five minutes, which take so long."""
    labels = f'job="app", app="{app}", instance="a", view="{view}", method="GET"'
    name = "django_http_requests_latency_seconds_by_view_method"
    return {f"{name}_sum{{{labels}}}": rising(each * seconds), f"{name}_count{{{labels}}}": rising(each)}


def firing(name: str, severity: str, points: list[Point], **labels: str) -> dict[str, list[Point]]:
    pairs = {"alertname": name, "alertstate": "firing", "severity": severity, **labels}
    return {"ALERTS{" + ", ".join(f'{key}="{text}"' for key, text in pairs.items()) + "}": points}


def down(share_of: Mapping[int, int]) -> Any:
    """Available but for so many five minutes in each week, the last one is week 0."""
    return lambda age: 0 if age % (7 * DAY) // 300 < share_of[min(age // (7 * DAY), 1)] else 1


DISK = 'environment="production", device="/dev/sda", fstype="ext4", instance="a", job="node"'
SERIES: dict[str, list[Point]] = {
    'up{job="prometheus"}': every(MINUTE, 14 * DAY - MINUTE),
    'app:available:ratio5m{app="shop", host="web1"}': every(300, 14 * DAY, down({0: 20, 1: 10})),
    'app:available:ratio5m{app="gone", host="web1"}': every(300, 14 * DAY),
    **firing(
        "AppDown",
        "critical",
        [*every(MINUTE, 2 * DAY, 1, 2 * DAY - 9 * MINUTE), *every(MINUTE, DAY, 1, DAY - 29 * MINUTE)],
        app="shop",
        host="web1",
    ),
    # The lower severity goes on while the higher one fires; it fires still.
    **firing("HostDiskFilling", "medium", every(MINUTE, 119 * MINUTE), host="web1", mountpoint="/"),
    **firing("HostDiskFilling", "critical", every(MINUTE, 59 * MINUTE), host="web1", mountpoint="/"),
    **firing("HostDown", "critical", every(MINUTE, DAY, 1, DAY - HOUR), host="removed"),
    **firing("AppDown", "critical", every(MINUTE, DAY, 1, DAY - 30 * MINUTE), app="gone", host="web1"),
    # A rule of the team's own, whose labels name nothing that is declared.
    **firing("ImportFailed", "critical", every(MINUTE, DAY, 1, DAY - 19 * MINUTE), app="importer", host="db.internal"),
    **firing("BackupDone", "none", every(MINUTE, DAY, 1, DAY - HOUR), app="shop", host="web1"),
    **firing("AlertingPathAlive", "none", every(MINUTE, 7 * DAY)),
    **pages("orders", 1, 0.5),
    **pages("reports", 0.5, 2),
    **pages("rare", 0.001, 9),
    **pages("health", 1, 9),
    **pages("orders", 1, 9, "gone"),
    'kpi_active_customers{app="shop", job="query_exporter"}': every(
        300, 14 * DAY, lambda age: 1100 if age < 7 * DAY else 1000
    ),
    'kpi_active_customers{app="shop", job="app"}': every(300, 14 * DAY, 7),
    'kpi_returning{app="shop", job="query_exporter"}': every(300, 14 * DAY, 0.25),
    'kpi_refunds{app="shop", host="web1", job="query_exporter"}': every(300, 3 * DAY),
    'kpi_refunds{app="shop", host="web2", job="query_exporter"}': every(300, 14 * DAY, 1, 3 * DAY),
    'kpi_by_region{app="shop", job="query_exporter", region="a"}': every(300, 14 * DAY),
    'crowsnest_backup_last_success_timestamp_seconds{app="shop", host="web1"}': every(300, DAY, NOW - 6 * HOUR),
    'crowsnest_backup_drill_last_success_timestamp_seconds{app="shop", host="web1"}': every(300, DAY, NOW - 2 * DAY),
    f'host:filesystem_used:percent{{host="web1", mountpoint="/", {DISK}}}': every(300, DAY, 85.7),
    f'host:filesystem_used:percent{{host="web1", mountpoint="/data", {DISK}}}': every(300, DAY, 40),
    f'host:filesystem_used:percent{{host="web2", mountpoint="/", {DISK}}}': every(300, DAY, 12),
    f'host:filesystem_used:percent{{host="removed", mountpoint="/", {DISK}}}': every(300, DAY, 99),
    # A gigabyte a week, and six and a half are left.
    f'host:filesystem_avail:bytes{{host="web1", mountpoint="/", {DISK}}}': every(
        300, 10 * DAY, lambda age: 6.5e9 + 1e9 * age / (7 * DAY)
    ),
    f'host:filesystem_avail:bytes{{host="web1", mountpoint="/data", {DISK}}}': every(300, 10 * DAY, 5e10),
    f'host:filesystem_avail:bytes{{host="web2", mountpoint="/", {DISK}}}': every(300, DAY, lambda age: 1e9 + age),
    **{
        f'container_image_created_time_seconds{{host="web1", image="{image}", container="{container}"}}': every(
            300, DAY, NOW - days * DAY if days else 0
        )
        for image, container, days in (
            ("redis:6", "shop-redis-1", 412),
            ("redis:6", "blog-redis-1", 412),
            ("nginx:1.29", "proxy", 10),
            ("built-without-a-time", "bazel", 0),
        )
    },
}


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Prometheus with what is in `folder`/data. Looking back a minute, each sample counts as one minute."""
    (folder / "prometheus.yml").write_text("{}\n")
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--log.level=error"]
    more = ["--query.lookback-delta=60s", "--storage.tsdb.retention.time=90d"]
    with running("prometheus", folder, *flags, *more, port=port) as url:
        yield url


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that knows SERIES."""
    folder = tmp_path_factory.mktemp("history")
    lines = []
    for name in dict.fromkeys(series.partition("{")[0] for series in SERIES):
        lines.append(f"# TYPE {name} unknown")
        lines += [
            f"{series.replace(', ', ',')} {value!r} {second}"
            for series, points in SERIES.items()
            if series.partition("{")[0] == name
            for second, value in points
        ]
    (folder / "series.txt").write_text("\n".join([*lines, "# EOF"]) + "\n")
    words = ["tsdb", "create-blocks-from", "openmetrics", "--quiet", str(folder / "series.txt"), str(folder / "data")]
    subprocess.run([*command("promtool", folder), *words], check=True, capture_output=True)
    with serving(folder) as url:
        yield url


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that was just installed."""
    with serving(tmp_path_factory.mktemp("nothing")) as url:
        yield url


def made(url: str = "", alerts: str = "", **declared: Any) -> dict[str, Any]:
    """What crowsnest writes for the program, of this declaration on web1, web2 and web3."""
    context = contexts.context_of(DECLARED | declared, hosts=("web1", "web2", "web3"))
    found = settings(context)
    assert found is not None
    return found | {"prometheus": url, "alertmanager": alerts}


def clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, SEOUL).strftime("%Y-%m-%d %H:%M")


PERIOD = clock(NOW - 7 * DAY), clock(NOW)
ENGLISH = f"""\
{PERIOD[0]} to {PERIOD[1]} KST. In brackets: the change from the week before.
Availability:
• shop: 99.00 % (-0.50)
• blog: no data yet
• tool: not measured, as it has no url and no health endpoint
Alerts, how often and for how long together:
• CRITICAL HostDiskFilling web1: once, 2 h, still firing
• CRITICAL HostDown removed: once, 1 h 1 min
• CRITICAL AppDown shop: 2 times, 40 min
• CRITICAL AppDown gone: once, 31 min
• CRITICAL ImportFailed importer: once, 20 min
Slowest pages, mean of the week:
• shop GET reports: 2.00 s, 1,008 requests
• shop GET orders: 0.50 s, 2,016 requests
KPIs, mean of the week:
• shop Active customers: 1,100 people (+10.0 %)
• shop Orders: no data yet
• shop Returning: 25 % (+0.0 %)
• shop Refunds: no one number, as there are several series
Backups:
• shop: last {clock(NOW - 6 * HOUR)}, proven by a drill {clock(NOW - 2 * DAY)}
• stack: none yet
Disks:
• web1 /: 85 % used, full in 6 weeks
• web2 /: 12 % used, no data yet of how it fills
• web3: no data yet
• no other is full within a year, the fullest of them is web1 /data at 40 %
Images older than 90 days:
• redis:6: 412 days (blog-redis-1, shop-redis-1)"""
KOREAN = f"""\
{PERIOD[0]} ~ {PERIOD[1]} KST, 괄호 안은 전주 대비 증감입니다.
가용률:
• shop: 99.00% (-0.50)
• blog: 데이터 아직 없음
• tool: 측정하지 않음(url, 헬스 체크 엔드포인트 없음)
알림(횟수, 총 지속 시간):
• 심각 HostDiskFilling web1: 1회, 2시간, 발생 중
• 심각 HostDown removed: 1회, 1시간 1분
• 심각 AppDown shop: 2회, 40분
• 심각 AppDown gone: 1회, 31분
• 심각 ImportFailed importer: 1회, 20분
가장 느린 페이지(주간 평균):
• shop GET reports: 2.00초, 요청 1,008건
• shop GET orders: 0.50초, 요청 2,016건
KPI(주간 평균):
• shop Active customers: 1,100 people (+10.0%)
• shop Orders: 데이터 아직 없음
• shop Returning: 25 % (+0.0%)
• shop Refunds: 시계열이 여러 개라 하나의 값으로 표시할 수 없음
백업:
• shop: 마지막 백업 {clock(NOW - 6 * HOUR)}, 복원 훈련 성공 {clock(NOW - 2 * DAY)}
• stack: 백업 아직 없음
디스크:
• web1 /: 사용률 85%, 6주 후 가득 참 예상
• web2 /: 사용률 12%, 증가 추세 데이터 아직 없음
• web3: 데이터 아직 없음
• 나머지는 1년 내 가득 차지 않음, 그중 사용률 최고 web1 /data 40%
90일 넘은 이미지:
• redis:6: 412일(blog-redis-1, shop-redis-1)"""
TITLES = {"en": "Week of production: 5 alerts fired", "ko": "주간 보고(production): 알림 5건 발생"}


@pytest.mark.parametrize(("language", "text"), [("en", ENGLISH), ("ko", KOREAN)])
def test_the_figures_are_those_of_the_week(history: str, language: str, text: str) -> None:
    report = weekly_report.look(made(history, language=language), NOW)
    assert report.title == TITLES[language]
    assert report.text == text


def test_what_is_not_known_yet_is_told_in_words(nothing: str) -> None:
    report = weekly_report.look(made(nothing), NOW)
    assert report.title == "Week of production: no data yet"
    assert report.text.splitlines()[1:] == [
        "Prometheus has no metrics of these 7 days yet.",
        *("Availability:", "• shop: no data yet", "• blog: no data yet"),
        "• tool: not measured, as it has no url and no health endpoint",
        *("Slowest pages, mean of the week:", "• no data yet"),
        *(
            "KPIs, mean of the week:",
            "• shop Active customers: no data yet",
            "• shop Orders: no data yet",
            "• shop Returning: no data yet",
            "• shop Refunds: no data yet",
        ),
        *("Backups:", "• shop: none yet, not proven by a drill yet", "• stack: none yet"),
        *("Disks:", "• web1: no data yet", "• web2: no data yet", "• web3: no data yet"),
        *("Images older than 90 days:", "• no data yet"),
    ]


def test_of_a_quiet_week_it_says_so(history: str) -> None:
    """Twelve days ago, when Prometheus had been there for two days."""
    report = weekly_report.look(made(history), NOW - 12 * DAY)
    assert report.title == "Week of production: all quiet"
    assert report.text.splitlines()[1:3] == [
        "Prometheus ran for only 2 d of these 7 days.",
        "Everything is quiet: no alert fired in these 7 days.",
    ]


def test_a_query_that_prometheus_refuses_costs_its_part_only(history: str, capsys: pytest.CaptureFixture[str]) -> None:
    broken = made(history)
    broken["queries"]["slowest"] = "sum("
    text = weekly_report.look(broken, NOW).text
    assert text == re.sub("(mean of the week:\n)• shop GET.*\n• shop GET.*", r"\1• no data yet", ENGLISH)
    assert "Prometheus answers 400" in capsys.readouterr().err


# --- on its way -------------------------------------------------------------------------------------------------------


class Ran(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Place:
    """A host: the program with its settings, the folder of node exporter, and a moment that is due now."""

    def __init__(self, folder: Path, prometheus: str, alerts: str, language: str = "en") -> None:
        due = datetime.fromtimestamp(NOW - MINUTE, SEOUL)
        when = {"weekday": due.strftime("%A").lower(), "at": due.strftime("%H:%M")}
        self.folder, self.file = folder, folder / "crowsnest-weekly-report.prom"
        self.settings = made(prometheus, alerts, language=language, weekly_report=when)
        (folder / "settings.json").write_text(json.dumps(self.settings))
        self.file.write_text(weekly_report.exposition(weekly_report.State(self.settings["schedule"], NOW - 9 * DAY)))

    def run(self, *words: str) -> Ran:
        """What the program does at NOW, as the timer starts it or with these words."""
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            called = ["--settings", str(self.folder / "settings.json"), *(words or [str(self.folder)])]
            code = weekly_report.main(called, NOW)
        return Ran(code, out.getvalue(), err.getvalue())

    def sent(self) -> bool:
        return "\ncrowsnest_weekly_report_time_seconds " in self.file.read_text()


def receivers(caught: Posted) -> list[dict[str, Any]]:
    low = {"severities": ["low"]}
    keys = {"access_key": "AKIA", "secret_key": "hush"}
    return [
        {"type": "slack", "webhook_url": f"{caught.url}/slack", **low},
        {"type": "discord", "webhook_url": f"{caught.url}/api/webhooks/1/x", **low},
        {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall", **keys, **low},
        {"type": "webhook", "url": f"{caught.url}/pager", **low},
    ]


@contextmanager
def delivering(folder: Path, caught: Posted, port: int = 0, language: str = "en") -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    write(folder, {**DECLARED, "receivers": receivers(caught), "language": language})
    keys = {"AWS_ENDPOINT_URL_SNS": caught.url, "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/secrets/aws_credentials"}
    with alertmanager(folder, port, **keys) as server:
        yield server.url


def by_kind(bodies: list[str]) -> dict[str, str]:
    """{"slack", "discord", "sns": the body}."""
    kinds = {"attachments": "slack", "embeds": "discord", "Action=Publish": "sns"}
    return {kind: body for body in bodies for word, kind in kinds.items() if word in body}


def test_it_arrives_whole_and_once(history: str, tmp_path: Path) -> None:
    with posted() as caught, delivering(tmp_path / "alerts", caught) as alerts:
        place = Place(tmp_path, history, alerts)
        done = place.run()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert place.sent()
        until(lambda: len(caught.bodies) == 3, 30)
        # Again, and once more by one that was cut off before it wrote that it had sent it.
        assert place.run().returncode == 0
        place.file.write_text(re.sub("(?m)^crowsnest_weekly_report_time.*", "", place.file.read_text()))
        assert place.run().returncode == 0 and place.sent()
        time.sleep(3)
        assert len(caught.bodies) == 3
        # By hand another one comes, and nothing is noted of it.
        before = place.file.read_text()
        assert place.run("--now").returncode == 0
        until(lambda: len(caught.bodies) == 6, 30)
        assert place.file.read_text() == before
    found = by_kind(caught.bodies[:3])
    (slack,) = json.loads(found["slack"])["attachments"]
    assert slack["title"] == f"📋 {TITLES['en']}" and slack["color"] == "#2eb67d"
    lines = slack["text"].splitlines()
    assert lines[1:-1] == ENGLISH.splitlines()[1:] and lines[-1].startswith("<http")
    (embed,) = json.loads(found["discord"])["embeds"]
    assert embed["description"].splitlines()[1:-1] == ENGLISH.splitlines()[1:]
    form = {name: values[0] for name, values in parse_qs(found["sns"]).items()}
    assert form["Message"] == f"📋 {TITLES['en']}"
    assert form["Subject"] == TITLES["en"]


def test_in_korean(history: str, tmp_path: Path) -> None:
    with posted() as caught, delivering(tmp_path / "alerts", caught, language="ko") as alerts:
        assert Place(tmp_path, history, alerts, "ko").run().returncode == 0
        until(lambda: len(caught.bodies) == 3, 30)
    (slack,) = json.loads(by_kind(caught.bodies)["slack"])["attachments"]
    assert slack["title"] == f"📋 {TITLES['ko']}"
    assert slack["text"].splitlines()[1:-1] == KOREAN.splitlines()[1:]


def test_while_prometheus_is_down_nothing_is_sent_and_the_journal_says_why(tmp_path: Path) -> None:
    port = free_port()
    with posted() as caught, delivering(tmp_path / "alerts", caught) as alerts:
        place = Place(tmp_path, f"http://127.0.0.1:{port}", alerts)
        done = place.run()
        assert done.returncode == 1 and not place.sent()
        assert done.stderr.startswith(
            f"weekly_report: Prometheus does not answer at http://127.0.0.1:{port}/api/v1/query"
        )
        assert done.stderr.count("\n") == 1
        with serving(tmp_path, port):
            assert place.run().returncode == 0 and place.sent()
            until(lambda: len(caught.bodies) == 3, 30)


def test_when_alertmanager_is_back_it_is_sent(nothing: str, tmp_path: Path) -> None:
    port = free_port()
    place = Place(tmp_path, nothing, f"http://127.0.0.1:{port}")
    done = place.run()
    assert done.returncode == 1 and not place.sent()
    assert done.stderr.startswith(
        f"weekly_report: Alertmanager does not answer at http://127.0.0.1:{port}/api/v2/alerts"
    )
    with posted() as caught, delivering(tmp_path / "alerts", caught, port):
        assert place.run().returncode == 0 and place.sent()
        until(lambda: len(caught.bodies) == 3, 30)


def test_a_receiver_that_is_out_of_order_gets_it_later_and_never_that_it_is_over(nothing: str, tmp_path: Path) -> None:
    port, alerts = free_port(), tmp_path / "alerts"
    alerts.mkdir()
    hooks = [{"type": "discord", "webhook_url": f"http://127.0.0.1:{port}/api/webhooks/1/x"}]
    config = write(alerts, {**DECLARED, "receivers": hooks}) / "alertmanager.yml"
    config.write_text(re.sub(r"group_interval: \w+", "group_interval: 2s", config.read_text()))
    with alertmanager(alerts) as server:
        place = Place(tmp_path, nothing, server.url)
        assert place.run().returncode == 0
        time.sleep(1)
        with posted(port) as caught:
            until(lambda: len(caught.bodies) == 1, 60)
            (sent,) = server.alerts()
            over = {name: sent[name] for name in ("labels", "annotations", "startsAt")}
            server.post([over | {"endsAt": datetime.now(UTC).isoformat()}])
            until(lambda: not server.alerts(), 30)
            time.sleep(5)
            assert len(caught.bodies) == 1


def test_what_it_cannot_remember_it_does_not_send(nothing: str, tmp_path: Path) -> None:
    with posted() as caught, delivering(tmp_path / "alerts", caught) as alerts:
        place = Place(tmp_path, nothing, alerts)
        (tmp_path / "crowsnest-weekly-report.prom.new").mkdir()
        done = place.run()
        assert done.returncode == 1 and "crowsnest-weekly-report.prom.new" in done.stderr
        time.sleep(3)
        assert caught.bodies == []


def test_it_can_be_looked_at_without_sending_it(history: str, tmp_path: Path) -> None:
    place = Place(tmp_path, history, "http://127.0.0.1:1")
    before = place.file.read_text()
    done = place.run("--print")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == TITLES["en"] and done.stdout.splitlines()[2:4] == ENGLISH.splitlines()[1:3]
    assert place.file.read_text() == before


def test_the_first_start_sends_nothing_and_a_new_schedule_begins_anew(nothing: str, tmp_path: Path) -> None:
    place = Place(tmp_path, nothing, "http://127.0.0.1:1")
    for text in ("", place.file.read_text().replace('schedule="', 'schedule="not ')):
        place.file.write_text(text)
        assert place.run().returncode == 0, "it tried to send"
        assert f'{{schedule="{place.settings["schedule"]}"}}' in place.file.read_text()
        assert place.file.stat().st_mode & 0o777 == 0o644


def test_it_runs_with_nothing_but_the_python_of_a_host(nothing: str, tmp_path: Path) -> None:
    shutil.copy(PROGRAM, tmp_path)
    Place(tmp_path, nothing, "http://127.0.0.1:1")
    called = [shutil.which("python3", path="/usr/bin") or sys.executable, "-I", str(tmp_path / PROGRAM.name), "--print"]
    done = subprocess.run(called, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Week of production: no data yet\n")
