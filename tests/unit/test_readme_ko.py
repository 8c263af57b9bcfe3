"""README.ko.md says what README.md says: same headings, blocks, commands, names, lists and links."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.language import WORDS

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, KOREAN = ((ROOT / name).read_text() for name in ("README.md", "README.ko.md"))
# A block, its comment and its indentation within a list; to the byte.
BLOCK = re.compile(r"(?ms)^ *<!--[^\n]*-->\n *(```+).*?^ *\1$")
CODE = re.compile(r"`[^`\n]+`")


def prose(page: str) -> str:
    return BLOCK.sub("", page)


def blocks(page: str) -> list[str]:
    return [found[0] for found in BLOCK.finditer(page)]


def levels(page: str) -> list[str]:
    return re.findall(r"(?m)^(#+) .", prose(page))


def code(page: str) -> set[str]:
    """Without the language, which only readers of the Korean page are told how to declare."""
    return set(CODE.findall(prose(page))) - {"`crowsnest_language: ko`"}


def markers(page: str) -> list[str]:
    """What begins each list item and each row of a table."""
    return re.findall(r"(?m)^ *(\d+\.|-|\|) ", prose(page))


def links(page: str) -> list[str]:
    """Where links lead, the same in either language, without those to the page's own headings."""
    targets = re.findall(r"\]\(([^)#\s][^)\s]*)\)|<(https?:[^>]+)>", CODE.sub("", prose(page)))
    found = [target or address for target, address in targets]
    return sorted(
        target.replace("/ko/", "/").replace("-ko.png", ".png") for target in found if not target.startswith("README")
    )


def differences(english: str, korean: str) -> list[str]:
    """In what the Korean page is not in step with the English one."""
    same = {
        "headings": levels(english) == levels(korean),
        "blocks": blocks(english) == blocks(korean),
        "code in the text": code(english) == code(korean),
        "lists and tables": markers(english) == markers(korean),
        "links": links(english) == links(korean),
    }
    return [what for what, equal in same.items() if not equal]


def test_both_languages_are_in_step() -> None:
    assert len(blocks(ENGLISH)) > 5
    assert differences(ENGLISH, KOREAN) == []


SPOILT: dict[str, Callable[[str], str]] = {
    "headings": lambda page: page.replace("## 제공하는 것", "### 제공하는 것"),
    "blocks": lambda page: page.replace("./crowsnest demo\n", "./crowsnest site\n"),
    "code in the text": lambda page: page.replace("`./crowsnest verify`", "verify"),
    "lists and tables": lambda page: re.sub(r"(?m)^\| Debian 13 .*\n", "", page),
    "links": lambda page: page.replace("(docs/tour.md)", "(docs/uptime.md)", 1),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_page_that_is_out_of_step_would_be_found(what: str) -> None:
    spoilt = SPOILT[what](KOREAN)
    assert spoilt != KOREAN
    assert what in differences(ENGLISH, spoilt)


@pytest.mark.parametrize("page, link", [(ENGLISH, "[한국어](README.ko.md)"), (KOREAN, "[English](README.md)")])
def test_each_language_leads_to_the_other(page: str, link: str) -> None:
    assert page.splitlines()[:3] == ["# crowsnest", "", link]


def dashboards(page: str) -> list[str]:
    """The dashboards that it names, in their order."""
    return re.findall(r"\*([^*\n]+)\*", " ".join(re.findall(r"(?:Grafana|Metabase): [^|\n]*", prose(page))))


def test_dashboards_have_their_names_in_each_language() -> None:
    tables = yaml.safe_load((WORDS / "ko.yml").read_text())
    names = {entry["en"]: entry["ko"] for part in ("pages", "business") for entry in tables[part]}
    products = ("PostgreSQL", "Redis")
    assert dashboards(KOREAN) == [each if each in products else names[each] for each in dashboards(ENGLISH)]


def test_the_korean_page_leads_to_the_korean_runbooks() -> None:
    assert set(re.findall(r"docs/runbooks/[^)]*", KOREAN)) == {"docs/runbooks/ko/README.md"}
