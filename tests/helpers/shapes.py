"""Whether a value is as its TypedDict says, which nothing but a type checker looks at otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict


def misfits(value: Any, wanted: Any, path: str = "value") -> list[str]:
    """Where the value is not as its type says: keys that lack or are unknown, values of another type."""
    return list(_misfits(value, wanted, path))


def _misfits(value: Any, wanted: Any, path: str) -> Iterator[str]:
    kind, parts = get_origin(wanted), get_args(wanted)
    if is_typeddict(wanted):
        yield from _odd_keys(value, wanted, path)
    elif kind in (list, dict) and not isinstance(value, kind):
        yield f"{path}: {value!r} is not of type {kind.__name__}"
    elif kind is list:
        for number, each in enumerate(value):
            yield from _misfits(each, parts[0], f"{path}[{number}]")
    elif kind is dict:
        for key, each in value.items():
            yield from _misfits(key, parts[0], f"{path}: key {key}")
            yield from _misfits(each, parts[1], f"{path}.{key}")
    elif kind is Literal:
        if value not in parts:
            yield f"{path}: {value!r} is none of {parts}"
    elif parts:
        if all(misfits(value, one, path) for one in parts):
            yield f"{path}: {value!r} is none of {parts}"
    elif wanted is not Any and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
        yield f"{path}: {value!r} is not of type {wanted.__name__}"


def _odd_keys(value: Any, wanted: Any, path: str) -> Iterator[str]:
    types = get_type_hints(wanted)
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no mapping"
        return
    for name in sorted(wanted.__required_keys__ - value.keys()):
        yield f"{path}.{name}: is missing"
    for name in sorted(value.keys() - types.keys()):
        yield f"{path}.{name}: is unknown"
    for name in types.keys() & value.keys():
        yield from _misfits(value[name], types[name], f"{path}.{name}")
