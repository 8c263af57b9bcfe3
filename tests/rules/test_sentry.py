"""One voice: whether Sentry or our alert tells exceptions, with a real Prometheus, blackbox exporter and Bugsink.

A stub stands for what Bugsink does not have, Sentry's API of dropped errors.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import bugsink
import pytest
import sentry_stub
from contexts import context_of
from programs import answering, free_port, running, until
from sentry_stub import Stub

from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import Project
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_data, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import SENTRY_INTERVAL

ACCOUNT = {"organization": "acme", "token": sentry_stub.TOKEN}
STARTED = time.monotonic()


class Failing(BaseHTTPRequestHandler):
    """An app that raises 100 exceptions a second."""

    def do_GET(self) -> None:
        """Its metrics."""
        name = "django_http_exceptions_total_by_type_total"
        count = int(100 * (time.monotonic() - STARTED))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'# TYPE {name} counter\n{name}{{type="KeyError"}} {count}\n'.encode())

    def log_message(self, *words: Any) -> None:
        """Nothing."""


def project(stub: Stub, name: str, dsn: str = "", alerts: str = "slack") -> Project:
    """A project that was made, by default with a DSN of the stub's."""
    if not stub.teams:
        stub.add_team("crowsnest")
    made = stub.add_project(name, "crowsnest")
    return {
        "name": name,
        "slug": name,
        "id": made["id"],
        "dsn": dsn or stub.keys[-1]["dsn"]["public"],
        "alerts": alerts,
    }


def declared(stub: Stub, *apps: dict[str, Any]) -> dict[str, Any]:
    return {"sentry": {**ACCOUNT, "host": stub.url}, "scrape_interval": "1s", "apps": list(apps)}


def app(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "env_file": f"/srv/{name}/.env", "sentry": {}, **fields}


def write(context: Context, service: str, folder: Path) -> None:
    """The files of a service, as they lie in its container."""
    for name, text in {**service_files(context, service), **context.secret_files(service)}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("/etc/crowsnest/current", str(folder)))


@contextmanager
def blackbox(context: Context, folder: Path) -> Iterator[Callable[[str, str], dict[str, float]]]:
    """A function that asks a target of the job `sentry`, by app and probe: {series without labels: value}."""
    write(context, "blackbox", folder)
    write(context, "prometheus", folder)
    jobs = yaml_data((folder / "prometheus.yml").read_text())["scrape_configs"]
    (job,) = (job for job in jobs if job["job_name"] == "sentry")
    targets = {(it["labels"]["app"], it["labels"]["probe"]): it for it in job["static_configs"]}
    with running("blackbox_exporter", folder, f"--config.file={folder}/blackbox.yml") as url:

        def ask(name: str, probe: str) -> dict[str, float]:
            found = targets[name, probe]
            words = {"module": found["labels"]["__param_module"], "target": found["targets"][0]}
            with urllib.request.urlopen(f"{url}/probe?{urllib.parse.urlencode(words)}", timeout=20) as answer:  # noqa: S310 - loopback
                rows = [line.split() for line in answer.read().decode().splitlines() if not line.startswith("#")]
            return {row[0]: float(row[1]) for row in rows}

        yield ask


def verdict(found: dict[str, float]) -> tuple[float, float]:
    return found["probe_success"], found["probe_http_status_code"]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with sentry_stub.running() as made:
        yield made


# --- the probes ---


def test_bugsink_takes_the_question_only_with_its_key_and_keeps_nothing(tmp_path: Path, stub: Stub) -> None:
    (tmp_path / "bugsink").mkdir()
    with bugsink.running(tmp_path / "bugsink") as server:
        dsn = server.new_project("shop")["dsn"]
        key = dsn.partition("//")[2].partition("@")[0]
        dsns = {"shop": dsn, "wrong-key": dsn.replace(key, "0" * 32), "wrong-project": dsn[:-1] + "999"}
        apps = [app(name, sentry={"dsn": text}) for name, text in dsns.items()]
        with blackbox(context_of({"apps": apps}), tmp_path) as ask:
            assert {name: verdict(ask(name, "events")) for name in dsns} == {
                "shop": (1, 200),
                "wrong-key": (0, 403),
                "wrong-project": (0, 403),
            }
        (row,) = server.rows("projects")
        assert (row["digested_event_count"], server.issues(row["id"])) == (0, [])


def test_errors_that_sentry_dropped_in_the_last_hour_are_seen(tmp_path: Path, stub: Stub) -> None:
    made = {name: project(stub, name) for name in ("shop", "blog")}
    context = context_of(declared(stub, app("shop"), app("blog")), sentry=made)
    with blackbox(context, tmp_path) as ask:
        assert verdict(ask("shop", "events")) == verdict(ask("shop", "quota")) == (1, 200)
        stub.dropped[made["shop"]["id"]] = 1
        assert verdict(ask("shop", "quota")) == (0, 200)
        assert verdict(ask("blog", "quota")) == (1, 200)
        stub.scopes.remove("org:read")
        assert verdict(ask("blog", "quota")) == (0, 403)
        stub.replies["GET /api/0/organizations/{}/stats_v2/"] = [sentry_stub.Reply(200, "<html>Log in</html>")]
        stub.scopes.append("org:read")
        assert verdict(ask("blog", "quota")) == (0, 200)
        assert stub.events == {}


