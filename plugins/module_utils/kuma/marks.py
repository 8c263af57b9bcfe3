# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Uptime Kuma holds, and the marks that identify crowsnest's own objects. Pure. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.canonical import (
    Version,
)

SETTINGS, NOTIFICATION, HOST, TAG = "settings", "notification", "docker host", "tag"
MONITORS, PAGE, WINDOW = "monitor", "status page", "maintenance"
KINDS = (SETTINGS, NOTIFICATION, HOST, TAG, MONITORS, PAGE, WINDOW)  # in the order of their references

MARK = "crowsnest"  # name of crowsnest's tag and of the key in a notification
COLOUR = "#4B5563"  # of a tag that is not listed
HOST_PREFIX = "crowsnest: "
CSS_MARK = "/* crowsnest */"
HALF_MADE = "crowsnest is making this page"  # title of a status page until its first save
INCIDENT_MARK = "<!-- crowsnest -->"
COPY = " copied as "  # between the key of an object and the number of its clone
_SENTENCE = re.compile(r"(?:^|\n)Managed by crowsnest \((?P<key>[^)\n]+)\)\.")
_UNMARKED = " (without the mark of crowsnest)"
COMMENT = re.compile(r"\s*<!-- crowsnest:(?P<key>.+?) -->\s*$")


class Live(NamedTuple):
    """What is in Kuma, in its own words, by its own numbers."""

    version: Version
    settings: dict[str, Any]
    notifications: list[dict[str, Any]]
    docker_hosts: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    monitors: list[dict[str, Any]]
    maintenances: list[dict[str, Any]]  # ours with `monitors` and `statusPages`, lists of numbers
    status_pages: list[dict[str, Any]]  # ours with `publicGroupList` and `incidents`


NOTHING = Live((), {}, [], [], [], [], [], [])


def tidy(value: Any) -> str | None:
    """A text next to a mark, without the blank lines around it."""
    return str(value or "").strip() or None


def described(key: str, description: Any) -> str:
    """The description of a monitor: what people wrote, and the sentence that marks it."""
    sentence = f"Managed by crowsnest ({key}). Change the declaration, not this monitor: the next run puts it right."
    return f"{description}\n\n{sentence}" if description else sentence


def undescribed(key: str, description: Any) -> str | None:
    """What people wrote; a description whose mark was removed counts as changed."""
    whole = description or ""
    mark = described(key, None)
    return tidy(whole[: -len(mark)]) if whole.endswith(mark) else whole + _UNMARKED


def commented(key: str, description: Any) -> str:
    """The description of a maintenance window: what people wrote, and a comment that no page shows."""
    return f"{description or ''}\n\n<!-- crowsnest:{key} -->".lstrip()


def monitor_key(raw: Mapping[str, Any]) -> str | None:
    """The key of one of crowsnest's monitors: from its tag, or from the description of one that was left half-made."""
    for tag in raw.get("tags") or []:
        if tag["name"] == MARK:
            return str(tag["value"])
    found = _SENTENCE.search(raw.get("description") or "")
    return found["key"] if found else None


def window_key(raw: Mapping[str, Any]) -> str | None:
    """The key of one of crowsnest's maintenance windows."""
    found = COMMENT.search(raw.get("description") or "")
    return found["key"] if found else None


def page_is_ours(raw: Mapping[str, Any]) -> bool:
    """Whether crowsnest made a status page, or left it half-made."""
    return (raw.get("customCSS") or "").startswith(CSS_MARK) or raw.get("title") == HALF_MADE


def notification_key(raw: Mapping[str, Any]) -> str | None:
    """The key of one of crowsnest's notifications."""
    return raw.get(MARK) or None


def host_key(raw: Mapping[str, Any]) -> str | None:
    """The declared name of one of crowsnest's docker hosts."""
    name = raw.get("name") or ""
    return name[len(HOST_PREFIX) :] if name.startswith(HOST_PREFIX) else None


def our_incident(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Crowsnest's pinned incident, as Kuma has it."""
    return next((row for row in raw["incidents"] if (row.get("content") or "").endswith(INCIDENT_MARK)), None)
