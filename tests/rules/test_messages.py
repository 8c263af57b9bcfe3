"""What people read: messages rendered by the real amtool, whatever labels and annotations hold."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from generated import alertmanager, write
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import tool, until
from promised import own_alerts

Alert = dict[str, Any]
PARTS = (
    *("title.plain", "title.slack", "title.discord", "title.teams", "title.phone", "title.ascii"),
    *("text.plain", "text.slack", "text.discord", "text.teams", "text.phone", "text.buttons"),
    *("button.runbook", "button.dashboard", "button.acknowledge"),
)
NEXT = "\x1fnext\x1f"  # between two parts; nothing that is shown has a control character
PAGE = "http://127.0.0.1:9093"
APPS = [{"name": "shop", "framework": "django", "metrics": [":8000"], "url": "https://shop.example.com/"}]
BASE: dict[str, Any] = {"apps": APPS, "external_urls": {"grafana": "https://watch.example.com/grafana/"}}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{language: the generated files}"""
    return {name: write(tmp_path_factory.mktemp(name), {**BASE, "language": name}) for name in ("en", "ko")}


AMTOOL = tool("amtool")


def rendered(folder: Path, text: str, data: Mapping[str, Any]) -> str:
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json") as file:
        json.dump(data, file)
        file.flush()
        words = ["--template.glob=templates/*.tmpl", f"--template.data={file.name}", f"--template.text={text}"]
        done = AMTOOL(folder, "template", "render", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alert(annotations: Mapping[str, str] | None = None, status: str = "firing", **labels: str) -> Alert:
    return {
        "status": status,
        "labels": {"alertname": "QueueTooLong", "severity": "high", **labels},
        "annotations": dict(annotations or {}),
        "startsAt": "2026-11-21T00:00:00Z",
        "endsAt": "2026-11-21T01:02:03Z",
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=vector%281%29&g0.tab=1",
    }


def message(folder: Path, *alerts: Alert) -> dict[str, str]:
    """{part: text} of one message about all the alerts."""
    common = dict(set.intersection(*(set(each["labels"].items()) for each in alerts)))
    status = "firing" if any(each["status"] == "firing" for each in alerts) else "resolved"
    data = {"status": status, "alerts": alerts, "commonLabels": common, "externalURL": PAGE}
    text = NEXT.join(f'{{{{ template "crowsnest.{part}" . }}}}' for part in PARTS)
    return dict(zip(PARTS, rendered(folder, text, data).split(NEXT), strict=True))


def messages(folder: Path, alerts: Sequence[Alert]) -> list[dict[str, str]]:
    """The messages about each alert alone, all in one call of amtool."""
    own = (
        '{{ $own := dict "Status" .Status "CommonLabels" .Labels "ExternalURL" $.ExternalURL "Alerts" '
        '(dict "Firing" (list .) "Resolved" list) }}'
    )
    parts = NEXT.join(f'{{{{ template "crowsnest.{part}" $own }}}}' for part in PARTS)
    text = f"{{{{ range .Alerts }}}}{own}{parts}{NEXT}{{{{ end }}}}"
    found = rendered(folder, text, {"alerts": list(alerts), "externalURL": PAGE}).split(NEXT)[:-1]
    size = len(PARTS)
    return [dict(zip(PARTS, found[at : at + size], strict=True)) for at in range(0, len(found), size)]


# --- titles ---

SICK = alert({"summary": "shop: database is not healthy"}, severity="critical")
WELL = alert({"summary": "shop: redis is not healthy"}, "resolved", severity="critical")
CAUSE = alert(
    {"summary": "PostgreSQL of shop cannot be reached", "also": "celery, health"},
    severity="critical",
    alertname="PostgresDown",
)
TITLES: list[tuple[str, str, list[Alert]]] = [
    ("🔴 CRITICAL: shop: database is not healthy", "🔴 [심각] shop: database is not healthy", [SICK]),
    (
        "🔴 CRITICAL: PostgreSQL of shop cannot be reached; also failing: celery, health; "
        "also: shop: database is not healthy",
        "🔴 [심각] PostgreSQL of shop cannot be reached / 함께 이상: celery, health / "
        "동시 발생: shop: database is not healthy",
        [CAUSE, SICK, WELL],
    ),
    (
        "🔴 CRITICAL: PostgreSQL of shop cannot be reached; also failing: celery, health; also: a, b, and 2 more",
        "🔴 [심각] PostgreSQL of shop cannot be reached / 함께 이상: celery, health / 동시 발생: a, b 외 2건",
        [CAUSE, *(alert({"summary": name}, severity="critical") for name in "abcd")],
    ),
    (
        "✅ Resolved: PostgreSQL of shop cannot be reached; also: shop: redis is not healthy",
        "✅ [해소] PostgreSQL of shop cannot be reached / 동시 발생: shop: redis is not healthy",
        [{**CAUSE, "status": "resolved"}, WELL],
    ),
    (
        "🔴 CRITICAL: shop: database is not healthy, and 2 more",
        "🔴 [심각] shop: database is not healthy 외 2건",
        [SICK] * 3,
    ),
    ("🔴 CRITICAL: shop: database is not healthy", "🔴 [심각] shop: database is not healthy", [WELL, SICK, WELL]),
    ("✅ Resolved: shop: redis is not healthy", "✅ [해소] shop: redis is not healthy", [WELL]),
    ("✅ Resolved: shop: redis is not healthy, and 1 more", "✅ [해소] shop: redis is not healthy 외 1건", [WELL] * 2),
    ("🟠 HIGH: QueueTooLong", "🟠 [높음] QueueTooLong", [alert()]),
    ("🟡 MEDIUM: QueueTooLong", "🟡 [중간] QueueTooLong", [alert(severity="medium")]),
    ("🔵 LOW: QueueTooLong", "🔵 [낮음] QueueTooLong", [alert(severity="low")]),
    ("🔵 ALERT: QueueTooLong", "🔵 [알림] QueueTooLong", [alert(severity="page")]),
    ("🟠 HIGH: QueueTooLong", "🟠 [높음] QueueTooLong", [alert({"summary": " \n", "message": "12 wait"})]),
    ("🟠 HIGH: 12 wait", "🟠 [높음] 12 wait", [alert({"message": "12\n  wait"}, alertname="")]),
    ("🟠 HIGH: 12 wait", "🟠 [높음] 12 wait", [alert({"description": "12 wait"}, alertname="")]),
    ("🟠 HIGH: 12", "🟠 [높음] 12", [alert({"value": "12"}, alertname="")]),
    ("🟠 HIGH: an alert without a name", "🟠 [높음] 이름 없는 알림", [alert(alertname="")]),
    ("[TEST] 🟠 HIGH: QueueTooLong", "[테스트] 🟠 [높음] QueueTooLong", [alert(test="true")]),
]


@pytest.mark.parametrize(("english", "korean", "alerts"), TITLES, ids=[case[0] for case in TITLES])
def test_the_title_is_a_sentence_about_what_fires(
    folders: dict[str, Path], english: str, korean: str, alerts: list[Alert]
) -> None:
    assert [message(folders[name], *alerts)["title.plain"] for name in ("en", "ko")] == [english, korean]


def test_the_text_of_several_says_what_fires_first_and_what_is_over(folders: dict[str, Path]) -> None:
    text = message(folders["en"], WELL, SICK)["text.slack"]
    assert re.findall(r"(?m)^[•✅].*", text) == ["• shop: database is not healthy", "✅ shop: redis is not healthy"]
    assert text.count("Until: 2026-11-21 10:02 KST (lasted 1h 2m 3s)") == 1
    korean = message(folders["ko"], WELL)["text.plain"]
    assert "해소 시각: 2026-11-21 10:02 KST (지속 시간 1시간 2분 3초)" in korean


def test_what_ended_before_the_fault_began_is_no_part_of_it(folders: dict[str, Path]) -> None:
    """Prometheus repeats an end for a quarter of an hour."""
    earlier = {**WELL, "startsAt": "2026-11-20T23:00:00Z", "endsAt": "2026-11-20T23:50:00Z"}
    found = message(folders["en"], earlier, SICK)
    assert found == message(folders["en"], SICK)
    over = message(folders["en"], earlier, {**SICK, "status": "resolved"})
    assert re.findall(r"(?m)^[•✅].*", over["text.slack"]) == [
        "✅ shop: redis is not healthy",
        "✅ shop: database is not healthy",
    ]


def test_of_very_many_alerts_the_first_are_shown_and_the_others_counted(folders: dict[str, Path]) -> None:
    many = [alert(queue=str(number)) for number in range(8)]
    found = message(folders["en"], *many)
    assert found["title.slack"] == "🟠 HIGH: QueueTooLong, and 7 more"
    assert f"… <{PAGE}/#/alerts|and 3 more>" in found["text.slack"]
    assert f"… [and 5 more]({PAGE}/#/alerts)" in found["text.discord"]
    assert f"… and 3 more: {PAGE}/#/alerts\n" in found["text.plain"]


FULL = {
    "summary": "s",
    "description": "d",
    "value": "12",
    "threshold": "10",
    "runbook_url": "https://wiki.example.com/a b?x=1&y=(2)|<3>",
}
SLACK = """d
Where: queue a &lt;b&gt; &amp; c
Since: 2026-11-21 09:00 KST
Value: 12 (threshold: 10)
<https://wiki.example.com/a%20b?x=1&amp;y=(2)%7C%3C3%3E|Runbook>  <https://watch.example.com/grafana/d/overview|"""
DISCORD = r"""d
Where: queue a \<b\> & c
Since: 2026-11-21 09:00 KST
Value: 12 (threshold: 10)
[Runbook](https://wiki.example.com/a%20b?x=1&y=%282%29%7C%3C3%3E)  [Dashboard](https://watch.example.com/grafana/"""
TEAMS = """
d

Where: queue a <b> & c

Since: 2026-11-21 09:00 KST

Value: 12 (threshold: 10)

[Runbook](https://wiki.example.com/a%20b?x=1&y=%282%29%7C%3C3%3E)  [Dashboard](https://watch.example.com/grafana/"""
KOREAN = """d
대상: queue=a <b> & c
발생 시각: 2026-11-21 09:00 KST
측정값: 12 (임계값: 10)
조치 방법: https://wiki.example.com/a%20b?x=1&y=(2)%7C%3C3%3E
대시보드: https://watch.example.com/grafana/d/overview
Prometheus: http://127.0.0.1:9090/graph?g0.expr=vector%281%29&g0.tab=1
알림 일시 중지: http"""


def test_a_whole_message(folders: dict[str, Path]) -> None:
    whole = alert(FULL, queue="a <b> & c")
    found, korean = (message(folders[name], whole) for name in ("en", "ko"))
    assert found["text.slack"].startswith(SLACK)
    assert found["text.discord"].startswith(DISCORD)
    assert found["text.teams"].startswith(TEAMS)
    assert found["text.phone"] == found["text.plain"]
    assert korean["text.plain"].startswith(KOREAN)


DEPLOYED = {**FULL, "deployed": "image of <web> changed 4 min\nbefore the fault began"}
SAID = {
    "text.slack": "KST\nDeployed: image of &lt;web&gt; changed 4 min before the fault began\nV",
    "text.discord": "KST\nDeployed: image of \\<web\\> changed 4 min before the fault began\nV",
    "text.plain": "KST\nDeployed: image of <web> changed 4 min before the fault began\nV",
}


@pytest.mark.parametrize("part", SAID)
def test_a_deploy_is_a_line_below_the_time_it_began(folders: dict[str, Path], part: str) -> None:
    for status in ("firing", "resolved"):
        with_one, without = (
            message(folders["en"], alert({**FULL, "deployed": text}, status))[part]
            for text in (DEPLOYED["deployed"], "")
        )
        wanted = SAID[part] if status == "firing" else SAID[part].replace("\nV", "\nUntil")
        assert wanted in with_one
        assert [line for line in with_one.splitlines() if not line.startswith("Deployed")] == without.splitlines()
        assert "Deployed" not in without
    assert "KST\n배포: image" in message(folders["ko"], alert(DEPLOYED))["text.plain"]


def test_a_notice_has_neither_state_nor_times_and_cannot_be_silenced(folders: dict[str, Path]) -> None:
    done = alert({**FULL, "summary": "Backup done: shop"}, severity="none", crowsnest_alert="true", app="shop")
    for each in folders.values():
        found = message(each, done)
        assert found["title.slack"] == "💾 Backup done: shop"
        assert re.sub(LINK, "LINK", found["text.slack"]).split() == ["d", "LINK"]
    own = message(folders["en"], alert(FULL, severity="none", app="shop"))
    assert own["title.slack"] == "🔵 ALERT: s" and "Since" in own["text.slack"]


# Annotation of a rule of the team's own: what the Slack text has.
ANNOTATIONS: list[tuple[dict[str, str], str]] = [
    ({"message": "12 jobs wait"}, "12 jobs wait\nSince"),
    ({"description": "one\n\n  two", "message": "three"}, "one\ntwo\nSince"),
    ({"runbook": "https://example.com/r"}, "<https://example.com/r|Runbook>"),
    ({"runbook_url": "see the wiki <page>"}, "Runbook: see the wiki &lt;page&gt;  <"),
    ({"runbook_url": "javascript:alert(1)"}, "Runbook: javascript:alert(1)  <"),
    (
        {"description": "<!channel> <@U024BE7LH> <https://evil.example|ok>"},
        "&lt;!channel&gt; &lt;@U024BE7LH&gt; &lt;https:",
    ),
    ({"value": "a &lt; b"}, "Value: a &amp;lt; b\n"),
]


@pytest.mark.parametrize(("annotations", "shown"), ANNOTATIONS, ids=str)
def test_what_a_rule_of_the_team_says_is_shown_as_it_is_meant(
    folders: dict[str, Path], annotations: dict[str, str], shown: str
) -> None:
    assert shown in message(folders["en"], alert(annotations))["text.slack"]


# --- whatever labels and annotations hold ---

HOSTILE = st.sampled_from(
    [
        *(
            "<!channel>",
            "<@U024BE7LH>",
            "<https://evil.example|ok>",
            "@everyone",
            "[ok](https://evil.example)",
            "{{ .Labels }}",
        ),
        *(
            "a\r\nSubject: b",
            "\u2028line\u2029",
            "\u202egnp.exe",
            "\x00\x07\x1b[31m",
            '"\\"',
            "`x`",
            "**b**",
            "a_b__c",
            "%s",
        ),
        *(
            "👩‍👩‍👧",
            "שלום",
            "서비스 중단",
            "x" * 10_000,
            "&" * 3_000,
            "https://example.com/?a=b c|d>",
            "https://example.com/\u202e\u2066",
            " ",
            "$1 ${2}",
        ),
    ]
)
TEXT = HOSTILE | st.text(max_size=40)
NAMES = ("summary", "description", "message", "value", "threshold", "runbook_url", "runbook", "deployed")
ALERTS = st.builds(
    lambda labels, annotations, more, url: {
        **alert(annotations),
        "labels": {name: text for name, text in (labels | more).items() if text},
        "generatorURL": url,
    },
    st.fixed_dictionaries({}, optional=dict.fromkeys(("alertname", "severity", "app", "host", "probe", "job"), TEXT)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, TEXT)),
    st.dictionaries(st.from_regex("[a-z_]{1,9}", fullmatch=True) | st.text(min_size=1, max_size=9), TEXT, max_size=3),
    TEXT | st.just("http://127.0.0.1:9090/graph?g0.expr=up&g0.tab=1"),
)
OURS = ("https://watch.example.com/", "https://example.com/", PAGE, "http://127.0.0.1:9090/graph")
LINK = r"<https?://[^<>|\s\"]+\|[^<>|]+>"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_message_is_readable_safe_and_complete_whatever_the_labels_hold(
    folders: dict[str, Path], language: str
) -> None:
    @settings(max_examples=12, deadline=None)
    @given(st.lists(ALERTS, min_size=15, max_size=30))
    def holds(alerts: list[Alert]) -> None:
        for each, found in zip(alerts, messages(folders[language], alerts), strict=True):
            _is_readable(each, found)
            _is_safe_in_slack(found)
            _is_safe_in_discord(found)
            _is_safe_in_teams(found)
            _is_a_subject(found["title.ascii"])
            _has_buttons(found)

    holds()