def test_key_and_token_stand_in_secret_files_only(tmp_path: Path, stub: Stub) -> None:
    context = context_of(declared(stub, app("shop")), sentry={"shop": project(stub, "shop")})
    key = context.sentry["shop"]["dsn"].partition("//")[2].partition("@")[0]
    shown = yaml_text([service_files(context, name) for name in ("blackbox", "prometheus")])
    assert key not in shown and sentry_stub.TOKEN not in shown
    secret = context.secret_files("blackbox")
    assert secret["secrets/sentry/token"] == sentry_stub.TOKEN
    assert secret["secrets/shop/sentry_auth"].endswith(f"sentry_key={key}")


# A DSN, the app's host: whether the server asks it.
PLACES = [
    ("https://{}@o1.ingest.sentry.io/2", "web1", True),
    ("http://{}@127.0.0.1:8000/2", "web1", True),
    ("http://{}@127.0.0.1:8000/2", "web2", False),
    ("http://{}@localhost:8000/2", "web2", False),
    ("http://{}@bugsink:8000/2", "web1", False),
]


@pytest.mark.parametrize(("dsn", "host", "asked"), PLACES)
def test_a_server_that_only_the_app_knows_is_not_asked(dsn: str, host: str, asked: bool) -> None:
    shop = app("shop", sentry={"dsn": dsn.format("0" * 32)}, host=host)
    context = context_of({"apps": [shop]}, hosts=("web1", "web2"))
    config = yaml_data(service_files(context, "prometheus")["prometheus.yml"])
    assert [job["job_name"] for job in config["scrape_configs"]].count("sentry") == asked
    assert ("secrets/shop/sentry_auth" in context.secret_files("blackbox")) == asked


# --- who speaks ---


class World:
    """A Prometheus that watches the app shop, whose exceptions Sentry tells, and others of which ours tells."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **query: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)["data"]

    def speaking(self) -> set[str]:
        """Apps whose exceptions our alert tells, or will once they last."""
        alerts = self.ask("alerts")["alerts"]
        return {it["labels"]["app"] for it in alerts if it["labels"]["alertname"] == "AppExceptions"}

    def probes(self) -> dict[tuple[str, str], str]:
        rows = self.ask("query", query='probe_success{job="sentry"}')["result"]
        return {(row["metric"]["app"], row["metric"]["probe"]): row["value"][1] for row in rows}


@contextmanager
def watched(context: Context, folder: Path) -> Iterator[World]:
    """The rules are those of a server; the probes are asked each second."""
    port = context.services["blackbox"].port
    write(context, "blackbox", folder)
    write(context, "prometheus", folder)
    config = (folder / "prometheus.yml").read_text()
    assert config.count(SENTRY_INTERVAL) == 1
    (folder / "prometheus.yml").write_text(config.replace(SENTRY_INTERVAL, "1s"))
    with ExitStack() as stack:
        stack.enter_context(running("blackbox_exporter", folder, f"--config.file={folder}/blackbox.yml", port=port))
        words = f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"
        yield World(stack.enter_context(running("prometheus", folder, *words)))


def test_sentry_tells_exceptions_until_it_is_stopped_and_then_ours_does(tmp_path: Path, stub: Stub) -> None:
    (tmp_path / "bugsink").mkdir()
    with answering(Failing) as port, ExitStack() as stack:
        server = ExitStack()
        dsn = server.enter_context(bugsink.running(tmp_path / "bugsink")).new_project("shop")["dsn"]
        stack.enter_context(server)
        django = {"framework": "django", "metrics": [f"127.0.0.1:{port}"]}
        made = {"shop": project(stub, "shop", dsn), "mailed": project(stub, "mailed", dsn, alerts="email")}
        apps = [app("shop", **django), app("mailed", **django), app("own", **{**django, "sentry": {"dsn": dsn}})]
        ports = {"blackbox": free_port(), "alertmanager": free_port()}
        context = context_of({**declared(stub, *apps), "ports": ports}, sentry=made)
        world = stack.enter_context(watched(context, tmp_path))
        until(lambda: world.speaking() >= {"mailed", "own"}, 60)
        until(lambda: world.probes().get(("shop", "events")) == world.probes().get(("shop", "quota")) == "1", 30)
        until(lambda: world.speaking() == {"mailed", "own"}, 30)
        for _ in range(15):
            assert world.speaking() == {"mailed", "own"}
            time.sleep(0.2)
        server.close()
        until(lambda: world.speaking() == {"shop", "mailed", "own"}, 30)
        assert world.probes()["shop", "events"] == "0"


def test_ours_tells_exceptions_when_sentry_is_full(tmp_path: Path, stub: Stub) -> None:
    with answering(Failing) as port:
        made = {name: project(stub, name) for name in ("shop", "blog")}
        apps = [app(name, framework="django", metrics=[f"127.0.0.1:{port}"]) for name in made]
        ports = {"blackbox": free_port(), "alertmanager": free_port()}
        context = context_of({**declared(stub, *apps), "ports": ports}, sentry=made)
        stub.dropped[made["blog"]["id"]] = 1  # shows that there is something to tell
        with watched(context, tmp_path) as world:
            until(lambda: world.speaking() == {"blog"}, 60)
            stub.dropped[made["shop"]["id"]] = 7
            until(lambda: world.speaking() == {"shop", "blog"}, 30)
            assert world.probes()["shop", "events"] == "1"
