"""Variables of plays and tasks override nothing of an inventory, whatever that calls its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def names(value: Any) -> Iterator[str]:
    """Every variable that a play, a block or a task sets or registers."""
    if isinstance(value, list):
        for entry in value:
            yield from names(entry)
    elif isinstance(value, dict):
        yield from value.get("vars", {})
        yield from [value["register"]] if "register" in value else []
        yield from value.get("ansible.builtin.set_fact", {})
        for key in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always"):
            yield from names(value.get(key, []))


def test_variables_of_plays_have_a_prefix() -> None:
    """`ansible_*` says how a task reaches a host; a role's own variables begin with its name."""
    roles = "|".join(path.name for path in (ROOT / "roles").iterdir())
    allowed = re.compile(rf"__\w+|ansible_\w+|({roles})_\w+")
    found = [*yaml.safe_load((ROOT / "playbooks/vars/crowsnest.yml").read_text())]
    for path in [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]:
        if path.parent.name != "vars":
            found += names(yaml.safe_load(path.read_text()))
    assert len(found) > 20
    assert [name for name in found if not allowed.fullmatch(name)] == []
