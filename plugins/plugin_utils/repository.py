# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The static content of this repository (files/) and the text form of what is generated from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# resolve() follows the symlink through which Ansible loads this collection.
ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "files"
HEADER = "# Made by crowsnest. A change made here is undone by the next run: change the inventory instead.\n"


# libyaml is 10 times faster than what PyYAML has where libyaml is missing.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def yaml_data(text: str) -> Any:
    """What a YAML file says, as plain values."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - it makes plain values only


@cache
def images() -> dict[str, str]:
    """{service: image} of files/images.yml."""
    return dict(yaml_data((FILES / "images.yml").read_text()))


@cache
def static_rules() -> dict[str, Mapping[str, Any]]:
    """{file name: parsed rule file} of files/rules."""
    return {path.name: yaml_data(path.read_text()) for path in sorted((FILES / "rules").glob("*.yml"))}


def threshold(alert: str, severity: str) -> float:
    """Where an alert of files/rules begins, from its annotation `threshold`: 90 for "90 %, 5 min".

    Raises ValueError unless there is exactly one such alert, whose annotation begins with a number.
    """
    rules = [rule for file in static_rules().values() for group in file["groups"] for rule in group["rules"]]
    (rule,) = (rule for rule in rules if rule.get("alert") == alert and rule["labels"]["severity"] == severity)
    number = float(rule["annotations"]["threshold"].split()[0])
    return int(number) if number.is_integer() else number


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Writes text of several lines as a block, as a person would."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time; anchors are hard to read."""
        return True


# Texts that are numbers in Go's YAML, which Docker and Prometheus use, but not in Python's: 12e45, 0189, 0o17.
_NUMBER_IN_GO = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0[oOxXbB][0-9a-fA-F_]+")


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else "'" if _NUMBER_IN_GO.fullmatch(value) else None
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)
    return node


_Dumper.add_representer(str, _text)


def yaml_text(data: Any) -> str:
    """`data` as a YAML file, keys in their order."""
    return HEADER + yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
