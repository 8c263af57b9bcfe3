# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Recreate services of a compose project so that they read their environment anew, and wait until they are healthy.

Standard library only and Python 3.9.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.validator import (
    SHORTEST_MASKED_WORD,
    mask,
)
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.complaint import complaint
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError

Container = dict[str, Any]  # as `docker inspect` prints it

LABEL = "com.docker.compose."
RUNNING = ("status=running", "status=restarting")  # one that starts again and again waits for a better environment
STEADY_SECONDS = 10.0  # how long a service without a health check must have run
POLL_SECONDS = 0.5
COMMAND_SECONDS = 300.0
LOG_LINES = 20
SHOWN_CHARACTERS = 4000


class Project(NamedTuple):
    """A project as it was started: compose's options that name it, and those of the asked services that run."""

    options: tuple[str, ...]
    name: str
    services: tuple[str, ...]


class DockerError(EnvFileError):
    """docker ended with an error; the text has its last words, those of compose with what it quotes of env files."""


class UnhealthyError(EnvFileError):
    """Recreated services do not become healthy; the text says which one and why, `log` is the end of its log."""

    def __init__(self, text: str, log: str = "") -> None:
        super().__init__(text)
        self.log = log


def find(compose: Path, services: Collection[str]) -> Project | None:
    """The running project of a compose file, with the services that run; None when none does.

    It is called as it was started (name, further files, `--env-file`), which its containers tell. Raises EnvFileError,
    here and below with a clause.
    """
    found = [container for service in services for container in _containers(*RUNNING, _of_service(service))]
    asked = [container for container in found if compose.resolve() in _files(container)]
    names = sorted({_label(container, "project") for container in asked})
    if len(names) > 1:
        raise EnvFileError(
            f"it runs as several projects ({', '.join(names)}; stop those that are left over with `docker compose -p "
            "NAME down`)"
        )
    if not asked:
        return None
    running = {_label(container, "service") for container in asked}
    return Project(
        _options(asked[0]), names[0], tuple(service for service in dict.fromkeys(services) if service in running)
    )


def image_tag(compose: Path, service: str) -> str:
    """`1.2.3` of the image that a service of a compose file runs with; "" when none runs, or the image has no tag."""
    try:
        running = _containers(*RUNNING, _of_service(service))
    except EnvFileError:
        return ""
    images = [container["Config"]["Image"] for container in running if compose.resolve() in _files(container)]
    name = images[0].rpartition("/")[2].partition("@")[0] if images else ""
    return str(name.partition(":")[2])


def is_pending(project: Project) -> bool:
    """Whether compose would recreate the services even without our change.

    Something waits to be deployed then, or variables of the shell that deployed are missing here: recreating would
    bring more than the new environment. Raises EnvFileError when compose cannot say it.
    """
    # With --no-deps compose leaves `depends_on` out of what it compares, so a service that has it, and was started by a
    # plain `up`, seems to have changed; one that was started by us seems so without. What is in both has changed.
    return bool(_would_recreate(project, "--no-deps") & _would_recreate(project))


def _would_recreate(project: Project, *options: str) -> set[str]:
    """The lines on containers that compose would recreate, those of dependencies among them. Raises EnvFileError."""
    words = [*project.options, "--dry-run", "--ansi", "never", *_up(project, *options)]
    try:
        lines = _docker("compose", *words, errors=subprocess.STDOUT).splitlines()
    except DockerError as error:
        raise EnvFileError(f"{complaint(str(error))}; `docker compose {shlex.join(words)}` shows why") from None
    return {line for line in lines if line.split()[-1:] == ["Recreate"]}


def recreate(project: Project, seconds: float, secrets: Iterable[str]) -> None:
    """Recreate the services and wait until all are healthy, or have run for a while where there is no health check.

    Raises UnhealthyError, with `secrets` masked.
    """
    try:
        _recreate(project)
        _await_health(project, seconds, secrets)
    except UnhealthyError:
        raise
    except EnvFileError as error:
        raise UnhealthyError(_masked(str(error), secrets)) from None


def _recreate(project: Project) -> None:
    words = ["--ansi", "never", *_up(project, "--no-deps", "--force-recreate")]
    try:
        _docker("compose", *project.options, *words, errors=subprocess.STDOUT)
    except DockerError:
        _would_recreate(project)  # when compose cannot read the project, the error of this one quotes no env file
        raise


