"""Module env_file as Ansible runs it, on real files; what it does to services is in test_env_file_services.py."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_module import outcome

from ansible_collections.crowsnest.core.plugins.module_utils.env_file import run as env_file_run
from ansible_collections.crowsnest.core.plugins.module_utils.files import replace_kept
from ansible_collections.crowsnest.core.plugins.modules import env_file

DSN = "https://abc123@o1.ingest.us.sentry.io/42"
BEFORE = "# of the app\nDEBUG=0\n\nDATABASE_URL='postgres://shop:hush-hush@db/shop'\n"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "srv" / ".env"
    file.parent.mkdir()
    file.write_text(BEFORE)
    file.chmod(0o640)
    return file


@pytest.fixture
def run(tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the module on `path`; parameters as in a task, plus check=True. No secret is ever printed."""

    def run_module(check: bool = False, **params: Any) -> dict[str, Any]:
        options = {"path": str(path), "state_directory": str(tmp_path / "state"), **params}
        result, printed = outcome(env_file, capsys, options, check)
        assert not [secret for secret in params.get("secrets", {}).values() if str(secret) in printed]
        assert "hush-hush" not in printed
        return result

    return run_module


def snapshot(folder: Path) -> list[tuple[Any, ...]]:
    found = [(path, path.lstat()) for path in [folder, *sorted(folder.rglob("*"))]]
    return [(str(path), status.st_ino, status.st_mode, status.st_ctime_ns) for path, status in found]


def warnings(result: dict[str, Any]) -> list[str]:
    return [warning["event"]["msg"] for warning in result.get("warnings", [])]


def test_the_first_run_adds_exactly_the_keys(run: Run, path: Path) -> None:
    result = run(values={"SENTRY_ENVIRONMENT": "production"}, secrets={"SENTRY_DSN": DSN})
    assert path.read_text() == f"{BEFORE}SENTRY_ENVIRONMENT=production\nSENTRY_DSN={DSN}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert result["changed_keys"] == ["SENTRY_ENVIRONMENT", "SENTRY_DSN"]
    assert (result["changed"], result["rebuild"], result["recreated"], warnings(result)) == (True, [], [], [])


def test_the_second_run_is_unchanged_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    run(secrets={"SENTRY_DSN": DSN})
    before = snapshot(tmp_path)
    result = run(secrets={"SENTRY_DSN": DSN})
    assert (result["changed"], result["changed_keys"]) == (False, [])
    assert snapshot(tmp_path) == before


def test_what_is_no_longer_given_is_removed_and_the_bytes_are_as_before(run: Run, path: Path, tmp_path: Path) -> None:
    run(values={"A": "1", "B": "2"}, secrets={"SENTRY_DSN": DSN})
    assert run(values={"A": "1"})["changed_keys"] == ["B", "SENTRY_DSN"]
    assert path.read_text() == f"{BEFORE}A=1\n"
    assert run()["changed_keys"] == ["A"]
    assert path.read_text() == BEFORE
    assert list((tmp_path / "state").iterdir()) == []
    assert run()["changed"] is False


