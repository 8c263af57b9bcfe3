# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The smallest app of each framework with its library of metrics as its own page shows it.

Each answers at `/orders` after 20 ms, at `/health` at once and at `/metrics`, and raises an exception at `/fails`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import locked_packages
import sentry_apps
from programs import REPOSITORY, free_port, until

SOURCES = REPOSITORY / "tests/app_metrics"
RUNBOOK = REPOSITORY / "docs/runbooks/AppMetricsMissing.md"

DJANGO_SETTINGS = """
SECRET_KEY = "of-a-test"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django_prometheus"]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
"""
DJANGO_URLS = """
import time
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path

def orders(request):
    time.sleep(0.02)
    return HttpResponse("[]")

def health(request):
    return HttpResponse("well")

def fails(request):
    raise ValueError("in a view")

urlpatterns = [
    path("orders", orders), path("health", health), path("fails", fails), path("", include("django_prometheus.urls"))
]
"""
DJANGO_WSGI = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.wsgi import get_wsgi_application
app = get_wsgi_application()
"""
FASTAPI = """
import time
from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator

app = FastAPI()
Instrumentator(excluded_handlers=["/health.*", "/metrics"]).instrument(app).expose(app)

@app.get("/orders")
def orders():
    time.sleep(0.02)

@app.get("/health")
def health():
    pass

@app.get("/fails")
def fails():
    raise ValueError("in a view")
"""
FLASK = """
import time
from flask import Flask
from prometheus_flask_exporter import PrometheusMetrics

app = Flask(__name__)
PrometheusMetrics(app)

@app.get("/orders")
def orders():
    time.sleep(0.02)
    return []

@app.get("/health")
def health():
    return []

@app.get("/fails")
def fails():
    raise ValueError("in a view")
"""
EXPRESS = """
const express = require("express");
const client = require("prom-client");
const app = express();
METRICS
app.get("/orders", (request, response) => setTimeout(() => response.json([]), 20));
app.get("/health", (request, response) => response.json({}));
app.get("/fails", () => { throw new Error("in a route"); });
app.listen(PORT, "127.0.0.1");
"""
PROM_CLIENT = """
client.collectDefaultMetrics();
const labelNames = ["method", "route", "status_code"];
const total = new client.Counter({ name: "http_requests_total", help: "Requests", labelNames });
const seconds = new client.Histogram({ name: "http_request_duration_seconds", help: "Duration", labelNames });
app.use((request, response, next) => {
  const end = seconds.startTimer();
  response.on("finish", () => {
    const labels = { method: request.method, route: request.route?.path ?? "", status_code: response.statusCode };
    total.inc(labels);
    end(labels);
  });
  next();
});
app.get("/metrics", async (request, response) => response.type("text/plain").send(await client.register.metrics()));
"""
PROM_BUNDLE = """
app.use(require("express-prom-bundle")({
  includeMethod: true, includePath: true, promClient: { collectDefaultMetrics: {} }
}));
"""
MIDDLEWARE = """
app.use(require("express-prometheus-middleware")({ metricsPath: "/metrics", collectDefaultMetrics: true }));
"""
NEST_MAIN = """
import "reflect-metadata";
import { Controller, Get, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { PrometheusModule } from "@willsoto/nestjs-prometheus";
import { countRequests } from "./metrics";

@Controller()
class AppController {
  @Get("orders") orders() { return new Promise((resolve) => setTimeout(() => resolve([]), 20)); }
  @Get("health") health() { return {}; }
  @Get("fails") fails() { throw new Error("in a route"); }
}

@Module({ imports: [PrometheusModule.register()], controllers: [AppController] })
class AppModule {}

NestFactory.create(AppModule).then((app) => {
  app.use(countRequests);
  return app.listen(PORT, "127.0.0.1");
});
"""


@contextmanager
def running(name: str, folder: Path) -> Iterator[int]:
    """The loopback port of an app that answers, until the block ends."""
    port = free_port()
    command = APPS[name][1](folder, port)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={"PATH": os.environ["PATH"]}, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        return sentry_apps.ask(f"http://127.0.0.1:{port}/health")[0] == 200

    try:
        until(answers, 60)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _gunicorn(folder: Path, port: int, *words: str) -> list[str]:
    return [_program("gunicorn"), f"--bind=127.0.0.1:{port}", *words, "main:app"]


def _django(folder: Path, port: int) -> list[str]:
    _write(folder, {"settings.py": DJANGO_SETTINGS, "urls.py": DJANGO_URLS, "main.py": DJANGO_WSGI})
    return _gunicorn(folder, port)


def _fastapi(folder: Path, port: int) -> list[str]:
    _write(folder, {"main.py": FASTAPI})
    return [_program("uvicorn"), f"--port={port}", "main:app"]


def _flask(folder: Path, port: int) -> list[str]:
    _write(folder, {"main.py": FLASK})
    return _gunicorn(folder, port)


def _flask_by_rule(folder: Path, port: int) -> list[str]:
    """As the runbook recommends it: the label url_rule in place of path."""
    _write(folder, {"main.py": FLASK.replace("PrometheusMetrics(app)", 'PrometheusMetrics(app, group_by="url_rule")')})
    return _gunicorn(folder, port)


def _workers(folder: Path, port: int) -> list[str]:
    """Flask in processes that count for themselves; without threads they close each connection, so they take turns."""
    _write(folder, {"main.py": FLASK})
    return _gunicorn(folder, port, "--workers=3")


def _express(packages: str, metrics: str) -> Callable[[Path, int], list[str]]:
    def made(folder: Path, port: int) -> list[str]:
        _write(folder, {"app.js": EXPRESS.replace("METRICS", metrics).replace("PORT", str(port))})
        _node_modules(folder, packages)
        return ["node", "app.js"]

    return made


def _nest(folder: Path, port: int) -> list[str]:
    snippet = RUNBOOK.read_text().partition("```ts\n")[2].partition("```")[0]
    _write(folder, {"metrics.ts": snippet, "main.ts": NEST_MAIN.replace("PORT", str(port))})
    compiler = _node_modules(folder, "nestjs") / ".bin/tsc"
    words = [compiler, *sentry_apps.TYPESCRIPT, "--outDir", "dist", "main.ts"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    return ["node", "dist/main.js"]


# {app: its framework, and what makes its files and returns the command that starts it}
APPS: dict[str, tuple[str, Callable[[Path, int], list[str]]]] = {
    "Django": ("django", _django),
    "FastAPI": ("fastapi", _fastapi),
    "Flask": ("flask", _flask),
    "Flask by rule": ("flask", _flask_by_rule),
    "Flask in several processes": ("flask", _workers),
    "prom-client alone": ("prom_client", _express("express", PROM_CLIENT)),
    "express-prom-bundle": ("express", _express("express", PROM_BUNDLE)),
    "express-prometheus-middleware": ("express", _express("express_4", MIDDLEWARE)),
    "NestJS": ("nestjs", _nest),
}

# {app whose library groups the status: what it calls the groups}
GROUPED = {"FastAPI": ("2xx", "4xx", "5xx"), "express-prometheus-middleware": ("2XX", "4XX", "5XX")}


def _program(name: str) -> str:
    return str(locked_packages.of_pypi(SOURCES / "python") / name)


def _node_modules(folder: Path, packages: str) -> Path:
    link = folder / "node_modules"
    link.symlink_to(locked_packages.of_npm(SOURCES / packages))
    return link


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
