# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A verb that goes on after its playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.play import play
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call, Verb

# Plays ansible-playbook: writes what it was told to write into the file that it was told, and ends as it was told.
PLAYBOOK = """#!/usr/bin/env bash
echo "TASK [one]"
file=$(python3 -c 'import sys, json; print(json.loads(sys.argv[1])["scan_file"])' "$3")
[[ -z $SAYS ]] || echo -n "$SAYS" >"$file"
exit $ENDS
"""


@pytest.mark.parametrize(
    ("ends", "says", "status", "went_on"),
    [
        (0, "what is asked", 7, ["what is asked"]),
        (0, "", 2, []),  # no host was left
        (1, "", 2, []),  # no key for a locked file
        (2, "", 2, []),  # a wrong declaration
        (4, "what is asked", 2, []),
        (99, "", 99, []),  # Ctrl-C
    ],
)
def test_what_ansible_refuses_is_a_mistake_and_nothing_comes_after_it(
    ends: int,
    says: str,
    status: int,
    went_on: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    program = tmp_path / "ansible-playbook"
    program.write_text(PLAYBOOK)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ENDS", str(ends))
    monkeypatch.setenv("SAYS", says)
    texts: list[str] = []

    def then(text: str) -> int:
        texts.append(text)
        return 7

    assert (play(Call(Verb("scan", then=then), (), {}, ())), texts) == (status, went_on)
    assert capfd.readouterr() == ("", "TASK [one]\n")
