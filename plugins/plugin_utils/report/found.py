# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What runs on the hosts and nobody declared: a block of `crowsnest_apps` that is ready to be copied. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import yaml

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts, RunningContainer
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import LOOPBACK, host_and_port

# Images by the last part of their names, without a tag; then programs of a host.
_IMAGES = {
    "database": {
        *("postgres", "postgresql", "postgresql-repmgr", "postgis", "timescaledb", "timescaledb-ha"),
        *("pgvector", "pgvecto-rs", "pgrouting", "citus", "paradedb"),
    },
    "redis": {"redis", "redis-stack", "redis-stack-server", "valkey", "valkey-bundle", "keydb"},
}
_PROGRAMS = {"database": ("postgres",), "redis": ("redis-server", "valkey-server", "redis-check-rdb")}
_WORDS = {"database": "PostgreSQL", "redis": "Redis"}
_USUAL_PORTS = {"database": 5432, "redis": 6379, "http": 80, "https": 443}
# They answer programs; people open no page of theirs.
_NO_PAGE = {
    *("mysql", "mysql-server", "mariadb", "percona", "percona-server", "mongo", "mongodb", "cassandra", "scylla"),
    *("clickhouse", "clickhouse-server", "influxdb", "elasticsearch", "opensearch", "memcached", "etcd", "minio"),
    *("rabbitmq", "nats", "kafka", "cp-kafka", "redpanda", "zookeeper", "mosquitto", "emqx", "activemq"),
    *("pgbouncer", "pgpool", "openldap", "mailpit", "mailhog", "postfix"),
}
_SECRET_FILE = "{}_database_password"  # noqa: S105 - the name of a file
_LOOKUP = "{{{{ lookup('ansible.builtin.file', inventory_dir ~ '/secrets/{}') | trim }}}}"
# What a container's environment says is not ours: YAML of a declaration with braces in it is a program.
_PLAIN = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_HEAD = (
    "These run and are not declared. Copy what should be watched into crowsnest_apps, and change what is not right; "
    "what should not: list it in crowsnest_ignored_containers."
)


@dataclass(frozen=True)
class _Host:
    """A host that answered, and all declared apps with the {(host, port)} in their addresses, by name."""

    name: str
    server: str
    facts: HostFacts
    apps: Sequence[App]
    places: Mapping[str, set[tuple[str, int]]]

    @property
    def address(self) -> str:
        """The address of the host, as it stands before a port."""
        return f"[{self.facts['address']}]" if ":" in self.facts["address"] else self.facts["address"]

    @property
    def own(self) -> str:
        """How the server reaches the host."""
        return "127.0.0.1" if self.name == self.server else self.address

    def reached(self, address: str) -> str:
        """How the server reaches what listens on an address; empty if it does not."""
        everywhere = dict.fromkeys(("0.0.0.0", "::", self.own), self.own)  # noqa: S104 - as Docker names it
        return {self.facts["address"]: self.address, **everywhere}.get(address, "")

    def ports(self, container: RunningContainer) -> dict[int, str]:
        """{published port: host:port as the server reaches it, or empty}, the lowest first."""
        ports: dict[int, str] = {}
        for row in self.facts["published"]:
            if row["container"] == container["name"]:
                place, port = self.reached(row["address"]), row["port"]
                ports[port] = ports.get(port) or (f"{place}:{port}" if place else "")
        return dict(sorted(ports.items()))

    def place(self, container: RunningContainer) -> str:
        """The first of its ports that the server reaches, as host:port, or empty."""
        return next(filter(None, self.ports(container).values()), "")

    def runs(self, app: App) -> bool:
        """Whether the app is declared to run on this host."""
        return (app.host or self.server) == self.name

    def app_at(self, port: int) -> App | None:
        """The app that names this port of the host in an address."""
        return next((app for app in self.apps if (self.name, port) in self.places[app.name]), None)

    def app_of(self, container: RunningContainer) -> App | None:
        """The app that names the container, or a port of it."""
        named = (app for app in self.apps if self.runs(app) and container["name"] in _containers(app))
        return next(chain(named, filter(None, map(self.app_at, self.ports(container)))), None)


