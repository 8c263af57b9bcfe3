# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The program that asks the Docker engine for node exporter, against an engine on a Unix socket."""

from __future__ import annotations

import importlib.util
import json
import os
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
    """An answer of /containers/{id}/json, with what the program reads; further words go to State.

    `image` is its name and stands for its ID, `created` when the container was made.
    """
    labels, memory, restarts = more.pop("labels", None), more.pop("memory", 0), more.pop("restarts", 0)
    image, created = more.pop("image", "shop:1"), more.pop("created", "2026-11-21T18:51:00.9Z")
    state = {
        "Status": status, "Running": status in ("running", "paused", "restarting"), "OOMKilled": False, "ExitCode": 0,
        "StartedAt": "2026-11-21T18:51:01.42114652Z", "FinishedAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    return {
        "Id": name.encode().hex().ljust(64, "0"), "Name": f"/{name}", "RestartCount": restarts,
        "State": state | more, "HostConfig": {"Memory": memory}, "Config": {"Labels": labels, "Image": image},
        "Image": f"sha256:{image.encode().hex()}", "Created": created,
    }  # fmt: skip


def compose(project: str, service: str, **more: str) -> dict[str, str]:
    return {
        f"com.docker.compose.{key}": value for key, value in {"project": project, "service": service, **more}.items()
    }


def answering(
    *found: tuple[dict[str, Any], dict[str, Any]], events: str = "", built: str | None = "2026-11-20T10:00:00Z"
) -> Answer:
    """An engine with these containers and statistics; `built`: the date of each image, None where it was removed."""
    by_id = {inspected["Id"]: (inspected, stats) for inspected, stats in found}

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/containers/json":
            assert query == {"all": "1"}
            return 200, [{"Id": identity} for identity in by_id]
        if path == "/events":
            assert json.loads(query["filters"]) == {"type": ["container"], "event": ["oom"]}
            assert int(query["since"]) < int(query["until"]) <= time.time()
            return 200, events
        if path.startswith("/images/sha256:"):
            return (200, {"Created": built}) if built else (404, {"message": "No such image"})
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
IMAGE = DB.replace("}", ',image="shop:1"}')


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
        f"container_info{IMAGE}": 1,
        f"container_running{DB}": 1,
        f"container_restarts_total{DB}": 0,
        f"container_oom_killed{DB}": 0,
        f"container_exit_code{DB}": 0,
        f"container_start_time_seconds{DB}": pytest.approx(1795287061.42114652, abs=1e-6),
        f"container_image_created_time_seconds{IMAGE}": 1795168800,
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
        f"container_info{IMAGE}": 1,
        f"container_running{DB}": 0,
        f"container_restarts_total{DB}": 4,
        f"container_oom_killed{DB}": 1,
        f"container_exit_code{DB}": 137,
        f"container_start_time_seconds{DB}": pytest.approx(1795287061.42114652, abs=1e-6),
        f"container_image_created_time_seconds{IMAGE}": 1795168800,
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


# --- images -----------------------------------------------------------------------------------------------------------


def test_each_image_is_looked_at_once_and_a_removed_one_has_no_age(
    tmp_path: Path, engine: Callable[[Answer], Server]
) -> None:
    asked = []
    well = answering(*((container(f"shop-{number}", image=f"shop:{number % 2}"), STATS_V2) for number in range(6)))

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path.startswith("/images/"):
            asked.append(path)
        return (404, {"message": "No such image"}) if path.endswith("30/json") else well(path, query)

    engine(answer)
    assert run(tmp_path) == 0
    assert len(asked) == len(set(asked)) == 2
    ages = {series for series in metrics(tmp_path) if series.startswith("container_image_created")}
    assert {series.split('"')[1] for series in ages} == {"shop-1", "shop-3", "shop-5"}


def test_a_date_that_is_known_is_not_asked_again(tmp_path: Path, engine: Callable[[Answer], Server]) -> None:
    asked = []
    well = answering((container("dated", image="shop:1"), STATS_V2), (container("none", image="shop:2"), STATS_V2))

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if not path.startswith("/images/"):
            return well(path, query)
        asked.append(path)
        return 200, {"Created": "2026-11-20T10:00:00Z" if path.endswith("31/json") else "0001-01-01T00:00:00Z"}

    engine(answer)
    for _ in range(2):
        assert run(tmp_path) == 0
        dates = {series: date for series, date in metrics(tmp_path).items() if "image_created" in series}
        assert list(dates.values()) == [1795168800]
    assert len(asked) == 2


# How the engine fails where it is asked for an image.
IMAGE_FAULTS: dict[str, tuple[int, Any]] = {
    "500": (500, "no"),
    "no JSON": (200, "<html>"),
    "a list": (200, [1]),
    "never": (0, None),
}


