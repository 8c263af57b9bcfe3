"""Module python_environment as Ansible runs it, in-process: real environments, and an index of two made-up packages."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils import python_environment
from ansible_collections.crowsnest.core.plugins.modules import python_environment as module

Run = Callable[..., dict[str, Any]]


def add_package(index: Path, name: str, metadata: str = "") -> str:
    """Put a wheel into a simple index; returns its line of a lock."""
    wheel = index / name / f"{name}-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "answer = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment, made as the module makes it."""
    folder = tmp_path_factory.mktemp("template")
    with module.open_directory(folder) as handle:
        python_environment.run([python_environment.sys.executable, "-I", "-m", "venv", str(folder / "venv")], handle)
    return folder / "venv"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index")


@pytest.fixture(scope="module")
def lock(index: Path) -> str:
    return "# made by uv\n" + add_package(index, "needed") + add_package(index, "wants", "Requires-Dist: needed\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "opt/toolbox"


@pytest.fixture
def run(
    run_module: Run, path: Path, index: Path, lock: str, template: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Run the module on `path`; parameters as in a task, plus check=True. Copies `template` to save seconds."""
    real = python_environment.run

    def quicker(command: list[str], *rest: Any) -> None:
        if "venv" in command:
            shutil.copytree(template, command[-1], symlinks=True)
        else:
            real(command, *rest)

    for name in [name for name in module.os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr(python_environment, "run", quicker)
    monkeypatch.setattr(python_environment.os, "sync", lambda: None)

    def start(check: bool = False, **params: Any) -> dict[str, Any]:
        given = {"path": str(path), "requirements": lock, "index_url": index.as_uri(), "_ansible_diff": True}
        return run_module(module, check=check, **{**given, **params})

    return start


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def test_check_mode_predicts_the_packages_and_writes_nothing(run: Run, path: Path, lock: str) -> None:
    result = run(check=True)
    assert (result["changed"], result["previous"]) == (True, "")
    assert (result["diff"]["before"], result["diff"]["after"]) == ("", "needed==1.0\nwants==1.0\n")
    assert result["environment"] == python_environment.wanted_name(lock)
    assert not path.parent.exists()


def test_first_run_builds_and_second_run_is_unchanged(run: Run, path: Path) -> None:
    first = run()
    made = path / first["environment"]
    assert first["changed"] is True
    assert str((path / "current").readlink()) == first["environment"]
    command = [path / "current/bin/python", "-I", "-c", "import wants; print(wants.answer)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"
    inodes = {entry: entry.lstat().st_ino for entry in made.rglob("*")}
    second = run()
    assert (second["changed"], second["previous"], second["environment"]) == (False, made.name, made.name)
    assert {entry: entry.lstat().st_ino for entry in made.rglob("*")} == inodes


def test_nobody_else_may_write_what_root_will_run(run: Run, path: Path) -> None:
    before = module.os.umask(0o002)
    try:
        run()
    finally:
        module.os.umask(before)
    installed = [path, *(path / "current").resolve().rglob("*/wants*")]
    assert len(installed) > 2
    assert [entry for entry in installed if entry.stat().st_mode & 0o022] == []


def test_a_changed_lock_gives_a_new_environment_and_only_ours_are_removed(run: Run, path: Path, lock: str) -> None:
    first = run()
    (path / "notes.txt").write_text("mine")
    second = run(requirements=lock.partition("wants")[0])
    assert (second["changed"], second["previous"]) == (True, first["environment"])
    assert (second["diff"]["before"], second["diff"]["after"]) == ("needed==1.0\nwants==1.0\n", "needed==1.0\n")
    assert names(path) == {"notes.txt", "current", second["environment"]}


def test_another_python_gives_a_new_environment(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_environment, "python_version", lambda: "3.9")
    first = run()
    monkeypatch.undo()
    assert first["environment"].startswith("3.9-")
    predicted = run(check=True)
    assert (predicted["changed"], predicted["previous"]) == (True, first["environment"])
    assert predicted["environment"] != first["environment"]


# --- cut off half-way ---


def before_the_swap(path: Path, name: str) -> None:
    (path / "current").rename(path / ".current")


def while_it_was_built(path: Path, name: str) -> None:
    (path / "current").unlink()
    shutil.rmtree(path / name / "lib")


def while_it_was_removed_by_hand(path: Path, name: str) -> None:
    shutil.rmtree(path / name / "bin")


def before_the_older_one_was_removed(path: Path, name: str) -> None:
    (path / "3.9-0123456789ab/lib").mkdir(parents=True)


@pytest.mark.parametrize(
    "cut", [before_the_swap, while_it_was_built, while_it_was_removed_by_hand, before_the_older_one_was_removed]
)
def test_the_next_run_puts_right_what_was_cut_off(run: Run, path: Path, cut: Callable[[Path, str], None]) -> None:
    name = run()["environment"]
    cut(path, name)
    assert run(check=True)["changed"] is True
    assert run()["changed"] is True
    assert names(path) == {"current", name}
    subprocess.run([path / "current/bin/python", "-I", "-c", "import wants"], check=True)
    assert run()["changed"] is False


# --- refused ---

OTHER_HASH = "\n    --hash=sha256:" + 64 * "0" + "\n"
# What is wrong: (change of the lock, index, words of the message).
FAULTS: dict[str, tuple[Callable[[str], str], str, list[str]]] = {
    "another file": (
        lambda lock: lock.partition("\n    --hash")[0] + OTHER_HASH,
        "",
        ["DO NOT MATCH THE HASHES", "Expected sha256 0000", "somebody replaced the file"],
    ),
    "no hash": (lambda lock: "needed==1.0\n", "", ["Hashes are required", "The lock is not complete"]),
    "a package is missing": (
        lambda lock: lock[lock.index("wants") :],
        "",
        ["wants 1.0 requires needed, which is not installed", "The lock is not complete"],
    ),
    "an index that does not answer": (
        lambda lock: lock + "# new\n",
        "http://user:hunter2@127.0.0.1:9/simple",
        ["Connection refused", "Can the host reach PyPI?", "toolbox_index_url", "/etc/pip.conf"],
    ),
    "an index without the package": (
        lambda lock: lock + "# new\n",
        "file:///nowhere",
        ["No matching distribution found for needed==1.0", "Can the host reach PyPI?"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_built_leaves_the_old_one_and_says_what_to_do(
    run: Run, path: Path, lock: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Trying again takes seconds that say nothing here.
    monkeypatch.setattr(python_environment, "PIP", [*python_environment.PIP[:-1], "--retries=1"])
    change, url, expected = FAULTS[fault]
    options = {"index_url": url} if url else {}
    name = run()["environment"]
    result = run(requirements=change(lock), **options)
    assert result["failed"] is True
    assert [words for words in expected if words not in result["msg"]] == []
    assert result["msg"].endswith(f" {name} stays in force.")
    assert "hunter2" not in str(result)
    assert names(path) == {"current", name}


def test_a_first_run_that_fails_leaves_nothing(run: Run, path: Path) -> None:
    result = run(index_url="file:///nowhere")
    assert result["msg"].endswith(" None is in force yet.")
    assert names(path) == set()


def test_a_folder_in_place_of_the_link_is_named(run: Run, path: Path) -> None:
    (path / "current").mkdir(parents=True)
    assert run()["msg"].startswith(f"{path} ({path}/current): Is a directory; ")
    assert (path / "current").is_dir()