def found_lines(
    declared: Declaration, server: str, hosts: Mapping[str, HostFacts | None], names: Mapping[str, str]
) -> list[str]:
    """Lines of text for a terminal; none when all hosts answered and all that runs is declared.

    `hosts` are {inventory name: facts, or None for one that did not answer}, `names` {another name or address: host}.
    """
    answered = {name: facts for name, facts in hosts.items() if facts}
    known = {**names, **{facts["address"]: name for name, facts in answered.items()}, **{name: name for name in hosts}}
    places = {app.name: _places(app, app.host or server, known) for app in declared.apps}
    taken = {app.name for app in declared.apps}
    blocks: list[str] = []
    for name, facts in answered.items():
        host = _Host(name, server, facts, declared.apps, places)
        blocks += [*_of_containers(host, declared.ignored_containers, taken), *_of_programs(host)]
    silent = [name for name in hosts if name not in answered]
    missed = f"Not looked at, as they did not answer or --limit left them out: {', '.join(silent)}."
    return [*([_HEAD, "", *blocks] if blocks else []), *([missed] if silent else [])]


def _places(app: App, own: str, names: Mapping[str, str]) -> set[tuple[str, int]]:
    """{(host, port)} in the addresses of an app that runs on the host `own`."""
    urls = [urlsplit(url) for url in (app.url, app.health.basic, app.health.detailed) if url and url[0] != "/"]
    stores = [store.address for store in (app.database, app.redis) if store]
    places = [
        *((url.hostname or "", url.port or _USUAL_PORTS[url.scheme]) for url in urls),
        *map(host_and_port, [*stores, *app.tcp.values()]),
        *((source.page.host.strip("[]"), source.page.port) for source in app.metrics),
    ]
    return {
        (own if host in ("", "::1") or LOOPBACK.match(host) else names.get(host, host), port) for host, port in places
    }


# --- containers -------------------------------------------------------------------------------------------------------


def _of_containers(host: _Host, ignored: Sequence[str], taken: set[str]) -> Iterator[str]:
    """Blocks of lines; a compose project is one app, and so is a container without one."""
    groups: dict[str, list[RunningContainer]] = {}
    for container in host.facts["docker"]["running"]:
        if not any(fnmatchcase(container[key], pattern) for pattern in ignored for key in ("name", "project")):
            groups.setdefault(container["project"] or container["name"], []).append(container)
    for group, members in groups.items():
        owner = next(filter(None, map(host.app_of, members)), None)
        namesake = next((app for app in host.apps if host.runs(app) and app.name == _app_name(group)), None)
        if app := owner or namesake:
            yield from _forgotten(host, app, members, None if owner or app.container else _main(host, members))
        else:
            yield from _new_app(host, _free_name(group, taken), members)


def _new_app(host: _Host, name: str, members: Sequence[RunningContainer]) -> Iterator[str]:
    """A compose project, or a container of its own, as an app."""
    main, (page, page_notes), (stores, notes) = _main(host, members), _page(host, members), _stores(host, members, name)
    yield f"# On {host.name}: {', '.join(map(_described, members))}"
    yield from (f"# {note}" for note in (*page_notes, *notes))
    keys = {**({"container": main["name"]} if main else {}), **page, **stores}
    if keys:
        yield from _yaml([{"name": name, **({} if host.name == host.server else {"host": host.name}), **keys}], 2)
    yield ""


def _forgotten(
    host: _Host, app: App, members: Sequence[RunningContainer], main: RunningContainer | None
) -> Iterator[str]:
    """What a declared app does not say of its project: databases, and `main`, if it has only the project's name."""
    stores = [it for it in members if _kind(it)]
    here = {_kind(it) for it in stores if host.app_of(it)}
    has = {kind for kind in _IMAGES if getattr(app, kind)}
    # One that the app has elsewhere may be behind a proxy that hides which container it is.
    left = [it for it in stores if not host.app_of(it) and _kind(it) not in has - here]
    keys, notes = _stores(host, left, app.name, has, host.runs(app))
    told = [*([main] if main else []), *left]
    if told:
        yield f"# On {host.name}: {', '.join(map(_described, told))}, which app {app.name} does not declare. Below it:"
        yield from (f"# {note}" for note in notes)
        keys = {**({"container": main["name"]} if main else {}), **keys}
        yield from _yaml(keys, 4) if keys else ()
        yield ""


def _main(host: _Host, members: Sequence[RunningContainer]) -> RunningContainer | None:
    """The container that people reach, else the first that is no database."""
    own = [it for it in members if not _kind(it)]
    return min(own, key=lambda it: (not _has_page(it), min(host.ports(it), default=65536)), default=None)


def _page(host: _Host, members: Sequence[RunningContainer]) -> tuple[dict[str, str], list[str]]:
    """The key `url`, or notes where it is not clear which one people open, or the server does not reach it."""
    ports = [(it["name"], *each) for it in members if _has_page(it) for each in host.ports(it).items()]
    reached = [(name, f"http://{place}/") for name, _, place in ports if place]
    if len(reached) == 1:
        return {"url": reached[0][1]}, []
    if reached:
        return {}, [f"Add `url`, the one that people open: {', '.join(f'{url} of {name}' for name, url in reached)}"]
    return {}, [
        f"{name} has port {port} only where the server cannot reach it: add `url`, the address that people open."
        for name, port, _ in ports
    ]


