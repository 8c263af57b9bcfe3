# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Slack takes the tokens of its bots. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError
from ansible_collections.crowsnest.core.plugins.module_utils.slack import COPY_AGAIN, refusal
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import FAIL, PASS, RUN_SITE, WARN, Check


def bot_checks(path: str, bots: Mapping[str, str]) -> Iterator[Check]:
    """`path` is Alertmanager's directory, `bots` are {receiver: file with its token}; one that is missing is told
    elsewhere. Whether the bot may write in its channel shows only when it does.
    """
    for name, file in bots.items():
        token = Path(path, "current", file)
        if not token.exists():
            continue
        try:
            why = refusal(token.read_text())
        except NoAnswerError as error:
            detail = f"Slack does not answer from the server, so the token of {name} is unchecked: {error}"
            yield Check(WARN, "delivery", detail, "See the runbook AlertmanagerNotificationsFailing.")
            continue
        if why:
            yield Check(FAIL, "delivery", f"Slack refuses the token of {name} ({why})", f"{COPY_AGAIN} {RUN_SITE}")
        else:
            yield Check(PASS, "delivery", f"Slack takes the token of {name}")
