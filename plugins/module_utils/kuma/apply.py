# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Carries changes out, in Uptime Kuma's own words. Python 3.9, standard library.

https://github.com/louislam/uptime-kuma/blob/2.5.3/server/server.js and server/socket-handlers/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.client import Kuma
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import (
    MAINTENANCE,
    MONITOR,
    STATUS_PAGE,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import (
    COLOUR,
    CSS_MARK,
    HALF_MADE,
    HOST,
    HOST_PREFIX,
    INCIDENT_MARK,
    MARK,
    MONITORS,
    NOTIFICATION,
    PAGE,
    SETTINGS,
    TAG,
    WINDOW,
    Live,
    commented,
    described,
    our_incident,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.plan import COMPARISON
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import (
    CREATE,
    REMOVE,
    Change,
    Thing,
    Things,
)

Ids = dict[str, dict[str, Any]]  # kind -> key -> Kuma's number


def known_ids(found: Things, live: Live) -> Ids:
    """The numbers of what is there. Tags and status pages count also when made by hand."""
    ids: Ids = {kind: {key: thing.id for key, thing in things.items()} for kind, things in found.items()}
    ids[PAGE] = {page["slug"]: page["id"] for page in live.status_pages}
    return ids


class Apply:
    """Writes changes and remembers the numbers that Kuma gives."""

    def __init__(self, kuma: Kuma, live: Live, found: Things) -> None:
        self.kuma, self.live, self.ids = kuma, live, known_ids(found, live)
        self.new_fields = live.version >= (2, 0)
        self.writers: Mapping[str, Callable[[Change], Any]] = {
            SETTINGS: self.settings,
            NOTIFICATION: self.notification,
            HOST: self.docker_host,
            TAG: self.tag,
            MONITORS: self.monitor,
            PAGE: self.status_page,
            WINDOW: self.maintenance,
        }

    def __call__(self, change: Change) -> None:
        """Raises KumaError."""
        if change.verb == REMOVE:
            self.remove(change)
        else:
            number = self.writers[change.kind](change)
            self.ids[change.kind][change.wanted.key] = number or change.found.id

    def remove(self, change: Change) -> None:
        """By Kuma's number; a status page by its slug."""
        events = {
            NOTIFICATION: "deleteNotification",
            HOST: "deleteDockerHost",
            MONITORS: "deleteMonitor",
            PAGE: "deleteStatusPage",
            WINDOW: "deleteMaintenance",
        }
        self.kuma.call(events[change.kind], change.found.key if change.kind == PAGE else change.found.id)

    def settings(self, change: Change) -> None:
        """Kuma forgets its entry page when it is not sent."""
        declared = {name: change.wanted.raw[name] for name in change.fields}
        self.kuma.call("setSettings", {"entryPage": "dashboard", **self.live.settings, **declared}, "")

    def notification(self, change: Change) -> Any:
        """Everything is kept as it is sent, our mark too."""
        declared = {name: value for name, value in change.wanted.raw.items() if name != "key"}
        config = {"isDefault": False, **declared, MARK: change.wanted.key, "applyExisting": False}
        return self.kuma.call("addNotification", config, change.found.id)["id"]

    def docker_host(self, change: Change) -> Any:
        """The name carries our mark."""
        host = {**change.wanted.fields, "name": HOST_PREFIX + change.wanted.key}
        return self.kuma.call("addDockerHost", host, change.found.id)["id"]

    def tag(self, change: Change) -> Any:
        """A tag that is only used has our own colour."""
        tag = {"name": change.wanted.key, "color": change.wanted.fields.get("color", COLOUR)}
        if change.verb == CREATE:
            return self.kuma.call("addTag", tag)["tag"]["id"]
        return self.kuma.call("editTag", {"id": change.found.id, **tag})["tag"]["id"]

    # --- monitors ---

    def monitor(self, change: Change) -> Any:
        """Creates or changes one."""
        return self.add_monitor(change.wanted) if change.verb == CREATE else self.edit_monitor(change)

    def references(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What a monitor refers to, by Kuma's numbers."""
        return {
            "parent": self.ids[MONITORS].get(fields["group"]),
            "docker_host": self.ids[HOST].get(fields["docker_host"]),
            "notificationIDList": {str(self.ids[NOTIFICATION][key]): True for key in fields["notifications"]},
        }

    def add_monitor(self, thing: Thing) -> Any:
        """Not started before it has its tags: Kuma reads the labels of /metrics from them when a monitor starts."""
        sent = {
            name: field.sent(thing.fields[name])
            for name, field in MONITOR.items()
            if name in thing.fields
            and (field.since < (2, 0) or (self.new_fields and thing.fields[name] != field.default))
        }
        if self.new_fields:
            sent["conditions"] = thing.fields["conditions"]  # 2.x does not take a monitor without
        sent["description"] = described(thing.key, thing.fields["description"])
        named = {name: thing.fields[name] for name in ("name", "type")}
        monitor = {**sent, **named, **self.references(thing.fields), "active": False}
        number = self.kuma.call("add", monitor)["monitorID"]
        for name, value in thing.fields["tags"]:
            self.kuma.call("addMonitorTag", self.ids[TAG][name], number, value)
        if thing.fields["active"]:
            self.kuma.call("resumeMonitor", number)
        return number

    def edit_monitor(self, change: Change) -> None:
        """An edit restarts a monitor, a resume does as well: each only when needed."""
        wanted, number = change.wanted.fields, change.found.id
        if "tags" in change.fields:
            self.set_tags(change)
        edited = {name: wanted[name] for name in change.fields if name not in ("tags", "active")}
        if edited:
            sent = {name: MONITOR[name].sent(value) if name in MONITOR else value for name, value in edited.items()}
            sent["description"] = described(change.wanted.key, wanted["description"])
            self.kuma.call("editMonitor", {**change.found.raw, **sent, **self.references(wanted)})
        if "active" in change.fields:
            self.kuma.call("resumeMonitor" if wanted["active"] else "pauseMonitor", number)
        elif not edited and wanted["active"]:
            self.kuma.call("resumeMonitor", number)  # with its new labels

    def set_tags(self, change: Change) -> None:
        """Kuma takes a tag off by name and value, so all of equal ones."""
        wanted, number = change.wanted.fields["tags"], change.found.id
        raw = [(tag["name"], tag["value"] or "", tag["tag_id"]) for tag in change.found.raw["tags"]]
        unchanged = [
            [name, value]
            for name, value, _ in raw
            if [name, value] in wanted and change.found.fields["tags"].count([name, value]) == 1
        ]
        for name, value, tag in raw:
            if [name, value] not in unchanged:
                self.kuma.call("deleteMonitorTag", tag, number, value)
        for name, value in wanted:
            if [name, value] not in unchanged:
                self.kuma.call("addMonitorTag", self.ids[TAG][name], number, value)

    # --- maintenance windows and status pages ---

    def maintenance(self, change: Change) -> Any:
        """The window, then what it is about."""
        fields = change.wanted.fields
        window = {name: fields.get(name, field.default) for name, field in MAINTENANCE.items()}
        window["description"] = commented(change.wanted.key, fields["description"])
        window["timezoneOption"] = window.pop("timezone")
        window["dateRange"] = window["dateRange"] or [None]
        window["timeRange"] = window["timeRange"] or [{"hours": 2, "minutes": 0}, {"hours": 3, "minutes": 0}]
        number = change.found.id
        if change.verb == CREATE:
            number = self.kuma.call("addMaintenance", window)["maintenanceID"]
        elif set(change.fields) - {"monitors", "status_pages"}:
            self.kuma.call("editMaintenance", {**window, "id": number})
        if "monitors" in change.fields:
            monitors = [{"id": self.ids[MONITORS][key]} for key in fields["monitors"]]
            self.kuma.call("addMonitorMaintenance", number, monitors)
        if "status_pages" in change.fields:
            pages = [{"id": self.ids[PAGE][key]} for key in fields["status_pages"]]
            self.kuma.call("addMaintenanceStatusPage", number, pages)
        return number

    def status_page(self, change: Change) -> Any:
        """A page is made by title and slug, the rest comes with its first save; until then its title marks it."""
        wanted, raw = change.wanted, change.found.raw
        slug, fields = wanted.key, wanted.fields
        if change.verb == CREATE:
            self.kuma.call("addStatusPage", HALF_MADE, slug)
            raw = {**self.kuma.call("getStatusPage", slug)["config"], "incidents": []}
        if "incident" in change.fields:
            self.incident(slug, fields["incident"], raw["incidents"], our_incident(raw))
        config = {
            **raw,
            **{
                name: field.sent(fields[name])
                for name, field in STATUS_PAGE.items()
                if name in raw or fields[name] != COMPARISON.default(PAGE, name, wanted)
            },
        }
        config["customCSS"] = f"{CSS_MARK}\n{fields['customCSS'] or ''}".strip()
        groups = [
            {"name": name, "monitorList": [{"id": self.ids[MONITORS][key], "sendUrl": False} for key in keys]}
            for name, keys in fields["groups"]
        ]
        self.kuma.call("saveStatusPage", slug, config, config["icon"], groups)  # this also makes Kuma show an incident
        return raw["id"]

    def incident(self, slug: str, wanted: Any, pinned: list[Mapping[str, Any]], ours: Mapping[str, Any] | None) -> None:
        """Posts it, edits the one that is there, or takes ours off the page; those of people stay pinned."""
        if wanted:
            text = f"{wanted['content']}\n\n{INCIDENT_MARK}"
            self.kuma.call("postIncident", slug, {**wanted, "content": text, **({"id": ours["id"]} if ours else {})})
        elif ours and len(pinned) == 1:
            self.kuma.call("unpinIncident", slug)
        elif ours:
            self.kuma.call("editIncident", slug, ours["id"], {**ours, "pin": False})
