"""A service is added as docs/architecture.md says, in a copy of the repository: a few lines in three shared files.

What it has of its own lies in tests/new_service, as it would in the repository; its role is a copy of roles/blackbox.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "tests/new_service"
GENERATED = {
    "docs/declaration.md",
    "docs/roles.md",
    "docs/runbooks/README.md",
    "docs/runbooks/ko/README.md",
    "docs/services.md",
}
# The steps that need a line in a file which all services share: {file: (the text before which it stands, the line)}.
SERVICES = "plugins/plugin_utils/services"
SHARED: dict[str, list[tuple[str, str]]] = {
    "files/images.yml": [("", "toy: example/toy:v1.2.3\n")],
    f"{SERVICES}/__init__.py": [
        (
            "from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.",
            "from ansible_collections.crowsnest.core.plugins.plugin_utils.services.toy.service import TOY\n",
        ),
        (")\n}", "TOY,"),
    ],
    "playbooks/site.yml": [
        (
            "    - name: Start the services\n",
            "    - name: Configure the toy\n"
            "      ansible.builtin.import_role: {name: toy, rolespec_validate: false}\n"
            "      when: \"'toy' in __crowsnest_plan.services\"\n",
        )
    ],
}


def run(folder: Path, *command: str) -> str:
    """The output of a program in a copy; the test fails when it does."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "ANSIBLE_CONFIG": "ansible.cfg", "PYTHONPATH": "collections"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def git(folder: Path, *words: str) -> list[str]:
    own = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "core.excludesFile=", "-c", "gc.auto=0")
    return [name for name in run(folder, "git", *own, *words).split("\0") if name]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with a toy service in it, and the generated pages made anew."""
    folder = tmp_path_factory.mktemp("copy") / "crowsnest"
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "before")
    add_toy(folder)
    run(folder, sys.executable, "docs/generate.py")
    return folder


def add_toy(folder: Path) -> None:
    shutil.copytree(OWN, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in sorted((ROOT / "roles/blackbox").rglob("*.yml")):
        own = folder / "roles/toy" / path.relative_to(ROOT / "roles/blackbox")
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(path.read_text().replace("blackbox", "toy"))
    for name, lines in SHARED.items():
        text = (folder / name).read_text()
        for before, line in lines:
            position = text.rindex(before) if before else len(text)
            text = text[:position] + line + text[position:]
        (folder / name).write_text(text)
    run(folder, "ruff", "format", "--quiet", f"{SERVICES}/__init__.py")  # a line may have become too long


def test_three_shared_files_are_edited_and_the_rest_is_its_own(copy: Path) -> None:
    edited = set(git(copy, "diff", "--name-only", "-z"))
    assert edited - GENERATED == set(SHARED)
    assert len(SHARED) <= 3
    added = git(copy, "ls-files", "-z", "--others", "--exclude-standard")
    assert added
    assert [name for name in added if "toy" not in name.lower()] == []


def test_the_documentation_names_these_shared_files_and_no_others() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    steps = page.partition("\n**A service**")[2].partition("\nAll else follows")[0]
    marked = [line for line in steps.replace("\n   ", " ").splitlines() if line[:1].isdigit() and "★" in line]
    assert len(marked) == len(SHARED)
    assert [name for name in SHARED if not any(f"`{name}`" in line for line in marked)] == []


# Tests of what holds for every service, and of the toy itself; of the larger files only what is about it.
TESTS = (
    "tests/unit/plugin_utils/services/toy",
    "tests/unit/plugin_utils/services/test_compose.py",
    "tests/unit/test_alerts.py",
    "tests/unit/test_floors.py",
    "tests/unit/test_generated_docs.py",
    "tests/unit/test_korean_alerts.py",
    "tests/unit/test_roles.py",
    "tests/unit/test_runbooks_ko.py",
    "tests/unit/test_security.py",
    "tests/rules/test_rules.py",
)
CHOSEN = "toy or Toy or floors or security or generated_page or its_place or includes_the_fragment or every_rule_file"


def test_what_holds_for_every_service_holds_for_it(copy: Path) -> None:
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", CHOSEN, *TESTS)


def test_the_linters_have_nothing_to_say(copy: Path) -> None:
    run(copy, "ruff", "check", "--no-cache", SERVICES, "tests/unit/plugin_utils/services/toy")
    run(copy, "ruff", "format", "--no-cache", "--check", SERVICES, "tests/unit/plugin_utils/services/toy")
    run(copy, "yamllint", "--strict", "files/images.yml", "files/rules/toy.yml", "roles/toy", "playbooks/site.yml")


def test_its_types_are_right(copy: Path) -> None:
    run(copy, "mypy", "--no-incremental", "--follow-imports=silent", f"{SERVICES}/toy/service.py")


def test_its_role_is_taken_by_ansible(copy: Path) -> None:
    run(copy, "ansible-lint", "roles/toy")
    run(copy, "ansible-playbook", "--syntax-check", "-i", "inventories/example", "site.yml")
    plays = yaml.safe_load((copy / "playbooks/site.yml").read_text())
    (tasks,) = ([task["name"] for task in play["tasks"]] for play in plays if play.get("name") == "Run the stack")
    assert tasks.index("Configure the toy") < tasks.index("Start the services")