def _has_page(container: RunningContainer) -> bool:
    image = _image(container)
    return not _kind(container) and image not in _NO_PAGE and not image.endswith("exporter")


def _containers(app: App) -> tuple[str | None, ...]:
    return app.container, app.database.container if app.database else None


def _described(container: RunningContainer) -> str:
    return f"{container['name']} ({container['image']})"


def _app_name(group: str) -> str:
    """What an app of this compose project or container would be called."""
    plain = re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-")[:30] or "app"
    return plain if plain[0].isalpha() else f"app-{plain}"[:30]


def _free_name(group: str, taken: set[str]) -> str:
    """A name that no app has; it is taken from now on."""
    plain = _app_name(group)
    name = next(name for n in range(1, len(taken) + 2) if (name := plain if n == 1 else f"{plain}-{n}") not in taken)
    taken.add(name)
    return name


# --- databases --------------------------------------------------------------------------------------------------------


def _stores(
    host: _Host,
    members: Sequence[RunningContainer],
    app: str,
    has: Collection[str] = (),
    runs: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """The keys `database` and `redis` of an app, and notes about them and about those that it cannot have.

    `has` are the keys that the app has; `runs`: it is on this host, so that its database may name the container.
    """
    keys: dict[str, Any] = {}
    notes: list[str] = []
    for container in filter(_kind, members):
        kind, place, name = _kind(container), host.place(container), container["name"]
        if not place:
            port = f"{host.own}:{_USUAL_PORTS[kind]}:{_USUAL_PORTS[kind]}"
            way = f'add `ports: ["{port}"]` to its service, then declare `{kind}` of its app.'
            notes.append(f"{name} is a {_WORDS[kind]} that the server cannot reach: {way}")
        elif kind in has or kind in keys:
            notes.append(f"{name} at {place} is one more {_WORDS[kind]}: an app has one. Declare it in another app.")
        elif kind == "redis":
            keys["redis"] = {"address": place}
        else:
            user = container["user"] or "postgres"
            said = {"POSTGRES_DB": container["database"] or user, "POSTGRES_USER": user}
            database, user = (value if _PLAIN.fullmatch(value) else "NAME" for value in said.values())
            own = {"container": name} if runs else {}
            keys["database"] = {"address": place, "name": database, **own, **_admin(user, app)}
            notes += [
                f"Instead of NAME, write what {name} has in {it}."
                for it, value in said.items()
                if not _PLAIN.fullmatch(value)
            ]
            notes.append(_password_first(user, app))
    return keys, notes


def _of_programs(host: _Host) -> Iterator[str]:
    """Databases that the host itself runs."""
    for kind, programs in _PROGRAMS.items():
        for port, rows in host.facts["listeners"].items():
            own = [row for row in rows if not row["contained"] and row["program"].rpartition("/")[2] in programs]
            if not own or host.app_at(int(port)):
                continue
            what = f"# On {host.name}: {programs[0]} on port {port}, which"
            address = next(filter(None, (host.reached(row["address"]) for row in own)), "")
            if not address:
                yield f"{what} the server cannot reach: let it listen on {host.own}, then declare `{kind}` of its app."
            else:
                yield f"{what} no app declares. Below its app:"
                # Without a password the run becomes the system user postgres, on the server alone.
                login = kind == "database" and not LOOPBACK.match(address)
                yield from [f"# {_password_first('postgres', 'NAME')}"] if login else []
                keys = {"address": f"{address}:{port}", **({"name": "NAME"} if kind == "database" else {})}
                yield from _yaml({kind: {**keys, **(_admin("postgres", "NAME") if login else {})}}, 4)
            yield ""


def _admin(user: str, app: str) -> dict[str, str]:
    return {"admin_user": user, "admin_password": _LOOKUP.format(_SECRET_FILE.format(app))}


def _password_first(user: str, app: str) -> str:
    return (
        f"Before the next run, write the password of {user} into secrets/{_SECRET_FILE.format(app)} of the inventory."
    )


def _kind(container: RunningContainer) -> str:
    """`database`, `redis` or empty."""
    return next((kind for kind, images in _IMAGES.items() if _image(container) in images), "")


def _image(container: RunningContainer) -> str:
    """`ghcr.io/team/valkey:8@sha256:…` → `valkey`."""
    return re.split("[:@]", container["image"].rpartition("/")[2], maxsplit=1)[0].lower()


def _yaml(value: Any, indent: int) -> list[str]:
    text = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=1000, allow_unicode=True)
    return [" " * indent + line for line in text.splitlines()]
