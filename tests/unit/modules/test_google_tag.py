"""Module google_tag on real files: what changes, what is refused, and what is remembered."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag import run as google_tag_run
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.settled import settled
from ansible_collections.crowsnest.core.plugins.modules import google_tag

Run = Callable[..., dict[str, Any]]
PAGE = "<html>\n<head>\n</head>\n</html>\n"
ID, OTHER_ID = "G-ABCDE12345", "G-OTHER12345"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.html"
    path.write_text(PAGE)
    path.chmod(0o640)
    return path


@pytest.fixture
def apply(run_module: Run, tmp_path: Path) -> Run:
    """Run the module for {path: measurement id, or all keys of the template}."""

    def run(templates: dict[Path, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        entries = [
            {"path": str(path), **(keys if isinstance(keys, dict) else {"measurement_id": keys})}
            for path, keys in templates.items()
        ]
        state = str(tmp_path / "state" / "google_tags")
        return run_module(google_tag, check=check, templates=entries, state_directory=state, **options)

    return run


def names(result: dict[str, Any]) -> dict[str, list[str]]:
    assert result["changed"] is bool(result["added"] or result["updated"] or result["removed"])
    return {kind: result[kind] for kind in ("added", "updated", "removed") if result[kind]}


def test_a_tag_is_added_updated_kept_and_removed_without_a_trace(apply: Run, base: Path) -> None:
    path = str(base)
    assert names(apply({base: ID})) == {"added": [path]}
    assert ID in base.read_text()
    assert names(apply({base: ID})) == {}
    assert names(apply({base: OTHER_ID})) == {"updated": [path]}
    assert OTHER_ID in base.read_text()
    assert ID not in base.read_text()
    assert names(apply({})) == {"removed": [path]}
    assert (base.read_text(), base.stat().st_mode & 0o7777) == (PAGE, 0o640)
    assert names(apply({})) == {}


def test_consent_and_nonce_reach_the_template(apply: Run, base: Path) -> None:
    apply({base: {"measurement_id": ID, "consent": "granted", "nonce": "csp_nonce"}})
    assert base.read_text().count("{{ csp_nonce }}") == 2
    assert base.read_text().count('"granted"') == 4


def test_check_mode_predicts_and_writes_nothing(apply: Run, base: Path, tmp_path: Path) -> None:
    assert names(apply({base: ID}, check=True)) == {"added": [str(base)]}
    assert (base.read_text(), list(tmp_path.iterdir())) == (PAGE, [base])
    apply({base: ID})
    tagged = base.read_text()
    assert names(apply({}, check=True)) == {"removed": [str(base)]}
    assert base.read_text() == tagged
    assert names(apply({})) == {"removed": [str(base)]}


def test_the_difference_is_that_of_each_file(apply: Run, base: Path) -> None:
    assert "diff" not in apply({base: ID}, check=True)
    result = apply({base: ID}, _ansible_diff=True)
    header = {"before_header": str(base), "after_header": str(base)}
    assert result["diff"] == [{"before": PAGE, "after": base.read_text(), **header}]


def test_only_what_is_no_longer_named_loses_its_tag(apply: Run, base: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.html"
    second.write_text(PAGE)
    apply({base: ID, second: ID})
    assert names(apply({second: OTHER_ID})) == {"updated": [str(second)], "removed": [str(base)]}


def test_the_same_template_by_another_path_keeps_its_tag(apply: Run, base: Path, tmp_path: Path) -> None:
    apply({base: ID})
    tagged, link = base.read_text(), tmp_path / "link.html"
    link.symlink_to(base)
    assert names(apply({link: ID})) == {}
    assert base.read_text() == tagged
    assert names(apply({})) == {"removed": [str(link)]}
    assert base.read_text() == PAGE


@pytest.mark.parametrize("text", ["", "[]", '{"templates": 1}', '{"templates": ["/srv/\\u0000"]}', None])
def test_a_memory_that_cannot_be_read_stops_nobody_else(apply: Run, base: Path, tmp_path: Path, text: str) -> None:
    apply({base: ID})
    state = tmp_path / "state/google_tags"
    (state / ".templates.json").write_text("{")
    assert list(settled(state)) == [str(base)]
    (state / "templates.json").unlink()
    (state / "templates.json").mkdir() if text is None else (state / "templates.json").write_text(text)
    assert list(settled(state).values()) == [""]


def test_a_template_that_is_gone_is_forgotten(apply: Run, base: Path) -> None:
    apply({base: ID})
    base.unlink()
    assert names(apply({})) == {}
    base.write_text(PAGE)
    assert names(apply({base: ID})) == {"added": [str(base)]}


def test_a_block_that_the_team_pasted_is_the_team_s(apply: Run, base: Path) -> None:
    apply({base: ID})
    pasted = base.read_text()
    apply({})
    base.write_text(pasted)
    assert names(apply({base: ID})) == {}
    assert names(apply({})) == {}
    assert base.read_text() == pasted


def test_a_run_that_ends_between_two_templates_is_gone_on_with(
    apply: Run, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second.html"
    second.write_text(PAGE)
    whole = google_tag_run.replace_kept

    def full(path: Path, content: bytes) -> None:
        if path == second:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, content)

    monkeypatch.setattr(google_tag_run, "replace_kept", full)
    failed = apply({base: ID, second: ID})
    assert failed["msg"] == (
        f"{second}: No space left on device; free some space there and run again. Nothing half-written is in force."
    )
    assert ID in base.read_text()
    assert names(apply({base: ID})) == {}
    monkeypatch.undo()
    assert names(apply({})) == {"removed": [str(base)]}
    assert (base.read_text(), second.read_text()) == (PAGE, PAGE)


def test_a_tag_whose_removal_fails_is_removed_by_the_next_run(
    apply: Run, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    apply({base: ID})
    monkeypatch.setattr(google_tag_run, "replace_kept", full)
    assert "No space left on device" in apply({})["msg"]
    monkeypatch.undo()
    assert names(apply({})) == {"removed": [str(base)]}


def test_all_refusals_come_together_and_nothing_is_changed(apply: Run, base: Path, tmp_path: Path) -> None:
    headless = tmp_path / "headless.html"
    headless.write_text("<body>")
    result = apply({base: ID, headless: ID, tmp_path: ID})
    assert result["msg"].splitlines() == [
        f"{headless} has no </head>, before which the Google tag belongs. Name the template that has it.",
        f"{tmp_path} is not a file; correct the path.",
        "Nothing was changed.",
    ]
    assert base.read_text() == PAGE


def test_a_template_that_does_not_exist_yet_keeps_no_other_from_its_tag(apply: Run, base: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.html"
    result = apply({base: ID, missing: ID})
    assert names(result) == {"added": [str(base)]}
    assert [warning["event"]["msg"] for warning in result["warnings"]] == [
        f"There is no template {missing} yet. Deploy the app and run this again, or correct the path."
    ]
    missing.write_text(PAGE)
    assert names(apply({base: ID, missing: ID})) == {"added": [str(missing)]}


def test_wrong_options_are_refused_together(apply: Run, base: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(base)
    result = apply({base: "UA-1234-1", link: {"measurement_id": ID, "nonce": "{{ nonce }}"}, Path("a.html"): ID})
    assert result["msg"] == (
        f"{base}: UA-1234-1 is no measurement id, such as G-ABCDE12345; "
        f"{link}: {{{{ nonce }}}} is no nonce expression, such as request.csp_nonce or <%= nonce %>; "
        f"a.html is not an absolute path; {base} is named more than once. Nothing was changed."
    )


def test_a_link_stays_and_its_target_changes(apply: Run, base: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(base)
    apply({link: ID})
    assert link.is_symlink()
    assert ID in base.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_link_of_somebody_else_leads_nowhere(apply: Run, base: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(base)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    assert "is a link to a file of another user" in apply({link: ID})["msg"]
    assert base.read_text() == PAGE


def test_a_damaged_memory_is_told_and_nothing_changes(apply: Run, base: Path, tmp_path: Path) -> None:
    apply({base: ID})
    tagged = base.read_text()
    memory = tmp_path / "state/google_tags/templates.json"
    assert (memory.stat().st_mode & 0o777, memory.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(memory.read_text()) == {"templates": [str(base)]}
    memory.write_text("[]")
    assert apply({})["msg"].startswith(f"{memory}, which remembers the templates with a tag of ours, is damaged.")
    assert base.read_text() == tagged


@pytest.fixture
def tracked(base: Path) -> Path:
    """A template that git tracks."""
    for words in (["init", "--quiet"], ["add", base.name]):
        subprocess.run(["git", "-C", str(base.parent), *words], check=True, capture_output=True)
    return base


def test_what_git_tracks_is_refused_with_the_block_to_paste(apply: Run, tracked: Path) -> None:
    message = apply({tracked: ID})["msg"]
    assert f"{tracked} is tracked by git in {tracked.parent}, and a change on this host would block" in message
    assert tracked.read_text() == PAGE
    block = message[message.index("<!-- BEGIN") : message.index("<!-- END")] + "<!-- END Google tag (crowsnest) -->\n"
    tracked.write_text(PAGE.replace("</head>", f"{block}</head>"))
    assert names(apply({tracked: ID})) == {}


def test_what_git_tracks_by_now_is_not_cleaned_by_us(apply: Run, base: Path, request: pytest.FixtureRequest) -> None:
    apply({base: ID})
    tagged = base.read_text()
    request.getfixturevalue("tracked")
    assert "remove the lines from <!-- BEGIN Google tag (crowsnest) --> to" in apply({})["msg"]
    assert base.read_text() == tagged


def test_a_git_that_cannot_say_it_is_a_warning(apply: Run, tracked: Path) -> None:
    (tracked.parent / ".git/index").write_text("damaged")
    result = apply({tracked: ID})
    assert names(result) == {"added": [str(tracked)]}
    (warning,) = result["warnings"]
    assert "git cannot say whether it tracks this file" in warning["event"]["msg"]
