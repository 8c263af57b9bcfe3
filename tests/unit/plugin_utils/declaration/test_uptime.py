"""What a team may declare about uptime: each kind of value, and the words of each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration

NIGHT = {"start": "02:00", "end": "03:00"}
ONCE = {"start": "2026-12-01 02:00", "end": "2026-12-01 03:00"}


def monitor(kind: str, **keys: Any) -> dict[str, Any]:
    """A declaration with one monitor that has all it needs, and these keys."""
    needed: dict[str, dict[str, Any]] = {
        "http": {"url": "https://api.example.com/"},
        "keyword": {"url": "https://api.example.com/", "keyword": "Welcome"},
        "json-query": {"url": "https://api.example.com/", "query": "a.b", "expected": "1"},
        "port": {"address": "127.0.0.1:5432"},
        "ping": {"hostname": "10.0.0.1"},
        "dns": {"hostname": "example.com"},
        "docker": {"container": "db", "engine": "tcp://127.0.0.1:2375"},
    }
    return {"monitors": [{"name": "It", "type": kind, **needed.get(kind, {}), **keys}]}


def without(kind: str, key: str) -> dict[str, Any]:
    """A declaration with one monitor that lacks a key."""
    (entry,) = monitor(kind)["monitors"]
    return {"monitors": [{name: value for name, value in entry.items() if name != key}]}


def job(**keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", "jobs": [{"name": "backup", "every": "1d", **keys}]}]}


def window(**keys: Any) -> dict[str, Any]:
    return {"maintenance": [{"title": "Upgrade", **keys}]}


def page(**keys: Any) -> dict[str, Any]:
    return {"status_pages": [{"slug": "public", "title": "Ours", **keys}]}


TAKEN: list[dict[str, Any]] = [
    *(monitor(kind) for kind in ("http", "keyword", "json-query", "port", "ping", "dns", "push", "docker", "group")),
    monitor("http", interval="20s", retries=100, id="api"),
    monitor("http", interval="24d"),
    monitor("http", accepted_status=["200-299", "100-199", "404", "500-599"]),
    monitor("http", accepted_status=[204, "404"]),
    *(monitor("ping", id=text) for text in ("a", "The thing", "가게 (old), 50%", "x" * 100)),
    monitor("http", method="PATCH", body="{}", headers={"A": "b"}, username="a", password="b"),
    monitor("port", address="[::1]:22"),
    *(monitor("ping", hostname=name) for name in ("a", "db.internal", "example.com.", "::1", "fd00::1", "10.0.0.1")),
    *(monitor("ping", hostname=name) for name in ("shop_web_1", "db_", "fe80::1%eth0")),
    monitor("dns", hostname="_dmarc.example.com", record="TXT"),
    *(monitor("docker", engine=engine) for engine in ("tcp://10.0.0.1:2375", "http://a:1", "https://a:1")),
    monitor("group", name="x" * 100),
    monitor("push", name="가게 (old), 50%", id="old", tags={"team": "", "a b": "c"}),
    job(every="1m"),
    job(every="20s", grace="1s"),
    job(every="10s", grace="10s"),
    job(every="23d23h", grace="1h"),
    window(**NIGHT),
    window(**NIGHT, weekdays="saturday:sunday"),
    window(**NIGHT, days_of_month=[1, 31]),
    window(start="00:00", end="23:59"),
    window(start="23:00", end="01:00"),
    window(start="23:00", end="00:00", weekdays="friday:monday"),
    window(start="03:00", end="02:00", apps=["shop"]),
    window(**ONCE, apps=["shop"], description="Why."),
    window(start="2026-12-01T02:00", end="2027-01-01T00:00:00"),
    page(),
    page(slug="a-1-b", theme="dark", domains=["status.example.com"], certificates=True, footer="x"),
    page(groups=[{"name": "All", "monitors": ["shop"]}], incident={"title": "a", "content": "b", "style": "danger"}),
    {"status_pages": []},
    {"uptime_kuma_admin_password": "a-long-password", "uptime_kuma_keep_days": 3650},
    *(
        {"uptime_kuma_admin_password": text}
        for text in ("SMALLandlarge", "ONLY12345678", "small1234567", "1234-5678-90")
    ),
]


@pytest.mark.parametrize("declared", TAKEN, ids=str)
def test_a_right_value_is_taken(declared: dict[str, Any]) -> None:
    Declaration.model_validate(declared)


INTERVAL = "a duration from 20s, which is Uptime Kuma's shortest, to 24d"
JOB = "`every` and `grace` must add up to 20s to 24d, which are Uptime Kuma's bounds"
STATUS = "a status such as 204, or a range of a hundred such as 200-299"
HOSTNAME = "a host name or an IP address, without a port"
ENGINE = "tcp://host:port, http://host:port or https://host:port of a Docker engine"
MOMENT = 'a day and a time such as "2026-12-01 02:00", or a time of day such as "02:00"'
ORDER = "`start` must be before `end`, both with a day or both without"
OVERNIGHT = "A window over midnight takes `weekdays`; `days_of_month` needs an `end` later than `start`"
WEAK = "12 to 128 characters of at least two kinds: lower-case letters, capitals, digits, others"
MISSING, UNKNOWN_KEY, PATTERN = "Field required", "Extra inputs are not permitted", "String should match pattern"

# (declared, words of the refusal)
REFUSED: list[tuple[dict[str, Any], str]] = [
    # monitors: type and what it needs
    (monitor("steam"), "does not match any of the expected tags: 'http', 'keyword', 'json-query', 'port', 'ping', "),
    ({"monitors": [{"name": "It"}]}, "Unable to extract tag using discriminator 'type'"),
    ({"monitors": [{"type": "push"}]}, MISSING),
    (without("http", "url"), MISSING),
    (without("keyword", "keyword"), MISSING),
    (without("json-query", "query"), MISSING),
    (without("json-query", "expected"), MISSING),
    (without("port", "address"), MISSING),
    (without("ping", "hostname"), MISSING),
    (without("dns", "hostname"), MISSING),
    (without("docker", "container"), MISSING),
    (without("docker", "engine"), MISSING),
    (monitor("ping", url="https://a.example.com/"), UNKNOWN_KEY),
    # monitors: what all share
    *((monitor("ping", name=name), PATTERN) for name in ("", " It", "It ", "a\nb", "x" * 101)),
    *((monitor("ping", id=text), PATTERN) for text in ("", " It", "It ", "a\nb", "x" * 101)),
    *((monitor("ping", interval=text), INTERVAL) for text in ("5s", "19s", "24d1s")),
    (monitor("ping", interval="1.5m"), "a duration: whole numbers with"),
    (monitor("ping", interval=60), "Input should be a valid string"),
    (monitor("ping", retries=-1), "greater than or equal to 0"),
    (monitor("ping", retries=101), "less than or equal to 100"),
    (monitor("ping", tags={"": "a"}), PATTERN),
    (monitor("ping", paused="nope"), "Input should be a valid boolean"),
    # monitors: values of a type
    (monitor("http", url="api.example.com"), "a full URL such as"),
    (monitor("http", method="BREW"), "'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE' or 'OPTIONS'"),
    *((monitor("http", accepted_status=[text]), STATUS) for text in ("20", "099", "200-399", "2xx", "600-699", "")),
    *((monitor("http", accepted_status=[number]), STATUS) for number in (20, 1000, 0, -204)),
    *((monitor("http", accepted_status=[value]), "Input should be a valid string") for value in (True, 204.0, None)),
    (monitor("http", accepted_status=[]), "at least 1 item"),
    (monitor("http", redirects=-1), "greater than or equal to 0"),
    (monitor("http", timeout="0s"), "a duration longer than zero"),
    (monitor("keyword", keyword=""), "at least 1 character"),
    (monitor("json-query", operator="~"), "'==', '!=', '<', '<=', '>', '>=' or 'contains'"),
    (monitor("json-query", expected=5), "Input should be a valid string"),
    (monitor("port", address="127.0.0.1"), "host:port as the server reaches it"),
    *((monitor("ping", hostname=name), HOSTNAME) for name in ("", "a b", "-a", "db:5432", "https://a", "fd00::x")),
    (monitor("dns", server="1.1.1.1:53"), HOSTNAME),
    (monitor("dns", record="ANY"), "'A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV' or 'TXT'"),
    (monitor("docker", container="two words"), PATTERN),
    *((monitor("docker", engine=text), ENGINE) for text in ("/var/run/docker.sock", "unix:///var/run/docker.sock")),
    # jobs
    (job(name="Nightly"), PATTERN),
    *(
        (job(**keys), JOB)
        for keys in ({"every": "5s", "grace": "5s"}, {"every": "24d"}, {"every": "1m", "grace": "30d"})
    ),
    (job(grace="0s"), "a duration longer than zero"),
    (
        {"apps": [{"name": "shop", "jobs": [{"name": "a", "every": "1d"}, {"name": "a", "every": "1h"}]}]},
        "List each name in `jobs` once",
    ),
    # TCP ports of an app
    ({"apps": [{"name": "shop", "tcp": {"database": "5432"}}]}, "host:port as the server reaches it"),
    ({"apps": [{"name": "shop", "tcp": {"The database": "127.0.0.1:5432"}}]}, PATTERN),
    # windows of maintenance
    (window(start="02:00"), MISSING),
    *((window(**{**NIGHT, "start": text}), MOMENT) for text in ("2am", "24:00", "2:00", "02:00:00", "", "2026-13-01")),
    (window(start="2026-12-01 02:00+09:00", end="2026-12-01 03:00"), MOMENT),
    (window(start=120, end="03:00"), "Input should be a valid string"),  # YAML's 2:00 without quotes
    (window(start="02:00", end="02:00"), ORDER),
    (window(start="00:00", end="00:00", weekdays="monday"), ORDER),
    (window(start="2026-12-01 02:00", end="2026-12-01T02:00"), ORDER),
    (window(start="23:00", end="01:00", days_of_month=[1]), OVERNIGHT),
    (window(start="23:00", end="00:00", days_of_month=[31]), OVERNIGHT),
    (window(start="2026-12-02 02:00", end="2026-12-01 03:00"), ORDER),
    (window(start="2026-12-01 02:00", end="03:00"), ORDER),
    (window(start="02:00", end="2026-12-01 03:00"), ORDER),
    (window(**NIGHT, weekdays="monday", days_of_month=[1]), "Set `weekdays` or `days_of_month`, not both"),
    (window(**ONCE, weekdays="monday"), "`weekdays` and `days_of_month` need times of day such as 02:00"),
    (window(**ONCE, days_of_month=[1]), "`weekdays` and `days_of_month` need times of day such as 02:00"),
    (window(**NIGHT, weekdays="mon:fri"), "a day or a range such as monday:friday"),
    (window(**NIGHT, days_of_month=[0]), "greater than or equal to 1"),
    (window(**NIGHT, days_of_month=[32]), "less than or equal to 31"),
    (window(**NIGHT, every="1w"), UNKNOWN_KEY),
    (window(**NIGHT, title=" "), PATTERN),
    # status pages
    *((page(slug=text), PATTERN) for text in ("", "Public", "a--b", "-a", "a-", "a/b")),
    (page(slug="a" * 61), "at most 60 characters"),
    (page(theme="blue"), "'auto', 'light' or 'dark'"),
    (page(domains=["https://status.example.com"]), HOSTNAME),
    (page(groups=[{"name": "All", "monitors": []}]), "at least 1 item"),
    (page(groups=[{"monitors": ["shop"]}]), MISSING),
    (page(incident={"title": "a"}), MISSING),
    (page(incident={"title": "a", "content": ""}), "at least 1 character"),
    (page(incident={"title": "a", "content": "b", "style": "loud"}), "'info', 'warning', 'danger', 'primary', 'light'"),
    # Uptime Kuma
    ({"uptime_kuma_admin_password": "short"}, "12 to 128 plain ASCII characters"),
    *(
        ({"uptime_kuma_admin_password": text}, WEAK)
        for text in ("onlysmallletters", "ONLYCAPITALLETTERS", "123456789012", "------------")
    ),
    ({"uptime_kuma_keep_days": 0}, "greater than or equal to 1"),
]


@pytest.mark.parametrize(("declared", "words"), REFUSED, ids=[str(declared) for declared, _ in REFUSED])
def test_a_wrong_value_is_refused_with_what_is_allowed(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Declaration.model_validate(declared)
    messages = [error["msg"] for error in refusal.value.errors()]
    assert len(messages) == 1
    assert words in messages[0]


def test_without_a_word_there_is_one_page_and_nothing_else() -> None:
    declared = Declaration()
    assert (declared.monitors, declared.maintenance, declared.uptime_kuma_admin_password) == ([], [], None)
    assert [(each.slug, each.title, each.groups) for each in declared.status_pages] == [("status", "Status", None)]


# (every, grace): after how many seconds of silence something is wrong
SILENCE = {("1d", "10m"): 87_000, ("1h", "5m"): 3900, ("20s", "1s"): 21}


@pytest.mark.parametrize("case", SILENCE, ids=str)
def test_a_job_may_be_late_by_its_grace(case: tuple[str, str]) -> None:
    declared = Declaration.model_validate(job(every=case[0], grace=case[1]))
    assert declared.apps[0].jobs[0].silent_seconds == SILENCE[case]


# As written: as kept, in one form that sorts by time.
MOMENTS = {
    "02:00": "02:00",
    "2026-12-01 02:00": "2026-12-01 02:00",
    "2026-12-01T02:00": "2026-12-01 02:00",
    "2026-12-01 02:00:59": "2026-12-01 02:00",  # what YAML makes of one without quotes
    "2026-12-01": "2026-12-01 00:00",
}


@pytest.mark.parametrize("text", MOMENTS)
def test_a_moment_is_kept_in_one_form(text: str) -> None:
    end = "23:59" if len(text) == 5 else "2027-01-01 00:00"
    (made,) = Declaration.model_validate(window(start=text, end=end)).maintenance
    assert (made.start, made.once) == (MOMENTS[text], len(text) != 5)


# (start, end): whether it ends on the day after it begins, again and again
OVERNIGHT_OR_NOT = {
    ("23:00", "01:00"): True,
    ("23:00", "00:00"): True,
    ("02:00", "03:00"): False,
    ("00:00", "23:59"): False,
    ("2026-12-01 23:00", "2026-12-02 01:00"): False,
}


@pytest.mark.parametrize("case", OVERNIGHT_OR_NOT, ids=str)
def test_a_time_before_the_start_is_one_of_the_next_day(case: tuple[str, str]) -> None:
    (made,) = Declaration.model_validate(window(start=case[0], end=case[1])).maintenance
    assert made.overnight == OVERNIGHT_OR_NOT[case]


def test_a_number_of_a_status_is_kept_as_the_text_that_kuma_takes() -> None:
    (made,) = Declaration.model_validate(monitor("http", accepted_status=[204, "404", "500-599"])).monitors
    assert made.model_dump()["accepted_status"] == ["204", "404", "500-599"]


def test_domains_are_kept_as_a_browser_sends_them_with_which_kuma_compares_them() -> None:
    declared = Declaration.model_validate(page(domains=["Status.Example.COM", "상태.한국"]))
    assert declared.status_pages[0].domains == ["status.example.com", "xn--hg4bo80a.xn--3e0b707e"]


def test_a_password_that_is_too_weak_is_not_shown() -> None:
    with pytest.raises(ValidationError) as refusal:
        Declaration.model_validate({"uptime_kuma_admin_password": "hushhushhush"})
    assert "hush" not in refusal.value.errors()[0]["msg"]


def test_a_printed_declaration_shows_no_secret_of_a_monitor() -> None:
    declared = Declaration.model_validate(
        monitor("http", headers={"X-Token": "hush"}, username="a", password="hush", body="hush")
    )
    assert "hush" not in f"{declared} {declared!r} {declared.model_dump_json()}"