@pytest.mark.parametrize(
    "before",
    [
        b"A=1\nSENTRY_ENVIRONMENT=staging # mine\nB=2\n",
        b"SENTRY_ENVIRONMENT=old\r\nexport SENTRY_ENVIRONMENT = 'new'\r\nA=1",
        b"SENTRY_ENVIRONMENT: \xff\xed\x95\nA=1\n",
        b"SENTRY_ENVIRONMENT=production",
    ],
    ids=["comment", "twice", "bytes", "same"],
)
def test_a_line_that_was_there_comes_back(run: Run, path: Path, tmp_path: Path, before: bytes) -> None:
    path.write_bytes(before)
    sentence = f"{path}: SENTRY_ENVIRONMENT was there already; its line comes back when it is no longer declared."
    values = ("production", "other", "production")
    told = [sentence in warnings(run(values={"SENTRY_ENVIRONMENT": value})) for value in values]
    assert told == [True, False, False]
    assert b"SENTRY_ENVIRONMENT=production" in path.read_bytes()
    (file,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run()
    assert path.read_bytes() == before
    assert list((tmp_path / "state").iterdir()) == []


def test_a_run_that_is_killed_leaves_no_key_behind_for_ever(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(f"MINE=1\n{BEFORE}")
    for moment in (1, 2):  # before the file is written, and right after
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

            def killed(where: Path, content: bytes, moment: int = moment) -> None:
                if moment == 2:
                    replace_kept(where, content)
                raise KeyboardInterrupt

            patched.setattr(env_file_run, "replace_kept", killed)
            run(values={"A": "1", "MINE": "2"})
        assert ("A=1\n" in path.read_text()) == (moment == 2)
        run()
        assert path.read_text() == f"MINE=1\n{BEFORE}"


def test_the_same_file_by_another_path_keeps_its_keys_known(run: Run, path: Path, tmp_path: Path) -> None:
    run(values={"A": "1", "B": "1"})
    (tmp_path / "link").symlink_to(path.parent)
    run(path=str(tmp_path / "link/.env"), values={"A": "1"})
    assert path.read_text() == f"{BEFORE}A=1\n"
    run()
    assert path.read_text() == BEFORE


def test_a_memory_that_is_damaged_is_one_sentence_with_the_way_out(run: Run, path: Path, tmp_path: Path) -> None:
    run(values={"A": "1"})
    (file,) = (tmp_path / "state").iterdir()
    file.write_text("")
    assert run(values={"A": "2"})["msg"].startswith(
        f"{file}, which remembers what of {path} is ours, is damaged. Remove it and run again."
    )
    file.unlink()
    assert run(values={"A": "2"})["changed"] is True


def test_a_secret_in_a_file_for_everybody_is_told_once(run: Run, path: Path) -> None:
    path.chmod(0o644)
    assert warnings(run(values={"A": "1"})) == []
    (warning,) = warnings(run(values={"A": "1"}, secrets={"SENTRY_DSN": DSN}))
    assert warning == (
        f"{path}: every user of this host can read it. Unless the app needs that, run `chmod o-r {path}`."
    )
    assert warnings(run(values={"A": "1"}, secrets={"SENTRY_DSN": DSN})) == []


def test_keys_of_the_app_are_never_removed(run: Run, path: Path) -> None:
    run(values={"A": "1"})
    run()
    assert path.read_text() == BEFORE


def test_what_is_remembered_is_for_root_and_holds_no_value(run: Run, tmp_path: Path) -> None:
    run(secrets={"SENTRY_DSN": DSN}, values={"A": "plain-value"})
    (file,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "SENTRY_DSN" in file.read_text()
    assert DSN not in file.read_text() and "plain-value" not in file.read_text()


@pytest.mark.parametrize("wanted", [{"A": "1"}, {}])
def test_check_mode_predicts_and_writes_nothing(run: Run, tmp_path: Path, wanted: dict[str, str]) -> None:
    run(values={"B": "2"})
    before = snapshot(tmp_path)
    predicted = run(check=True, values=wanted)
    assert snapshot(tmp_path) == before
    assert predicted == run(values=wanted)


def test_check_mode_makes_no_folder(run: Run, tmp_path: Path) -> None:
    assert run(check=True, values={"A": "1"})["changed"] is True
    assert not (tmp_path / "state").exists()


def test_the_diff_has_the_keys_that_change_and_masks_secrets(run: Run) -> None:
    run(values={"A": "1", "B": "same", "WAS_SECRET": "x"}, secrets={"SENTRY_DSN": DSN, "GONE": "old-secret"})
    result = run(values={"A": "2", "B": "same"}, secrets={"SENTRY_DSN": f"{DSN}1"})
    assert result["diff"]["before"] == (
        "A=1\nSENTRY_DSN=(secret, content not shown)\nGONE=(secret, content not shown)\nWAS_SECRET=x\n"
    )
    assert result["diff"]["after"] == "A=2\nSENTRY_DSN=(secret, new content, not shown)\n"


def test_a_key_that_was_secret_stays_masked_when_it_no_longer_is(run: Run) -> None:
    run(secrets={"TOKEN": "old-secret"})
    result = run(values={"TOKEN": "plain"})
    assert "old-secret" not in json.dumps(result)


def test_keys_of_a_frontend_say_rebuild_also_when_they_go(run: Run) -> None:
    given = {"values": {"A": "1"}, "secrets": {"VITE_SENTRY_DSN": DSN}, "rebuild_keys": ["VITE_SENTRY_DSN"]}
    first, second = run(**given), run(**given)
    assert (first["rebuild"], second["rebuild"]) == (["VITE_SENTRY_DSN"], [])
    assert "VITE_SENTRY_DSN changed, which a frontend reads only while it is built." in warnings(first)[0]
    assert warnings(second) == []
    assert run(values={"A": "1"})["rebuild"] == ["VITE_SENTRY_DSN"]


def test_duplicates_and_export_are_warnings(run: Run, path: Path) -> None:
    path.write_text("A=1\nexport A=2\n")
    result = run(values={"A": "3"})
    assert path.read_text() == "A=1\nexport A=3\n"
    assert [text.partition(". ")[0] for text in warnings(result)] == [
        f"{path}: A stands in the lines 1, 2",
        f"{path}: Line 2 has `export` in front of A, which `docker run --env-file` refuses and python-decouple takes "
        "for a part of the name",
        f"{path}: A was there already; its line comes back when it is no longer declared.",
    ]


def test_all_mistakes_are_told_at_once_and_without_a_value(run: Run, path: Path) -> None:
    result = run(
        values={"1A": "x", "BOTH": "x", "PRICE": 1.5, "ON": True},
        secrets={"BOTH": "secret-1", "SHORT": "pin12", "TOKEN": "it's a $ecret", "FRONT": "a$$bcdef"},
        rebuild_keys=["FRONT", "OTHER"],
        compose="compose.yaml",
        wait=5,
    )
    assert result["msg"] == (
        f"{path}: compose compose.yaml is not an absolute path; "
        "'1A' is no name that every reader knows; use letters, digits and _, and no digit first; "
        "BOTH is in both values and secrets; "
        "the value of SHORT is too short for a secret; it would be hidden in every word it is a part of; "
        "rebuild_keys: OTHER is neither in values nor in secrets; "
        "wait must be more than 10 s, for which a service without a health check must run; "
        "the value of PRICE is a float, not text; write it in quotes; "
        "the value of ON is a bool, not text; write it in quotes; "
        "the value of TOKEN has ' together with one of \" $ \\ `, for which there is no spelling that all readers "
        "know; "
        "the value of FRONT has $, which the tools that build a frontend expand even in quotes. Nothing was changed."
    )
    assert path.read_text() == BEFORE


def test_services_need_their_compose_file(run: Run, path: Path) -> None:
    result = run(values={"A": "1"}, recreate=["web"])
    assert result["msg"].startswith(f"{path}: recreate needs compose, the compose file of those services.")


def test_a_missing_file_is_not_created(run: Run, path: Path) -> None:
    path.unlink()
    result = run(values={"A": "1"})
    assert result["changed"] is False
    assert warnings(result)[0].startswith(f"There is no file {path} yet, so A were not written. Deploy the app, or")
    assert not path.exists()


def test_a_file_that_went_with_its_app_is_nothing_to_do(run: Run, path: Path, tmp_path: Path) -> None:
    run(values={"A": "1"})
    path.unlink()
    assert run()["changed"] is False
    assert list((tmp_path / "state").iterdir()) == []


def test_a_folder_is_refused(run: Run, path: Path) -> None:
    path.unlink()
    path.mkdir()
    assert run(values={"A": "1"})["msg"] == f"{path} is not a file; correct the path."


def test_a_link_stays_and_its_target_changes(run: Run, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "shared.env"
    path.rename(target)
    path.symlink_to(target)
    run(values={"A": "1"})
    assert path.is_symlink()
    assert target.read_text() == f"{BEFORE}A=1\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_of_somebody_else_to_a_file_of_root_is_not_followed(run: Run, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "shadow"
    path.rename(target)
    path.symlink_to(target)
    os.chown(path, 65534, 65534, follow_symlinks=False)
    assert run(values={"A": "1"})["msg"] == (
        f"{path} is a link to a file of another user, which is not followed. Name {target} itself."
    )
    assert target.read_text() == BEFORE


def track(path: Path) -> None:
    for words in (["init", "--quiet"], ["add", "--force", path.name]):
        subprocess.run(["git", "-C", str(path.parent), *words], check=True, capture_output=True)


@pytest.mark.parametrize("check", [False, True])
def test_a_file_that_git_tracks_is_refused_with_the_lines_to_paste(run: Run, path: Path, check: bool) -> None:
    run(values={"OLD": "1"})
    track(path)
    before = path.read_text()
    result = run(check=check, values={"A": "a b"}, secrets={"SENTRY_DSN": DSN})
    assert result["msg"] == (
        f"{path}: git tracks this file in {path.parent}, and a change here would block the next `git pull`. Nothing "
        "was changed. Change it in the repository, or take it out of git (`git rm --cached`). Remove its lines of OLD. "
        "The lines to paste:\nA='a b'\nSENTRY_DSN=(secret, content not shown)"
    )
    assert path.read_text() == before


def test_a_tracked_file_that_holds_the_lines_is_fine(run: Run, path: Path) -> None:
    path.write_text(f"{BEFORE}A=1\n")
    track(path)
    assert run(values={"A": "1"})["changed"] is False


def test_a_quote_that_was_forgotten_is_refused(run: Run, path: Path) -> None:
    path.write_text('A="1\nB=2\nC="3"\n')
    assert run(values={"A": "1"})["msg"] == (
        f"{path}: A cannot be changed: the quote that line 1 opens is closed only in line 3. Close it in its own line, "
        "or remove those lines, and run again."
    )
    assert path.read_text() == 'A="1\nB=2\nC="3"\n'


def test_a_fault_of_the_disk_is_one_sentence(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr("os.rename", read_only)
    run_before = path.read_text()
    result = run(values={"A": "1"})
    assert result["msg"] == (
        f"{path}: Read-only file system; mount it writable and run again. Nothing half-written is in force."
    )
    assert path.read_text() == run_before


def test_a_key_whose_value_is_not_known_now_stays_as_it_is_if_it_is_ours(run: Run, path: Path) -> None:
    run(values={"A": "1", "RELEASE": "4f1c9e2"})
    whole = path.read_text()
    again = run(values={"A": "1"}, keep=["RELEASE", "NEVER_SET"])
    assert (again["changed"], path.read_text()) == (False, whole)
    run(values={"A": "1"})
    assert path.read_text() == whole.replace("RELEASE=4f1c9e2\n", "")
