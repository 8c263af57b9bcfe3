# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The smallest app of each framework on the page docs/sentry.md, with the page's own snippets in it.

A backend answers at `/rate` with the rate of traces that its SDK goes by, and fails at `/fails`. The frontend fails
when its button `click` or `render` is pressed.
"""

from __future__ import annotations

import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import locked_packages
from programs import REPOSITORY, answering, free_port, until

PAGE = REPOSITORY / "docs/sentry.md"
SOURCES = REPOSITORY / "tests/sentry_sdks"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>(?:(?://|#) (?P<file>[\w./]+)$)?.*?)^```$", re.M | re.S)
TYPESCRIPT = ["--module", "commonjs", "--target", "es2022", "--experimentalDecorators", "--skipLibCheck"]

DJANGO_SETTINGS = """
SECRET_KEY = "of-a-test"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
"""
DJANGO_URLS = """
import sentry_sdk
from django.http import HttpResponse
from django.urls import path

def rate(request):
    return HttpResponse(sentry_sdk.get_client().options["traces_sample_rate"])

def fails(request):
    raise ValueError("in a view")

urlpatterns = [path("rate", rate), path("fails", fails)]
"""
FASTAPI = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/rate")
async def rate():
    return sentry_sdk.get_client().options["traces_sample_rate"]

@app.get("/fails")
async def fails():
    raise ValueError("in a view")
"""
FLASK = """
from flask import Flask
app = Flask(__name__)

@app.get("/rate")
def rate():
    return str(sentry_sdk.get_client().options["traces_sample_rate"])

@app.get("/fails")
def fails():
    raise ValueError("in a view")
"""
EXPRESS_ROUTES = """
app.get("/rate", (request, response) => response.json(Sentry.getClient().getOptions().tracesSampleRate));
app.get("/fails", () => { throw new Error("in a view"); });
"""
NEST_CONTROLLER = """
import { Controller, Get } from "@nestjs/common";
import * as Sentry from "@sentry/nestjs";

@Controller()
export class AppController {
  @Get("rate") rate() { return Sentry.getClient()?.getOptions().tracesSampleRate; }
  @Get("fails") fails() { throw new Error("in a view"); }
}
"""
NEST_MAIN = """
import { NestFactory } from "@nestjs/core";
import { AppModule } from "./app.module";
NestFactory.create(AppModule).then((app) => app.listen(PORT));
"""
REACT_MAIN = """
import "./instrument";
import { useState } from "react";
import { createRoot } from "react-dom/client";

function Fails() { throw new Error("in render"); }

function App() {
  const [fails, setFails] = useState(false);
  return <>
    <button id="click" onClick={() => { throw new Error("in click"); }}>click</button>
    <button id="render" onClick={() => setFails(true)}>render</button>
    {fails && <Fails />}
  </>;
}

createRoot(document.getElementById("root")).render(<App />);
"""
REACT_PAGE = (
    '<!doctype html><title>shop</title><div id="root"></div><script type="module" src="/src/main.jsx"></script>'
)


def snippets(section: str) -> dict[str, str]:
    """{file that the first line names, else the language: code} of a section on the page."""
    text = PAGE.read_text("utf-8").partition(f"\n### {section}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return {block["file"] or block["language"]: block["code"] for block in BLOCK.finditer(text)}


@contextmanager
def backend(name: str, folder: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """The URL of the app, which runs with these variables and none of ours, until the block ends."""
    port = free_port()
    command = BACKENDS[name](folder, port)
    environment = {"PATH": os.environ["PATH"], **variables}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        return ask(f"http://127.0.0.1:{port}/rate")[0] == 200

    try:
        until(answers, 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def ask(url: str) -> tuple[int, str]:
    """Status and text of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - on loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def build_frontend(folder: Path, variables: Mapping[str, str]) -> None:
    """Builds the React app in this folder with these variables and those of its `.env`, into its folder `dist`."""
    (folder / "src").mkdir(exist_ok=True)
    _write(folder, {**snippets("React"), "index.html": REACT_PAGE, "src/main.jsx": REACT_MAIN})
    _call(
        _node_modules(folder, "react") / ".bin/vite", "build", cwd=folder, env={"PATH": os.environ["PATH"], **variables}
    )


@contextmanager
def frontend(folder: Path) -> Iterator[str]:
    """The URL of the built app."""

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words, directory=str(folder / "dist"))

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    with answering(Files) as port:
        yield f"http://127.0.0.1:{port}"


def _django(folder: Path, port: int) -> list[str]:
    _write(folder, {"settings.py": DJANGO_SETTINGS + _python(), "urls.py": DJANGO_URLS})
    django = ["-m", "django", "runserver", "--noreload", "--settings=settings", "--pythonpath=.", f"127.0.0.1:{port}"]
    return [_program("python"), *django]


def _fastapi(folder: Path, port: int) -> list[str]:
    _write(folder, {"main.py": _python() + FASTAPI})
    return [_program("uvicorn"), "main:app", f"--port={port}"]


def _flask(folder: Path, port: int) -> list[str]:
    _write(folder, {"app.py": _python() + FLASK})
    return [_program("flask"), "run", f"--port={port}"]


def _express(folder: Path, port: int) -> list[str]:
    _node_modules(folder, "express")
    return _express_app(folder, port)


def _express_of_nest(folder: Path, port: int) -> list[str]:
    """With the older @sentry/node that @sentry/nestjs brings."""
    _node_modules(folder, "nestjs")
    return _express_app(folder, port)


def _express_app(folder: Path, port: int) -> list[str]:
    files = snippets("Express")
    app = files.pop("app.js").replace("// your routes\n", EXPRESS_ROUTES)
    _write(folder, {**files, "app.js": f"{app}app.listen({port});\n"})
    return ["node", "app.js"]


def _nest(folder: Path, port: int) -> list[str]:
    (folder / "src").mkdir()
    files = snippets("NestJS")
    module = files.pop("src/app.module.ts").replace("imports:", "controllers: [AppController],\n  imports:")
    main = files.pop("src/main.ts") + NEST_MAIN.replace("PORT", str(port))
    module = f'import {{ AppController }} from "./app.controller";\n{module}'
    own = {"src/app.module.ts": module, "src/app.controller.ts": NEST_CONTROLLER, "src/main.ts": main}
    _write(folder, {**files, **own})
    _call(_node_modules(folder, "nestjs") / ".bin/tsc", *TYPESCRIPT, "--outDir", "dist", "src/main.ts", cwd=folder)
    return ["node", "dist/main.js"]


BACKENDS: dict[str, Callable[[Path, int], list[str]]] = {
    "Django": _django,
    "FastAPI": _fastapi,
    "Flask": _flask,
    "Express": _express,
    "Express with an older SDK": _express_of_nest,
    "NestJS": _nest,
}


def _python() -> str:
    return snippets("Django, FastAPI, Flask")["python"]


def _program(name: str) -> str:
    return str(locked_packages.of_pypi(SOURCES / "python") / name)


def _node_modules(folder: Path, packages: str) -> Path:
    """Where an app finds its packages: a link, made once."""
    link = folder / "node_modules"
    if not link.exists():
        link.symlink_to(locked_packages.of_npm(SOURCES / packages))
    return link


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def _call(*command: str | Path, **options: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
