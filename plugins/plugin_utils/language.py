# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""crowsnest's own texts in the declared language. The code holds the English, files/words the other languages.

A text that holds a value is found by a template: `Host {host}` stands for `Host web1`. A value that is itself one of
crowsnest's texts is written `{why!t}` and translated too. `{{host}}` and `${host}` are Grafana's and stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, yaml_data

WORDS = FILES / "words"
ENGLISH = "en"
PLACEHOLDER = re.compile(r"(?<![{$]){(?P<name>\w+)(?P<own>!t)?}(?!})")


@dataclass(frozen=True)
class Template:
    """An English text with placeholders, and its translation."""

    pattern: re.Pattern[str]
    translation: str


@dataclass(frozen=True)
class Table:
    """The texts of one part: those without a value by their English, and templates, the longest first."""

    exact: Mapping[str, str]
    templates: tuple[Template, ...]


@cache
def translated(text: str, language: str, part: str) -> str:
    """The text in this language by the table of this part of files/words; as it is where the table lacks it."""
    if language == ENGLISH:
        return text
    known = table(language, part)
    if text in known.exact:
        return known.exact[text]
    for template in known.templates:
        if found := template.pattern.fullmatch(text):
            return _filled(template.translation, found.groupdict(), language, part)
    return text


@cache
def table(language: str, part: str) -> Table:
    """The texts of one part of files/words."""
    pairs = {entry["en"]: entry[language] for entry in _words(language)[part]}
    with_values = sorted(filter(PLACEHOLDER.search, pairs), key=_length, reverse=True)
    return Table(
        {english: other for english, other in pairs.items() if english not in with_values},
        tuple(Template(_pattern(english), pairs[english]) for english in with_values),
    )


@cache
def _words(language: str) -> Mapping[str, list[dict[str, str]]]:
    return dict(yaml_data((WORDS / f"{language}.yml").read_text(encoding="utf-8")))


def _length(template: str) -> int:
    """Of what is no value: the more a template says itself, the surer is a match."""
    return len(PLACEHOLDER.sub("", template))


def _pattern(template: str) -> re.Pattern[str]:
    parts, end = [], 0
    for found in PLACEHOLDER.finditer(template):
        parts += [re.escape(template[end : found.start()]), f"(?P<{found['name']}>.*?)"]
        end = found.end()
    return re.compile("".join([*parts, re.escape(template[end:])]))


def _filled(translation: str, values: Mapping[str, str], language: str, part: str) -> str:
    def value(found: re.Match[str]) -> str:
        text = values[found["name"]]
        return translated(text, language, part) if found["own"] else text

    return PLACEHOLDER.sub(value, translation)
