"""What modules and filters say of themselves is what they do."""

import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.crowsnest.core.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py"))
FILTERS = sorted(path.stem for path in (ROOT / "plugins/filter").glob("[!_]*.py"))
# What both a module's argument_spec and its DOCUMENTATION say of an option.
SHARED = {"type": "str", "default": None, "required": False, "elements": None, "choices": None, "aliases": []}


class CapturedError(Exception):
    """Carries the arguments AnsibleModule was made with."""


def capture(**arguments: Any) -> None:
    raise CapturedError(arguments)


def arguments_of(module: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(module, "AnsibleModule", capture)
    with pytest.raises(CapturedError) as captured:
        module.main()
    return captured.value.args[0]


def plain(options: dict[str, Any], nested: str) -> dict[str, Any]:
    """{option: what SHARED names, and the same of options below it}."""
    return {
        name: {key: option.get(key, default) for key, default in SHARED.items()}
        | {"below": plain(option.get(nested) or {}, nested)}
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_documentation_of_a_module_equals_its_argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{PACKAGE}.modules.{name}")
    documented = yaml.safe_load(module.DOCUMENTATION)
    spec = arguments_of(module, monkeypatch)["argument_spec"]
    assert plain(documented.get("options") or {}, "suboptions") == plain(spec, "options")
    assert documented["module"] == name


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_whether_it_supports_check_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{PACKAGE}.modules.{name}")
    promised = yaml.safe_load(module.DOCUMENTATION)["attributes"]["check_mode"]["support"]
    supported = arguments_of(module, monkeypatch).get("supports_check_mode", False)
    assert supported is (promised != "none")


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_use_options_that_exist(name: str) -> None:
    module = importlib.import_module(f"{PACKAGE}.modules.{name}")
    options = set(yaml.safe_load(module.DOCUMENTATION).get("options") or {})
    tasks = [task for task in yaml.safe_load(module.EXAMPLES) if f"crowsnest.core.{name}" in task]
    assert tasks
    used = {option for task in tasks for option in task[f"crowsnest.core.{name}"] or {}}
    assert used <= options


@pytest.mark.parametrize("kind, name", [("modules", name) for name in MODULES] + [("filter", name) for name in FILTERS])
def test_returned_values_are_described(kind: str, name: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.{kind}.{name}")
    returned = yaml.safe_load(plugin.RETURN)
    assert returned
    assert [key for key, value in returned.items() if not value.get("description") or not value.get("type")] == []


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_s_file_holds_the_filter_of_its_name(name: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.filter.{name}")
    assert list(plugin.FilterModule().filters()) == [name]
    assert yaml.safe_load(plugin.DOCUMENTATION)["name"] == name
    assert f"crowsnest.core.{name}" in plugin.EXAMPLES


def ansible(*command: str) -> str:
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ansible_finds_every_filter_by_its_full_name() -> None:
    names = json.dumps([f"crowsnest.core.{name}" for name in [*FILTERS, "no_such_filter"]])
    output = ansible(
        *("ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "ansible.builtin.debug"),
        *(
            "-a",
            f"msg={{{{ {names} | reject('filter') | list | to_json }}}}",
            "-e",
            "ansible_callback_result_format=json",
        ),
    )
    missing = [name for name in FILTERS if f'"crowsnest.core.{name}"' in output or f"crowsnest.core.{name}\\" in output]
    assert missing == []
    assert "no_such_filter" in output


@pytest.mark.parametrize("kind, names", [("module", MODULES), ("filter", FILTERS)])
def test_ansible_doc_shows_every_plugin(kind: str, names: list[str]) -> None:
    full = [f"crowsnest.core.{name}" for name in names]
    shown = json.loads(ansible("ansible-doc", "--type", kind, "--json", *full))
    assert sorted(shown) == full
    assert all(entry["doc"]["short_description"] for entry in shown.values())
