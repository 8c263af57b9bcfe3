# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What runs on the hosts and nobody declared: a block of `crowsnest_apps` that is ready to be copied. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts, RunningContainer
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import LOOPBACK

# Words in the names of images, and programs of a host.
_POSTGRESQL = ("postgres", "postgis", "timescale", "pgvector")
_REDIS = ("redis", "valkey", "keydb")
_PROGRAMS = {"database": ("postgres",), "redis": ("redis-server", "valkey-server", "redis-check-rdb")}
_ANY, _LOOPBACK = ("0.0.0.0", "::"), ("127.0.0.1", "::1")  # noqa: S104 - as Docker names it
_LOOKUP = "{{{{ lookup('ansible.builtin.file', inventory_dir ~ '/secrets/{}_database_password') | trim }}}}"
_HEAD = (
    "These run and are not declared. Copy what should be watched into crowsnest_apps, and change what is not right; "
    "what should not: list it in crowsnest_ignored_containers."
)


@dataclass(frozen=True)
class _Host:
    """A host and what is declared of it. `name` is empty for the server, which is an app's default."""

    name: str
    facts: HostFacts
    apps: Sequence[App]

    def port(self, container: RunningContainer) -> int | None:
        """The first port of the container that the host itself reaches."""
        ports = [
            row["port"]
            for row in self.facts["published"]
            if row["container"] == container["name"] and row["address"] in (*_ANY, *_LOOPBACK, self.facts["address"])
        ]
        return min(ports, default=None)

    def app_of(self, container: RunningContainer) -> App | None:
        """The app that names the container, or a port of it."""
        name, port = container["name"], self.port(container)
        return next((app for app in self.apps if name in _containers(app) or port in self.ports(app)), None)

    def ports(self, app: App) -> set[int]:
        """Ports of this host in the addresses of an app."""
        urls = filter(None, (app.url, app.health.basic, app.health.detailed))
        stores = [store.address for store in (app.database, app.redis) if store]
        places = [*(urlsplit(url).netloc for url in urls), *stores, *app.tcp.values()]
        here = (place.rpartition(":")[2] for place in places if self._is_here(place))
        return {int(port) for port in here if port.isdigit()} | {source.page.port for source in app.metrics}

    def _is_here(self, place: str) -> bool:
        return bool(LOOPBACK.match(place)) or place.rpartition(":")[0] == self.facts["address"]


def found_lines(declared: Declaration, server: str, hosts: Mapping[str, HostFacts]) -> list[str]:
    """Lines of text for a terminal; none when all that runs is declared. `hosts` are those that answered."""
    taken = {app.name for app in declared.apps}
    lines: list[str] = []
    for name, facts in hosts.items():
        apps = [app for app in declared.apps if (app.host or server) == name]
        host = _Host("" if name == server else name, facts, apps)
        lines += _of_host(host, name, set(declared.ignored_containers), taken)
    return [_HEAD, "", *lines] if lines else []


def _of_host(host: _Host, name: str, ignored: set[str], taken: set[str]) -> Iterator[str]:
    containers = [it for it in host.facts["docker"]["running"] if it["name"] not in ignored]
    groups: dict[str, list[RunningContainer]] = {}
    for container in containers:
        groups.setdefault(container["project"] or container["name"], []).append(container)
    for group, members in groups.items():
        owner = next(filter(None, map(host.app_of, members)), None)
        yield from _forgotten(host, name, owner, members) if owner else _new_app(host, name, group, members, taken)
    yield from _of_programs(host, name)


def _new_app(host: _Host, name: str, group: str, members: Sequence[RunningContainer], taken: set[str]) -> Iterator[str]:
    """A compose project, or a container of its own, as an app."""
    app_name = _free_name(group, taken)
    taken.add(app_name)
    main = _main(host, members)
    app: dict[str, Any] = {"name": app_name}
    if host.name:
        app["host"] = host.name
    if main:
        app["container"] = main["name"]
        if port := host.port(main):
            app["url"] = f"http://127.0.0.1:{port}/"
    yield f"# On {name}: {', '.join(_described(it) for it in members)}"
    notes = []
    for container in members:
        keys, note = _store(host, container, app_name)
        app |= keys
        notes += [f"# {note}"] if note else []
    yield from notes
    if len(app) > 1 + bool(host.name):
        yield from _yaml([app])
    yield ""


