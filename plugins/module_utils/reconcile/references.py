# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Mistakes in a declaration that an argument spec cannot find, each with its path and the remedy. Pure. Python 3.9.

`monitors[2] (shop/website).group: there is no group shopp, declared are: shop, blog`
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]  # one object as it is declared
NAMES = ("key", "slug", "email", "name", "title")  # options that identify an object for people, the best one first
LISTED = 10  # names of what is declared, in a sentence about what is not


def path_of(option: str, index: int, row: Any) -> str:
    """`questions[2] (shop_revenue)`."""
    known = next((row[name] for name in NAMES if row.get(name)), "") if isinstance(row, Mapping) else ""
    return f"{option}[{index}] ({known})" if known else f"{option}[{index}]"


def paths(option: str, rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """Each object with its path."""
    return ((path_of(option, index, row), row) for index, row in enumerate(rows))


def missing(spec: Row, declared: Row, path: str = "") -> Iterator[str]:
    """Required options that are present but empty: Ansible accepts null and an empty text."""
    for name, option in spec.items():
        value, here = declared.get(name), f"{path}{name}"
        if option.get("required") and value in (None, ""):
            yield f"{here}: is missing"
        if "options" in option and isinstance(value, list):
            for row_path, row in paths(here, value):
                yield from missing(option["options"], row, f"{row_path}.")
        elif "options" in option and value:
            yield from missing(option["options"], value, f"{here}.")


def duplicates(option: str, field: str, names: Iterable[Any]) -> Iterator[str]:
    """What must be unique: `monitors: 2 have the key shop`."""
    counted = Counter(str(name) for name in names if name)
    yield from (f"{option}: {count} have the {field} {name}" for name, count in counted.items() if count > 1)


def unknown(path: str, what: str, names: Iterable[str | None], known: Sequence[str]) -> Iterator[str]:
    """Names of `what` that are not declared; an empty name refers to nothing."""
    for name in names:
        if name and name not in known:
            more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
            listed = ", ".join(known[:LISTED]) + more or "none"
            yield f"{path}: there is no {what} {name}, declared are: {listed}"


def circles(option: str, outer: str, rows: Iterable[Row]) -> Iterator[str]:
    """Objects that contain themselves; `outer` is the option with the key of the containing object."""
    outer_of = {row["key"]: row.get(outer) for row in rows}
    for key in outer_of:
        seen, around = [key], outer_of[key]
        while around in outer_of and around not in seen:
            seen.append(around)
            around = outer_of[around]
        if around == key:
            yield f"{option} ({key}).{outer}: it contains itself: {' in '.join([*seen, key])}"


def outer_first(rows: Iterable[Row], outer: str) -> list[Row]:
    """Objects before what they contain; the rows have no circles and no unknown keys."""
    by_key = {row["key"]: row for row in rows}

    def depth(key: str) -> int:
        around = by_key[key].get(outer)
        return 1 + depth(around) if around else 0

    return sorted(by_key.values(), key=lambda row: depth(row["key"]))


def out_of_range(path: str, row: Row, limits: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Numbers out of their range."""
    for name, (least, most) in limits.items():
        if row.get(name) is not None and not least <= row[name] <= most:
            yield f"{path}.{name}: {row[name]} is not between {least} and {most}"


def unlike(path: str, value: Any, pattern: str, like: str) -> Iterator[str]:
    """A text in the wrong form; an empty one is missing, which is a mistake of its own."""
    if value and not re.fullmatch(pattern, str(value)):
        yield f"{path}: {value} is not {like}"
