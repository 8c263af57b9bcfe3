"""Promises that hold for every role."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())

per_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def defaults(role: Path) -> dict[str, Any]:
    return load(role / "defaults/main.yml") or {}


def options(role: Path) -> dict[str, Any]:
    specs = (load(role / "meta/argument_specs.yml") or {}).get("argument_specs", {})
    return specs.get("main", {}).get("options", {})


def test_there_are_roles() -> None:
    assert ROLES


@per_role
def test_argument_specs_name_exactly_the_defaults(role: Path) -> None:
    # A required option has no default: the caller gives it.
    optional = {name for name, option in options(role).items() if not option.get("required")}
    assert optional == set(defaults(role))


@per_role
def test_argument_specs_have_the_values_of_the_defaults(role: Path) -> None:
    values = defaults(role)
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert documented == {name: values.get(name) for name in documented}
    # A template has no value yet and so no documented default; a plain value must be documented.
    undocumented = [name for name in values if name not in documented and "{{" not in str(values[name])]
    assert undocumented == []


@per_role
def test_a_required_option_has_no_default(role: Path) -> None:
    required = {name for name, option in options(role).items() if option.get("required")}
    assert required.isdisjoint(defaults(role))


@per_role
def test_every_option_is_described_and_typed(role: Path) -> None:
    incomplete = [
        name for name, option in options(role).items() if not option.get("description") or "type" not in option
    ]
    assert incomplete == []
    lists = [name for name, option in options(role).items() if option["type"] == "list" and "elements" not in option]
    assert lists == []


@per_role
def test_the_role_is_described(role: Path) -> None:
    specs = (load(role / "meta/argument_specs.yml") or {}).get("argument_specs", {})
    assert specs.get("main", {}).get("short_description")


@per_role
def test_public_variables_start_with_the_role_s_name(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


@per_role
def test_private_variables_start_with_two_underscores_and_the_role_s_name(role: Path) -> None:
    names = [name for path in sorted((role / "vars").glob("*.yml")) for name in load(path) or {}]
    assert [name for name in names if not name.startswith(f"__{role.name}_")] == []


def roles_in(node: Any) -> set[str]:
    """Names under `roles:` of plays and in include_role and import_role, however deep."""
    if isinstance(node, list):
        return {name for item in node for name in roles_in(item)}
    if not isinstance(node, dict):
        return set()
    names = {entry["role"] if isinstance(entry, dict) else entry for entry in node.get("roles") or []}
    for key in ("ansible.builtin.include_role", "ansible.builtin.import_role"):
        names |= {node[key]["name"]} if key in node else set()
    return names | {name for value in node.values() for name in roles_in(value)}


@per_role
def test_a_role_reads_no_variable_of_another_role(role: Path) -> None:
    others = {name: other.name for other in ROLES if other != role for name in [*defaults(other), *options(other)]}
    files = [path for folder in ("tasks", "handlers", "templates", "defaults") for path in (role / folder).rglob("*.*")]
    read = {
        f"{path.relative_to(ROOT)}: {word} of role {others[word]}"
        for path in files
        for word in re.findall(r"\w+", re.sub(r"(?m)^\s*#.*$", "", path.read_text()))
        # Whoever includes a role gives it its options.
        if word in others and others[word] not in roles_in(load(path))
    }
    assert sorted(read) == []


@per_role
def test_the_role_is_used(role: Path) -> None:
    files = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    assert role.name in {name for path in files for name in roles_in(load(path))}


def test_a_run_looks_at_every_host_again_between_its_changes_and_its_verification() -> None:
    plays = [(play.get("hosts"), roles_in(play), str(play)) for play in load(ROOT / "playbooks/site.yml")]
    changed = [number for number, (_, roles, _) in enumerate(plays) if roles & {"stack", "node_exporter"}]
    looked = [number for number, (hosts, _, text) in enumerate(plays) if hosts == "monitored" and "'look'" in text]
    asked = [number for number, (_, roles, text) in enumerate(plays) if "verify" in roles and "'look'" not in text]
    assert len(looked) == len(asked) == 1
    assert max(changed) < looked[0] < asked[0]
