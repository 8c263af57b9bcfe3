# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake of a declaration at once, each as one sentence: where, what is there, what is allowed.

Two passes: what each value says for itself (the model of `declaration.py`), and what values say of each other and of
the inventory (names that exist once, hosts that exist). The second pass reads the raw variables, so it also finds
something when the first one does.
"""

from __future__ import annotations

import re
import types
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings as declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import MetricsPage
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    AUTHORIZATION,
    LOOPBACK,
    RefusalError,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import (
    HIDDEN,
    HIDDEN_KEY,
    entries,
    entry,
    is_name,
    key,
    mapping,
    nearest,
    shown,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.uptime import uptime_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    CATALOGUE,
    NODE_EXPORTER,
    NODE_EXPORTER_PORT,
)

PREFIX = "crowsnest_"


def mistakes(
    variables: Mapping[str, Any], groups: Mapping[str, Sequence[str]], alert_names: Sequence[str] = ()
) -> list[str]:
    """One line per mistake in `{"crowsnest_apps": …, …}`; empty when all is well.

    `groups` is Ansible's `groups`: {group name: [inventory host names]}. `alert_names` are all alerts that exist.
    """
    lines = [
        *_value_mistakes(variables),
        *_app_mistakes(variables.get("crowsnest_apps"), groups),
        *_service_mistakes(variables),
        *_alert_mistakes(variables.get("crowsnest_disabled_alerts"), alert_names),
        *_receiver_mistakes(variables.get("crowsnest_receivers")),
        *uptime_mistakes(variables),
    ]
    return [" ".join(line.splitlines()) for line in lines]


def _value_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    try:
        declaration.read(dict(variables))
    except ValidationError as invalid:
        for error in invalid.errors():
            yield _sentence(error, variables)


def _sentence(error: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    """One error of pydantic in our words; its types: https://docs.pydantic.dev/latest/errors/validation_errors/"""
    place = _place(error["loc"], variables)
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(place, str(error["loc"][-1]))
    if kind == "missing":
        return f"{place.path}: is missing. {place.description}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _type_mistake(place, context.get("tag"))
    found = HIDDEN if holds_secret(place.annotation) else shown(error["input"])
    cause = context.get("error")
    if isinstance(cause, RefusalError):
        return f"{place.path}: {HIDDEN if cause.hidden else found} {cause}. {place.description}".rstrip()
    allowed = str(cause) if kind == "value_error" else _allowed(kind, context, str(error["msg"]))
    if kind == "value_error" and isinstance(error["input"], dict):
        return f"{place.path}: its keys do not fit together. Allowed: {allowed}."
    meant = ""
    if kind == "literal_error":
        meant = nearest(str(error["input"]), allowed.replace("'", "").replace(" or ", ", ").split(", "))
    return f"{place.path}: {found} does not fit.{meant} Allowed: {allowed.rstrip('.')}. {place.description}".rstrip()


def _type_mistake(place: Place, tag: str | None) -> str:
    """A `type` that is missing (None) or not known."""
    known = [tag for model in _alternatives(place.annotation) for tag in _tags(model)]
    if tag is None:
        return f"{place.path}: `type` is missing. Allowed: {', '.join(known)}."
    found = repr(tag) if is_name(tag) else HIDDEN
    return f"{place.path}.type: {found} is not known.{nearest(tag, known)} Allowed: {', '.join(known)}."


