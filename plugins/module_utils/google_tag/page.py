# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What of a page or a template matters to the Google tag: scripts, comments, the end of the head. Pure. Python 3.9."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import NamedTuple

# What loads the tag or a container of Tag Manager, and what makes a page report to an id:
# https://developers.google.com/tag-platform/gtagjs and https://developers.google.com/tag-platform/tag-manager/web
_LOADER = re.compile(r"googletagmanager\.com/(?:gtag/js|gtm\.js|ns\.html)")
_CONFIG = re.compile(r"""\bgtag\(\s*['"]config['"]\s*,""")
# Comments, values and tags of Django, Jinja, Handlebars and EJS. Values and tags stand in one line, as Django demands:
# scripts that are not templates have braces too.
_TEMPLATE_CODE = re.compile(
    r"\{#.*?#\}|\{%-?\s*comment\b.*?\{%-?\s*endcomment\s*-?%\}|\{\{!--.*?--\}\}|<%.*?%>"
    r"|\{\{[^\r\n]*?\}\}|\{%[^\r\n]*?%\}",
    re.DOTALL,
)


class Script(NamedTuple):
    """A script, or a frame that loads one: where it begins, its `src` and `nonce`, and the text in it."""

    offset: int
    source: str
    nonce: str
    text: str

    @property
    def is_google_tag(self) -> bool:
        """Whether it makes the page report to a Google product."""
        return bool(_LOADER.search(self.source) or _LOADER.search(self.text) or _CONFIG.search(self.text))


class Page(NamedTuple):
    """Offsets of comments and of the tags that end the head, scripts, and policies that the page itself has."""

    comments: list[int]
    head_ends: list[int]
    scripts: list[Script]
    policies: list[str]


def read_template(text: str) -> Page:
    """The page that a template makes, as far as the template shows it; offsets are those of the template."""
    return read_page(_TEMPLATE_CODE.sub(lambda code: " " * len(code[0]), text))


def read_page(text: str) -> Page:
    """What a browser finds in a page."""
    reader = _Reader(text)
    reader.feed(text)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    """Collects a Page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.page = Page([], [], [], [])
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._in_script = False

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_comment(self, data: str) -> None:
        self.page.comments.append(self._offset())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("script", "iframe"):
            self.page.scripts.append(Script(self._offset(), values.get("src", ""), values.get("nonce", ""), ""))
        elif tag == "meta" and values.get("http-equiv", "").lower() == "content-security-policy":
            self.page.policies.append(values.get("content", ""))
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            script = self.page.scripts[-1]
            self.page.scripts[-1] = script._replace(text=script.text + data)

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False
        if tag == "head":
            self.page.head_ends.append(self._offset())
