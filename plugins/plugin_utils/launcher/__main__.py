# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Entry point of `./crowsnest`, which makes the environment first: `python plugins/plugin_utils/launcher VERB …`.

`--only-answer` before the verb: prints what needs no environment (help, a mistake), otherwise ends with status GO_ON.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[0] = str(ROOT / "collections")

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.command_line import HELP, parse  # noqa: E402
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.help import (  # noqa: E402
    UsageError,
    overview,
    unknown,
    version,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.play import play  # noqa: E402
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call  # noqa: E402
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verbs import verbs  # noqa: E402

GO_ON = 75


def main(words: Sequence[str]) -> int:
    """The exit status."""
    only_answer = words[:1] == ["--only-answer"]
    try:
        call = answer(words[1:] if only_answer else words)
    except UsageError as mistake:
        print(*(f"crowsnest: {line}" for line in str(mistake).splitlines()), sep="\n", file=sys.stderr)
        return 2
    if call is None:
        return 0
    if only_answer:
        return GO_ON
    return call.verb.run(call) if call.verb.run else play(call)


def answer(words: Sequence[str]) -> Call | None:
    """What to start; None after printing help or the version. Raises UsageError for what is not understood."""
    name, rest = (words[0], words[1:]) if words else ("help", [])
    found = verbs()
    if name == "--version":
        print(version(ROOT / "pyproject.toml"))
    elif name not in ("help", *HELP):
        verb = found.get(name.replace("_", "-"))
        if verb is None:
            raise unknown(name, found)
        return parse(verb, rest)
    elif rest and not rest[0].startswith("-"):  # help VERB
        return answer([rest[0], "--help"])
    else:
        print(overview(found))
    return None


sys.exit(main(sys.argv[1:]))
