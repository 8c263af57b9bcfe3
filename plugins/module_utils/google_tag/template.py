# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The managed block in the text of a template: put in, changed, taken out. Pure. Python 3.9.

Bytes are read as Latin-1, which has a character for each: whatever the encoding is, every other byte stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.page import Page, read_template
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import (
    BEGIN,
    END,
    Tag,
    lines,
    without_blanks,
)


class TemplateError(Exception):
    """Why a template cannot have the tag, with the way out, as the end of a sentence that begins with its path."""


class Block(NamedTuple):
    """From where to where our block stands, with the line end and the indentation behind it."""

    start: int
    stop: int


def with_tag(content: bytes, tag: Tag) -> bytes:
    """The template with this tag, right before the end of its head. Raises TemplateError."""
    text = _text(content)
    page = read_template(text)
    block = _block(text, page)
    _refuse_other_tags(text, page, block)
    wanted = lines(tag)
    if block and without_blanks(text[block.start : block.stop]) == without_blanks(*wanted):
        return content
    start, stop = block or [_head_end(text, page)] * 2
    indentation = _indentation(text, start)
    found = re.search(r"\r?\n", text)
    line_end = (found[0] if found else "\n") + indentation
    inserted = "".join(f"{line}{line_end}" for line in wanted)
    return (text[:start] + inserted + text[stop:]).encode("latin-1")


def without_tag(content: bytes) -> bytes:
    """The template as it was before `with_tag`, byte for byte. Raises TemplateError."""
    text = _text(content)
    block = _block(text, read_template(text))
    return (text[: block.start] + text[block.stop :]).encode("latin-1") if block else content


def tag_in(content: bytes) -> str:
    """Our block as it stands there; empty without one. Raises TemplateError."""
    text = _text(content)
    block = _block(text, read_template(text))
    return text[block.start : block.stop] if block else ""


def _text(content: bytes) -> str:
    if b"\0" in content:
        raise TemplateError("is not a text that HTML can be found in (it has NUL bytes); save it as UTF-8")
    return content.decode("latin-1")


def _block(text: str, page: Page) -> Block | None:
    begins = [found.start() for found in re.finditer(re.escape(BEGIN), text)]
    ends = [found.end() for found in re.finditer(re.escape(END), text)]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0] <= begins[0] or begins[0] not in page.comments:
        raise TemplateError(
            f"has a managed block that is damaged. There must be one line {BEGIN} and after it one line {END}, none of "
            "them within a comment: put that right, or remove all of the block"
        )
    behind = re.compile(f"(?:\r?\n(?:{_indentation(text, begins[0])})?)?").match(text, ends[0])
    return Block(begins[0], behind.end() if behind else ends[0])


def _indentation(text: str, offset: int) -> str:
    """The blanks between the beginning of the line and this place; empty where the line has more than blanks."""
    before = text[text.rfind("\n", 0, offset) + 1 : offset]
    return "" if before.strip(" \t") else before


def _refuse_other_tags(text: str, page: Page, block: Block | None) -> None:
    """With two tags every view of a page would count twice."""
    others = [script.offset for script in page.scripts if script.is_google_tag]
    if block:
        others = [offset for offset in others if not block.start <= offset < block.stop]
    if others:
        raise TemplateError(
            f"has a Google tag or a container of Tag Manager of its own ({_lines(text, others)}); with both, each view "
            "would count twice. Remove that one, or leave the template out and keep it"
        )


def _head_end(text: str, page: Page) -> int:
    if len(page.head_ends) > 1:
        raise TemplateError(
            f"has {len(page.head_ends)} </head> ({_lines(text, page.head_ends)}), and which of them is served cannot "
            "be told. Leave one, outside of the conditions of the template"
        )
    if not page.head_ends:
        parent = re.search(r"\{%-?\s*extends\s+([^%]+?)\s*-?%\}", text)
        hint = f", which is probably in {parent[1]}" if parent else ""
        raise TemplateError(f"has no </head>, before which the Google tag belongs. Name the template that has it{hint}")
    return page.head_ends[0]


def _lines(text: str, offsets: Sequence[int]) -> str:
    numbers = [str(text.count("\n", 0, offset) + 1) for offset in offsets]
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