def _is_readable(each: Alert, found: Mapping[str, str]) -> None:
    for part, text in found.items():
        assert "<no value>" not in unescape(text)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text), part
        assert text.strip() and (part.startswith("text") or "\n" not in text)
    title = found["title.plain"]
    assert len(title) < 200
    assert re.search(r"(: |\] )\S", title), "a title without a name"
    assert "https://watch.example.com/grafana/d/" in found["text.plain"]
    if (runbook := each["annotations"].get("runbook_url", "")).startswith("https://example.com/?"):
        assert runbook.replace(" ", "%20").replace("|", "%7C").replace(">", "%3E") in found["text.plain"]


def _is_safe_in_slack(found: Mapping[str, str]) -> None:
    """What is left beside our own links has nothing that Slack takes for markup of its own."""
    for part in ("title.slack", "text.slack", "text.buttons"):
        rest = re.sub(LINK, "", found[part])
        assert not re.search("[<>]", rest), rest
        assert not re.search("&(?!amp;|lt;|gt;)", found[part])
    assert len(found["title.slack"]) <= 1024 and len(found["text.slack"]) <= 12_000


def _is_safe_in_discord(found: Mapping[str, str]) -> None:
    title, text = found["title.discord"], found["text.discord"]
    meant = re.sub(r"\\.", "", f"{title}\n{text}")  # without what is escaped
    assert all(link.startswith(OURS) for link in re.findall(r"\]\((\S*)\)", meant)), meant
    rest = re.sub(r"\[[^\[\]]*\]\(\S*\)", "", meant)
    assert not re.search(r"[<>`*~|#]|__|\]\(", rest), rest


