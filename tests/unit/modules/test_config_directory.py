"""Module config_directory as Ansible runs it, in-process, on a real directory."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.settled import settled
from ansible_collections.crowsnest.core.plugins.modules import config_directory

FILES = {"prometheus.yml": "global: {}\n", "rules/host.yml": "groups: []\n"}
GROUP = str(os.getegid())
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the module on tmp_path/prometheus; parameters as in a task, plus check=True."""

    def run_module(check: bool = False, **params: Any) -> dict[str, Any]:
        given = {"path": str(tmp_path / "prometheus"), "files": FILES, "group": GROUP, **params}
        with (
            patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True}),
            pytest.raises(SystemExit),
        ):
            config_directory.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return tmp_path / "prometheus" / "current"


def contents(directory: Path) -> dict[str, str]:
    files = (path for path in directory.resolve().rglob("*") if not path.is_dir())
    return {str(path.relative_to(directory.resolve())): path.read_text() for path in files}


def snapshot(directory: Path) -> list[tuple[Any, ...]]:
    """Everything that a write would change, down to the change time of each inode."""
    paths = [directory, *sorted(directory.rglob("*"))]
    return [(str(path), path.lstat().st_ino, path.lstat().st_mode, path.lstat().st_ctime_ns) for path in paths]


def test_first_run_writes_exactly_the_files(run: Run, current: Path) -> None:
    result = run(secrets={"token": "hush-hush"})
    assert contents(current) == {**FILES, "token": "hush-hush"}
    assert str(current.readlink()) == f"releases/{result['release']}"
    assert (result["changed"], result["previous"]) == (True, None)
    assert result["changed_files"] == ["prometheus.yml", "rules/host.yml", "token"]


def test_second_run_is_unchanged_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    first = run()
    before = snapshot(tmp_path)
    second = run()
    assert (second["changed"], second["changed_files"], second["diff"]) == (False, [], [])
    assert second["release"] == second["previous"] == first["release"]
    assert snapshot(tmp_path) == before


def test_files_no_longer_given_are_removed(run: Run, current: Path) -> None:
    first = run()
    second = run(files={"prometheus.yml": "global: {}\n"})
    assert contents(current) == {"prometheus.yml": "global: {}\n"}
    assert second["changed_files"] == ["rules", "rules/host.yml"]
    assert second["previous"] == first["release"]


def test_owner_and_modes_are_set(run: Run, current: Path) -> None:
    run(owner="21090", group="21091", mode="0600", directory_mode="0710")
    for path in (current.parent, current.parent / "releases", current.resolve(), current / "rules"):
        assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (21090, 21091, 0o710)
    status = (current / "rules/host.yml").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (21090, 21091, 0o600)


def links(directory: Path) -> dict[str, str]:
    """Where each link below a directory leads, by path."""
    return {str(path.relative_to(directory)): str(path.readlink()) for path in directory.rglob("*.*")}


STABLE = {"grafana.ini": "", "dashboards/a/one.json": "1", "dashboards/b/two.json": "2"}


@pytest.fixture
def stable(tmp_path: Path) -> Path:
    return tmp_path / "prometheus" / "dashboards"


def test_stable_paths_lead_through_current_and_stay_the_same_inode_when_a_file_changes(run: Run, stable: Path) -> None:
    first = run(files=STABLE, stable="dashboards")
    assert links(stable) == {
        "a/one.json": "../../current/dashboards/a/one.json",
        "b/two.json": "../../current/dashboards/b/two.json",
    }
    assert f"{stable}/a/one.json" in first["changed_files"]
    before = snapshot(stable)
    second = run(files={**STABLE, "dashboards/a/one.json": "changed"}, stable="dashboards")
    assert second["changed_files"] == ["dashboards/a/one.json"]
    assert (stable / "a/one.json").read_text() == "changed"
    assert snapshot(stable) == before


