"""Dependencies point down only: the floors are those that docs/architecture.md names; no files import in a circle."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
PACKAGE = "ansible_collections.crowsnest.core.plugins."


def floors() -> list[set[str]]:
    """Names in plugin_utils, and module_utils, by floor: the top one first."""
    section = (ROOT / "docs/architecture.md").read_text().partition("\n### Floors\n")[2].partition("\n#")[0]
    cells = re.findall(r"(?m)^\| (`.*?`) \|", section)
    return [set(re.findall(r"`(\w+)`", cell)) for cell in cells]


@cache
def files() -> dict[str, Path]:
    """{module's name below plugins: file}; a package is named as its folder."""
    paths = PLUGINS.rglob("*.py")
    return {".".join(path.relative_to(PLUGINS).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imports(name: str, types: bool = True) -> Iterator[str]:
    """Our modules that a module imports; `types`: with what is imported for annotations only."""
    waiting: list[ast.AST] = [ast.parse(files()[name].read_text())]
    while waiting:
        node = waiting.pop()
        if not types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            module = node.module.removeprefix(PACKAGE)
            yield from {deeper if (deeper := f"{module}.{alias.name}") in files() else module for alias in node.names}
        elif isinstance(node, ast.Import):
            yield from (each.name.removeprefix(PACKAGE) for each in node.names if each.name.startswith(PACKAGE))


def room(module: str) -> str:
    """What of a module stands on a floor: a folder or file of plugin_utils, or another folder of plugins."""
    first, *further = module.split(".")
    return further[0] if first == "plugin_utils" else first


def test_the_finder_of_imports_finds_them() -> None:
    definition = "plugin_utils.services.definition"
    assert {"plugin_utils.plan.planned", "plugin_utils.services.container"} <= set(imports(definition))
    panel = "plugin_utils.services.grafana.dashboards.panel"
    assert panel in set(imports(definition)) - set(imports(definition, types=False))
    assert "plugin_utils.launcher.demo" in set(imports("plugin_utils.launcher.verbs"))  # from …launcher import demo


def test_every_folder_of_plugin_utils_stands_on_one_floor() -> None:
    named = [name for floor in floors() for name in floor]
    assert len(set(named)) == len(named)
    assert set(named) == {room(name) for name in files() if name.startswith("plugin_utils.")} | {"module_utils"}


def test_nothing_is_imported_from_the_same_floor_or_from_above() -> None:
    height = {name: -number for number, floor in enumerate(floors()) for name in floor}
    upwards = [
        f"{name} imports {used}"
        for name in files()
        for used in imports(name)
        if room(name) in height and room(used) != room(name) and height[room(used)] >= height[room(name)]
    ]
    assert upwards == []


def test_what_runs_on_hosts_knows_nothing_of_the_controller() -> None:
    on_hosts = [name for name in files() if name.startswith(("modules.", "module_utils."))]
    assert [name for name in on_hosts for used in imports(name) if not used.startswith("module_utils.")] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {name: set(imports(name, types=False)) - {name} for name in files()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(files())


def test_what_all_services_share_knows_none_of_them() -> None:
    """Files beside the services' folders; the registry itself, in __init__.py, is the one that names them."""
    services = {path.parent.name for path in (PLUGINS / "plugin_utils/services").glob("*/__init__.py")}
    shared = [f"plugin_utils.services.{path.stem}" for path in (PLUGINS / "plugin_utils/services").glob("[!_]*.py")]
    assert shared
    assert services
    named = [
        f"{name} imports {used}"
        for name in shared
        for used in imports(name, types=False)
        if used.startswith("plugin_utils.services.") and used.split(".")[2] in services
    ]
    assert named == []