# Types of pydantic's errors as a person who writes YAML would call them.
_TYPES = {
    "string_type": "text, in quotes if it looks like something else",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def _allowed(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return f"text of the form {context['pattern']}"
    if kind == "too_short":
        return "at least one entry"
    if kind in _TYPES:
        return _TYPES[kind]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _unknown_key(place: Place, key: str) -> str:
    prefix = PREFIX if place.models == [declaration.Declaration] else ""
    known = [prefix + name for name in sorted(place.models[-1].model_fields)]
    return f"{place.path}: unknown key.{nearest(prefix + key, known)} Allowed: {', '.join(known)}."


# --- the model along a location -------------------------------------------------------------------------------------

# Keys that tell one entry of a list from another, the best first.
_NAMES = ("name", "title", "slug", "type")


@dataclass
class Place:
    """Where a mistake is.

    `path` is as a person writes it, `crowsnest_apps[1] (shop).thresholds.error_ratio`; `models` are passed on the way,
    outermost first; `annotation` is of the nearest thing that the model knows, `description` of its field.
    """

    path: str = ""
    models: list[type[BaseModel]] = field(default_factory=list)
    annotation: Any = declaration.Declaration
    description: str = ""


def _place(location: Sequence[str | int], variables: Mapping[str, Any]) -> Place:
    """Follows a location through the model and the raw variables."""
    place, value = Place(), {key.removeprefix(PREFIX): each for key, each in variables.items()}
    for part in location:
        models = _alternatives(place.annotation)
        if len(models) > 1 and not isinstance(part, int):
            # pydantic names the type of an entry that has one
            place.annotation = next((model for model in models if part in _tags(model)), place.annotation)
            continue
        if models:
            place.models.append(models[0])
        value = _step(place, part, value)
    return place


def _step(place: Place, part: str | int, value: Any) -> Any:
    """Goes one part further, and returns the value there."""
    annotation, model = _bare(place.annotation), place.models[-1] if _alternatives(place.annotation) else None
    if isinstance(part, int):
        place.annotation = get_args(annotation)[0] if get_origin(annotation) is list else place.annotation
        value = value[part] if isinstance(value, list) and part < len(value) else None
        place.path = entry(place.path, part, value, *_NAMES)
        return value
    known = model.model_fields if model else {}
    if part in known:
        place.annotation, place.description = known[part].annotation, known[part].description or ""
    elif get_origin(annotation) is dict and part != "[key]":
        place.annotation, place.description = get_args(annotation)[1], ""
    if part != "[key]":  # the mistake is in the key before it
        name = part if part in known or _can_be_shown(part, model, place) else HIDDEN_KEY
        place.path += f".{name}" if place.path else PREFIX + name
    return value.get(part) if isinstance(value, dict) else None


def _can_be_shown(key: str, model: type[BaseModel] | None, place: Place) -> bool:
    """A key that a model does not know may be a secret in the wrong place, unless it is a plain word or a slip."""
    if model:
        return bool(nearest(key, list(model.model_fields)) or re.fullmatch("[A-Za-z_]{1,40}", key))
    return is_name(key) and not (holds_secret(place.annotation) and " " in key)


def _bare(annotation: Any) -> Any:
    """Without what Annotated adds, and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        given = [each for each in get_args(annotation) if each is not types.NoneType]
        return _bare(given[0]) if len(given) == 1 else annotation
    return annotation


def _alternatives(annotation: Any) -> list[type[BaseModel]]:
    """The models that a mapping here may be; of a union each."""
    bare = _bare(annotation)
    each = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else [bare]
    return [model for model in each if isinstance(model, type) and issubclass(model, BaseModel)]


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """What `type` says in an entry of this model."""
    return get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()


def holds_secret(annotation: Any) -> bool:
    """Whether a value of this annotation is a secret, or has one at any place below it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(holds_secret(each.annotation) for each in annotation.model_fields.values())
    return annotation is SecretStr or any(holds_secret(each) for each in get_args(annotation))


# --- what values say of each other ----------------------------------------------------------------------------------


def _app_mistakes(apps: Any, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    apps = [mapping(app) for app in entries(apps)]
    counts = Counter(str(app["name"]) for app in apps if "name" in app)
    hosts, servers = list(groups.get("monitored", [])), list(groups.get("server", []))
    for index, app in enumerate(apps):
        path = entry("crowsnest_apps", index, app, "name")
        if (count := counts.get(str(app.get("name")), 0)) > 1:
            yield f"{path}.name: {shown(app['name'])} is declared {count} times. Allowed: each name once."
        yield from _header_mistakes(path, mapping(app.get("headers")))
        host = app.get("host")
        if host is not None and host not in hosts:
            yield (
                f"{path}.host: {shown(host)} is not a host in group `monitored`.{nearest(str(host), hosts)} "
                f"Allowed: {', '.join(hosts)}. Or add the host to the inventory."
            )
        elif host is not None and host not in servers:
            yield from _loopback_mistakes(path, str(host), app)
    yield from _read_twice(apps, servers)


def _read_twice(apps: Sequence[Mapping[str, Any]], servers: Sequence[str]) -> Iterator[str]:
    """A metrics page that is declared twice would count twice, or for the wrong app."""
    first: dict[MetricsPage, str] = {}
    for index, app in enumerate(apps):
        for position, target in enumerate(entries(app.get("metrics"))):
            path = f"{entry('crowsnest_apps', index, app, 'name')}.metrics[{position}]"
            page = _metrics_page(str(target))
            if page is None:
                continue
            elsewhere = app.get("host") not in (None, *servers)
            own = str(app["host"]) if elsewhere else "127.0.0.1"
            same = first.setdefault(replace(page, host=own) if page.host in ("", "localhost") else page, path)
            if same != path:
                yield f"{path}: {shown(target)} is the page that {same} names. Allowed: each page once."


def _metrics_page(target: str) -> MetricsPage | None:
    """None for what the first pass refuses."""
    try:
        return MetricsPage.parse(target)
    except ValueError:
        return None


def _header_mistakes(path: str, headers: Mapping[str, Any]) -> Iterator[str]:
    """What blackbox exporter takes as a header's value: credentials behind their scheme, from a file."""
    for name, value in headers.items():
        if str(name).lower() == "authorization" and isinstance(value, str) and not AUTHORIZATION.fullmatch(value):
            yield (
                f"{path}.headers.{name}: {HIDDEN} does not fit. Allowed: a scheme and what belongs to it, such as "
                "`Bearer TOKEN`. A login by `Basic` is in `username` and `password`."
            )


def _loopback_mistakes(path: str, host: str, app: Mapping[str, Any]) -> Iterator[str]:
    why = f"cannot be reached from the server, as the app runs on {host}"
    targets = app.get("metrics")
    for position, target in enumerate(entries(targets)):
        if LOOPBACK.match(str(target)):
            page, quoted = _metrics_page(str(target)), shown(target)
            # What is declared without its host.
            written = f", written as `{str(target).removeprefix(page.host)}`" if page and quoted != HIDDEN else ""
            yield (f"{path}.metrics[{position}]: {quoted} {why}. Allowed: a port on {host}'s private address{written}.")
    health = mapping(app.get("health"))
    urls = {"url": app.get("url"), "health.basic": health.get("basic"), "health.detailed": health.get("detailed")}
    for position, job in enumerate(entries(app.get("jobs"))):
        yield (
            f"{entry(f'{path}.jobs', position, job, 'name')}: Uptime Kuma listens on the server's "
            f"loopback, where a job on {host} cannot report. Allowed: jobs of apps on the server."
        )
    for name, address in mapping(app.get("tcp")).items():
        if LOOPBACK.match(str(address)):
            allowed = f"Allowed: an address of {host} that the server reaches."
            yield f"{path}.tcp.{key(name)}: {shown(address)} {why}. {allowed}"
    for place, url in urls.items():
        if LOOPBACK.match(str(url).partition("://")[2]):
            yield f"{path}.{place}: {shown(url)} {why}. Allowed: a URL with the address of {host}."


def _service_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    for setting in ("crowsnest_images", "crowsnest_ports", "crowsnest_external_urls"):
        known = [*CATALOGUE, *([NODE_EXPORTER] if setting == "crowsnest_ports" else [])]
        for name in mapping(variables.get(setting)):
            if name not in known:
                yield f"{setting}.{key(name)}: no such service.{nearest(name, known)} Allowed: {', '.join(known)}."
    declared = mapping(variables.get("crowsnest_ports"))
    usual = {NODE_EXPORTER: NODE_EXPORTER_PORT, **{name: service.port for name, service in CATALOGUE.items()}}
    ports = {name: str(declared.get(name, port)) for name, port in usual.items()}
    for name in ports:
        others = [other for other, port in ports.items() if other != name and port == ports[name]]
        if name in declared and others:
            yield f"crowsnest_ports.{name}: {ports[name]} is the port of {', '.join(others)}. Allowed: a free one."


def _alert_mistakes(disabled: Any, alert_names: Sequence[str]) -> Iterator[str]:
    for index, name in enumerate(disabled if isinstance(disabled, list) and alert_names else []):
        if name not in alert_names:
            close = nearest(str(name), alert_names)
            yield f"crowsnest_disabled_alerts[{index}]: {shown(name)} is not a known alert.{close}"


def _receiver_mistakes(receivers: Any) -> Iterator[str]:
    named = [mapping(each) for each in entries(receivers)]
    counts = Counter(str(name) for each in named if (name := each.get("name") or each.get("type")))
    for name, count in counts.items():
        if count > 1:
            yield f"crowsnest_receivers: {count} receivers are called {shown(name)}. Give each a `name` of its own."
