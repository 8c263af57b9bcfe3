"""A runbook says the same in both languages: same headings, commands, names, numbers, lists and links.

What stands on a screen in Korean is called so: monitors, dashboards and what is on them, links of messages.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from all_texts import made

from ansible_collections.crowsnest.core.plugins.plugin_utils.language import WORDS
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.monitors import alerting_path

ENGLISH = Path(__file__).resolve().parents[2] / "docs/runbooks"
KOREAN = ENGLISH / "ko"
HEADINGS = {"Meaning": "의미", "Impact": "영향", "Diagnosis": "원인 확인", "Mitigation": "조치"}
# Words that an operator would not write, or that mean something else.
AVOIDED = ("감시", "경보", "알람", "임계치", "라벨", "타겟", "십시오", "당신", "이(가)", "을(를)", "은(는)", "(으)로")


def names(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.md")}


PAGES = sorted(names(ENGLISH) & names(KOREAN) - {"README"})
per_page = pytest.mark.parametrize("name", PAGES)


def pair(name: str) -> tuple[str, str]:
    return (ENGLISH / f"{name}.md").read_text(), (KOREAN / f"{name}.md").read_text()


def test_every_runbook_is_there_in_both_languages() -> None:
    assert PAGES
    assert names(ENGLISH) ^ names(KOREAN) == set()


# --- what is the same in both languages -------------------------------------------------------------------------------

VERBATIM = re.compile(r"(?ms)^ *(```+|~~~+).*?^ *\1 *$|<!--.*?-->")
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\[([^]\n]+)\]\(([^)\s]+)\)")


def verbatim(page: str) -> list[str]:
    """The blocks of code and the comments, to the byte, in their order."""
    return [found[0] for found in VERBATIM.finditer(page)]


def prose(page: str) -> str:
    return VERBATIM.sub("", page)


def headings(page: str) -> list[tuple[str, str]]:
    """(level, text) of each."""
    return re.findall(r"(?m)^(#+) (.+)$", prose(page))


def code(page: str) -> set[str]:
    return set(CODE.findall(prose(page)))


def markers(page: str) -> list[str]:
    """What begins each list item and row of a table, and how many cells the row has."""
    lines = re.findall(r"(?m)^ *(?:(\d+\.|[-*]) |(\|.*\|)$)", CODE.sub("", prose(page)))
    return [marker or "|" * row.count("|") for marker, row in lines]


def numbers(page: str) -> set[str]:
    """Those of the text; how it writes small ones, in digits or in words, is a matter of the language."""
    return set(re.findall(r"\d+(?:[.,]\d+)*", LINK.sub("", CODE.sub("", prose(page)))))


def links(page: str, folder: Path) -> list[str]:
    """Where the links of a page in this folder lead."""
    found = [target for _, target in LINK.findall(prose(page))]
    return sorted(target if "://" in target else os.path.normpath(folder / target) for target in found)


# Monitors that have another name where the language is Korean.
MONITORS = {
    f"`{english['name']}`": f"`{korean['name']}`"
    for english, korean in zip(*(alerting_path(made({"language": each}), []) for each in ("en", "ko")), strict=True)
}


def in_korean(target: str) -> str:
    """Where a Korean page leads instead: to the Korean runbook; there is no other page in Korean."""
    return re.sub(rf"^{re.escape(str(ENGLISH))}/(\w+\.md)$", rf"{KOREAN}/\1", target)


def differences(english: str, korean: str) -> list[str]:
    """In what a Korean page is not in step with the English one."""
    found = {
        "headings": [(level, HEADINGS.get(text, text)) for level, text in headings(english)] == headings(korean),
        "code blocks and comments": verbatim(english) == verbatim(korean),
        "inline code": {MONITORS.get(text, text) for text in code(english)} == code(korean),
        "lists and tables": markers(english) == markers(korean),
        "numbers": numbers(english) <= numbers(korean),
        "links": sorted(map(in_korean, links(english, ENGLISH))) == links(korean, KOREAN),
    }
    return [what for what, same in found.items() if not same]


@per_page
def test_a_page_is_in_step_with_the_english_one(name: str) -> None:
    english, korean = pair(name)
    assert korean.startswith(f"# {name}\n")
    assert differences(english, korean) == []


SPOILT: dict[str, list[Callable[[str], str]]] = {
    "headings": [
        lambda page: page.replace("## 영향", "## Impact"),
        lambda page: page.replace("## 의미", "### 의미"),
        lambda page: page.replace("# AppDown", "# AppIsDown"),
    ],
    "code blocks and comments": [
        lambda page: page.replace("sudo docker logs --tail 50 NAME", "sudo docker logs --tail 50 이름"),
        lambda page: page.replace("<!-- run: server -->", "<!-- run: here -->"),
    ],
    "inline code": [lambda page: page.replace("`ss`", "ss"), lambda page: page + "\n`sudo reboot`\n"],
    "lists and tables": [
        lambda page: page.replace("3. 배포 이후", "배포 이후"),
        lambda page: re.sub(r"\| `parsing` .*\n", "", page),
    ],
    "numbers": [lambda page: page.replace("20,000", "2,000")],
    "links": [
        lambda page: page.replace("(HostOutOfMemoryKill.md)", "(../HostOutOfMemoryKill.md)"),
        lambda page: page.replace("(AppDatabaseConnectionErrors.md)", "(HostDown.md)"),
    ],
}


@pytest.mark.parametrize("what, spoil", [(what, spoil) for what, cases in SPOILT.items() for spoil in cases])
def test_a_page_that_is_out_of_step_would_be_found(what: str, spoil: Callable[[str], str]) -> None:
    english, korean = pair("AppDown")
    assert what in differences(english, spoil(korean))


def test_the_index_lists_the_same_alerts() -> None:
    english, korean = (re.findall(r"(?m)^\| (\[\w+\]\(\w+\.md\)) \|", page) for page in pair("README"))
    assert english == korean != []


# --- Korean -----------------------------------------------------------------------------------------------------------


@per_page
def test_a_page_begins_with_a_headline(name: str) -> None:
    """What the alert is called in messages, as search finds only its name: a noun phrase."""
    before = pair(name)[1].partition("\n## ")[0].splitlines()
    _title, empty, headline, *rest = before
    assert (empty, rest) == ("", [])
    assert re.search("[가-힣]", headline) and not headline.endswith((".", "다"))


# Their messages say what a team declared.
DECLARED = {"AppMetricOutOfRange", "KpiOutOfRange"}


def messages(alert: str) -> list[str]:
    """What messages say of it in Korean, without values and their particles."""
    found = re.findall(rf"(?m)^\| \[{alert}\]\(.*\| (.+) \|$", pair("README")[1])
    return [re.sub(r"\*\w+\*\S*", "", message) for message in found]


@pytest.mark.parametrize("name", sorted({*PAGES} - DECLARED))
def test_the_headline_says_what_one_of_the_messages_says(name: str) -> None:
    headline, said = pair(name)[1].splitlines()[2], messages(name)
    assert any(all(word in headline for word in re.findall(r"[^\s:]+", message)) for message in said)


def names_on_dashboards() -> dict[str, set[str]]:
    """{English: Korean} names, titles and texts; the same word may be two things."""
    tables, names = yaml.safe_load((WORDS / "ko.yml").read_text()), defaultdict(set)
    for entry in (*tables["pages"], *tables["panels"]):
        names[entry["en"]].add(entry["ko"])
    return dict(names)


SHOWN = names_on_dashboards()
MESSAGE = yaml.safe_load((FILES / "messages/words.yml").read_text())["ko"]["message"]
LINKS_OF_MESSAGES = {MESSAGE[link] for link in ("runbook", "dashboard", "silence")}


@per_page
def test_a_page_has_the_names_that_are_on_the_screen(name: str) -> None:
    """In English in italics, in Korean in quotation marks."""
    english, korean = (CODE.sub("", prose(page)) for page in pair(name))
    quoted = set(re.findall(r'"([^"\n]*[가-힣][^"\n]*)"', korean))
    assert quoted <= LINKS_OF_MESSAGES.union(*SHOWN.values())
    named = [SHOWN[each] for each in re.findall(r"\*([A-Z][^*\n]*)\*", english) if each in SHOWN]
    assert [names for names in named if not names & quoted] == []
    assert re.findall(r"\w*[A-Za-z]\*? (?:대시보드|패널)", korean) == []


def untranslated(page: str) -> list[str]:
    """Paragraphs, list items and rows without Korean."""
    parts = re.split(r"\n\n+|\n(?= *(?:\d+\.|[-*|]) )", prose(page).partition("\n")[2])
    text = [part.strip() for part in parts if re.search("[A-Za-z]{3,} [a-z]{2,}", CODE.sub("", part))]
    return [part for part in text if not re.search("[가-힣]", part)]


@per_page
def test_nothing_is_left_in_english(name: str) -> None:
    english, korean = pair(name)
    assert untranslated(korean) == []
    assert untranslated(english), "English would be found"


@per_page
def test_a_page_has_the_words_of_the_messages(name: str) -> None:
    assert [word for word in AVOIDED if word in prose(pair(name)[1])] == []
