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
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils import declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.raw import entries, mapping, nearest
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import (
    CATALOGUE,
    NODE_EXPORTER,
    NODE_EXPORTER_PORT,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.uptime.mistakes import uptime_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.uptime.model import Monitor
from ansible_collections.crowsnest.core.plugins.plugin_utils.values import LOOPBACK, metrics_target

PREFIX = "crowsnest_"
_HIDDEN = "the given value (not shown: a secret)"


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
    location = list(error["loc"])
    models = _models_on(location)
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(_path(location, variables), str(location[-1]), models, top=len(location) == 1)
    path = _path(location, variables)
    if kind == "missing":
        return f"{path}: is missing. {_description(models, location)}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _type_mistake(path, models, location, context.get("tag"))
    found = _HIDDEN if _is_secret(models, location, error["input"]) else _shown(error["input"])
    allowed = str(context["error"]) if kind == "value_error" else _allowed(kind, context, str(error["msg"]))
    meant = ""
    if kind == "literal_error":
        meant = nearest(str(error["input"]), allowed.replace("'", "").replace(" or ", ", ").split(", "))
    if kind == "value_error" and isinstance(error["input"], dict):
        return f"{path}: its keys do not fit together. Allowed: {allowed}."
    why = _description(models, location)
    return f"{path}: {found} does not fit.{meant} Allowed: {allowed.rstrip('.')}. {why}".rstrip()


def _type_mistake(path: str, models: Sequence[type[BaseModel]], location: list[Any], tag: str | None) -> str:
    """A `type` that is missing (None) or not known."""
    known = list(_TYPED[str(location[0])])
    if tag is None:
        return f"{path}: `type` is missing. Allowed: {', '.join(known)}."
    secret = _is_secret(models, [*location, "type"], tag) or not re.fullmatch(r"[\w .-]{1,40}", tag)
    found = _HIDDEN if secret else repr(tag)
    return f"{path}.type: {found} is not known.{nearest(tag, known)} Allowed: {', '.join(known)}."


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


def _unknown_key(path: str, key: str, models: Sequence[type[BaseModel]], top: bool) -> str:
    known = sorted(models[-1].model_fields) if models else []
    if top:
        known = [PREFIX + name for name in known]
        key = PREFIX + key
    return f"{path}: unknown key.{nearest(key, known)} Allowed: {', '.join(known)}."


# Keys that tell one entry of a list from another, the best first.
_NAMES = ("name", "title", "slug", "type")


def _path(location: Sequence[str | int], variables: Mapping[str, Any]) -> str:
    """`crowsnest_apps[1] (shop).thresholds.error_ratio`; the type that pydantic adds for a receiver is left out."""
    path = ""
    value: Any = variables
    for index, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            value = value[part] if isinstance(value, list) and part < len(value) else None
            name = next((value[key] for key in _NAMES if key in value), None) if isinstance(value, dict) else None
            path += f" ({name})" if re.fullmatch(r"[\w .-]{1,40}", str(name or "")) else ""
        elif not (index == 2 and part in _TYPED.get(str(location[0]), {})):
            key = PREFIX + part if index == 0 else part
            path += key if index == 0 else f".{part}"
            value = value.get(key) if isinstance(value, dict) else None
    return path


def _shown(value: Any) -> str:
    if value is None:
        return "an empty value"
    text = f"{value!r}" if isinstance(value, (str, int, float, bool)) else f"a {_kind(value)}"
    return text if len(text) <= 80 else text[:77] + "…'"


def _kind(value: Any) -> str:
    return "mapping" if isinstance(value, dict) else "list" if isinstance(value, list) else type(value).__name__


# --- the model along a location -------------------------------------------------------------------------------------

# {setting: {type: model}} of lists whose entries have a `type`.
_TYPED: dict[str, dict[str, type[BaseModel]]] = {
    setting: {
        str(kind): model
        for model in get_args(get_args(union)[0])
        for kind in get_args(model.model_fields["type"].annotation)
    }
    for setting, union in (("receivers", declaration.Receiver), ("monitors", Monitor))
}


def _models_on(location: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models one passes on the way to a location, outermost first."""
    models: list[type[BaseModel]] = [declaration.Declaration]
    typed = _TYPED.get(str(location[0]), {})
    for index, part in enumerate(location[:-1]):
        if index == 2 and part in typed:
            models.append(typed[str(part)])
        elif isinstance(part, str) and part in models[-1].model_fields:
            model = _model_in(models[-1].model_fields[part].annotation)
            models += [model] if model else []
    return models


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, dict, Annotated, Union, types.UnionType):
        return next((model for argument in get_args(annotation) if (model := _model_in(argument))), None)
    return None


def _field(models: Sequence[type[BaseModel]], location: Sequence[str | int]) -> Any:
    names = [part for part in location if isinstance(part, str)]
    return models[-1].model_fields.get(names[-1]) if names else None


def _description(models: Sequence[type[BaseModel]], location: Sequence[str | int]) -> str:
    field = _field(models, location)
    return (field.description or "") if field else ""


def _is_secret(models: Sequence[type[BaseModel]], location: Sequence[str | int], value: Any) -> bool:
    """A secret field, or what may be a webhook in the wrong place: a URL, or text instead of a whole receiver."""
    field = _field(models, location)
    misplaced = location[0] == "receivers" and (len(location) <= 2 or "://" in str(value))
    return (misplaced and isinstance(value, str)) or (field is not None and SecretStr.__name__ in str(field))


# --- what values say of each other ----------------------------------------------------------------------------------


def _app_mistakes(apps: Any, groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    apps = [mapping(app) for app in entries(apps)]
    counts = Counter(str(app["name"]) for app in apps if "name" in app)
    hosts, servers = list(groups.get("monitored", [])), list(groups.get("server", []))
    for index, app in enumerate(apps):
        path = f"crowsnest_apps[{index}] ({app.get('name', 'no name')})"
        if counts.get(str(app.get("name")), 0) > 1:
            yield f"{path}.name: {app['name']!r} is declared {counts[str(app['name'])]} times. Allowed: each name once."
        host = app.get("host")
        if host is not None and host not in hosts:
            yield (
                f"{path}.host: {host!r} is no host of group `monitored`.{nearest(str(host), hosts)} "
                f"Allowed: {', '.join(hosts)}. Or add the host to the inventory."
            )
        elif host is not None and host not in servers:
            yield from _loopback_mistakes(path, str(host), app)
    yield from _read_twice(apps, servers)


def _read_twice(apps: Sequence[Mapping[str, Any]], servers: Sequence[str]) -> Iterator[str]:
    """A metrics page that is declared twice would count twice, or for the wrong app."""
    first: dict[tuple[str, str], str] = {}
    for index, app in enumerate(apps):
        for position, target in enumerate(entries(app.get("metrics"))):
            path = f"crowsnest_apps[{index}] ({app.get('name', 'no name')}).metrics[{position}]"
            try:
                address, page = metrics_target(str(target))
            except ValueError:
                continue
            elsewhere = app.get("host") not in (None, *servers)
            own = str(app["host"]) if elsewhere else "127.0.0.1"
            same = first.setdefault((re.sub("^(localhost)?(?=:)", own, address), page), path)
            if same != path:
                yield f"{path}: {target!r} is the page that {same} names. Allowed: each page once."


def _loopback_mistakes(path: str, host: str, app: Mapping[str, Any]) -> Iterator[str]:
    why = f"cannot be reached from the server, as the app runs on {host}"
    targets = app.get("metrics")
    for position, target in enumerate(entries(targets)):
        if LOOPBACK.match(str(target)):
            yield (
                f"{path}.metrics[{position}]: {target!r} {why}. "
                f"Allowed: a port on {host}'s private address, written as `:{str(target).rsplit(':', 1)[-1]}`."
            )
    health = mapping(app.get("health"))
    urls = {"url": app.get("url"), "health.basic": health.get("basic"), "health.detailed": health.get("detailed")}
    for position, job in enumerate(entries(app.get("jobs"))):
        yield (
            f"{path}.jobs[{position}] ({mapping(job).get('name', 'no name')}): Uptime Kuma listens on the server's "
            f"loopback, where a job on {host} cannot report. Allowed: jobs of apps on the server."
        )
    for name, address in mapping(app.get("tcp")).items():
        if LOOPBACK.match(str(address)):
            yield f"{path}.tcp.{name}: {address!r} {why}. Allowed: an address of {host} that the server reaches."
    for key, url in urls.items():
        if LOOPBACK.match(str(url).partition("://")[2]):
            yield f"{path}.{key}: {url!r} {why}. Allowed: a URL with the address of {host}."


def _service_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    for setting in ("crowsnest_images", "crowsnest_ports", "crowsnest_external_urls"):
        known = [*CATALOGUE, *([NODE_EXPORTER] if setting == "crowsnest_ports" else [])]
        for name in mapping(variables.get(setting)):
            if name not in known:
                yield f"{setting}.{name}: no such service.{nearest(name, known)} Allowed: {', '.join(known)}."
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
            yield f"crowsnest_disabled_alerts[{index}]: {name!r} is no alert.{nearest(str(name), list(alert_names))}"


def _receiver_mistakes(receivers: Any) -> Iterator[str]:
    named = [mapping(entry) for entry in entries(receivers)]
    names = Counter(str(name) for entry in named if (name := entry.get("name") or entry.get("type")))
    for name, count in names.items():
        if count > 1:
            yield f"crowsnest_receivers: {count} receivers are called {name!r}. Give each a `name` of its own."
