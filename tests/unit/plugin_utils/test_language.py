"""Every text of crowsnest's own is there in Korean, says the same as the English, and nothing but texts changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from all_texts import EVERYTHING, SHOP, contexts, held_by_services, made, reports

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import PLACEHOLDER, WORDS, table, translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.report import run
from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.config import dashboard_providers
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.build import dashboard_json
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.catalogue import dashboards
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import Dashboard
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.texts import with_texts
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase import objects as metabase
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy import portal
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma import objects as uptime_kuma

Text = tuple[str, str]  # (part of files/words, English)
TABLES: dict[str, list[dict[str, str]]] = yaml.safe_load((WORDS / "ko.yml").read_text())
ENTRIES: list[tuple[str, str, str]] = [
    (part, entry["en"], entry["ko"]) for part, entries in TABLES.items() for entry in entries
]
# What is the same in Korean, and what a team or a service is called.
SAME = {"CPU", "PostgreSQL", "Redis", "Prometheus", "Grafana", "Celery", "p50", "p95", "p99", "1h", "6h", "|---|---|"}
NAMES = re.compile(
    "|".join(
        [
            *(rf"{service}(_\S+)?" for service in REGISTRY),
            *(each["name"] for each in (SHOP, *SHOP["custom_metrics"])),
            *(Kpi.model_validate(each).shown_title for each in SHOP["kpis"]),
        ]
    )
)
HANGUL = re.compile("[가-힣]")


def of_dashboards() -> Iterator[Text]:
    """All texts of all dashboards, and the names of their folders."""
    for context in contexts():
        for dashboard in dashboards(context):
            found: list[Text] = [("pages", dashboard.folder)]
            with_texts(dashboard, lambda text, part, found=found: found.append((part, text)) or text)  # type: ignore[misc]
            yield from found


def of_reports_and_services() -> set[Text]:
    """Lines of reports, cells of their tables that are in a language, texts in Metabase, Uptime Kuma and the portal."""
    found: set[Text] = set()

    def spy(text: str, _language: str, part: str) -> str:
        found.add((part, text))
        return text

    with pytest.MonkeyPatch.context() as patch:
        for module in (run, metabase, uptime_kuma, portal):
            patch.setattr(module, "translated", spy)
        assert [*reports()] and [*held_by_services()] and [portal.portal_files(context) for context in contexts()]
    return found


@pytest.fixture(scope="module")
def shown() -> set[Text]:
    """Every text that a person may see, once, without what is no language."""
    texts = {*of_dashboards(), *of_reports_and_services()}
    return {(part, text) for part, text in texts if needs_words(text)}


def needs_words(text: str) -> bool:
    said = re.search("[A-Za-z]", re.sub(r"{{.*?}}", "", text))
    return bool(said) and text not in SAME and not NAMES.fullmatch(text)


# --- nothing is missing, nothing is left over ---


def matching(part: str, text: str) -> Iterator[str]:
    """The English of the entry that translates this text, and of those that translate texts in it."""
    known = table("ko", part)
    if text in known.exact:
        yield text
        return
    for template in known.templates:
        if found := template.pattern.fullmatch(text):
            english = next(en for where, en, ko in ENTRIES if where == part and template.translation == ko)
            yield english
            for own in (each["name"] for each in PLACEHOLDER.finditer(english) if each["own"]):
                yield from matching(part, found[own])
            return
    yield f"nothing: {text}"


def test_every_text_has_a_translation(shown: set[Text]) -> None:
    """One that fails here is added to files/words/ko.yml; what is the same in Korean to SAME above."""
    found = {(part, english) for part, text in shown for english in matching(part, text)}
    assert sorted(found - {(part, english) for part, english, _ in ENTRIES}) == []


def test_no_translation_is_left_over(shown: set[Text]) -> None:
    used = {(part, english) for part, text in shown for english in matching(part, text)}
    assert [(part, english) for part, english, _ in ENTRIES if (part, english) not in used] == []


def test_no_text_is_there_twice() -> None:
    assert [text for text, times in Counter((part, english) for part, english, _ in ENTRIES).items() if times > 1] == []


# --- each says the same ---

# What is read letter by letter: options, paths, names of alerts and settings, words to fill in, commands.
LITERAL = re.compile(
    r"`[^`]+`|(?<!\S)--?[a-z][\w-]*|/[a-z]+/[a-z]+|\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|\b[a-z]+(?:_[a-z]+)+\b"
    r"|\b[A-Z]{3,}(?:_[A-Z]+)*\b|\bdocker (?:logs|ps|stats|system df|restart|inspect|top)|(?:sudo )?journalctl"
    r"|systemctl status|ps aux|\btop(?= or| on it)|iotop|ss -tp|ip -s link|du -xh|curl|certbot renew"
    r"|redis-cli(?: ping| CLIENT LIST| INFO commandstats)?|timedatectl status|resolvectl query|ping HOST|nginx -T"
    r"|sudo crowsnest-backup \w+|EXPLAIN (?:ANALYZE|\([^)]+\))|SELECT \* FROM|\./crowsnest [a-z-]+|ssh -L \S+"
)
VALUE = re.compile(r"\$?{+[\w.]+(?:!t)?}+")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
# What a Korean text calls by its name.
NAMED = re.compile(r'"([^"{]+)"')
# Words that the glossary has better ones for, and particles for two kinds of words at once.
AVOIDED = re.compile(r"십시오|감시|당신|이\(가\)|을\(를\)|은\(는\)|\(으\)로| %|해요[.]")


def test_names_commands_and_values_are_the_same() -> None:
    assert [
        (korean, word)
        for _, english, korean in ENTRIES
        for word in LITERAL.findall(english)
        if word not in korean and not english.isupper()  # as are headings of tables
    ] == []
    assert [
        korean for _, english, korean in ENTRIES if sorted(VALUE.findall(english)) != sorted(VALUE.findall(korean))
    ] == []


def numbers(text: str) -> set[str]:
    return {*NUMBER.findall(VALUE.sub("", text))}


def in_words(english: str) -> set[str]:
    """Numbers that the English writes as words; 1 stands for `a`, `each` and `any` too."""
    half = {"30"} if "half an hour" in english else set()
    return (
        {"1"}
        | half
        | {str(each) for each, word in enumerate(NUMBERS) if re.search(rf"\b{word}\b", english, re.IGNORECASE)}
    )


def test_numbers_are_the_same() -> None:
    assert [korean for _, english, korean in ENTRIES if not numbers(english) <= numbers(korean)] == []
    assert [
        korean for _, english, korean in ENTRIES if not numbers(korean) <= numbers(english) | in_words(english)
    ] == []


def test_a_text_names_only_panels_rows_and_dashboards_that_there_are() -> None:
    there = {korean for part, _, korean in ENTRIES if part in ("pages", "panels")}
    assert [name for _, _, korean in ENTRIES for name in NAMED.findall(korean) if name not in there] == []


def test_it_is_korean_as_operators_write_it() -> None:
    assert [
        korean for _, _, korean in ENTRIES if re.search("[A-Za-z]", VALUE.sub("", korean)) and not HANGUL.search(korean)
    ] == []
    assert [korean for _, _, korean in ENTRIES if AVOIDED.search(korean)] == []
    assert [korean for _, _, korean in ENTRIES if re.search("(니다|세요)$", korean)] == []


# --- nothing but texts changes ---


def test_in_english_there_is_nothing_to_translate() -> None:
    """The tables are not even read."""
    assert translated("Firing alerts", "en", "no such part") == "Firing alerts"


def test_a_dashboard_said_in_its_own_words_is_the_same_to_the_byte() -> None:
    for context in contexts():
        for dashboard in dashboards(context):
            again = with_texts(dashboard, lambda text, _part: text)
            assert dashboard_json(again, "UTC") == dashboard_json(dashboard, "UTC")


def skeleton(dashboard: Dashboard) -> Dashboard:
    """The dashboard with all its texts taken away."""
    return with_texts(dashboard, lambda _text, _part: "")


def test_a_language_changes_no_query_uid_or_place() -> None:
    runbooks = {"runbook_url": "https://wiki.example.com/runbooks"}  # crowsnest's own are in both languages
    for english, korean in zip(contexts(**runbooks), contexts(language="ko", **runbooks), strict=True):
        before, after = dashboards(english), dashboards(korean)
        assert [skeleton(each) for each in before] == [skeleton(each) for each in after]
        assert {each.title for each in before} != {each.title for each in after}


def test_panels_keep_their_numbers_and_places() -> None:
    (english, *_), (korean, *_) = contexts(), contexts(language="ko")
    for before, after in zip(dashboards(english), dashboards(korean), strict=True):
        left, right = (yaml.safe_load(dashboard_json(each, "UTC")) for each in (before, after))
        assert [(each["id"], each["gridPos"], each["type"]) for each in left["panels"]] == [
            (each["id"], each["gridPos"], each["type"]) for each in right["panels"]
        ]
        assert (left["uid"], left["tags"], left["schemaVersion"]) == (
            right["uid"],
            right["tags"],
            right["schemaVersion"],
        )


def test_folders_keep_their_uids_and_paths() -> None:
    (context, *_) = contexts(language="ko")
    made_of = {language: dashboard_providers(dashboards(context), language)["providers"] for language in ("en", "ko")}
    names = [[provider.pop("folder") for provider in made_of[language]] for language in ("en", "ko")]
    assert names == [
        ["Overview", "Operations", "Business", "Development"],
        ["전체 현황", "운영", "비즈니스 현황", "개발"],
    ]
    assert made_of["en"] == made_of["ko"]


# --- how a text is found ---


def test_a_value_is_put_where_the_korean_has_it() -> None:
    assert translated("Host web1", "ko", "pages") == "호스트 web1"


def test_what_no_table_has_stays_as_it_is() -> None:
    assert translated("A panel of the team", "ko", "panels") == "A panel of the team"


def test_what_a_team_declared_stays() -> None:
    declared = {**EVERYTHING, "apps": [{**SHOP, "name": "host", "container": "down"}], "language": "ko"}
    (app,) = (each for each in dashboards(made(declared, total_mib=16_000)) if each.app)
    assert (app.uid, app.title) == ("app-host", "앱 host")
    assert "docker logs --tail 50 down." in next(
        panel.description for row in app.rows for panel in row.panels if panel.title == "인스턴스"
    )