def _await_health(project: Project, seconds: float, secrets: Iterable[str]) -> None:
    """Raises UnhealthyError and EnvFileError."""
    started = time.monotonic()
    while True:
        containers = [
            container
            for service in project.services
            for container in _containers(f"label={LABEL}project={project.name}", _of_service(service))
        ]
        waited = time.monotonic() - started
        if failed := next((container for container in containers if _failure(container)), None):
            raise _unhealthy(failed, _failure(failed), secrets)
        waiting = [container for container in containers if not _settled(container, waited)]
        if not waiting:
            return
        if waited > seconds:
            raise _unhealthy(waiting[0], f"is not healthy after {seconds:g} s", secrets)
        time.sleep(POLL_SECONDS)


def _up(project: Project, *options: str) -> list[str]:
    return ["up", "--detach", "--no-build", "--pull", "never", *options, *project.services]


def _failure(container: Container) -> str:
    """What went wrong with a container for good, as the end of a sentence; "" if nothing did."""
    state = container["State"]
    if state["Status"] in ("exited", "dead"):
        return f"ended with status {state['ExitCode']}"
    if state["Status"] == "restarting" or container["RestartCount"]:
        return "starts again and again"
    return "is unhealthy" if _health(container) == "unhealthy" else ""


def _settled(container: Container, waited: float) -> bool:
    if _health(container) == "none":
        return container["State"]["Status"] == "running" and waited >= STEADY_SECONDS
    return _health(container) == "healthy"


def _health(container: Container) -> str:
    """What its health check says; "none" where it has none."""
    return str((container["State"].get("Health") or {"Status": "none"})["Status"])


def _unhealthy(container: Container, what: str, secrets: Iterable[str]) -> UnhealthyError:
    log = _docker("logs", "--tail", str(LOG_LINES), container["Id"], errors=subprocess.STDOUT).strip()
    environment = [line.partition("=")[2] for line in container["Config"]["Env"] or []]
    log = _masked(log, [*secrets, *environment])[-SHOWN_CHARACTERS:] or "(it printed nothing)"
    return UnhealthyError(f"{_label(container, 'service')} {what}", f"\nThe end of its log:\n{log}")


def _masked(text: str, secrets: Iterable[str]) -> str:
    return mask(text, [secret for secret in secrets if len(secret) >= SHORTEST_MASKED_WORD])


def _containers(*filters: str) -> list[Container]:
    """The containers of compose's services, without those of `docker compose run`. Raises EnvFileError."""
    wanted = [f"label={LABEL}oneoff=False", *filters]
    ids = _docker("ps", "--all", "--quiet", "--no-trunc", *(f"--filter={each}" for each in wanted)).split()
    found: list[Container] = json.loads(_docker("inspect", *ids)) if ids else []
    return found


def _label(container: Container, name: str) -> str:
    return str(container["Config"]["Labels"].get(LABEL + name, ""))


def _of_service(service: str) -> str:
    return f"label={LABEL}service={service}"


def _files(container: Container) -> list[Path]:
    """The compose files of a container's project, absolute and with symlinks resolved."""
    folder = Path(_label(container, "project.working_dir"))
    return [(folder / name).resolve() for name in _label(container, "project.config_files").split(",")]


def _options(container: Container) -> tuple[str, ...]:
    """The options of compose by which the project of this container was started."""
    environment = _label(container, "project.environment_file")
    pairs = [("--project-name", _label(container, "project"))]
    pairs += [("--project-directory", _label(container, "project.working_dir"))]
    pairs += [("--file", str(file)) for file in _files(container)]
    pairs += [("--env-file", file) for file in environment.split(",") if file]
    return tuple(word for pair in pairs for word in pair)


def _docker(*words: str, errors: int = subprocess.PIPE) -> str:
    """What docker prints; `errors`: STDOUT to have both streams. Raises EnvFileError.

    No value of an env file is ever among the arguments.
    """
    try:
        done = subprocess.run(
            ["docker", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "LC_ALL": "C"},
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise EnvFileError("there is no docker on this host") from None
    except subprocess.TimeoutExpired:
        raise EnvFileError(f"docker {words[0]} took longer than {COMMAND_SECONDS:g} s; look at it there") from None
    if done.returncode:
        reason = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise DockerError(f"docker {words[0]} failed: {reason[-SHOWN_CHARACTERS:]}")
    return done.stdout.decode("utf-8", "replace")
