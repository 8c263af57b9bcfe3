"""What is made of the words of pip and venv, and how they are started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils import python_environment
from ansible_collections.crowsnest.core.plugins.module_utils.python_environment import PythonEnvironmentError

RETRY = "WARNING: Retrying (Retry(total={}, connect=None)) after connection broken by '{}': /simple/bidict/\n"
NO_NAME = (
    "NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7fbc06f85160>: "
    "Failed to establish a new connection: [Errno -2] Name or service not known')"
)
NONE = "ERROR: No matching distribution found for bidict==0.24.1\n"
# What a program printed: (what is told of it, a part of the advice).
OUTPUTS = {
    RETRY.format(1, "old") + RETRY.format(0, NO_NAME) + NONE: (
        "NewConnectionError('Failed to establish a new connection: [Errno -2] Name or service not known') / "
        "ERROR: No matching distribution found for bidict==0.24.1",
        "Can the host reach PyPI?",
    ),
    "Collecting a\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES.\n    a==1:\n        Got 1\n": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES. / a==1: / Got 1",
        "do not continue",
    ),
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n": (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "Free some space",
    ),
    "The virtual environment was not created successfully because ensurepip is not\navailable.\n": (
        "The virtual environment was not created successfully because ensurepip is not / available",
        "python3-venv",
    ),
    "a 1 has requirement b>=2, but you have b 1.\n": (
        "a 1 has requirement b>=2, but you have b 1",
        "generate it again",
    ),
    "1\n2\n3\n\n4\n": ("2 / 3 / 4", "Can the host reach PyPI?"),
    "": ("", "Can the host reach PyPI?"),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_failure_is_told_in_its_own_words_with_what_to_do(output: str) -> None:
    error, advice = OUTPUTS[output]
    assert python_environment.error_text(output) == error
    assert advice in python_environment.advice(output)


def test_a_program_holds_the_lock_of_the_run_so_that_the_next_run_waits_for_it(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        python_environment.run([sys.executable, "-I", "-c", f"import os; os.fstat({handle})"], handle)
    finally:
        os.close(handle)


def test_the_index_stands_in_no_list_of_processes(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    program = "import os, sys; sys.exit(os.environ.get('PIP_INDEX_URL'))"
    try:
        with pytest.raises(PythonEnvironmentError, match=r"^https://u:p@mirror\.example/simple\."):
            python_environment.run([sys.executable, "-I", "-c", program], handle, "https://u:p@mirror.example/simple")
    finally:
        os.close(handle)


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_environment, "SECONDS", 0.2)
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(PythonEnvironmentError, match=r"did not finish within 0\.2 s.*reach PyPI"):
            python_environment.run(["sleep", "30"], handle)
    finally:
        os.close(handle)
