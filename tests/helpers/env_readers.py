# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The programs that read env files, each asked for what it finds in one: {key: value} of the keys that it finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path
from typing import ClassVar

import compose
import decouple
import dotenv
import environ
import locked_packages

SOURCES = Path(__file__).resolve().parents[1] / "env_readers"
Found = dict[str, str]
Reader = Callable[[Path, Collection[str]], Found]


def python_dotenv(file: Path, keys: Collection[str]) -> Found:
    found = dotenv.dotenv_values(file)
    return {key: value for key in keys if (value := found.get(key)) is not None}


def django_environ(file: Path, keys: Collection[str]) -> Found:
    class Env(environ.Env):
        ENVIRON: ClassVar[dict[str, str]] = {}

    Env.read_env(str(file), overwrite=True)
    return {key: Env()(key) for key in keys if key in Env.ENVIRON}


def python_decouple(file: Path, keys: Collection[str]) -> Found:
    found = decouple.RepositoryEnv(str(file)).data
    return {key: found[key] for key in keys if key in found}


def of_npm(file: Path) -> dict[str, Found]:
    """By reader: Node.js itself, dotenv and dotenv-expand, of which tests/env_readers locks the versions."""
    command = ["node", str(SOURCES / "read.js"), str(file)]
    environment = {**os.environ, "NODE_PATH": str(locked_packages.of_npm(SOURCES))}
    found: dict[str, Found] = json.loads(_output(command, environment))
    return found


def docker_compose(file: Path, keys: Collection[str]) -> Found:
    project = file.with_name("compose.json")
    project.write_text(json.dumps({"services": {"app": {"image": "none", "env_file": [str(file)]}}}))
    command = ["docker", "compose", "--file", str(project), "config", "--format", "json"]
    found = json.loads(_output(command, compose.variables()))["services"]["app"].get("environment", {})
    return {key: found[key].replace("$$", "$") for key in keys if key in found}


def docker_run(file: Path, keys: Collection[str]) -> Found:
    """`docker create`, as `docker run` reads the file in the same way."""
    made = _output(["docker", "create", "--env-file", str(file), compose.image(), "true"]).strip()
    try:
        lines = json.loads(_output(["docker", "inspect", "--format", "{{json .Config.Env}}", made]))
    finally:
        _output(["docker", "rm", made])
    found = dict(line.partition("=")[::2] for line in lines)
    return {key: found[key] for key in keys if key in found}


def sh(file: Path, keys: Collection[str]) -> Found:
    """`set -a; . FILE`, as scripts do; LC_ALL=C as under cron."""
    command = ["sh", "-c", f". {file} >&2; exec env -0"]
    return _of_env(_output(["env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C", "sh", "-ac", command[2]]), keys)


def systemd(file: Path, keys: Collection[str]) -> Found:
    command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--property", f"EnvironmentFile={file}"]
    return _of_env(_output([*command, "/usr/bin/env", "-0"]), keys)


def has_systemd() -> bool:
    """Whether systemd-run works here: PID 1 is systemd, and this is root."""
    return Path("/run/systemd/system").is_dir() and os.geteuid() == 0 and shutil.which("systemd-run") is not None


def _of_env(output: str, keys: Collection[str]) -> Found:
    found = dict(entry.partition("=")[::2] for entry in output.split("\0"))
    return {key: found[key] for key in keys if key in found}


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Those that know quotes. npm's are asked together, systemd where it runs.
QUOTING: dict[str, Reader] = {
    "docker compose": docker_compose,
    "python-dotenv": python_dotenv,
    "django-environ": django_environ,
    "python-decouple": python_decouple,
    "sh": sh,
}
