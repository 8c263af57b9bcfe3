"""The words of messages. How messages look is asked of Alertmanager's own tool in tests/rules/test_messages.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import (
    message_templates,
    texts_of_test_alerts,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

WORDS: dict[str, Any] = yaml.safe_load((FILES / "messages/words.yml").read_text())


def texts(words: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for key, value in words.items():
        yield from texts(value, f"{place}{key}.") if isinstance(value, dict) else [(f"{place}{key}", value)]


def test_every_language_has_the_same_words_with_the_same_gaps() -> None:
    gaps = {
        name: {place: re.findall(r"%[sd]|\{\w+\}", text) for place, text in texts(words)}
        for name, words in WORDS.items()
    }
    assert len(gaps) == 2 and gaps["en"] == gaps["ko"]


def test_the_template_uses_every_word_and_knows_no_other() -> None:
    used = set(re.findall(r"\.words\.(\w+)", (FILES / "messages/crowsnest.tmpl").read_text()))
    assert used | {"dashboard", "acknowledge"} == {*WORDS["en"]["message"], "timezone", "escalated"}


@pytest.mark.parametrize("language", WORDS)
def test_test_alerts_speak_the_declared_language(language: str) -> None:
    found = texts_of_test_alerts(language)
    assert list(found) == list(SEVERITIES)
    assert len({each["summary"] for each in found.values()}) == len(SEVERITIES)
    for each in found.values():
        assert list(each) == ["summary", "description", "value", "threshold"]
        assert all(bool(re.search("[가-힣]", text)) == (language == "ko") for text in each.values())


def test_without_grafana_there_is_no_link_to_it(context: Callable[..., Context]) -> None:
    small = context(total_mib=700, used_mib=120)
    assert "grafana" not in small.services
    found = message_templates(small)["dashboard.tmpl"]
    assert found == '{{ define "crowsnest.dashboard" }}{{ if eq .markup "button" }}-{{ end }}{{ end }}\n'
