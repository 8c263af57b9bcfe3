"""Starts the contract double of Grafana as its own process, on a free port, with files made for a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import yaml
from grafana_client import GrafanaApi

PROGRAM = Path(__file__).resolve().parents[3] / "molecule/lab/images/grafana/grafana"
# What a real Grafana answered and drew.
RECORDED = json.loads((Path(__file__).resolve().parent / "recorded.json").read_text(encoding="utf-8"))
PASSWORD = "made-up-password"
# How long the double takes one second of its provisioning to be.
SECOND = 0.01


@dataclass
class Double:
    """A running Grafana, and how to log in to it."""

    url: str
    user: str = "admin"
    password: str = PASSWORD
    files: Path = Path()
    output: list[str] = field(default_factory=list)

    def client(self, password: str = "") -> GrafanaApi:
        """The client library, logged in."""
        return GrafanaApi.from_url(self.url, credential=(self.user, password or self.password), timeout=10)

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        """One call of the API."""
        auth = (self.user, self.password)
        return requests.request(method, f"{self.url}/api/{path}", auth=auth, timeout=10, **more)

    def get(self, path: str) -> requests.Response:
        """One GET of the API."""
        return self.request("GET", path)

    def uids(self) -> list[str]:
        """The dashboards that are there."""
        return sorted(hit["uid"] for hit in self.get("search?type=dash-db").json())

    def log(self) -> str:
        """What it has printed so far."""
        return "".join(self.output)

    def waits_for(self, words: str, seconds: float = 5) -> None:
        """Until the log holds these words."""
        end = time.monotonic() + seconds
        while words not in self.log():
            assert time.monotonic() < end, f"{words!r} is not in the log:\n{self.log()}"
            time.sleep(0.02)


def dashboard(uid: str, title: str, source: str = "prometheus") -> dict[str, Any]:
    """A small dashboard of one panel."""
    reference = {"type": "prometheus", "uid": source}
    targets = [{"refId": "A", "expr": "up", "datasource": reference}]
    panel = {"id": 1, "type": "stat", "title": "Up", "datasource": reference, "targets": targets}
    return {"uid": uid, "title": title, "tags": ["crowsnest", "operations"], "panels": [panel]}


def data_sources(prometheus: str) -> dict[str, Any]:
    """The file crowsnest writes."""
    shared = {"access": "proxy", "editable": False}
    first = {"name": "Prometheus", "uid": "prometheus", "type": "prometheus", "url": prometheus, "isDefault": True}
    second = {"name": "Alertmanager", "uid": "alertmanager", "type": "alertmanager", "url": "http://127.0.0.1:1"}
    second["jsonData"] = {"implementation": "prometheus"}
    return {"apiVersion": 1, "datasources": [first | shared, second | shared]}


def providers(path: Path, interval: int = 11) -> dict[str, Any]:
    """One folder from one directory; up to 10 seconds Grafana watches it, above it polls."""
    one = {"name": "Operations", "folder": "Operations", "folderUid": "operations", "type": "file"}
    one |= {"disableDeletion": False, "allowUiUpdates": False, "updateIntervalSeconds": interval}
    return {"apiVersion": 1, "providers": [one | {"options": {"path": str(path)}}]}


def provisioned(files: Path, prometheus: str) -> Path:
    """Everything a start needs, below `files`: grafana.ini, secret, data, provisioning, two dashboards."""
    for name in ("data", "secrets", "provisioning/datasources", "provisioning/dashboards", "dashboards/operations"):
        (files / name).mkdir(parents=True)
    (files / "secrets/admin_password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    ini = "[server]\nhttp_addr = 127.0.0.1\nhttp_port = 0\n"
    ini += f"[security]\nadmin_user = admin\nadmin_password = $__file{{{files}/secrets/admin_password}}\n"
    (files / "grafana.ini").write_text(ini, encoding="utf-8")
    write_yaml(files / "provisioning/datasources/crowsnest.yml", data_sources(prometheus))
    write_yaml(files / "provisioning/dashboards/crowsnest.yml", providers(files / "dashboards/operations"))
    write_dashboard(files, dashboard("host", "Host"))
    write_dashboard(files, dashboard("stack", "The stack"))
    return files


def write_yaml(path: Path, value: Any) -> None:
    """Replace a file."""
    path.write_text(yaml.safe_dump(value), encoding="utf-8")


def write_dashboard(files: Path, model: dict[str, Any], name: str = "") -> None:
    """Replace a dashboard's file."""
    path = files / "dashboards/operations" / f"{name or model['uid']}.json"
    path.write_text(json.dumps(model), encoding="utf-8")


def environment(files: Path, **more: str) -> dict[str, str]:
    """What the container's definition sets."""
    paths = {"CONFIG": "grafana.ini", "DATA": "data", "LOGS": "data/log", "PLUGINS": "data/plugins"}
    paths["PROVISIONING"] = "provisioning"
    variables = {f"GF_PATHS_{name}": str(files / path) for name, path in paths.items()}
    return {"PATH": os.environ["PATH"], "GRAFANA_DOUBLE_SECOND": str(SECOND), **variables, **more}


def refused(files: Path, **more: str) -> str:
    """Everything a start prints that must end by itself with an error."""
    command = [sys.executable, "-B", str(PROGRAM), "server"]
    done = subprocess.run(
        command, env=environment(files, **more), capture_output=True, text=True, timeout=10, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


def reset_password(files: Path, given: str) -> subprocess.CompletedProcess[str]:
    """`grafana cli admin reset-admin-password --password-from-stdin`, as in a container."""
    command = [sys.executable, "-B", str(PROGRAM), "cli", "admin", "reset-admin-password", "--password-from-stdin"]
    variables = environment(files)
    return subprocess.run(command, env=variables, input=given, capture_output=True, text=True, timeout=10, check=False)


@contextmanager
def running(files: Path, **more: str) -> Iterator[Double]:
    """A double on a free port; it ends by SIGTERM, at once."""
    command = [sys.executable, "-B", str(PROGRAM), "server"]
    process = subprocess.Popen(
        command, env=environment(files, **more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    double = Double("", files=files)
    assert process.stdout
    reader = threading.Thread(target=lambda: double.output.extend(process.stdout), daemon=True)
    reader.start()
    try:
        double.waits_for("HTTP Server Listen")
        double.url = "http://" + double.log().partition("address=")[2].split()[0]
        yield double
    finally:
        process.terminate()
        code = process.wait(timeout=3)
        reader.join(timeout=3)
        process.stdout.close()
    assert code == 0


class Upstream(BaseHTTPRequestHandler):
    """As much of Prometheus as the tests ask for."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        target = urlsplit(self.path)
        self.server.asked.append((self.command, self.path, dict(self.headers)))  # type: ignore[attr-defined]
        query = (parse_qs(target.query) | parse_qs(body)).get("query", [""])[0]
        if query == "(":
            return self._send(400, {"status": "error", "errorType": "bad_data", "error": "unclosed left parenthesis"})
        value = "7" if query == "vector(7)" else "2"
        result = [{"metric": {}, "value": [1.7e9, value]}]
        return self._send(200, {"status": "success", "data": {"resultType": "vector", "result": result}})

    do_GET = do_POST = _answer  # noqa: N815

    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "upstream=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@dataclass
class Stub:
    """The address of the stand-in, and what it was asked as (method, path, headers)."""

    url: str
    asked: list[tuple[str, str, dict[str, str]]]


@contextmanager
def upstream() -> Iterator[Stub]:
    """A stand-in for Prometheus."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.asked = []  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield Stub(f"http://127.0.0.1:{server.server_port}", server.asked)  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
