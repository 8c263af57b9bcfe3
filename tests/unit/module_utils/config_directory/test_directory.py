"""Config directories on hosts in trouble: full and read-only disks, symlink tricks, two runs at once, many files."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils import files as config_files
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import apply, predict
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    ConfigDirectoryError,
    Release,
    make_release,
)
from ansible_collections.crowsnest.core.plugins.module_utils.files import explain

COLLECTIONS = next(path for path in Path(__file__).parents if (path / "collections").is_dir()) / "collections"
RUN = """
import sys
from pathlib import Path
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.directory import apply
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import make_release
path, text, times = sys.argv[1:]
for number in range(int(times)):
    files = {f"{name}/file.yml": f"{text} {number}" for name in range(20)}
    apply(Path(path), make_release(files, {"token": text}, "", "", "0640", "0750"), 2, None)
"""


def release(text: str = "one", **more: str) -> Release:
    return make_release({"app.yml": text, **more}, {"token": "secret"}, "", "", "0640", "0750")


def entries(path: Path) -> set[str]:
    return {entry.name for entry in (path / "releases").iterdir()}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "crowsnest-test", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk_loses_nothing_and_leaves_nothing(small_disk: Path) -> None:
    path = small_disk / "app"
    apply(path, release(), 3, None)
    before = entries(path)
    filling = {f"rules/{number}": "x" * 100_000 for number in range(20)}
    with pytest.raises(OSError) as caught:
        apply(path, release("two", **filling), 3, None)
    assert caught.value.errno == errno.ENOSPC
    sentence = f"{path}: No space left on device; free some space there and run again."
    assert explain(path, caught.value).startswith(sentence)
    assert ((path / "current/app.yml").read_text(), entries(path)) == ("one", before)
    apply(path, release("two"), 3, None)
    assert (path / "current/app.yml").read_text() == "two"


def test_read_only_target(small_disk: Path) -> None:
    path = small_disk / "app"
    apply(path, release(), 3, None)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert apply(path, release(), 3, None).holds(release())  # nothing to do is no error
    with pytest.raises(OSError) as caught:
        apply(path, release("two"), 3, None)
    assert "Read-only file system; mount it writable" in explain(path, caught.value)
    assert (path / "current/app.yml").read_text() == "one"


@pytest.mark.parametrize("planted", [".staging", ".trash", ".current", release().name, f"{release().name}.secrets"])
def test_planted_symlinks_are_never_followed(tmp_path: Path, planted: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "app.yml").write_text("precious")
    path = tmp_path / "app"
    (path / "releases").mkdir(parents=True)
    (path / "releases" / planted).symlink_to(outside)
    apply(path, release(), 3, None)
    assert (path / "current").resolve() == path / "releases" / release().name
    assert [(entry.name, entry.read_text()) for entry in outside.iterdir()] == [("app.yml", "precious")]
    assert outside.stat().st_mode & 0o777 == 0o755
    assert entries(path) == {release().name, f"{release().name}.secrets"}


def symlink(place: Path) -> None:
    (place.parent / "elsewhere").mkdir()
    place.symlink_to(place.parent / "elsewhere")


@pytest.mark.parametrize(
    ("place", "make", "words"),
    [
        ("app", symlink, "app is a symlink, not a directory; remove it"),
        ("app", Path.touch, "app is a file, not a directory; remove it"),
        ("app/releases", symlink, "app/releases is a symlink, not a directory"),
        ("app/releases", Path.touch, "app/releases is a file, not a directory"),
        (
            "app/current",
            Path.mkdir,
            "app/current exists and is not the symlink that this module manages; move it away (mv ",
        ),
        ("app/other.yml", Path.touch, "app holds other files and was not created by this module; use a directory"),
    ],
)
def test_a_place_that_is_not_ours_is_refused(tmp_path: Path, place: str, make: object, words: str) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    make(tmp_path / place)  # type: ignore[operator]
    before = sorted(tmp_path.rglob("*"))
    for attempt in (
        lambda: apply(tmp_path / "app", release(), 3, None),
        lambda: predict(tmp_path / "app", release(), 3),
    ):
        with pytest.raises(ConfigDirectoryError) as caught:
            attempt()
        assert f"{tmp_path}/{words}" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_above_the_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:
        apply(tmp_path / "file/app", release(), 3, None)
    assert "something above it is not a directory" in explain(tmp_path / "file/app", caught.value)


def test_two_runs_at_once_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "new" / "app"
    command = [sys.executable, "-c", RUN, str(path)]
    env = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    runs = [subprocess.Popen([*command, text, "25"], env=env) for text in ("left", "right")]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    texts = {file.read_text() for file in path.glob("current/*/file.yml")}
    assert len(texts) == 1 and texts <= {"left 24", "right 24"}
    assert len({name.removesuffix(".secrets") for name in entries(path)}) == 2


def test_a_hanging_run_is_named_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app"
    apply(path, release(), 3, None)
    monkeypatch.setattr(config_files, "LOCK_SECONDS", 0.2)
    handle = os.open(path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(
            ConfigDirectoryError, match=r"app: another run has held it for 0\.2 s; check this host for a hanging"
        ):
            apply(path, release("two"), 3, None)
    finally:
        os.close(handle)


def test_ten_thousand_files(tmp_path: Path) -> None:
    files = {f"targets/{number % 100}/{number}.json": f'[{{"targets": ["{number}"]}}]\n' for number in range(10_000)}
    seconds = {}
    for run in ("first", "second"):
        start = time.monotonic()
        state = apply(tmp_path / "app", release(**files), 3, None)
        seconds[run] = time.monotonic() - start
    print(f"10,000 files: first run {seconds['first']:.1f} s, second run {seconds['second']:.1f} s")
    assert state.holds(release(**files))
    assert seconds["first"] < 120 and seconds["second"] < 20


def python39() -> str | None:
    """A Python 3.9 that really starts, from PATH, uv or pyenv."""
    candidates = [shutil.which("python3.9"), *map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python"))]
    if shutil.which("uv"):
        found = subprocess.run(["uv", "python", "find", "3.9"], capture_output=True, text=True, check=False)
        candidates.append(found.stdout.strip())
    probe = ["-c", "import sys; sys.exit(sys.version_info[:2] != (3, 9))"]
    for name in filter(None, candidates):
        if subprocess.run([name, *probe], capture_output=True, check=False).returncode == 0:
            return name
    return None


def test_runs_on_python_3_9(tmp_path: Path) -> None:
    python = python39()
    if python is None:
        pytest.skip("no Python 3.9 on this machine")
    env = {**os.environ, "PYTHONPATH": str(COLLECTIONS), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([python, "-c", RUN, str(tmp_path / "app"), "text", "3"], env=env, check=True)
    assert (tmp_path / "app/current/7/file.yml").read_text() == "text 2"
