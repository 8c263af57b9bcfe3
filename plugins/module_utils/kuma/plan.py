# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What has to change in Uptime Kuma, and what this Kuma cannot take of the declaration. Pure. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.canonical import (
    Version,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    DOCKER_HOST,
    MAINTENANCE,
    MONITOR,
    STATUS_PAGE,
    monitor_default,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import (
    COPY,
    HOST,
    KINDS,
    MONITORS,
    NOTIFICATION,
    PAGE,
    SETTINGS,
    TAG,
    WINDOW,
    page_is_ours,
)
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import Comparison
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    CREATE,
    Change,
    Thing,
    Things,
    one_line,
)

RESTART, ACCOUNT, KEY = "container", "account", "API key"  # what changes besides objects
REMOVED = (WINDOW, PAGE, MONITORS, HOST, NOTIFICATION)  # kinds in the order of removal; tags and settings stay
_TABLES = {MONITORS: MONITOR, PAGE: STATUS_PAGE, WINDOW: MAINTENANCE, HOST: DOCKER_HOST}
_ADDRESS_LOGIN = re.compile(r"//[^/@\s]+@")
_QUERY_VALUE = re.compile(r"([?&][^=&\s]+=)[^&\s]+")
_SECRET_SETTING = re.compile("key|token|secret|password", re.IGNORECASE)


class KumaChange(Change):
    """Shows values in its one line: `change monitor shop: health: interval 60 → 30`."""

    __slots__ = ()

    def is_secret(self, field: str) -> bool:
        """Which options of a notification are secret depends on the provider: all but its name and type."""
        if self.kind == NOTIFICATION:
            return field not in ("name", "type")
        if self.kind == SETTINGS:
            return bool(_SECRET_SETTING.search(field))
        return self.kind == MONITORS and field in MONITOR and MONITOR[field].secret

    def summary(self, field: str) -> str:
        """With both values."""
        return f"{field} {_short(self.before(field))} → {_short(self.after(field))}"

    def text(self, field: str, value: Any) -> str:
        """Without the login and the values of the query in an address."""
        text = _ADDRESS_LOGIN.sub("//(secret)@", one_line(value))
        return _QUERY_VALUE.sub(r"\1(secret)", text) if field == "url" else text


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _original(key: str) -> str:
    """The key of what an object was cloned from, if it was."""
    return key.split(COPY)[0]


class KumaComparison(Comparison):
    """Fields have defaults by kind and type; notifications have no table of fields; groups go last."""

    change = KumaChange

    def default(self, kind: str, field: str, wanted: Thing) -> Any:
        """What a field means when Kuma, or the declaration, does not mention it."""
        if kind == MONITORS and field in MONITOR:
            return monitor_default(field, wanted.fields["type"])
        table = _TABLES.get(kind, {})
        return table[field].default if field in table else None

    def differs(self, kind: str, field: str, wanted: Thing, found: Thing) -> bool:
        """Whether a monitor is active cannot be seen behind a paused group."""
        hidden = field == "active" and field not in found.fields
        return not hidden and super().differs(kind, field, wanted, found)

    def differing(self, kind: str, wanted: Thing, found: Thing) -> tuple[str, ...]:
        """Options that somebody added to a notification go."""
        added = [field for field in found.fields if field not in wanted.fields] if kind == NOTIFICATION else []
        return (*super().differing(kind, wanted, found), *added)

    def gone(self, kind: str, wanted: Mapping[str, Thing], found: Mapping[str, Thing]) -> list[Thing]:
        """Without clones of what is declared; what is in a group before the group."""
        things = [thing for key, thing in found.items() if _original(key) not in wanted]
        return sorted(things, key=lambda thing: kind == MONITORS and thing.fields["type"] == "group")


COMPARISON = KumaComparison()


def plan(wanted: Things, found: Things, restarts: bool, restart_due: bool = False) -> list[Change]:
    """All that has to be done, in order.

    `restarts`: a new tag needs a restart, since Kuma 2.x uses as labels of /metrics only the tags it had at its start.
    """
    with_tags = KINDS.index(TAG) + 1
    changes = COMPARISON.plan(KINDS[:with_tags], wanted, found)
    new_tag = any((change.verb, change.kind) == (CREATE, TAG) for change in changes)
    if restart_due or (restarts and new_tag):
        changes.append(KumaChange("restart", RESTART, "since Kuma reads tags as labels of /metrics only at its start"))
    changes += COMPARISON.plan(KINDS[with_tags:], wanted, found)
    return changes + COMPARISON.removals(REMOVED, wanted, found)


def copies(wanted: Things, found: Things) -> list[str]:
    """Sentences about objects that somebody cloned from crowsnest's own: they are left alone."""
    return [
        f"The {kind} {thing.name} (number {thing.id}) was copied from {wanted[kind][_original(key)].name} and "
        "carries its mark; it is left alone. Remove it, or its tag crowsnest and the sentence in its description."
        for kind in REMOVED
        for key, thing in found[kind].items()
        if COPY in key and _original(key) in wanted[kind]
    ]


def taken(wanted: Things, status_pages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Mistakes: addresses of status pages that were made by hand; Kuma would move a domain name silently."""
    by_hand = [page for page in status_pages if not page_is_ours(page)]
    return [
        f"status page {page['slug']} was made by hand; declare another slug, or remove that page"
        for page in by_hand
        if page["slug"] in wanted[PAGE]
    ] + [
        f"status page {thing.name}: the domain name {domain} belongs to the page {page['slug']}, which was made by hand"
        for thing in wanted[PAGE].values()
        for page in by_hand
        for domain in thing.fields["domainNameList"]
        if domain in page["domainNameList"]
    ]


def too_new(wanted: Things, version: Version) -> list[str]:
    """Mistakes: declared fields that this version of Kuma does not have."""
    return [
        f"{kind} {thing.name}: {field} needs Uptime Kuma {'.'.join(map(str, table[field].since))} or later"
        for kind, table in ((MONITORS, MONITOR), (PAGE, STATUS_PAGE))
        for thing in wanted[kind].values()
        for field, value in thing.fields.items()
        if field in table and table[field].since > version and value != COMPARISON.default(kind, field, thing)
    ]
