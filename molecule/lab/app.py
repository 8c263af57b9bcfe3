# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The sample app on the first host of a lab, run by the host's own Docker like a user's app."""

import re
from typing import Any

from lab import shell, ssh_access, state
from lab.progress import LabError, step

SHOP = state.LAB_FILES / "shop"
COMPOSE = SHOP / "compose.yaml"
# Of the app's templates the one that is edited on the host.
TEMPLATE = "shop/base.html"
FOLDER = "/srv/shop"


def run(lab: dict[str, Any], action: str) -> None:
    """`up`, `down` or `status` of the app, over SSH as the ordinary user with sudo."""
    if not COMPOSE.is_file():
        raise LabError(f"There is no sample app in {COMPOSE.parent}.")
    if not _works(lab, "sudo docker compose version"):
        raise LabError(
            "The host has no Docker with compose yet: run site.yml first, or start the lab with --engine existing."
        )
    if action == "up":
        with step("Starting the sample app"):
            _write(lab, "compose.yaml", _project(lab))
            _write_once(lab, ".env", "# What differs between this host and others.\n", mode="600")
            _write_once(lab, f"templates/{TEMPLATE}", (SHOP / "app/shop/templates" / TEMPLATE).read_text("utf-8"))
            _compose(lab, "up --detach --wait --wait-timeout 300 --remove-orphans", 400)
    elif action == "down":
        with step("Stopping the sample app"):
            _compose(lab, "down --volumes --remove-orphans", 120)
    else:
        print(_compose(lab, "ps --all", 60), end="")


def _project(lab: dict[str, Any]) -> str:
    """The app's compose project, without what Docker before 25 refuses."""
    text = COMPOSE.read_text("utf-8")
    major = int(_on_host(lab, "sudo docker version --format '{{.Server.Version}}'").split(".")[0])
    return text if major >= 25 else re.sub(r" +start_interval:.*\n", "", text)


def _write(lab: dict[str, Any], name: str, text: str, mode: str = "644", unless: str = "false") -> None:
    """A file of the app, unless a command on the host succeeds."""
    _on_host(lab, f"{unless} || sudo install -D -m {mode} /dev/stdin {FOLDER}/{name}", text)


def _write_once(lab: dict[str, Any], name: str, text: str, mode: str = "644") -> None:
    """A file that others change as well."""
    _write(lab, name, text, mode, unless=f"sudo test -e {FOLDER}/{name}")


def _compose(lab: dict[str, Any], words: str, seconds: float) -> str:
    return _on_host(lab, f"cd {FOLDER} && sudo docker compose {words}", seconds=seconds)


def _on_host(lab: dict[str, Any], line: str, stdin: str | None = None, seconds: float = 60) -> str:
    return shell.run(ssh_access.command(lab, lab["hosts"][0], [line]), seconds, stdin)


def _works(lab: dict[str, Any], line: str) -> bool:
    try:
        _on_host(lab, line)
    except LabError:
        return False
    return True
