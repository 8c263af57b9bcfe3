"""Where crowsnest's own files lie is said in one place: plugins/module_utils/paths.py, and once for YAML."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.module_utils import paths

ROOT = Path(__file__).resolve().parents[3]
PLACE = re.compile("/opt/crowsnest|/var/lib/crowsnest")
PATHS, VARIABLES = "plugins/module_utils/paths.py", "playbooks/vars/crowsnest.yml"
# What Ansible shows to people.
SHOWN = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def shown(tree: ast.Module) -> set[ast.AST]:
    """The strings that are documentation: docstrings, and what ansible-doc shows."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or (
            isinstance(node, ast.Assign) and {getattr(target, "id", "") for target in node.targets} & SHOWN
        ):
            found.add(node.value)
    return found


def literals(text: str) -> list[str]:
    """Strings of a Python file that name a place, without what is documentation."""
    tree = ast.parse(text)
    apart = shown(tree)
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in apart]
    return [text for text in texts if isinstance(text, str) and PLACE.search(text)]


def values(node: Any) -> Iterator[str]:
    """Strings of a YAML file, without descriptions."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in ("description", "short_description"):
                yield from values(value)
    elif isinstance(node, list):
        for item in node:
            yield from values(item)
    elif isinstance(node, str):
        yield node


def test_python_names_the_places_once() -> None:
    files = {str(path.relative_to(ROOT)): literals(path.read_text()) for path in (ROOT / "plugins").rglob("*.py")}
    assert {name: found for name, found in files.items() if found} == {PATHS: [paths.CONFIG_ROOT, paths.DATA_ROOT]}


def test_yaml_names_the_root_once_and_as_python_does() -> None:
    files = [path for folder in ("plugins", "roles", "playbooks") for path in (ROOT / folder).rglob("*.y*ml")]
    found = {
        str(path.relative_to(ROOT)): [text for text in values(yaml.safe_load(path.read_text())) if PLACE.search(text)]
        for path in files
    }
    assert {name: texts for name, texts in found.items() if texts} == {VARIABLES: [paths.CONFIG_ROOT]}


def in_yaml(text: str) -> str:
    """A value of the variables file, or of a role, as Ansible makes it."""
    variables = yaml.safe_load((ROOT / VARIABLES).read_text())
    return text.replace("{{ __crowsnest_root }}", variables["__crowsnest_root"])


def test_paths_that_yaml_makes_of_the_root_are_those_of_python() -> None:
    variables = yaml.safe_load((ROOT / VARIABLES).read_text())
    assert in_yaml(variables["__crowsnest_toolbox_python"]) == paths.TOOLBOX_PYTHON


CODE = {
    'PLACE = "/opt/crowsnest/x"': ["/opt/crowsnest/x"],
    'f"see {name} in /var/lib/crowsnest"': [" in /var/lib/crowsnest"],
    '"""Documentation of /opt/crowsnest."""': [],
    'RETURN = r"""sample: /opt/crowsnest"""': [],
    "PLACE = 1  # /opt/crowsnest": [],
}


@pytest.mark.parametrize("code", CODE)
def test_a_place_is_found_in_code_and_not_in_documentation(code: str) -> None:
    assert literals(code) == CODE[code]


def test_places_of_a_service() -> None:
    assert paths.config_directory("grafana") == "/opt/crowsnest/grafana"
    assert paths.data_directory("grafana") == "/var/lib/crowsnest/grafana"
    assert paths.logs_command("grafana") == "sudo docker compose -f /opt/crowsnest/compose.yaml logs --tail 50 grafana"