def _is_safe_in_teams(found: Mapping[str, str]) -> None:
    links = re.findall(r"\]\((\S*)\)", f"{found['title.teams']}\n{found['text.teams']}")
    assert all(link.startswith(OURS) for link in links), links
    assert len(json.dumps(found["text.teams"])) < 28_000, "more than Teams takes"


def _has_buttons(found: Mapping[str, str]) -> None:
    """Slack leaves those out whose url is no address; a link is lost with none of them."""
    urls = {part: url for part, url in found.items() if part.startswith("button")}
    for url in urls.values():
        assert url == "-" or re.fullmatch(r"https?://[^\s<>|\"`\\]{1,2990}", url), url
    links = set(re.findall(r"<(http[^|]+)\|", found["text.slack"])) - set(
        re.findall(r"<(http[^|]+)\|", found["text.buttons"])
    )
    assert {link.replace("&amp;", "&") for link in links} <= set(urls.values())


def _is_a_subject(subject: str) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, Subject"""
    assert re.fullmatch(r"[!-~][ -~]{0,98}", subject), subject


def test_the_subject_keeps_its_length_with_every_part_that_it_can_have(folders: dict[str, Path]) -> None:
    long = alert({"summary": "데이터베이스 " + "x" * 200}, severity="critical", test="true")
    subject = message(folders["ko"], *[long] * 1000)["title.ascii"]
    assert subject.startswith("[TEST] CRITICAL: xxx") and subject.endswith("x, and 999 more")
    _is_a_subject(subject)
    assert message(folders["ko"], alert({"summary": "서비스 중단"}))["title.ascii"] == "HIGH: QueueTooLong"


@pytest.mark.parametrize("filler", ["x", "&", "*", "한", "<!channel>"])
def test_the_links_arrive_however_long_everything_else_is(folders: dict[str, Path], filler: str) -> None:
    """Discord takes 4096 characters (Alertmanager cuts off the rest); Slack shows very long ones in part."""
    long = dict.fromkeys(("summary", "description", "value", "threshold"), filler * 10000)
    runbook = f"https://example.com/{'r' * 900}"
    whole = alert(
        {**long, "runbook_url": runbook}, host="web1", **{f"label{number}": filler * 999 for number in range(9)}
    )
    found = message(folders["en"], whole, alert())
    for text in (
        *(found["text.discord"][:4096], found["text.phone"][:4000], found["text.teams"]),
        *(found["text.slack"][:8000], found["text.plain"]),
    ):
        assert runbook in text and "https://watch.example.com/grafana/d/host?var-host=web1" in text
    assert len(found["title.plain"]) < 200


# Address of a runbook: whether Slack surely shows its button, so that the text beside it has no link.
SURE = {
    "https://wiki.example.com/r": True,
    "http://wiki.example.com:8080?a=1": True,
    "https://a.b.한국/r": False,
    "https://wiki/r": False,
    "http://wiki:8080/a.b": False,
    "http://127.0.0.1:9093/r": False,
    "http://[::1]/a.b": False,
    "https://kim@wiki/a.b.c": False,
}


@pytest.mark.parametrize("url", SURE)
def test_a_link_is_in_the_text_unless_a_button_surely_shows_it(folders: dict[str, Path], url: str) -> None:
    found = message(folders["en"], alert({"runbook_url": url}))
    assert found["button.runbook"] == url
    assert (f"<{url}|Runbook>" in found["text.buttons"]) is not SURE[url]
    assert f"<{url}|Runbook>" in found["text.slack"]


def test_a_button_without_an_address_is_left_out(folders: dict[str, Path]) -> None:
    long = message(folders["en"], alert({"runbook_url": "see the wiki"}, note="x" * 3000))
    assert [long[f"button.{name}"] for name in ("runbook", "acknowledge")] == ["-", "-"]
    assert "Runbook: see the wiki" in long["text.buttons"] and "silences" not in long["text.buttons"]
    assert message(folders["en"], alert(FULL, "resolved"))["button.acknowledge"] == "-"
    assert message(folders["en"], alert())["button.acknowledge"].startswith(f"{PAGE}/#/silences/new?filter=")


# --- the link to a silence ---

VALUES = ['"q" <!channel>', "back\\slash", "line\nbreak", "a + b%20 & c", "\t\x01", "한글 , { } = ~", 'C:\\new\\\\"\n']
LABEL_NAMES = ["note", "k8s.pod", "큐", "with blank", 'a"b', "a=b", "{}"]


def silence_filter(text: str) -> str:
    found = re.search(r"/#/silences/new\?filter=(\S+)", text)
    assert found
    return unquote(found[1])


def test_alertmanager_reads_the_labels_back_from_the_link_to_a_silence(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    every = [alert(note=value) for value in VALUES] + [alert(**{name: "v"}) for name in LABEL_NAMES]
    links = [silence_filter(message(folders["en"], each)["text.plain"]) for each in every]
    with alertmanager(write(tmp_path, BASE)) as running:
        running.post([{"labels": each["labels"]} for each in every])
        until(lambda: len(running.alerts()) == len(every), 20)
        for each, link in zip(every, links, strict=True):
            assert link[0] + link[-1] == "{}"
            matchers = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^"=, ])+="(?:[^"\\]|\\.)*"', link[1:-1])
            assert ", ".join(matchers) == link[1:-1]
            assert [it["labels"] for it in running.alerts(filter=matchers)] == [each["labels"]], link


HOOK = {"type": "webhook", "url": "https://example.com/"}
LATER = [HOOK, {**HOOK, "name": "oncall", "severities": ["critical", "high"], "after": "15m"}]
# Labels of an alert: whether its message has a link that acknowledges.
ACKNOWLEDGED: list[tuple[dict[str, str], bool]] = [
    ({"severity": "critical", "crowsnest_alert": "true"}, True),
    ({"severity": "high"}, True),
    ({"severity": ""}, True),
    ({"severity": "medium"}, False),
    ({"severity": "low"}, False),
]


@pytest.mark.parametrize(("labels", "shown"), ACKNOWLEDGED, ids=str)
def test_a_message_of_what_others_get_later_has_a_link_that_acknowledges_its_group(
    tmp_path: Path, labels: dict[str, str], shown: bool
) -> None:
    folder = write(tmp_path, {**BASE, "receivers": LATER, "language": "ko"})
    common = {name: value for name, value in {"alertname": "A", **labels}.items() if value}
    data = {
        "status": "firing",
        "alerts": [alert(**labels), alert(**labels)],
        "commonLabels": common,
        "groupLabels": {"alertname": "A", "app": "shop"},
        "externalURL": PAGE,
    }
    text = rendered(folder, '{{ template "crowsnest.text.phone" . }}', data)
    links = re.findall(r"(?m)^확인했음: (\S+)$", text)
    assert len(links) == shown
    wanted = {"escalation": "true", "alertname": "A", "app": "shop", **common}
    assert [dict(re.findall(r'(\w+)="(\w+)"', silence_filter(link))) for link in links] == [wanted] * shown
    assert "확인한 사람이 없습니다" not in text


def test_a_message_to_those_who_get_it_later_says_that_nobody_acknowledged(folders: dict[str, Path]) -> None:
    found = message(folders["en"], alert(FULL, escalation="true"))["text.plain"]
    assert found.startswith("It still fires, and nobody has acknowledged it.\nd\nSince"), found
    assert "nobody" not in message(folders["en"], alert(FULL, "resolved", escalation="true"))["text.plain"]


@pytest.mark.parametrize("value", ['"q" <!channel>', "back\\slash", "line\nbreak", "한글 & co"])
def test_a_value_in_the_link_to_a_silence_is_json_as_alertmanagers_page_demands(
    folders: dict[str, Path], value: str
) -> None:
    """https://github.com/prometheus/alertmanager/blob/main/ui/app/src/Utils/Filter.elm"""
    link = silence_filter(message(folders["en"], alert(note=value))["text.plain"])
    found = re.search(r'note=("(?:[^"\\]|\\.)*")', link)
    assert found and json.loads(found[1]) == value


