"""What alerts say in Korean: every text, with the same facts as in English, in the words of an operator."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, static_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import EVERY_KIND, app_files

Rule = dict[str, Any]
FIGURES = ("value", "threshold")


def static() -> Iterator[Rule]:
    for file in static_rules().values():
        yield from (rule for group in file["groups"] for rule in group["rules"] if "alert" in rule)


def in_both_languages() -> Iterator[tuple[Rule, dict[str, str], dict[str, str]]]:
    """(rule, annotations in English, in Korean) of every alert; Prometheus has not yet filled in anything."""
    for rule in static():
        english = {name: text for name, text in rule["annotations"].items() if not name.endswith("_ko")}
        yield rule, english, {name: rule["annotations"].get(f"{name}_ko", text) for name, text in english.items()}
    # Told by Sentry: AppExceptions says a sentence more.
    files, korean_files = (app_files([EVERY_KIND], language, [EVERY_KIND.name]) for language in ("en", "ko"))
    for name, groups in files.items():
        for group, other in zip(groups, korean_files[name], strict=True):
            for rule, korean in zip(group["rules"], other["rules"], strict=True):
                if "alert" in rule:
                    yield rule, rule["annotations"], korean["annotations"]


ALERTS = list(in_both_languages())
per_alert = pytest.mark.parametrize(
    ("rule", "english", "korean"), ALERTS, ids=[f"{rule['alert']} {rule['labels']['severity']}" for rule, *_ in ALERTS]
)


def actions(text: str) -> list[str]:
    return sorted(re.findall(r"{{.*?}}", text))


def outside_actions(text: str) -> str:
    return re.sub(r"{{.*?}}", "", text)


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?", outside_actions(text)))


def needs_no_language(text: str) -> bool:
    """It is a name and a number as in a query, `up = 0`, or nothing but what Prometheus fills in."""
    return bool(re.fullmatch(r"(\w+ = ?)?\d*", outside_actions(text).strip()))


@pytest.mark.parametrize("rule", list(static()), ids=lambda rule: f"{rule['alert']} {rule['labels']['severity']}")
def test_every_text_is_there_in_korean_and_none_is_there_twice(rule: Rule) -> None:
    texts = rule["annotations"]
    for name in (name for name in texts if not name.endswith("_ko")):
        if f"{name}_ko" in texts:
            assert texts[f"{name}_ko"] != texts[name], f"{name}_ko is the same as {name}: leave it out"
        else:
            assert needs_no_language(texts[name]), f"{name}_ko is missing"


@per_alert
def test_nothing_english_is_left_in_korean(rule: Rule, english: dict[str, str], korean: dict[str, str]) -> None:
    for name in english:
        if needs_no_language(english[name]):
            continue
        assert english[name] != korean[name], name
        if name in FIGURES:
            left = re.sub(r"\w+ = \d+", "", outside_actions(korean[name]))
            assert set(re.findall(r"[A-Za-z]+", left)) <= {"B", "MiB", "HTTP", "maxerror", "KPI", "every"}, name
        else:
            assert re.search("[가-힣]", korean[name]), name


@per_alert
def test_both_languages_tell_the_same_facts(rule: Rule, english: dict[str, str], korean: dict[str, str]) -> None:
    for name in english:
        if name in FIGURES:
            assert actions(english[name]) == actions(korean[name]), name
            assert numbers(english[name]) == numbers(korean[name]), name
        filled = [set(re.findall(r"\$\w+(?:\.\w+)?", text[name])) for text in (english, korean)]
        assert filled[0] == filled[1], name
        # English spells some numbers out.
        assert set(numbers(english[name])) <= set(numbers(korean[name])), name
        options = [set(re.findall(r"(?<!\S)(?:--?|/)\w[\w./-]*", text[name])) for text in (english, korean)]
        assert options[0] == options[1], name


UNITS: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(("회", "건", "개"), (1,)),
    "%": (1, 0.01),
    "초": (1,),
    "분": (60,),
    "시간": (3600,),
    "일": (1, 86400),
    "MiB": (1024 * 1024,),
}
OPERATORS = {"초과": ">", "이상": ">=", "미만": "<", "이하": "<="}


def compared(expr: str) -> set[tuple[str, float]]:
    """What something is compared with: (">", 86400.0) of `time() - x > 24 * 3600`."""
    found = re.findall(r"([<>]=?) *(\d+(?:\.\d+)?(?: \* \d+)*)", expr)
    return {(sign, math.prod(float(factor) for factor in text.split(" * "))) for sign, text in found}


@per_alert
def test_a_bound_is_named_as_the_expression_has_it(rule: Rule, english: dict[str, str], korean: dict[str, str]) -> None:
    """More than, at least, less than and at most are four words in Korean."""
    bound = rf"(\d+(?:\.\d+)?)({'|'.join(UNITS)}) ({'|'.join(OPERATORS)})"
    for number, unit, word in re.findall(bound, korean.get("threshold", "")):
        limits = [limit for sign, limit in compared(rule["expr"]) if sign == OPERATORS[word]]
        possible = [float(number) * factor for factor in UNITS[unit]]
        assert any(math.isclose(one, other) for one in limits for other in possible), f"{number}{unit} {word}"


@per_alert
def test_the_threshold_ends_with_the_wait(rule: Rule, english: dict[str, str], korean: dict[str, str]) -> None:
    words = {"s": ("s", "초"), "m": ("min", "분"), "h": ("h", "시간")}
    wait = rule.get("for", "0s")
    if wait == "0s":
        assert "지속" not in korean["threshold"]
    else:
        number, (in_english, in_korean) = wait[:-1], words[wait[-1]]
        assert english["threshold"].endswith(f", {number} {in_english}")
        assert korean["threshold"].endswith(f", {number}{in_korean} 지속")
    assert not re.search(r"\d[smhd]\b", outside_actions(english["threshold"])), "a space before the unit"


# What is not written: what is written for it.
WORDS = {
    "십시오": "하세요",
    "감시": "모니터링",
    "경보": "알림",
    "제한": "한도",
    "주된": "흔한",
    "선언": "설정",
    "시계(?!열)": "시스템 시각",
    "수신자": "수신처",
    "요금제": "플랜",
    "(?<!디스크 )(?<!비밀번호 )오류(?! 상태 코드)": "에러",
    r"[가-힣] \(": "no space before a bracket",
    r"\d (%|[초분시일주년개건회배])": "no space before a unit",
    r"}} %": "no space before a unit",
    r"}}(은|는|이|가|을|를|과|와|으?로|\(으\)로)(?![가-힣])": "no particle that depends on a value",
}


def korean_texts(words: Any) -> Iterator[str]:
    """The texts of words.yml."""
    if isinstance(words, dict):
        for each in words.values():
            yield from korean_texts(each)
    else:
        yield str(words)


OF_MESSAGES = list(korean_texts(yaml.safe_load((FILES / "messages/words.yml").read_text())["ko"]))


@pytest.mark.parametrize("refused", WORDS)
def test_operators_words_are_used(refused: str) -> None:
    said = [*OF_MESSAGES, *(text for _, _, korean in ALERTS for text in korean.values())]
    assert [text for text in said if re.search(refused, text)] == [], WORDS[refused]


@per_alert
def test_a_headline_is_no_sentence_and_a_description_is_one(
    rule: Rule, english: dict[str, str], korean: dict[str, str]
) -> None:
    assert not re.search("(다|요)?[.]$|니다|세요", korean["summary"])
    if rule["labels"]["severity"] != "none":
        assert re.search("니다[.]|세요[.:]", korean["description"])