def test_stable_paths_of_files_that_are_gone_are_removed_with_their_directories(run: Run, stable: Path) -> None:
    run(files=STABLE, stable="dashboards")
    less = {name: text for name, text in STABLE.items() if "two" not in name}
    predicted, done, again = (run(check, files=less, stable="dashboards") for check in (True, False, False))
    assert predicted == done
    assert done["changed_files"] == [
        *(f"{stable}/b", f"{stable}/b/two.json"),
        *("dashboards/b", "dashboards/b/two.json"),
    ]
    assert links(stable) == {"a/one.json": "../../current/dashboards/a/one.json"}
    assert not (stable / "b").exists()
    assert again["changed"] is False


def test_stable_paths_have_the_rights_of_directories(run: Run, stable: Path) -> None:
    run(files=STABLE, stable="dashboards", owner="21090", group="21091", directory_mode="0710")
    for path in (stable, stable / "a"):
        assert (path.stat().st_uid, path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (21090, 21091, 0o710)


def spoil_link(stable: Path) -> None:
    (stable / "a/one.json").unlink()
    (stable / "a/one.json").symlink_to("/etc/hostname")


def spoil_file(stable: Path) -> None:
    (stable / "a/one.json").unlink()
    (stable / "a/one.json").write_text("mine")


def spoil_directory(stable: Path) -> None:
    (stable / "a/one.json").unlink()
    (stable / "a/one.json/inner").mkdir(parents=True)


def spoil_missing(stable: Path) -> None:
    (stable / "b/two.json").unlink()


def spoil_extra(stable: Path) -> None:
    (stable / "b/three.json").symlink_to("nowhere")


def spoil_whole(stable: Path) -> None:
    stable.rename(stable.parent.parent / "elsewhere")
    stable.symlink_to(stable.parent.parent / "elsewhere")


def spoil_middle(stable: Path) -> None:
    (stable / "a").rename(stable.parent.parent / "elsewhere")
    (stable / "a").symlink_to(stable.parent.parent / "elsewhere")


def spoil_mode(stable: Path) -> None:
    (stable / "a").chmod(0o777)


@pytest.mark.parametrize(
    "spoil",
    [spoil_link, spoil_file, spoil_directory, spoil_missing, spoil_extra, spoil_whole, spoil_middle, spoil_mode],
)
def test_stable_paths_changed_by_hand_are_put_right(run: Run, stable: Path, spoil: Callable[[Path], None]) -> None:
    identity = f"{run(files=STABLE, stable='dashboards')['release']} dashboards"
    wanted = links(stable)
    spoil(stable)
    assert settled(stable.parent.parent).get(str(stable.parent)) != identity
    elsewhere = links(stable.parent.parent / "elsewhere")
    predicted, repaired, last = (run(check, files=STABLE, stable="dashboards") for check in (True, False, False))
    assert predicted == repaired
    assert repaired["changed"] is True and repaired["release"] == repaired["previous"]
    assert links(stable) == wanted and not stable.is_symlink() and not (stable / "a").is_symlink()
    assert links(stable.parent.parent / "elsewhere") == elsewhere
    assert last["changed"] is False
    assert settled(stable.parent.parent) == {str(stable.parent): identity}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rules", "is not a directory at the top of the release; those are: dashboards"),
        ("dashboards/a", "is not a directory at the top of the release; those are: dashboards"),
        ("..", "is not a directory at the top of the release"),
        ("current", "is a name that this module uses itself"),
        ("releases", "is a name that this module uses itself"),
    ],
)
def test_stable_paths_of_what_is_not_in_the_release_are_refused(run: Run, stable: Path, name: str, words: str) -> None:
    result = run(files={**STABLE, "current/x": ""} if name == "current" else STABLE, stable=name)
    assert result["failed"] and f"stable {name!r} {words}" in result["msg"]
    assert not stable.parent.exists()


def drift_content(release: Path) -> None:
    (release / "prometheus.yml").write_text("edited by hand\n")