# --- the dashboard a message leads to ---

# Page in Grafana: the alerts that lead there.
PAGES: dict[str, str] = {
    "stack": "AlertingPathAlive Alertmanager.+ Prometheus.+ Metabase.+ MonitorsMissing ContainerNotRunning "
    "WeeklyReportMissing Pages.+",
    "probes": "Probe.+ Certificate.+",
    "batch-jobs": "PushSilent JobSilent QueueLong CeleryWorkerMissing",
    "uptime": "MonitorDown MonitorCertificateExpiry",
    "backups": "Backup.+",
    "postgresql": "Postgres.+",
    "redis": "Redis.+ QueueUnreadable",
    "business": "Kpi.+",
    "app-shop": "App.+ Sentry.+",
    "containers": "Container(OutOfMemory|Restarting|MemoryHigh|MetricsStale)",
    "host": "Host.+ NodeExporterDown",
}


def page_of(labels: Mapping[str, str]) -> str:
    """Containers of crowsnest itself are on the page of the stack."""
    if labels.get("project") == "crowsnest":
        return "stack"
    return next(
        page for page, names in PAGES.items() for name in names.split() if re.fullmatch(name, labels["alertname"])
    )


def pages(folder: Path, every: Sequence[Mapping[str, str]]) -> list[str]:
    found = messages(folder, [{**alert(), "labels": dict(labels)} for labels in every])
    links = [re.search(r"\nDashboard: https://watch\.example\.com/grafana/d/(\S+)\n", it["text.plain"]) for it in found]
    return [link[1] if link else "" for link in links]


