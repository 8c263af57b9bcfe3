"""Each mistake in what is declared for Uptime Kuma has its sentence, and all come at once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.check import mistakes
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.check_monitor import NEEDED

PROVIDERS = {"slack": {"slackwebhookURL"}, "webhook": {"webhookURL"}}
WELL: dict[str, Any] = {
    "settings": {"serverTimezone": "Asia/Seoul"},
    "notifications": [{"key": "ops", "name": "Ops", "type": "slack", "slackwebhookURL": "https://hooks.example/x"}],
    "docker_hosts": [{"name": "local"}],
    "tags": [{"name": "app", "color": "#111111"}],
    "monitors": [
        {"key": "shop", "name": "shop", "type": "group"},
        {
            "key": "shop/website",
            "name": "shop: website",
            "type": "http",
            "url": "https://shop.example.com",
            "group": "shop",
            "notifications": ["ops"],
            "tags": [{"name": "app", "value": "shop"}],
            "headers": {"A": "b"},
            "accepted_statuscodes": ["200-299", 301],
        },
        {"key": "c", "name": "c", "type": "docker", "docker_container": "x", "docker_host": "local"},
        {"key": "d", "name": "d", "type": "dns", "hostname": "example.com"},
    ],
    "maintenances": [
        {
            "key": "night",
            "title": "Night",
            "strategy": "recurring-weekday",
            "weekdays": [6],
            "timeRange": [{"hours": 2, "minutes": 0}, {"hours": 3, "minutes": 0}],
            "timezone": "Europe/Berlin",
            "monitors": ["shop"],
            "status_pages": ["status"],
        }
    ],
    "status_pages": [
        {
            "slug": "status",
            "title": "Status",
            "groups": [{"name": "Shop", "monitors": ["shop/website"]}],
            "incident": {"title": "Slow", "content": "We look"},
        }
    ],
}


def found(**more: Any) -> list[str]:
    """The mistakes of the good declaration with more of some kinds."""
    given = {name: [*WELL[name], *more.get(name, [])] for name in WELL if name != "settings"}
    return mistakes({**given, "settings": {**WELL["settings"], **more.get("settings", {})}}, PROVIDERS)


def test_a_good_declaration_has_no_mistake() -> None:
    assert found() == []


MONITORS: dict[str, tuple[dict[str, Any], str]] = {
    "no key": ({"name": "x", "type": "push"}, "monitor x: key is missing"),
    "no name": ({"key": "x", "type": "push"}, "monitor x: name is missing"),
    "no type": ({"key": "x", "name": "x"}, "monitor x: type is missing"),
    "an unknown field": ({"type": "push", "intervall": 60}, "monitor x: unknown field intervall"),
    "the same name": ({"name": "shop: website", "type": "push"}, "monitors: 2 have the name shop: website"),
    "the same key": ({"key": "shop", "type": "push"}, "monitors: 2 have the key shop"),
    "a key with a bracket": ({"key": "x)", "type": "push"}, "monitor x: the key x) has a bracket or a line end"),
    "interval 5": ({"type": "push", "interval": 5}, "monitor x: interval is 5, the least is 20"),
    "retry interval": ({"type": "push", "retryInterval": "1"}, "monitor x: retryInterval is 1, the least is 20"),
    "no number": ({"type": "push", "interval": "often"}, "monitor x: interval must be a number, not often"),
    "a port": ({"type": "port", "hostname": "h", "port": 70000}, "monitor x: port is 70000, the most is 65535"),
    "no address": ({"type": "http"}, "monitor x: url is missing"),
    "no keyword": ({"type": "keyword", "url": "http://x"}, "monitor x: keyword is missing"),
    "an unknown group": ({"type": "push", "group": "nope"}, "monitor x: unknown group nope"),
    "a monitor is no group": ({"type": "push", "group": "shop/website"}, "monitor x: unknown group shop/website"),
    "inside itself": ({"type": "group", "group": "x"}, "monitor group x is inside itself"),
    "an unknown notification": ({"type": "push", "notifications": ["y"]}, "monitor x: unknown notification y"),
    "no list": ({"type": "push", "notifications": "ops"}, "monitors x: notifications must be a list"),
    "tags as texts": ({"type": "push", "tags": ["app"]}, "monitors x: tags must be a list of dictionaries"),
    "an unknown docker host": (
        {"type": "docker", "docker_container": "c", "docker_host": "far"},
        "monitor x: unknown docker host far",
    ),
    "a status code": (
        {"type": "push", "accepted_statuscodes": ["2xx"]},
        "monitor x: accepted_statuscodes has 2xx, which is neither like 404 nor like 200-299",
    ),
    "our tag": (
        {"type": "push", "tags": [{"name": "crowsnest", "value": "y"}]},
        "monitor x: a tag needs a name, and another one than crowsnest",
    ),
    "headers": (
        {"type": "push", "headers": "A: b"},
        "monitor x: headers is neither a dictionary nor the JSON text of one",
    ),
}


@pytest.mark.parametrize("case", MONITORS)
def test_a_mistake_in_a_monitor_has_its_sentence(case: str) -> None:
    monitor, sentence = MONITORS[case]
    whole = monitor
    if case not in ("no key", "no name", "no type"):
        whole = {"key": "x", "name": "x", **monitor}
    assert found(monitors=[whole]) == [sentence]


def test_an_unknown_type_names_those_that_are_known() -> None:
    (sentence,) = found(monitors=[{"key": "x", "name": "x", "type": "htp"}])
    assert sentence.startswith("monitor x: unknown type htp, known are dns, docker, ")


def test_a_longer_circle_of_groups_is_found() -> None:
    circle = [{"key": key, "name": key, "type": "group", "group": outer} for key, outer in ("pq", "qr", "rp")]
    assert found(monitors=circle) == [f"monitor group {key} is inside itself" for key in "pqr"]


def test_every_type_can_do_without_what_it_does_not_need() -> None:
    for kind, needed in NEEDED.items():
        values = {
            name: {"port": 80, "docker_host": "local", "kafkaProducerBrokers": ["b"]}.get(name, "x") for name in needed
        }
        assert found(monitors=[{"key": "x", "name": "x", "type": kind, **values}]) == [], kind


RANGE = [{"hours": 2, "minutes": 0}, {"hours": 3, "minutes": 0}]
OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "type of a notification": (
        "notifications",
        {"key": "x", "name": "x", "type": "pigeon"},
        "notification x: unknown type pigeon",
    ),
    "option of a notification": (
        "notifications",
        {"key": "x", "name": "x", "type": "webhook"},
        "notification x: webhookURL is missing",
    ),
    "key of a notification twice": (
        "notifications",
        {"key": "ops", "name": "x", "type": "webhook", "webhookURL": "y"},
        "notifications: 2 have the key ops",
    ),
    "docker host": (
        "docker_hosts",
        {"name": "x", "dockerType": "ssh"},
        "docker host x: dockerType is socket or tcp, not ssh",
    ),
    "tag": ("tags", {"name": "x"}, "tag x: color is missing"),
    "strategy": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "odd"},
        "maintenance x: unknown strategy odd, known are manual, single, recurring-interval, recurring-weekday, "
        "recurring-day-of-month, cron",
    ),
    "one date": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "single", "dateRange": ["2031-01-01"]},
        "maintenance x: dateRange needs a start and an end",
    ),
    "a date that is none": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "single", "dateRange": ["2031-01-01", "2031-02-30 10:00"]},
        "maintenance x: dateRange has 2031-02-30 10:00, which is not like 2026-12-24 22:00",
    ),
    "no days": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "recurring-weekday", "timeRange": RANGE},
        "maintenance x: weekdays is missing",
    ),
    "no start": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "recurring-interval", "timeRange": RANGE},
        "maintenance x: dateRange needs a start, from which the days are counted",
    ),
    "no times": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "recurring-weekday", "weekdays": [1]},
        "maintenance x: timeRange needs a start and an end",
    ),
    "cron": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "cron", "cron": "daily", "durationMinutes": 5},
        "maintenance x: cron is not five words: daily",
    ),
    "time zone": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "manual", "timezone": "Mars/X"},
        "maintenance x: timezone: Mars/X is not a time zone such as Europe/Berlin",
    ),
    "monitor of a window": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "manual", "monitors": ["y"]},
        "maintenance x: unknown monitor y",
    ),
    "page of a window": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "manual", "status_pages": ["y"]},
        "maintenance x: unknown status page y",
    ),
    "slug": (
        "status_pages",
        {"slug": "Our Page", "title": "x"},
        "status page Our Page: a slug has small letters, digits and single hyphens between them",
    ),
    "theme": (
        "status_pages",
        {"slug": "x", "title": "x", "theme": "pink"},
        "status page x: theme is auto, light or dark, not pink",
    ),
    "monitor on a page": (
        "status_pages",
        {"slug": "x", "title": "x", "groups": [{"name": "G", "monitors": ["y"]}]},
        "status page x: unknown monitor y",
    ),
    "incident": (
        "status_pages",
        {"slug": "x", "title": "x", "incident": {"title": "y"}},
        "status page x, incident: content is missing",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_mistake_in_another_object_has_its_sentence(case: str) -> None:
    kind, each, sentence = OTHERS[case]
    assert found(**{kind: [each]}) == [sentence]


@pytest.mark.parametrize(
    "name, value, start",
    [
        ("disableAuth", True, "settings: disableAuth cannot be set here"),
        ("serverTimezone", "Mars/X", "settings: serverTimezone: Mars/X is not a time zone"),
    ],
)
def test_a_setting_that_does_harm_is_refused(name: str, value: Any, start: str) -> None:
    (sentence,) = found(settings={name: value})
    assert sentence.startswith(start)


def test_a_domain_name_belongs_to_one_page() -> None:
    pages = [{"slug": slug, "title": "x", "domainNameList": ["up.example.com"]} for slug in ("a", "b")]
    assert found(status_pages=pages) == ["status_pages: 2 have the domain name up.example.com"]


def test_all_mistakes_come_at_once() -> None:
    assert len(found(monitors=[{"key": "x", "name": "x", "type": "http", "interval": 5}], tags=[{"name": "y"}])) == 3