def drift_unmanaged_file(release: Path) -> None:
    (release / "rules/mine.yml").write_text("mine\n")


def drift_unmanaged_fifo(release: Path) -> None:
    os.mkfifo(release / "pipe")


def drift_symlink(release: Path) -> None:
    (release / "prometheus.yml").unlink()
    (release / "prometheus.yml").symlink_to("/etc/hostname")


def drift_missing_file(release: Path) -> None:
    (release / "rules/host.yml").unlink()


def drift_file_mode(release: Path) -> None:
    (release / "prometheus.yml").chmod(0o644)


def drift_file_owner(release: Path) -> None:
    os.chown(release / "prometheus.yml", 4711, -1)


def drift_directory_mode(release: Path) -> None:
    (release / "rules").chmod(0o777)


def drift_path_mode(release: Path) -> None:
    release.parent.parent.chmod(0o777)


DRIFTS = {
    drift_content: "prometheus.yml",
    drift_unmanaged_file: "rules/mine.yml",
    drift_unmanaged_fifo: "pipe",
    drift_symlink: "prometheus.yml",
    drift_missing_file: "rules/host.yml",
    drift_file_mode: "prometheus.yml",
    drift_file_owner: "prometheus.yml",
    drift_directory_mode: "rules",
    drift_path_mode: "",  # the path itself
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_on_disk_is_repaired(run: Run, current: Path, drift: Callable[[Path], None]) -> None:
    first = run()
    drift(current.resolve())
    assert settled(current.parent.parent) == {}
    predicted, repaired, last = run(check=True), run(), run()
    assert settled(current.parent.parent) == {str(current.parent): first["release"]}
    assert predicted == repaired
    assert repaired["changed_files"] == [DRIFTS[drift] or str(current.parent)]
    assert [entry["before_header"] for entry in repaired["diff"]] == repaired["changed_files"]
    assert repaired["diff"][0]["before"] != repaired["diff"][0]["after"]
    assert repaired["release"] == first["release"]
    assert last["changed"] is False
    assert contents(current) == FILES


@pytest.mark.parametrize("target", ["/etc", "releases/0123456789abcdef", "../../elsewhere"])
def test_current_pointed_elsewhere_by_hand_is_put_right(run: Run, current: Path, target: str) -> None:
    run()
    current.unlink()
    current.symlink_to(target)
    assert run()["changed"] is True
    assert contents(current) == FILES


def test_keep_limits_the_releases_and_going_back_reuses_one(run: Run, current: Path) -> None:
    releases = [run(files={"a": str(number)})["release"] for number in range(5)]
    assert {path.name for path in (current.parent / "releases").iterdir()} == set(releases[2:])
    inode = (current.parent / "releases" / releases[2] / "a").stat().st_ino
    back = run(files={"a": "2"})
    assert (back["release"], back["previous"], back["changed_files"]) == (releases[2], releases[4], ["a"])
    assert (current / "a").stat().st_ino == inode
    pruned = run(files={"a": "2"}, keep=1)
    assert (pruned["changed"], pruned["changed_files"]) == (True, [])
    assert [path.name for path in (current.parent / "releases").iterdir()] == [releases[2]]


def test_the_releases_used_last_are_kept(run: Run, current: Path) -> None:
    names = {text: run(files={"a": text})["release"] for text in ("first", "second", "third", "first", "fourth")}
    run(files={"a": "fourth"}, keep=2)
    kept = {path.name for path in (current.parent / "releases").iterdir()}
    assert kept == {names["fourth"], names["first"]}


def test_foreign_entries_beside_the_releases_stay(run: Run, current: Path) -> None:
    run()
    (current.parent / "releases/notes.txt").write_text("mine")
    assert run()["changed"] is False
    run(files={"a": "b"}, keep=1)
    assert (current.parent / "releases/notes.txt").read_text() == "mine"
