# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""crowsnest's own texts in messages, in each language: files/messages/words.yml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, yaml_data

MESSAGES = FILES / "messages"


@cache
def words_of(language: str) -> Mapping[str, Any]:
    """{part: texts}."""
    return dict(yaml_data((MESSAGES / "words.yml").read_text())[language])
