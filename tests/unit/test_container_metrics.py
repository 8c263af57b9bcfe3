# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The program that asks the Docker engine for node exporter, against an engine on a Unix socket."""

from __future__ import annotations

import importlib.util
import json
import re
import socketserver
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Thread
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "files/container_metrics/container_metrics.py"
FILE = "crowsnest-containers.prom"
# What an engine answers to (path, query): (status, JSON or text).
Answer = Callable[[str, dict[str, str]], tuple[int, Any]]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("container_metrics", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


program = load()


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A Docker engine that answers as `answer` says; many connections may wait, as the real one's do."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, answer: Answer) -> None:
        super().__init__(path, Handler)
        self.answer = answer
        self.connections = 0

    def handle_error(self, *_: Any) -> None:
        """A caller that waited no longer is no error."""


class Handler(BaseHTTPRequestHandler):
    """Requests of one connection, which stays open as with the real engine."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        status, body = self.server.answer(url.path, {key: values[0] for key, values in parse_qs(url.query).items()})
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[[Answer], Server]]:
    """Start an engine at tmp_path/docker.sock; it ends with the test."""
    with ExitStack() as stack:

        def start(answer: Answer) -> Server:
            server = stack.enter_context(Server(str(tmp_path / "docker.sock"), answer))
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield start


# Recorded from Docker 20.10 with control groups of version 1, and from Docker 26.1 with version 2.
STATS_V1 = {
    "cpu_stats": {"cpu_usage": {"total_usage": 3936213581, "usage_in_kernelmode": 3140000000}, "online_cpus": 2},
    "memory_stats": {
        "usage": 699985920,
        "max_usage": 841801728,
        "stats": {
            "active_file": 4096, "cache": 678612992, "inactive_file": 4096, "rss": 20418560,
            "total_active_file": 331399168, "total_inactive_file": 347217920, "total_rss": 20418560,
        },
        "limit": 25276510208,
    },
}  # fmt: skip
STATS_V2 = {
    "cpu_stats": {"cpu_usage": {"total_usage": 1968106790, "usage_in_usermode": 790000000}, "online_cpus": 2},
    "memory_stats": {
        "usage": 85770240,
        "stats": {"active_file": 13860864, "anon": 66015232, "file": 18063360, "inactive_file": 4202496},
        "limit": 201326592,
    },
}  # fmt: skip
# What the engine says of a container that does not run.
STATS_NONE: dict[str, Any] = {"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}


def container(name: str, status: str = "running", **more: Any) -> dict[str, Any]:
    """An answer of /containers/{id}/json, with what the program reads; further words go to State."""
    labels, memory, restarts = more.pop("labels", None), more.pop("memory", 0), more.pop("restarts", 0)
    state = {
        "Status": status, "Running": status in ("running", "paused", "restarting"), "OOMKilled": False, "ExitCode": 0,
        "StartedAt": "2026-11-21T18:51:01.42114652Z", "FinishedAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    return {
        "Id": name.encode().hex().ljust(64, "0"), "Name": f"/{name}", "RestartCount": restarts,
        "State": state | more, "HostConfig": {"Memory": memory}, "Config": {"Labels": labels, "Image": "postgres:17"},
    }  # fmt: skip


def compose(project: str, service: str, **more: str) -> dict[str, str]:
    return {
        f"com.docker.compose.{key}": value for key, value in {"project": project, "service": service, **more}.items()
    }


def answering(*found: tuple[dict[str, Any], dict[str, Any]], events: str = "") -> Answer:
    """An engine with these containers and statistics."""
    by_id = {inspected["Id"]: (inspected, stats) for inspected, stats in found}

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/containers/json":
            assert query == {"all": "1"}
            return 200, [{"Id": identity} for identity in by_id]
        if path == "/events":
            assert json.loads(query["filters"]) == {"type": ["container"], "event": ["oom"]}
            assert int(query["since"]) < int(query["until"]) <= time.time()
            return 200, events
        _, _, identity, what = path.split("/")
        if what == "stats":
            assert query == {"stream": "false", "one-shot": "true"}
        return 200, by_id[identity][what == "stats"]

    return answer


def run(tmp_path: Path, *more: str) -> int:
    folder = tmp_path / "textfile"
    folder.mkdir(exist_ok=True)
    return program.main([str(folder), "--socket", str(tmp_path / "docker.sock"), *more])


def metrics(tmp_path: Path) -> dict[str, float]:
    """{series as it stands in the file: value}."""
    lines = (tmp_path / "textfile" / FILE).read_text().splitlines()
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


DB = '{container="shop-db-1",project="shop",service="db"}'
DB_IMAGE = f'{DB[:-1]},image="postgres:17"}}'


# name: statistics, working set, unreclaimable, CPU
CGROUPS: dict[str, tuple[dict[str, Any], float, float, float]] = {
    "version 1, which counts children apart": (STATS_V1, 352768000, 21368832, 3.936213581),
    "version 2": (STATS_V2, 81567744, 67706880, 1.96810679),
}


@pytest.mark.parametrize("name", CGROUPS)
def test_a_running_container(tmp_path: Path, engine: Callable[[Answer], Server], name: str) -> None:
    stats, working_set, unreclaimable, cpu = CGROUPS[name]
    health = {"Status": "healthy", "FailingStreak": 0}
    engine(answering((container("shop-db-1", labels=compose("shop", "db"), memory=201326592, Health=health), stats)))
    assert run(tmp_path) == 0
    assert metrics(tmp_path) == {
        f"container_info{DB_IMAGE}": 1,
        f"container_running{DB}": 1,
        f"container_restarts_total{DB}": 0,
        f"container_oom_killed{DB}": 0,
        f"container_exit_code{DB}": 0,
        f"container_start_time_seconds{DB}": pytest.approx(1795287061.42114652, abs=1e-6),
        f"container_health{DB}": 1,
        f"container_memory_limit_bytes{DB}": 201326592,
        f"container_memory_working_set_bytes{DB}": working_set,
        f"container_memory_unreclaimable_bytes{DB}": unreclaimable,
        f"container_cpu_seconds_total{DB}": cpu,
    }


def test_an_ended_container_has_no_memory_and_its_exit_code(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    killed = container("shop-db-1", "exited", labels=compose("shop", "db"), restarts=4, OOMKilled=True, ExitCode=137)
    engine(answering((killed, STATS_NONE)))
    assert run(tmp_path) == 0
    assert metrics(tmp_path) == {
        f"container_info{DB_IMAGE}": 1,
        f"container_running{DB}": 0,
        f"container_restarts_total{DB}": 4,
        f"container_oom_killed{DB}": 1,
        f"container_exit_code{DB}": 137,
        f"container_start_time_seconds{DB}": pytest.approx(1795287061.42114652, abs=1e-6),
        f"container_memory_limit_bytes{DB}": 0,
    }


# Status of the engine, what it says of the health check, and the metrics: running, health.
STATES: dict[str, tuple[dict[str, Any], int, int | None]] = {
    "running without a health check": ({"status": "running"}, 1, None),
    "a health check that was switched off": ({"status": "running", "Health": {"Status": "none"}}, 1, None),
    "not healthy yet": ({"status": "running", "Health": {"Status": "starting"}}, 1, 0),
    "unhealthy": ({"status": "running", "Health": {"Status": "unhealthy"}}, 1, 0),
    "waits for its next restart": ({"status": "restarting", "ExitCode": 1}, 0, None),
    "paused": ({"status": "paused"}, 0, None),
    "never started": ({"status": "created", "StartedAt": "0001-01-01T00:00:00Z"}, 0, None),
}


@pytest.mark.parametrize("name", STATES)
def test_states(tmp_path: Path, engine: Callable[[Answer], Server], name: str) -> None:
    given, running, health = STATES[name]
    engine(answering((container("shop-db-1", labels=compose("shop", "db"), **given), STATS_V2)))
    assert run(tmp_path) == 0
    found = metrics(tmp_path)
    assert found[f"container_running{DB}"] == running
    assert found.get(f"container_health{DB}") == health
    assert (f"container_start_time_seconds{DB}" in found) == (name != "never started")
    assert (f"container_memory_working_set_bytes{DB}" in found) == (given["status"] in ("running", "paused"))


def test_out_of_memory_events_name_the_container_also_after_its_restart(
    tmp_path: Path, engine: Callable[[Answer], Server]
) -> None:
    db, web = container("shop-db-1", labels=compose("shop", "db"), restarts=3), container("shop-web-1")
    gone = {"Actor": {"ID": "f" * 64}, "time": 1795288100, "timeNano": 1795288100000000000}
    first = {"Actor": {"ID": db["Id"]}, "time": 1795288109, "timeNano": 1795288109501503048}
    last = {"Actor": {"ID": db["Id"]}, "time": 1795288113, "timeNano": 1795288113500000000}
    lines = "".join(json.dumps(event) + "\n" for event in (gone, first, last))
    engine(answering((db, STATS_V2), (web, STATS_V2), events=lines))
    assert run(tmp_path) == 0
    killed = {series: value for series, value in metrics(tmp_path).items() if "oom_time" in series}
    assert killed == {f"container_oom_time_seconds{DB}": 1795288113.5}


# Names and labels: what stands in the file.
NAMES: dict[str, tuple[dict[str, Any], str]] = {
    "started by hand": (container("redis"), 'container="redis",project="",service=""'),
    "no labels at all": (container("redis", labels={}), 'container="redis",project="",service=""'),
    "quotes, backslash, new line": (
        container("a.b_c-1", labels=compose('p"\\', "s\nx")),
        r'container="a.b_c-1",project="p\"\\",service="s\nx"',
    ),
    "Korean": (container("shop-1", labels=compose("쇼핑몰", "웹")), 'container="shop-1",project="쇼핑몰",service="웹"'),
    "half a character": (
        container("shop-1", labels=compose("\ud800", "웹")),
        'container="shop-1",project="?",service="웹"',
    ),
    "of docker compose run, which is no part of the service": (
        container("crowsnest-metabase-run-1", "exited", labels=compose("crowsnest", "metabase", oneoff="True")),
        'container="crowsnest-metabase-run-1",project="",service=""',
    ),
    "of docker compose up": (
        container("crowsnest-metabase-1", labels=compose("crowsnest", "metabase", oneoff="False")),
        'container="crowsnest-metabase-1",project="crowsnest",service="metabase"',
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path: Path, engine: Callable[[Answer], Server], name: str) -> None:
    given, labels = NAMES[name]
    engine(answering((given, STATS_V2)))
    assert run(tmp_path) == 0
    text = (tmp_path / "textfile" / FILE).read_text()
    assert f"container_running{{{labels}}} " in text
    series = re.compile(r'[a-z_]+\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} [-\d.e+]+')
    assert [line for line in text.splitlines() if not line.startswith("# ") and not series.fullmatch(line)] == []


def test_every_metric_has_its_type_before_its_series_and_every_name_once(
    tmp_path: Path, engine: Callable[[Answer], Server]
) -> None:
    engine(answering(*((container(f"shop-{number}"), STATS_V1) for number in range(3))))
    assert run(tmp_path) == 0
    lines = (tmp_path / "textfile" / FILE).read_text().splitlines()
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert types == list(program.METRICS) and len(set(types)) == len(types)
    order = list(dict.fromkeys(re.split(r"[{ ]", line)[0] for line in lines if line[0] != "#"))
    assert order == [name for name in types if name in order]


def test_a_host_without_containers(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    engine(answering())
    assert run(tmp_path) == 0
    assert metrics(tmp_path) == {}


def test_the_file_is_for_everybody_to_read_and_replaced_at_once(
    tmp_path: Path, engine: Callable[[Answer], Server]
) -> None:
    engine(answering((container("shop-1"), STATS_V2)))
    folder = tmp_path / "textfile"
    folder.mkdir()
    (tmp_path / "important").write_text("stays")
    (folder / f"{FILE}.new").symlink_to(tmp_path / "important")  # who may write there leads us nowhere else
    (folder / FILE).write_text("old")
    before = (folder / FILE).stat().st_ino
    assert run(tmp_path) == 0
    assert (folder / FILE).stat().st_mode & 0o777 == 0o644
    assert (folder / FILE).stat().st_ino != before
    assert (tmp_path / "important").read_text() == "stays"
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_many_containers_are_asked_at_the_same_time(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    quick = answering(*((container(f"shop-{number:02}"), STATS_V2) for number in range(20)))

    def slow(path: str, query: dict[str, str]) -> tuple[int, Any]:
        time.sleep(0.1)
        return quick(path, query)

    server = engine(slow)
    start = time.monotonic()
    assert run(tmp_path) == 0
    assert time.monotonic() - start < 2  # 4.2 s one after the other, 0.4 s on an idle machine
    assert sum("container_running" in series for series in metrics(tmp_path)) == 20
    assert server.connections <= program.WORKERS + 1


def test_a_container_that_is_removed_meanwhile_is_left_out(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    gone, stays = container("gone"), container("stays")
    before = answering((gone, STATS_V2), (stays, STATS_V2))

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        return (404, {"message": "No such container"}) if gone["Id"] in path else before(path, query)

    engine(answer)
    assert run(tmp_path) == 0
    assert {series.split('"')[1] for series in metrics(tmp_path)} == {"stays"}


def test_a_container_whose_statistics_fail_keeps_its_state(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    before = answering((container("shop-db-1", labels=compose("shop", "db")), STATS_V2))

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        return (500, {"message": "no metrics received"}) if path.endswith("/stats") else before(path, query)

    engine(answer)
    assert run(tmp_path) == 0
    assert metrics(tmp_path)[f"container_running{DB}"] == 1
    assert f"container_memory_working_set_bytes{DB}" not in metrics(tmp_path)


def failing_at(what: str, status: int, body: Any) -> Answer:
    """An engine that answers so to paths with this end, and well to others."""
    well = answering((container("shop-1"), STATS_V2))
    return lambda path, query: (status, body) if path.endswith(what) else well(path, query)


# name: (engine, what the line says)
FAULTS: dict[str, tuple[Answer, str]] = {
    "500 to the list": (
        failing_at("/containers/json", 500, {"message": "database\nlocked"}),
        'answers 500 to /containers/json: {"message": "database\\nlocked"}',
    ),
    "500 of one container": (failing_at("0/json", 500, "a\nb"), "answers 500 to /containers/"),
    "500 to the events": (failing_at("/events", 500, "no"), "answers 500 to /events: no"),
    "no JSON": (failing_at("/containers/json", 200, "<html>"), "does not answer as a Docker engine does: '<html>'"),
    "another program's JSON": (failing_at("/containers/json", 200, [1]), "does not answer as a Docker engine does"),
    "a list where a mapping belongs": (failing_at("0/json", 200, []), "does not answer as a Docker engine does"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_and_the_old_file_stays(
    tmp_path: Path, engine: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    answer, words = FAULTS[name]
    engine(answer)
    check_fault(tmp_path, capsys, words)


def check_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, *more: str) -> None:
    folder = tmp_path / "textfile"
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text("old\n")
    assert run(tmp_path, *more) == 1
    said = capsys.readouterr()
    assert words in said.err and said.out == ""
    assert said.err.startswith("container_metrics: ") and said.err.count("\n") == 1
    assert (folder / FILE).read_text() == "old\n"
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_no_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_fault(tmp_path, capsys, "docker.sock cannot be asked: No such file or directory. Does it run?")


@pytest.mark.parametrize("what", ["/containers/json", "0/json", "/stats", "/events"])
def test_an_engine_that_hangs_is_given_up_in_time(
    tmp_path: Path, engine: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str], what: str
) -> None:
    over = Event()
    well = answering((container("shop-1"), STATS_V2), (container("shop-2"), STATS_V2))

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path.endswith(what):
            over.wait(10)
        return well(path, query)

    engine(answer)
    start = time.monotonic()
    check_fault(tmp_path, capsys, "does not answer within 0.3 s", "--timeout", "0.3")
    assert time.monotonic() - start < 1.5
    over.set()


def test_ten_seconds_are_waited_for_the_engine() -> None:
    assert program.ANSWER_SECONDS == 10


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, engine: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str], missing: bool
) -> None:
    engine(answering((container("shop-1"), STATS_V2)))
    folder = tmp_path / "textfile"
    if not missing:
        folder.write_text("a file")
    assert program.main([str(folder), "--socket", str(tmp_path / "docker.sock")]) == 1
    said = capsys.readouterr().err
    assert f"{folder / FILE} cannot be written: " in said and said.count("\n") == 1


def test_it_runs_as_a_program_of_its_own(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    engine(answering((container("shop-1"), STATS_V2)))
    command = [sys.executable, "-I", str(PROGRAM), str(tmp_path), "--socket", str(tmp_path / "docker.sock")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / FILE).exists()
