# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Uptime Kuma says when the path of all alerts is broken, and when it works again: as no alert can say it. Pure.

Kuma fills in a template whenever it sends: https://liquidjs.com. It knows the state of the group and, from `msg`, the
names of the monitors in it that do not answer.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Literal, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.paths import logs_command
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.words import words_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

ALERTING_KEY = "crowsnest/alerting-path"
# Names of what watches the path of all other alerts begin with this, in each language. What matches names knows all of
# them: series keep the name of before for a while after the language was changed.
ALERTING_PATH = {"en": "Alerting path", "ko": "알림 경로"}
Markup = Literal["slack", "discord", "plain"]
_ANCHOR = {"slack": "<{url}|{word}>", "discord": "[{word}]({url})", "plain": "{word}: {url}"}
_PROMETHEUS, _ALERTMANAGER = (f'heartbeatJSON.msg contains "{name}"' for name in ("Prometheus", "Alertmanager"))
# {condition: what it means}; the first one that holds counts. 0 is down; who tests the notification by hand is told of
# the end.
_CASES = {
    "heartbeatJSON.status != 0": "works",
    f"{_PROMETHEUS} and {_ALERTMANAGER}": "both",
    _PROMETHEUS: "prometheus",
    _ALERTMANAGER: "alertmanager",
    "true": "between",
}


class Message(NamedTuple):
    """`title` has the state before the `summary`, `text` is all below it."""

    firing: bool
    title: str
    summary: str
    text: str


def template(context: Context, markup: Markup, form: Callable[[Message], str]) -> str:
    """Gives what a receiver takes, `form`, of the message that is true when Kuma sends it."""
    branches = (f"{holds} %}}{form(_message(context, markup, case))}" for holds, case in _CASES.items())
    return f"{{% if {'{% elsif '.join(branches)}{{% endif %}}"


def labels(context: Context) -> dict[str, str]:
    """Where it is."""
    return {"environment": context.declaration.environment, "host": context.server}


def _message(context: Context, markup: Markup, case: str) -> Message:
    texts = words_of(context.declaration.language)
    words, path = texts["message"], texts["alerting_path"]
    where = words["where"] + ", ".join(words["label"] % label for label in labels(context).items())
    if case == "works":
        title = f"✅ {words['graded'] % words['resolved']}{path['summary']}"
        return Message(False, title, path["summary"], f"{path['works']}\n{where}")
    summary = f"{path['summary']}: {path['because'][case]}"
    command = logs_command(case if case in context.services else "prometheus alertmanager")
    lines = [
        path["means"],
        where,
        path["look"] + (command if markup == "plain" else f"`{command}`"),
        _ANCHOR[markup].format(
            url=escape(context.declaration.runbook("AlertingPathAlive"), quote=False), word=words["runbook"]
        ),
    ]
    return Message(True, f"🔴 {words['graded'] % words['severity']['critical']}{summary}", summary, "\n".join(lines))
