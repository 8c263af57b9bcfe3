# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which templates have which tag from us, so that a run need not ask again. Python 3.9."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.memory import recall
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import Tag, lines, without_blanks
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import TemplateError, tag_in


def settled(directory: Path) -> dict[str, str]:
    """{template: digest of its tag} of all that have one from us; "" where something is left to do."""
    try:
        return {str(path): _held(path) for path in recall(directory)}
    except (TemplateError, OSError):  # the module that writes there says what is wrong
        return {str(directory): ""}


def _held(path: Path) -> str:
    try:
        return _digest(tag_in(path.read_bytes()))
    except (OSError, ValueError, TemplateError):
        return ""


def digest(tag: Tag) -> str:
    """Identity of a tag, however it is indented."""
    return _digest(*lines(tag))


def _digest(*parts: str) -> str:
    return hashlib.sha256(without_blanks(*parts).encode("latin-1")).hexdigest()
