# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every command on a page is run by a test, or the page says why none runs it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import docs_commands as docs

BLOCKS = docs.all_blocks()
RUNBOOKS = sorted((docs.ROOT / "docs/runbooks").glob("*.md"))
# Words that every test of a playbook shares say nothing; the rest of a command must be named by the test that runs it.
COMMON = {
    "sudo",
    "docker",
    "compose",
    "crowsnest",
    "inventories",
    "production",
    "opt",
    "yaml",
    "git",
    "https",
    "github",
    "com",
}

PAGE = """\
Text.

<!-- run: server; NAME=db; shows up; disturbs -->
```sh
sudo docker ps NAME
```

1. In a list:

   <!-- cloud: needs a host -->
   ```sh
   ssh HOST
   ```

```sh
forgotten
```

```yaml
no: command
```

Then `sudo reboot`, `two words` and `word`.
"""


def test_blocks_are_found_with_their_markers() -> None:
    first, second, third = docs.blocks(PAGE, "page.md")
    assert (first.commands, first.place, first.options, first.shows) == (
        "sudo docker ps NAME\n",
        "server",
        {"NAME": "db"},
        "up",
    )
    assert first.disturbs
    assert (second.commands, second.kind, second.rest, second.name) == (
        "ssh HOST\n",
        "cloud",
        "needs a host",
        "page.md:11",
    )
    assert third.kind == ""


@pytest.mark.parametrize("marker", ["<!-- run: server; often -->", "<!-- skip: because -->", "<!-- manual: -->"])
def test_an_unknown_marker_is_no_marker(marker: str) -> None:
    assert [block.kind for block in docs.blocks(f"{marker}\n```sh\ntrue\n```\n")] == [""]


def test_placeholders_are_filled_and_a_marker_may_say_by_what() -> None:
    assert docs.filled("sudo docker logs NAME; USERNAME", {}) == "sudo docker logs shop-web-1; USERNAME"
    assert docs.filled("sudo docker logs NAME", {"NAME": "shop-db-1"}) == "sudo docker logs shop-db-1"
    assert docs.filled("ln -s releases/<older>", {"SERVICE": "blackbox"}).endswith('/opt/crowsnest/blackbox/current)")')


def test_commands_in_the_text_are_told_from_other_quotations() -> None:
    assert docs.quotations(PAGE) == ["sudo reboot", "two words"]
    assert docs.inline_commands(PAGE) == ["sudo reboot"]
    assert docs.treatment("sudo reboot").startswith("manual: ")
    assert docs.treatment("sudo docker ps -a") == docs.RUN
    assert docs.treatment("sudo rm -rf /") == ""


def test_there_are_blocks_that_are_run() -> None:
    assert sum(block.place == "server" for block in BLOCKS) > 40


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_block_says_how_it_is_tested(block: docs.Block) -> None:
    assert block.kind, f"line {block.line} of {block.page} needs a marker; {docs.__file__} names them"
    if block.kind == "run":
        assert block.place in ("server", "here")
    if block.kind == "tested by":
        path, _, test = block.rest.partition("::")
        text = (docs.ROOT / path).read_text()
        assert not test or f"def {test}(" in text
        verbs = set(re.findall(r"\./crowsnest ([a-z-]+)", block.commands))
        words = verbs or set(re.findall(r"[a-z]{3,}", block.commands)) - COMMON
        missing = [word for word in words if word.replace("-", "_") not in text.replace("-", "_")]
        assert len(missing) < (1 if verbs else len(words)), f"{path} does not mention {missing}"


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_a_command_in_the_text_of_a_runbook_is_run_or_has_a_reason(page: Path) -> None:
    commands = docs.inline_commands(page.read_text())
    assert [command for command in commands if not docs.treatment(command)] == []


def test_no_treatment_is_left_over_from_a_command_that_is_gone() -> None:
    commands = [command for page in RUNBOOKS for command in docs.inline_commands(page.read_text())]
    used = {docs.treatment_key(command) for command in commands}
    assert set(docs.INLINE) - used == set()


@pytest.mark.parametrize("beginning, reason", [it for it in docs.INLINE.items() if it[1].startswith("tested by")])
def test_what_a_test_is_said_to_run_is_in_it(beginning: str, reason: str) -> None:
    path = docs.ROOT / reason.removeprefix("tested by: ").split()[0]
    assert beginning.split()[1].replace("-", "_") in path.read_text().replace("-", "_")
