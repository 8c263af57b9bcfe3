# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real Bugsink, a server that takes what Sentry's SDKs send, and what the tests ask of it.

It is installed into an environment of its own and its empty database is made once; both stay in the folder `.cache` of
the repository. An event is digested before its envelope is answered, so it can be asked for at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import locked_packages
from programs import REPOSITORY, free_port, until

IMAGE = REPOSITORY / "molecule/lab/images/bugsink"
REQUIREMENTS, SETTINGS = IMAGE / "requirements.txt", IMAGE / "bugsink_conf.py"
LOCK = hashlib.sha256(REQUIREMENTS.read_bytes() + SETTINGS.read_bytes()).hexdigest()[:12]
CACHE = REPOSITORY / f".cache/bugsink-{LOCK}-{sys.version_info[0]}.{sys.version_info[1]}"
DATABASES = ("db.sqlite3", "snappea.sqlite3")


@dataclass(frozen=True)
class Bugsink:
    """A running one. `token` may do everything, as `Authorization: Bearer` of its API."""

    url: str
    token: str

    def ask(self, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """The JSON that its API answers; with a body it creates. Raises HTTPError."""
        request = urllib.request.Request(  # noqa: S310 - on loopback
            f"{self.url}/api/canonical/0/{path}/?{urllib.parse.urlencode(query)}",
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """The first page of a list."""
        found: list[dict[str, Any]] = self.ask(path, **query)["results"]
        return found

    def new_project(self, name: str) -> dict[str, Any]:
        """A project, with its `id` and `dsn`, in a team of its name."""
        team = self.ask("teams", {"name": name})
        made = self.ask("projects", {"team": team["id"], "name": name})
        (project,) = [row for row in self.rows("projects", team=made["team"]) if row["name"] == name]
        return project

    def issues(self, project: int) -> list[dict[str, Any]]:
        """Issues of a project, the first one first."""
        return self.rows("issues", project=project)


@contextmanager
def running(folder: Path, port: int = 0, validation: str = "strict") -> Iterator[Bugsink]:
    """One with its data in this folder, which may be empty; a second block with the same folder and port goes on.

    With `validation` as `none`, Bugsink's own default, events may have fields that its copy of Sentry's schema lacks.
    """
    address = f"127.0.0.1:{port or free_port()}"
    _prepare(folder)
    python = CACHE / "bin/python"
    environment = _environment(folder) | {"BASE_URL": f"http://{address}", "VALIDATE_ON_DIGEST": validation}
    command = [python, "-m", "gunicorn", "--bind", address, "--workers", "1", "--threads", "4", "bugsink.wsgi"]
    with (folder / "bugsink.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def ready() -> bool:
        assert process.poll() is None, (folder / "bugsink.log").read_text()
        urllib.request.urlopen(f"http://{address}/health/ready", timeout=10).close()
        return True

    try:
        token = _manage(folder, "create_auth_token").strip()
        until(ready, 60)
        yield Bugsink(f"http://{address}", token)
    finally:
        process.terminate()
        process.wait(30)


def _prepare(folder: Path) -> None:
    """Settings and an empty database, where there are none yet."""
    if (folder / DATABASES[0]).exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other tests may need it at the same time
        if not (CACHE / "ready").exists():
            _install()
            (CACHE / "ready").touch()
    for name in ("bugsink_conf.py", *DATABASES):
        shutil.copy(CACHE / name, folder)


def _install() -> None:
    locked_packages.environment(CACHE, REQUIREMENTS)
    shutil.copy(SETTINGS, CACHE)
    _manage(CACHE, "migrate", "--verbosity=0")
    _manage(CACHE, "migrate", "--verbosity=0", "--database=snappea", "snappea")


def _manage(folder: Path, *words: str) -> str:
    command = [CACHE / "bin/bugsink-manage", *words]
    done = subprocess.run(
        command, cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    own = {"DJANGO_SETTINGS_MODULE": "bugsink_conf", "PYTHONPATH": str(folder)}
    return {name: value for name, value in os.environ.items() if not name.startswith("SENTRY_")} | own