@pytest.mark.parametrize("name", IMAGE_FAULTS)
def test_an_image_that_cannot_be_looked_at_costs_its_date_until_the_next_look(
    tmp_path: Path, engine: Callable[[Answer], Server], name: str
) -> None:
    over, well = Event(), answering((container("shop-db-1", labels=compose("shop", "db")), STATS_V2))

    def answer(path: str, query: dict[str, str]) -> tuple[int, Any]:
        if not path.startswith("/images/"):
            return well(path, query)
        if name == "never":
            over.wait(10)
        return IMAGE_FAULTS[name]

    server = engine(answer)
    assert run(tmp_path, "--timeout", "0.5") == 0
    over.set()
    assert metrics(tmp_path)[f"container_running{DB}"] == 1
    assert f"container_image_created_time_seconds{IMAGE}" not in metrics(tmp_path)
    server.answer = well
    assert run(tmp_path) == 0
    assert metrics(tmp_path)[f"container_image_created_time_seconds{IMAGE}"] == 1795168800


# What the engine says of the date of an image: Unix time, or None.
DATES: dict[str, tuple[Any, float | None]] = {
    "of a build elsewhere": ("2026-11-20T19:00:00.5+09:00", 1795168800.5),
    "west of Greenwich": ("2026-11-20T05:30:00-04:30", 1795168800),
    "none": ("0001-01-01T00:00:00Z", None),
    "made equal for all": ("1980-01-01T00:00:01Z", None),
    "empty": ("", None),
    "missing": (None, None),
    "no date": ("yesterday", None),
}


@pytest.mark.parametrize("name", DATES)
def test_the_date_of_an_image(tmp_path: Path, engine: Callable[[Answer], Server], name: str) -> None:
    said, wanted = DATES[name]
    well = answering((container("shop-db-1", labels=compose("shop", "db")), STATS_V2))
    engine(lambda path, query: (200, {"Created": said}) if path.startswith("/images/") else well(path, query))
    assert run(tmp_path) == 0
    assert metrics(tmp_path).get(f"container_image_created_time_seconds{IMAGE}") == wanted


def web(image: str, minute: int, number: int = 1, **more: Any) -> dict[str, Any]:
    """A container of the service web that was made at this minute of the hour."""
    return container(f"shop-web-{number}", labels=compose("shop", "web"), image=image, created=made(minute), **more)


def made(minute: int) -> str:
    return f"2026-11-21T10:{minute:02}:00Z"


def at(minute: int) -> float:
    return float(program.unix_time(made(minute)))


# Looks one after the other: (minute, the containers that are there). Then when images changed: {container: minute}.
Looks = list[tuple[int, list[dict[str, Any]]]]
HISTORIES: dict[str, tuple[Looks, dict[str, int]]] = {
    "the first look": ([(10, [web("a", 5)])], {}),
    "nothing happens": ([(10, [web("a", 5)]), (11, [web("a", 5)])], {}),
    "restarted": ([(10, [web("a", 5)]), (11, [web("a", 5, StartedAt="2026-11-21T10:10:50Z")])], {}),
    "made anew with the same image": ([(10, [web("a", 5)]), (13, [web("a", 12)])], {}),
    "made anew with another one": (
        [(10, [web("a", 5)]), (13, [web("b", 12)]), (14, [web("b", 12)])],
        {"shop-web-1": 12},
    ),
    "and made anew once more": ([(10, [web("a", 5)]), (13, [web("b", 12)]), (20, [web("b", 19)])], {"shop-web-1": 12}),
    "the image before again": ([(10, [web("a", 5)]), (13, [web("b", 12)]), (20, [web("a", 19)])], {"shop-web-1": 19}),
    "gone for a while": ([(10, [web("a", 5)]), (13, []), (30, [web("b", 29)])], {"shop-web-1": 29}),
    "does not start": ([(10, [web("a", 5)]), (13, [web("b", 12, status="created")])], {"shop-web-1": 12}),
    "a replica more": ([(10, [web("a", 5)]), (13, [web("a", 5), web("a", 12, 2)])], {}),
    "replicas one after the other": (
        [(10, [web("a", 5), web("a", 5, 2)]), (13, [web("b", 12), web("a", 5, 2)])],
        {"shop-web-1": 12},
    ),
    "and both": (
        [
            (10, [web("a", 5), web("a", 5, 2)]),
            (13, [web("b", 12), web("a", 5, 2)]),
            (15, [web("b", 12), web("b", 14, 2)]),
        ],
        {"shop-web-1": 12, "shop-web-2": 12},
    ),
    "under a name that rises": ([(10, [web("a", 5, 7)]), (13, [web("b", 12, 8)])], {"shop-web-8": 12}),
    "the new one is removed again": (
        [(10, [web("a", 5)]), (13, [web("a", 5), web("b", 12, 2)]), (15, [web("a", 5)])],
        {"shop-web-1": 13},
    ),
    "another service": (
        [(10, [web("a", 5)]), (13, [web("a", 5), container("shop-db-1", created=made(12), image="b")])],
        {},
    ),
    "by hand": (
        [
            (10, [container("redis", image="a", created=made(5))]),
            (13, [container("redis", image="b", created=made(12))]),
        ],
        {"redis": 12},
    ),
    "run beside the service": (
        [
            (10, [web("a", 5)]),
            (
                13,
                [
                    web("a", 5),
                    container("x", image="b", created=made(12), labels=compose("shop", "web", oneoff="True")),
                ],
            ),
        ],
        {},
    ),
}


