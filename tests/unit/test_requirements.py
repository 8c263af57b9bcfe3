"""What is pinned in several places is the same everywhere, and what is installed is what is pinned."""

import json
import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

import ansible_collections

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
COLLECTIONS: dict[str, str] = {
    entry["name"]: entry["version"] for entry in yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
}
LINK = ROOT / "collections/ansible_collections/crowsnest/core/plugins"


def project_files() -> list[Path]:
    """Text files of the project: what git has or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:  # a picture
        return ""


def locked(lock: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name): version for name, version in found}


def pinned(requirements: list[str]) -> dict[str, str]:
    pairs = [re.sub(r"\[.*\]", "", requirement).split("==") for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_the_locks_hold_what_pyproject_pins() -> None:
    run, dev = pinned(PROJECT["project"]["dependencies"]), pinned(PROJECT["dependency-groups"]["dev"])
    assert run.items() <= locked("requirements.lock").items()
    assert (run | dev).items() <= locked("requirements-dev.lock").items()


def test_the_dev_lock_contains_the_run_lock() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash_and_no_address(lock: str) -> None:
    content = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[a-z])", content, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in content


def test_the_environment_holds_what_is_locked() -> None:
    wrong = {}
    for name, version in locked("requirements-dev.lock").items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # only for another platform
        if found != version:
            wrong[name] = f"{found} instead of {version}"
    assert wrong == {}


def installed_collection(name: str) -> Path:
    found = [Path(folder) / name.replace(".", "/") for folder in ansible_collections.__path__]
    return next(path for path in found if (path / "MANIFEST.json").exists())


@pytest.mark.parametrize("name", sorted(COLLECTIONS))
def test_requirements_yml_names_the_installed_version(name: str) -> None:
    manifest = json.loads((installed_collection(name) / "MANIFEST.json").read_text())
    assert manifest["collection_info"]["version"] == COLLECTIONS[name]


def used_collections() -> set[str]:
    places = [ROOT / "roles", ROOT / "playbooks", ROOT / "molecule", ROOT / "inventories"]
    files = [path for path in project_files() if path.suffix == ".yml" and any(map(path.is_relative_to, places))]
    names = {name for path in files for name in re.findall(r"\b([a-z]+\.[a-z_]+)\.[a-z_]+\b", text(path))}
    known = {
        f"{space.name}.{folder.name}"
        for root in ansible_collections.__path__
        for space in Path(root).iterdir()
        if space.is_dir()
        for folder in space.iterdir()
    }
    return (names & known) - {"crowsnest.core"}


def test_requirements_yml_names_exactly_the_collections_in_use() -> None:
    assert set(COLLECTIONS) == used_collections()


def test_the_collection_is_a_committed_link_to_plugins() -> None:
    assert LINK.is_symlink()
    assert LINK.resolve() == ROOT / "plugins"
    mode = subprocess.run(
        ["git", "ls-files", "--stage", LINK.relative_to(ROOT)], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split()[0]
    assert mode == "120000"


def test_no_file_names_a_package_registry() -> None:
    # Put together here, or this file would be a finding itself.
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"))]
    found = [f"{path.relative_to(ROOT)}: {host}" for path in project_files() for host in hosts if host in text(path)]
    assert found == []


def test_images_are_named_only_in_images_yml() -> None:
    images = yaml.safe_load((ROOT / "files/images.yml").read_text())
    repositories = {image.split("@")[0].rsplit(":", 1)[0] for image in images.values()}
    pattern = re.compile("|".join(rf"{re.escape(name)}[:@]v?[0-9]" for name in sorted(repositories)))
    # Tests make up images of their own; documentation is made from images.yml.
    exempt = [ROOT / "files/images.yml", ROOT / "tests", ROOT / "docs"]
    # The sample app has a PostgreSQL of its own, as a team's app has.
    exempt += [ROOT / "molecule/lab" / name for name in ("shop", "images/postgres", "image_build.py")]
    files = [path for path in project_files() if not any(map(path.is_relative_to, exempt))]
    assert repositories
    assert [str(path.relative_to(ROOT)) for path in files if pattern.search(text(path))] == []


def compose_images() -> list[str]:
    """Images of others in the compose files of the repository."""
    files = [path for path in project_files() if path.name in ("compose.yaml", "compose.yml")]
    services = [service for path in files for service in yaml.safe_load(text(path))["services"].values()]
    return sorted({service["image"] for service in services if not service["image"].startswith("crowsnest/")})


IMAGES = [*yaml.safe_load((ROOT / "files/images.yml").read_text()).values(), *compose_images()]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_named_by_an_exact_version(image: str) -> None:
    """A shorter tag moves to another version by itself. PostgreSQL's releases have two numbers."""
    numbers = 2 if image.startswith("postgres:") else 3
    assert re.fullmatch(rf"[a-z0-9._/-]+:v?\d+(\.\d+){{{numbers - 1}}}(-[a-z][a-z-]*)?(@sha256:[0-9a-f]{{64}})?", image)


def test_renovate_adds_digests_to_the_images_of_the_stack_and_to_none_of_the_laboratory() -> None:
    rules = json.loads((ROOT / "renovate.json").read_text())["packageRules"]
    pins = {
        (*rule.get("matchDatasources", []), *rule.get("matchFileNames", [])): rule["pinDigests"]
        for rule in rules
        if "pinDigests" in rule
    }
    assert pins == {("docker",): True, ("molecule/lab/**",): False}


def test_scripts_can_be_executed() -> None:
    scripts = [path for path in project_files() if text(path).startswith("#!") and path.suffix != ".py"]
    assert ROOT / "crowsnest" in scripts
    assert [str(path) for path in scripts if not os.access(path, os.X_OK)] == []


def test_the_launcher_takes_the_pythons_of_pyproject() -> None:
    launcher = (ROOT / "crowsnest").read_text()
    found = {name: int(minor) for name, minor in re.findall(r"(?m)^(oldest|newest)_minor=(\d+)", launcher)}
    assert PROJECT["project"]["requires-python"] == f">=3.{found['oldest']},<3.{found['newest'] + 1}"
