# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The questions of an app: the starter questions of files/business, replaced and followed by the team's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import Field

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Business, Question
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import Strict
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import ENGLISH
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, yaml_data

STARTER = FILES / "business"
_NUMBER_SIZE, _CHART_SIZE = (8, 4), (12, 6)
# A part of SQL; `rest` is what may follow its end. Marks inside of texts, of names and of comments mean nothing.
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html
_TOKEN = re.compile(
    r"""(?P<rest>[;\s]+|--[^\n]*|/\*.*?\*/)"""
    r"""|[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*"|(?P<dollar>\$\w*\$).*?(?P=dollar)|\w+|.""",
    re.DOTALL,
)


class StarterQuestion(Question):
    """A question of files/business/starter.yml. `size` is its width and height on a dashboard of 24 columns."""

    size: tuple[int, int] | None = Field(None, description="Width and height.")


class Words(Strict):
    """What people read of a starter question in another language: files/business/starter.*.yml."""

    title: str = Field(description="What stands in place of its name.")
    description: str = Field(description="What exactly is counted.")
    columns: dict[str, str] = Field({}, description="Titles of the columns of its SQL.")


@dataclass(frozen=True)
class Ready:
    """A question with its chart decided and its SQL read. `size` as in StarterQuestion.

    `title` is its name as people read it, `columns` the titles of columns that are not made of their names.
    """

    question: Question
    sql: str
    size: tuple[int, int]
    title: str
    columns: dict[str, str] = field(default_factory=dict)


@cache
def starter() -> dict[str, StarterQuestion]:
    """{name: question} in the order of the dashboard."""
    listed = [StarterQuestion.model_validate(entry) for entry in yaml_data((STARTER / "starter.yml").read_text())]
    return {question.name: question for question in listed}


@cache
def starter_words(language: str) -> dict[str, Words]:
    """{name of a starter question: what people read of it}; empty in English, which is in starter.yml itself."""
    if language == ENGLISH:
        return {}
    listed = yaml_data((STARTER / f"starter.{language}.yml").read_text(encoding="utf-8"))
    return {name: Words.model_validate(entry) for name, entry in listed.items()}


def read_sql(question: Question | Kpi, folder: Path) -> str:
    """The SQL, without what follows its end: semicolons and comments; without the comment at the top of a file.

    Raises OSError and ValueError.
    """
    text = question.sql or ""
    if question.file is not None:
        text = re.sub(r"\A(\s*--.*(\n|\Z))+", "", (folder / question.file).read_text(encoding="utf-8"))
    end = max((token.end() for token in _TOKEN.finditer(text) if not token["rest"]), default=0)
    return text[:end].strip()


def sql_tokens(text: str) -> list[str]:
    """Words, names, texts and marks of SQL, without spaces and comments; semicolons only where more follows."""
    found = [";" if token["rest"] and ";" in token[0] else "" if token["rest"] else token[0] for token in _parts(text)]
    tokens = [token for token in found if token]
    while tokens and tokens[-1] == ";":
        tokens.pop()
    return tokens


def _parts(text: str) -> Iterator[re.Match[str]]:
    return (it for it in _TOKEN.finditer(text) if not it[0].startswith(("--", "/*")))


def questions(business: Business, inventory_dir: Path, language: str, kpis: Sequence[Kpi] = ()) -> list[Ready]:
    """All questions of an app with these KPIs, read from files, the starter ones in this language.

    Raises what `read_sql` raises.
    """
    own = {question.name: _with_sql(question, kpis) for question in business.questions}
    first, words = starter() if business.starter else {}, starter_words(language)
    return [
        *(
            _ready(in_place_of(own[name], original), inventory_dir, original.size, words.get(name))
            if name in own
            else _ready(_described(original, words.get(name)), STARTER, original.size, words.get(name))
            for name, original in first.items()
        ),
        *(_ready(question, inventory_dir) for name, question in own.items() if name not in first),
    ]


def _with_sql(question: Question, kpis: Sequence[Kpi]) -> Question:
    """A question of a KPI has the SQL and the description of that."""
    if question.kpi is None:
        return question
    (kpi,) = (kpi for kpi in kpis if kpi.name == question.kpi)
    about = question.description or kpi.description
    return question.model_copy(update={"sql": kpi.sql, "file": kpi.file, "description": about})


def in_place_of(question: Question, original: Question) -> Question:
    """The team's question; drawn like the original starter question when it declares no chart."""
    if question.chart is not None:
        return question
    return question.model_copy(update={key: getattr(original, key) for key in ("chart", "x", "y", "currency", "gaps")})


def _described(question: Question, words: Words | None) -> Question:
    return question.model_copy(update={"description": words.description}) if words else question


def _ready(question: Question, folder: Path, size: tuple[int, int] | None = None, words: Words | None = None) -> Ready:
    """One that replaces a starter question has its title and its columns, too: its name is a key."""
    default = _NUMBER_SIZE if question.chart == "number" else _CHART_SIZE
    title, columns = (words.title, words.columns) if words else (question.name, {})
    return Ready(question, read_sql(question, folder), size or default, title, columns)
