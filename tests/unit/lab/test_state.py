# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the laboratory remembers, and how labs that come up at once keep out of each other's way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import state
from lab.progress import LabError


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(state, "STATE", tmp_path / ".lab")
    monkeypatch.setattr(state, "LOCK", tmp_path / "lock")


def checkout(folder: Path) -> Path:
    """A copy of the laboratory, as another checkout has it."""
    shutil.copytree(state.LAB_FILES, folder / "molecule/lab", ignore=shutil.ignore_patterns("images", "shop"))
    return folder


def in_checkout(folder: Path, script: str, **environment: str) -> str:
    """Output of a script that uses a checkout's laboratory."""
    words = [sys.executable, "-c", f"from lab import engine, state\n{script}"]
    given = {"PYTHONPATH": str(folder / "molecule"), "HOME": str(folder), **environment}
    return subprocess.run(words, env=given, check=True, capture_output=True, text=True).stdout.strip()


def test_a_lab_that_comes_up_waits_for_another_one_even_if_a_third_is_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(state, "LOCK_SECONDS", 0.2)
    with state.alone():
        state.remove("third")
        assert "waiting" not in capsys.readouterr().out
        with pytest.raises(LabError, match="Another lab is still being prepared"), state.alone():
            pytest.fail("two labs are prepared at once")
        assert "waiting for it" in capsys.readouterr().out
    with state.alone():
        pass


def test_labs_of_two_checkouts_wait_for_each_other_whatever_their_environment_is(tmp_path: Path) -> None:
    script = "import fcntl, os\nprint(state.LOCK)"
    environments = [{}, {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}]
    locks = [in_checkout(checkout(tmp_path / f"c{n}"), script, **each) for n, each in enumerate(environments)]
    assert locks[0] == locks[1]
    assert not Path(locks[0]).is_relative_to(tmp_path)


def test_nothing_of_two_checkouts_has_the_same_name_or_labels(tmp_path: Path) -> None:
    script = "from lab import registry, host_container as h\n" + (
        "print(h.Host('demo', 0, 'trixie', 'none', 10000, 1).container, registry.NAME, state.PREFIX,"
        " *engine.labelled('demo')['label'], sep='\\n')"
    )
    one, two = (in_checkout(checkout(tmp_path / name), script).splitlines() for name in ("one", "two"))
    shared = set(one) & set(two)
    assert len(one) == len(set(one)) == 5
    assert shared == {"org.crowsnest.lab.name=demo"}  # asked for together with the checkout's label
    assert in_checkout(tmp_path / "one", script).splitlines() == one


def test_the_folder_goes_with_the_last_lab() -> None:
    state.save({"name": "one"})
    state.save({"name": "two"})
    state.remove("one")
    assert state.names() == ["two"]
    state.remove("two")
    assert not state.STATE.exists()
