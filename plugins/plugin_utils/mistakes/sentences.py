# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in single values: the model's errors as plain sentences, with paths as people write them. Pure."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings as declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import RefusalError
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import (
    HIDDEN,
    HIDDEN_KEY,
    entry,
    is_name,
    nearest,
    shown,
)

PREFIX = "crowsnest_"


def value_mistakes(variables: Mapping[str, Any]) -> Iterator[str]:
    """One sentence per value of `{"crowsnest_apps": …, …}` that does not fit."""
    try:
        declaration.read(dict(variables))
    except ValidationError as invalid:
        for error in invalid.errors():
            yield _sentence(error, variables)


def _sentence(error: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    """One error of pydantic as a sentence; types of errors: https://docs.pydantic.dev/latest/errors/validation_errors/"""
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
        return f"{place.path}: its keys do not fit together. {allowed}."
    meant = ""
    if kind == "literal_error":
        meant = nearest(str(error["input"]), allowed.replace("'", "").replace(" or ", ", ").split(", "))
    return f"{place.path}: {found} does not fit.{meant} Allowed: {allowed.rstrip('.')}. {place.description}".rstrip()


def _type_mistake(place: Place, tag: str | None) -> str:
    """A `type` that is missing (None) or unknown."""
    known = [tag for model in _alternatives(place.annotation) for tag in _tags(model)]
    if tag is None:
        return f"{place.path}: `type` is missing. Allowed: {', '.join(known)}."
    found = repr(tag) if is_name(tag) else HIDDEN
    return f"{place.path}.type: {found} is not known.{nearest(tag, known)} Allowed: {', '.join(known)}."


# What pydantic's errors ask for, in the terms of a person who writes YAML.
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
    known = [prefix + name for name in sorted(fields(place.models[-1]))]
    return f"{place.path}: unknown key.{nearest(prefix + key, known)} Allowed: {', '.join(known)}."


# --- the model along a location -------------------------------------------------------------------------------------

# Keys that tell one entry of a list from another, the best first.
_NAMES = ("name", "title", "slug", "type")


@dataclass
class Place:
    """Where a mistake is.

    `path` is as a person writes it, `crowsnest_apps[1] (shop).thresholds.error_ratio`; `models` are those on the way,
    outermost first; `annotation` is that of the nearest part the model knows, `description` that of its field.
    """

    path: str = ""
    models: list[type[BaseModel]] = field(default_factory=list)
    annotation: Any = declaration.Declaration
    description: str = ""


def _place(location: Sequence[str | int], variables: Mapping[str, Any]) -> Place:
    """Follows a location through the model and the raw variables."""
    place, value = Place(), {name.removeprefix(PREFIX): setting for name, setting in variables.items()}
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
    known = fields(model) if model else {}
    if part in known:
        place.annotation, place.description = known[part].annotation, known[part].description or ""
    elif get_origin(annotation) is dict and part != "[key]":
        place.annotation, place.description = get_args(annotation)[1], ""
    if part != "[key]" and not isinstance(value, str):  # the mistake is in the key before it; text stands for a mapping
        inner = value.get(part) if isinstance(value, dict) else None
        name = part if part in known or _can_be_shown(part, model, place, inner) else HIDDEN_KEY
        place.path += f".{name}" if place.path else PREFIX + name
    return value.get(part) if isinstance(value, dict) else None


def _can_be_shown(key: str, model: type[BaseModel] | None, place: Place, value: Any) -> bool:
    """A key that a model does not know may be a secret in the wrong place, unless it is a plain word or a typo.

    So may a name without the mapping that belongs to it.
    """
    if model:
        return bool(nearest(key, list(fields(model))) or re.fullmatch("[A-Za-z_]{1,40}", key))
    misplaced = " " in key or (_alternatives(place.annotation) and not isinstance(value, dict))
    return is_name(key) and not (holds_secret(place.annotation) and misplaced)


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the names that people write."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _bare(annotation: Any) -> Any:
    """Without what Annotated adds, and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        present = [member for member in get_args(annotation) if member is not types.NoneType]
        return _bare(present[0]) if len(present) == 1 else annotation
    return annotation


def _alternatives(annotation: Any) -> list[type[BaseModel]]:
    """The models that a mapping here may follow: all members of a union."""
    bare = _bare(annotation)
    members = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else [bare]
    return [model for model in members if isinstance(model, type) and issubclass(model, BaseModel)]


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """The values of `type` in an entry of this model."""
    return get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()


def holds_secret(annotation: Any) -> bool:
    """Whether a value of this annotation is a secret, or has one at any place below it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(holds_secret(info.annotation) for info in annotation.model_fields.values())
    return annotation is SecretStr or any(holds_secret(member) for member in get_args(annotation))
