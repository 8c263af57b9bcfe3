# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run did to Metabase and what it could not do, as the module's result. Pure. Python 3.9."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import texts
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Change

SHOWN = 3  # questions in a warning


class Report:
    """Filled while the run goes on."""

    def __init__(self) -> None:
        self.version, self.note = "", ""
        self.done: list[Change] = []  # or predicted, in check mode
        self.warnings: list[str] = []
        self.failed_databases: dict[str, str] = {}  # name -> Metabase's words
        self.failed_questions: dict[str, str] = {}  # key -> words
        self.failed_changes: dict[str, str] = {}  # what could not be done -> Metabase's words

    def result(self, names: Mapping[str, str]) -> dict[str, Any]:
        """The module's result; `names` are {key of a question: its name}."""
        return {
            "changed": bool(self.done),
            "changes": [str(change) for change in self.done],
            "version": self.version,
            "failed_databases": _rows("database", self.failed_databases),
            "failed_questions": _rows("question", self.failed_questions),
            "failed_changes": _rows("change", self.failed_changes),
            "diff": texts(self.done),
            "warnings": [*self.warnings, *self._failures(), *_no_answer(names, self.failed_questions)],
            **({"msg": self.note} if self.note else {}),
        }

    def _failures(self) -> list[str]:
        """Warnings of what Metabase did not do."""
        return [
            *(f"Metabase cannot {change}: {words}" for change, words in self.failed_changes.items()),
            *(
                f"Metabase cannot connect to the database {name} as declared: {words}. It stays as it is, without the "
                "questions that need it, until a run can connect it."
                for name, words in self.failed_databases.items()
            ),
        ]


def _rows(what: str, failed: Mapping[str, str]) -> list[dict[str, str]]:
    return [{what: key, "message": words} for key, words in failed.items()]


def _no_answer(names: Mapping[str, str], failed: Mapping[str, str]) -> list[str]:
    """One warning for all questions without an answer, as many have the same reason."""
    reasons = [f"{names.get(key, '')} ({key}): {' '.join(why.split())}" for key, why in failed.items()]
    more = [f"and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
    listed = "; ".join([*reasons[:SHOWN], *more])
    count = "1 question has" if len(reasons) == 1 else f"{len(reasons)} questions have"
    return [f"{count} no answer because the SQL does not fit the database: {listed}"] if reasons else []
