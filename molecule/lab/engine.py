# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Docker engine of this machine: found, or installed and started."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from lab import state
from lab.progress import LabError, step, wait_until
from lab.shell import as_root, install, run

# On images, which all checkouts share.
LABEL = "org.crowsnest.lab"
# On containers, volumes and networks, which belong to one checkout, and those of a lab to that lab.
CHECKOUT_LABEL, NAME_LABEL = "org.crowsnest.lab.checkout", "org.crowsnest.lab.name"
CALL_SECONDS = 300
# Where dockerd writes its number, and by which a second one is refused: that would take away the socket of the first.
PID_FILE = Path("/var/run/docker.pid")
Client = Any  # docker.DockerClient, which has no types


def labels(lab: str | None = None) -> dict[str, str]:
    """Labels of what belongs to this checkout, and to one lab of it."""
    return {CHECKOUT_LABEL: state.CHECKOUT} | ({NAME_LABEL: lab} if lab else {})


def labelled(lab: str | None = None) -> dict[str, list[str]]:
    """Filter of the engine's API for what has these labels."""
    return {"label": [f"{name}={value}" for name, value in labels(lab).items()]}


def connect() -> Client | None:
    """A client of the engine that answers, None when none does."""
    for address in [os.environ.get("DOCKER_HOST"), "unix:///var/run/docker.sock", _context_address()]:
        if not address:
            continue
        try:
            client = docker.DockerClient(base_url=address, timeout=CALL_SECONDS)
            client.ping()
        except DockerException:
            continue
        return client
    return None


def _context_address() -> str | None:
    """The engine of the docker program's current context (Docker Desktop, Colima)."""
    if shutil.which("docker") is None:
        return None
    try:
        found: str = json.loads(run(["docker", "context", "inspect"], 10))[0]["Endpoints"]["docker"]["Host"]
    except (LabError, ValueError, LookupError):
        return None
    return found


def ensure() -> Client:
    """A client of the running engine; installs and starts Docker where there is none."""
    client = connect()
    if client is not None:
        return client
    _refuse_without_rights()
    if shutil.which("dockerd", path=_search_path()) is None:
        with step("Installing Docker (package docker.io)"):
            install(["docker.io"], "Docker")
    with step("Starting Docker"):
        _start()
    client = connect()
    if client is None:
        raise LabError(
            "Docker started, yet does not answer this user: add the user to the group docker and log in again."
        )
    return client


def _search_path() -> str:
    """PATH with the folders where dockerd lies, which an ordinary user's PATH lacks."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"


def _refuse_without_rights() -> None:
    """LabError when an engine runs but is closed to this user, or when this user may not install one."""
    socket = Path("/var/run/docker.sock")
    if socket.exists() and not os.access(socket, os.W_OK) and os.geteuid() != 0:
        raise LabError("Docker runs, but not for this user: `sudo usermod -aG docker $USER`, log in again, try again.")
    if os.geteuid() != 0:
        try:
            run(["sudo", "-n", "true"], 10)
        except LabError:
            raise LabError(
                "No Docker engine runs here, and only root may start one: start Docker, or use sudo."
            ) from None


def _start() -> None:
    """Start the engine: by systemd where it is PID 1, else in the background. Waits until it answers."""
    if Path("/run/systemd/system").is_dir():
        run(as_root(["systemctl", "start", "docker"]), 120)
    elif not _answers_soon(5):  # installing the package may have started it already
        _start_in_background()
    wait_until("Docker does not answer; see `journalctl -u docker` or .lab/engine/dockerd.log", _answers, 60)


def _answers() -> bool:
    return connect() is not None


def _answers_soon(seconds: float) -> bool:
    """True when an engine that is starting answers in time; does not wait when none is starting."""
    if not PID_FILE.exists():
        return False
    try:
        wait_until("", _answers, seconds)
    except LabError:
        return False
    return True


def _start_in_background() -> None:
    """Start dockerd in a session of its own, so that it outlives this program and its terminal."""
    folder = state.STATE / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["dockerd", "--pidfile", str(PID_FILE), "--group", str(os.getgid())]
    with (folder / "dockerd.log").open("ab") as log:
        subprocess.Popen(
            as_root(["env", f"PATH={_search_path()}", *command]),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip


def stop_own(client: Client) -> None:
    """Stop the engine if the lab started it and no container is left in it; remove its state directory."""
    folder = state.STATE / "engine"
    if not folder.is_dir():
        return
    if PID_FILE.is_file() and not client.containers.list(all=True):
        with step("Stopping the Docker engine that the lab started"):
            run(as_root(["sh", "-c", f"kill {int(PID_FILE.read_text(encoding='utf-8'))}"]), 10)
            wait_until("The Docker engine did not stop", lambda: not PID_FILE.exists(), 30)
    if not PID_FILE.exists():
        shutil.rmtree(folder)
