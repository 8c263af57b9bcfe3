# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees of steps that take minutes, also of several at once."""

import threading
import time

import pytest
from lab import progress


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SCREEN", progress.Screen(pause=0.01))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")


def in_thread(text: str, done: threading.Event) -> threading.Thread:
    def build() -> None:
        with progress.step(text):
            done.wait(10)

    thread = threading.Thread(target=build)
    thread.start()
    return thread


def test_a_log_says_what_begins_before_it_ends_whatever_thread_does_it(capsys: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()
    threads = [in_thread(text, done) for text in ("Building the image a", "Building the image b")]
    screen = ""
    while screen.count("...") < 2:
        screen += capsys.readouterr().out
    assert sorted(screen.splitlines()) == ["Building the image a ...", "Building the image b ..."]
    done.set()
    for thread in threads:
        thread.join()
    ended = sorted(capsys.readouterr().out.splitlines())
    assert [line.partition(" ... ")[0] for line in ended] == ["Building the image a", "Building the image b"]
    assert all(line.endswith(" s") for line in ended)


def test_a_step_that_fails_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), progress.step("Pulling"):
        raise ValueError
    assert "Pulling ... failed after 0.0 s" in capsys.readouterr().out


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_all_steps_with_the_seconds_that_passed(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("Building the image a"), progress.step("Pulling b"):
        time.sleep(0.1)
    rewritten = capsys.readouterr().out.split(progress.CLEAR)
    assert "Building the image a ... 0 s; Pulling b ... 0 s" in rewritten
    assert rewritten[-2].startswith("Pulling b ... 0.1 s\n")
    assert rewritten[-1].startswith("Building the image a ... 0.1 s\n")


@pytest.mark.usefixtures("terminal")
def test_nothing_is_written_after_the_last_step(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.step("Pulling"):
        pass
    time.sleep(0.1)
    assert capsys.readouterr().out.endswith(" s\n")


@pytest.mark.usefixtures("terminal")
def test_the_line_fits_the_terminal() -> None:
    screen = progress.Screen()
    screen.running = [(f"Building the image {number}", 0.0) for number in range(9)]
    assert screen.line(90.0) == "Building the image 0 ... 90 s; Building the image 1 ... 90 s"[:59]