def _forgotten(host: _Host, name: str, app: App, members: Sequence[RunningContainer]) -> Iterator[str]:
    """Databases beside the containers of an app that declares none."""
    for container in members:
        keys, note = _store(host, container, app.name)
        if (not keys and not note) or getattr(app, _kind(container) or "", None) or host.app_of(container):
            continue
        yield f"# On {name}: {_described(container)}, which app {app.name} does not declare. Below it:"
        yield from [f"# {note}"] if note else (f"  {line}" for line in _yaml(keys))
        yield ""


def _of_programs(host: _Host, name: str) -> Iterator[str]:
    """Databases that the host itself runs."""
    for kind, programs in _PROGRAMS.items():
        for port, rows in host.facts["listeners"].items():
            runs = any(not row["contained"] and row["program"].rpartition("/")[2] in programs for row in rows)
            if not runs or any(int(port) in host.ports(app) for app in host.apps):
                continue
            address = f"127.0.0.1:{port}"
            yield f"# On {name}: {programs[0]} on port {port}, which no app declares. Below its app:"
            yield from (f"  {line}" for line in _yaml({kind: {"address": address} | _named(kind, "NAME")}))
            yield ""


def _named(kind: str, database: str) -> dict[str, str]:
    return {"name": database} if kind == "database" else {}


def _store(host: _Host, container: RunningContainer, app: str) -> tuple[dict[str, Any], str]:
    """The key `database` or `redis` of a container that is one, or else why it cannot be declared yet."""
    kind, port = _kind(container), host.port(container)
    if not kind:
        return {}, ""
    if not port:
        inside = {"database": 5432, "redis": 6379}[kind]
        way = f'add `ports: ["127.0.0.1:{inside}:{inside}"]` to its service, then declare `{kind}` of its app.'
        return {}, f"{container['name']} is {_word(kind)} that its host cannot reach: {way}"
    place = {"address": f"127.0.0.1:{port}"}
    if kind == "redis":
        return {"redis": place}, ""
    user = container["user"] or "postgres"
    return {
        "database": {
            **place,
            "name": container["database"] or user,
            "container": container["name"],
            "admin_user": user,
            "admin_password": _LOOKUP.format(app),
        }
    }, ""


def _kind(container: RunningContainer) -> str:
    """`database`, `redis` or empty."""
    image = container["image"].rpartition("/")[2].lower()
    kinds = {"database": _POSTGRESQL, "redis": _REDIS}
    exporter = "exporter" in image
    return next((kind for kind, words in kinds.items() if not exporter and any(word in image for word in words)), "")


def _word(kind: str) -> str:
    return {"database": "a PostgreSQL", "redis": "a Redis"}[kind]


def _described(container: RunningContainer) -> str:
    return f"{container['name']} ({container['image']})"


def _main(host: _Host, members: Sequence[RunningContainer]) -> RunningContainer | None:
    """The container that people reach, else the first that is no database."""
    own = [it for it in members if not _kind(it)]
    return min(own, key=lambda it: (host.port(it) is None, host.port(it) or 0), default=None)


def _containers(app: App) -> tuple[str | None, ...]:
    return app.container, app.database.container if app.database else None


def _free_name(group: str, taken: set[str]) -> str:
    """A name of an app that is not taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-")[:30] or "app"
    plain = plain if plain[0].isalpha() else f"app-{plain}"[:30]
    return next(name for n in range(1, len(taken) + 2) if (name := plain if n == 1 else f"{plain}-{n}") not in taken)


def _yaml(value: Any) -> list[str]:
    """Indented by two, as in the list `crowsnest_apps`."""
    text = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=1000, allow_unicode=True)
    return [f"  {line}" for line in text.splitlines()]
