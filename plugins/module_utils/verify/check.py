# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One line of a verification, as a value. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.paths import logs_command

# FAIL: not as declared, and a run or the named action puts it right. WARN: worth knowing, and no run can cure it.
PASS, WARN, FAIL = "PASS", "WARN", "FAIL"
RUN_SITE = "Run `./crowsnest site` with the same -i; it puts this right."


class Check(NamedTuple):
    """What was checked and how it is.

    `advice` says what to do about it. `soon`: it may be right in a moment, like a target that has not been scraped yet.
    `kind` is what several such lines have in common, as in `targets of app shop are down`, and `name` tells
    this one apart: the report joins them into one line, "7 targets of app shop are down: NAME, NAME, …".
    """

    status: str
    area: str
    detail: str
    advice: str = ""
    soon: bool = False
    kind: str = ""
    name: str = ""


def logs_of(service: str) -> str:
    """The advice that always helps: where the service itself reports what is wrong."""
    return f"See `{logs_command(service)}` on the server."


def runbook(alert: str) -> str:
    """The advice for what an alert reports as well."""
    return f"See the runbook {alert}."


def some(names: Iterable[str], limit: int = 5) -> str:
    """`a, b, c and 4 more`."""
    all_names = list(names)
    first, more = all_names[:limit], len(all_names) - limit
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h`, `12 d`: rounded down."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(max(seconds, 0))} s"