@pytest.fixture
def look(
    tmp_path: Path, engine: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, float]]:
    """Runs the program at a minute with these containers: {container: when its image changed}."""
    server = engine(answering())

    def look(minute: float, containers: list[dict[str, Any]]) -> dict[str, float]:
        with monkeypatch.context() as clock:
            server.answer = answering(*((each, STATS_V2) for each in containers))
            clock.setattr(program.time, "time", lambda: at(0) + 60 * minute)
            assert run(tmp_path) == 0
        changed = {name: value for name, value in metrics(tmp_path).items() if "image_changed" in name}
        return {series.split('"')[1]: value for series, value in changed.items()}

    return look


@pytest.mark.parametrize("name", HISTORIES)
def test_when_an_image_changed(look: Callable[..., dict[str, float]], name: str) -> None:
    looks, wanted = HISTORIES[name]
    found = [look(minute, containers) for minute, containers in looks][-1]
    assert found == {container: at(minute) for container, minute in wanted.items()}


def test_a_container_is_remembered_for_a_week_after_it_was_seen(look: Callable[..., dict[str, float]]) -> None:
    day = 24 * 60
    assert look(10, [web("a", 5)]) == look(10 + 6.9 * day, []) == {}
    assert look(10 + 6.95 * day, [{**web("b", 5), "Created": "2026-11-28T08:00:00Z"}]) != {}
    assert look(10 + 14 * day, []) == look(15 + 14 * day, [{**web("c", 5), "Created": "2026-12-05T10:11:00Z"}]) == {}


def test_the_image_has_its_name_as_given(look: Callable[..., dict[str, float]], tmp_path: Path) -> None:
    look(10, [web("a", 5)])
    look(13, [web('쇼핑몰/"web"\\1', 12)])
    text = (tmp_path / "textfile" / FILE).read_text()
    assert r'project="shop",service="web",image="쇼핑몰/\"web\"\\1"} ' in text


# What stands in the file before, after the word that begins the memory: the program goes on as if it saw all anew.
KEY = '"shop","web",""'
DAMAGED: dict[str, str] = {
    "cut off": f'[[{KEY},"sha256:61",1795255800.0,null,nu',
    "no list": '{"shop": 1}',
    "a text": '"shop"',
    "no entries": "[1, null, [], {}]",
    "too short": f'[[{KEY},"sha256:61"]]',
    "a number for a name": '[[1,"web","","sha256:61",1795255800.0,null,null]]',
    "a text for a time": f'[[{KEY},"sha256:61","now",null,null]]',
    "a truth for a time": f'[[{KEY},"sha256:61",true,null,null]]',
    "no number": f'[[{KEY},"sha256:61",NaN,NaN,null]]',
    "a time without end": f'[[{KEY},"sha256:61",1e999,null,null]]',
    "from the future": f'[[{KEY},"sha256:61",1795955800.0,null,null]]',
    "a change in the future": f'[[{KEY},"sha256:61",1795255800.0,1795955800.0,null]]',
    "a text for a date": f'[[{KEY},"sha256:61",1795255800.0,null,"old"]]',
    "no date": f'[[{KEY},"sha256:61",1795255800.0,null,NaN]]',
    "nested": "[" * 100_000,
    "binary": "\udcff\x00",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_memory_tells_nothing_and_stops_nothing(
    look: Callable[..., dict[str, float]], tmp_path: Path, name: str
) -> None:
    (tmp_path / "textfile").mkdir()
    text = f"{program.MEMORY}{DAMAGED[name]}\n"
    (tmp_path / "textfile" / FILE).write_bytes(text.encode(errors="surrogateescape"))
    assert look(13, [web("b", 12)]) == {}
    assert look(15, [web("c", 14)]) == {"shop-web-1": at(14)}


def test_the_memory_above_is_a_good_one_but_for_its_damage(
    look: Callable[..., dict[str, float]], tmp_path: Path
) -> None:
    (tmp_path / "textfile").mkdir()
    (tmp_path / "textfile" / FILE).write_text(f'{program.MEMORY}[[{KEY},"sha256:61",1795255800.0,null,null]]\n')
    assert look(13, [web("b", 12)]) == {"shop-web-1": at(12)}


@pytest.mark.parametrize("kind", ["link", "pipe", "nothing"])
def test_what_is_no_file_is_not_read(look: Callable[..., dict[str, float]], tmp_path: Path, kind: str) -> None:
    look(10, [web("a", 5)])
    file, kept = tmp_path / "textfile" / FILE, tmp_path / "kept"
    file.rename(kept)
    if kind == "link":
        file.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(file)
    assert look(13, [web("b", 12)]) == {}


def test_the_memory_has_an_end(
    look: Callable[..., dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "MEMORY_LIMIT", 3)
    many = [container(f"job-{number}", image="a", created=made(5)) for number in range(5)]
    look(10, many)
    look(11, [web("a", 5)])
    assert look(13, [web("b", 12)]) == {"shop-web-1": at(12)}
    assert len(program.read_memory(tmp_path / "textfile" / FILE)) == 3


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
