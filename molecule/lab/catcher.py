# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Slack catcher on the first host of a lab: a service that plays Slack on the loopback."""

from lab import state
from lab.engine import Client
from lab.host_container import archive, output
from lab.progress import LabError, step

PROGRAM = state.LAB_FILES / "slack_catcher" / "slack_catcher.py"
TARGET = "opt/slack-catcher/slack_catcher.py"
SERVICE = "slack-catcher.service"


def install(container: Client) -> None:
    """Put the present version of the catcher on the host and (re)start it when it changed."""
    if not PROGRAM.is_file():
        return
    text = PROGRAM.read_text(encoding="utf-8")
    if output(container, ["cat", f"/{TARGET}"]) == (0, text.strip()):
        return
    with step("Installing the Slack catcher"):
        container.put_archive("/", archive({TARGET: (text, 0o644)}))
        code, words = output(container, ["systemctl", "restart", SERVICE])
    if code != 0:
        raise LabError(f"The Slack catcher does not start ({words}): see `exec NAME -- journalctl -u {SERVICE}`.")