def test_every_alert_of_crowsnest_leads_to_its_dashboard(folders: dict[str, Path]) -> None:
    """With the labels that its rule really gives, which the promtool tests demand."""
    every = [{**labels, "app": "shop"} if "app" in labels else labels for labels in own_alerts()]
    wanted = [(labels["alertname"], page_of(labels)) for labels in every]
    found = zip(every, pages(folders["en"], every), strict=True)
    assert [(labels["alertname"], page.partition("?")[0]) for labels, page in found] == wanted


# Labels of an alert of a team's own: the page.
DASHBOARDS: list[tuple[dict[str, str], str]] = [
    ({"app": "shop", "host": "web1"}, "app-shop"),
    ({"app": "shop", "host": "web1", "job": "app"}, "app-shop"),
    ({"app": "page", "host": "web1"}, "host?var-host=web1"),
    ({"app": "shop", "host": "web1", "job": "probe", "probe": "url"}, "probes"),
    ({"app": "shop", "job": "uptime_kuma", "monitor_name": "a: website", "probe": "url"}, "uptime"),
    ({"host": "web1", "job": "uptime_kuma", "monitor_name": "Payment partner"}, "uptime"),
    ({"host": "web1", "job": "uptime_kuma"}, "stack"),
    ({"host": "web1", "job": "prometheus"}, "stack"),
    ({"host": "web 1&<x>|"}, "host?var-host=web+1%26%3Cx%3E%7C"),
    ({}, "overview"),
]


def test_a_message_leads_to_the_dashboard_of_what_it_is_about(folders: dict[str, Path]) -> None:
    assert pages(folders["en"], [labels for labels, _ in DASHBOARDS]) == [page for _, page in DASHBOARDS]
