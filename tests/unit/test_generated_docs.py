"""The documentation is what the code says: generated pages are current, links lead somewhere, commands exist."""

import importlib.util
import json
import re
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from crowsnest_backup.remote_errors import ACTIONS

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.help import parser
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Verb
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verbs import verbs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import (
    KPI_READER,
    MONITOR,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import READER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import OWN_LABEL

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted(DOCS.rglob("*.md"))]
# Stand-ins for a reader's own inventory.
OWN_INVENTORIES = ("inventories/production", "inventories/NAME")
VERBS = verbs()

per_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def load_generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = load_generator().pages()


# --- generated pages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_page_is_what_the_generator_makes(name: str) -> None:
    command = "PYTHONPATH=collections python docs/generate.py"
    assert (DOCS / name).read_text() == GENERATED[name], f"docs/{name} is out of date: {command}"
    assert command in "".join(GENERATED[name].splitlines()[:2])


def variables(inventory: str) -> dict[str, Any]:
    files = sorted((ROOT / "inventories" / inventory / "group_vars/all").glob("*.yml"))
    found = {key: value for path in files for key, value in yaml.safe_load(path.read_text()).items()}
    # What Ansible fills in is text only here.
    return {key: value for key, value in found.items() if not str(value).startswith("{{")}


@pytest.mark.parametrize("inventory", ["example", "lab"])
def test_the_schema_takes_the_inventories_of_the_repository(inventory: str) -> None:
    jsonschema.validate(variables(inventory), json.loads(GENERATED["declaration.schema.json"]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"crowsnest_retenton": "15d"},
        {"crowsnest_apps": [{"name": "shop", "framwork": "django"}]},
        {"crowsnest_language": "de"},
        {"crowsnest_receivers": [{"type": "discord"}]},
    ],
)
def test_the_schema_refuses_what_the_model_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(GENERATED["declaration.schema.json"]))


def test_every_variable_and_every_role_has_its_place() -> None:
    assert [name for name in Declaration.model_fields if f"`crowsnest_{name}`" not in GENERATED["declaration.md"]] == []
    roles = [path.name for path in (ROOT / "roles").iterdir() if path.is_dir()]
    assert [name for name in roles if f"\n## {name}\n" not in GENERATED["roles.md"]] == []


# --- links, paths, names ----------------------------------------------------------------------------------------------


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", text)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", without_code(page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@per_page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@per_page
def test_files_that_are_named_exist(page: Path) -> None:
    folders = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    pattern = rf"`((?:{'|'.join(folders)})/[^`\s]*)`"
    names = [name for name in re.findall(pattern, without_code(page.read_text())) if "<" not in name]
    names = [name for name in names if not name.startswith(OWN_INVENTORIES)]
    assert [name for name in names if not list(ROOT.glob(name.rstrip("/")))] == []


@per_page
def test_variables_that_are_named_exist(page: Path) -> None:
    known = {f"crowsnest_{name}" for name in Declaration.model_fields} | {
        READER,
        MONITOR,
        KPI_READER,
        OWN_LABEL,
        "crowsnest_backup",
    }
    assert set(re.findall(r"\bcrowsnest_[a-z]\w*", page.read_text())) - known == set()


# --- commands ---------------------------------------------------------------------------------------------------------


def commands(page: Path) -> list[list[str]]:
    """Words of every `./crowsnest …` and `ansible-playbook …`, in blocks and in running text."""
    text = page.read_text().replace("\\\n", " ")
    found = re.findall(r"(?m)(?:^ *|`|&& )((?:\./crowsnest|ansible-playbook) [^`\n]*)", text)
    return [shlex.split(command, comments=True) for command in found]


@cache
def flags_of_ansible_playbook() -> str:
    return subprocess.run(["ansible-playbook", "--help"], capture_output=True, check=True, text=True).stdout


def is_flag(flag: str, text: str) -> bool:
    name = flag.split("=")[0] if flag.startswith("--") else flag
    # -vvv is -v, given three times
    return bool(re.search(rf"(?<![\w-]){re.escape(re.sub('^-v+$', '-v', name))}(?![\w-])", text))


def refused(words: list[str]) -> str:
    """What is wrong with a command; empty when nothing is."""
    program, first, rest = words[0], words[1], words[2:]
    flags = [word for word in rest if word.startswith("-")]
    if program == "ansible-playbook":
        known, text = (ROOT / first).is_file(), flags_of_ansible_playbook()
    elif first.startswith("--"):
        known, text = first in ("--help", "--version"), ""
    else:
        verb = VERBS.get(first, Verb(first))
        known, text = first in VERBS, parser(verb).format_help() + ("" if verb.run else flags_of_ansible_playbook())
    unknown = [flag for flag in flags if not is_flag(flag, text)]
    return "" if known and not unknown else f"{words}: {unknown or first}"


@pytest.mark.parametrize("wrong", ["stie", "site --chek", "verify --jsn", "demo --destory", "new NAME --hots x"])
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    assert refused(["./crowsnest", *wrong.split()])


def test_there_are_commands() -> None:
    assert len(commands(ROOT / "README.md")) > 5


@per_page
def test_commands_exist(page: Path) -> None:
    assert [problem for words in commands(page) if (problem := refused(words))] == []


# --- decisions, form --------------------------------------------------------------------------------------------------


def test_every_dependency_has_its_reason_and_no_other_has_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    toolbox = re.findall(r"(?m)^[a-z].*", (ROOT / "files/toolbox/requirements.in").read_text())
    packages = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *toolbox]
    collections = yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    wanted = {re.split(r"\[|==", package)[0] for package in packages} | {entry["name"] for entry in collections}
    listed = re.findall(r"(?m)^- ((?:`[\w.-]+`(?:, )?)+): ", (DOCS / "decisions.md").read_text())
    assert {name for line in listed for name in re.findall(r"`([^`]+)`", line)} == wanted


def test_the_policy_for_a_bucket_allows_what_the_backup_asks_for_and_no_more() -> None:
    block = re.search(r"(?ms)^```json\n(.*?)^```$", (DOCS / "backup.md").read_text())
    assert block
    allowed = {action for statement in json.loads(block[1])["Statement"] for action in statement["Action"]}
    assert allowed == set(re.findall(r"s3:\w+", " ".join(ACTIONS.values())))
    program = (ROOT / "files/backup/crowsnest_backup/remote.py").read_text()
    asked = set(re.findall(r"(?:_client\.|_pages\(\"|get_paginator\(\")([a-z0-9]+(?:_[a-z0-9]+)+)", program)) - {
        "get_paginator"
    }
    assert {"".join(map(str.capitalize, name.split("_"))) for name in asked} <= set(ACTIONS), "each has its action"


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
