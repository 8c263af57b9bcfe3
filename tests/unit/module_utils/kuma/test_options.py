"""Each mistake in what is declared for Uptime Kuma has its sentence, and all come at once."""

from __future__ import annotations

from typing import Any

import pytest
from module_options import refusals, taken

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import MONITOR, NEEDED
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.options import ARGUMENT_SPEC, mistakes, secrets

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


def options(**more: Any) -> dict[str, Any]:
    """The good declaration with more of some kinds, as options of the module."""
    lists = {name: [*WELL[name], *more.get(name, [])] for name in WELL if name != "settings"}
    settings = {**WELL["settings"], **more.get("settings", {})}
    return {"url": "http://127.0.0.1:3001", "password": "a-password", **lists, "settings": settings}


def found(**more: Any) -> list[str]:
    """The mistakes that the shape of the options does not tell."""
    return mistakes(taken(ARGUMENT_SPEC, options(**more)), PROVIDERS)


def test_a_good_declaration_has_no_mistake() -> None:
    assert found() == []


# Of a monitor "x", and the sentence about it.
MONITORS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": "", "type": "push"}, "monitors[4] (x).name: is missing"),
    "a name that is null": ({"name": None, "type": "push"}, "monitors[4] (x).name: is missing"),
    "the same name": ({"name": "shop: website", "type": "push"}, "monitors: 2 have the name shop: website"),
    "the same key": ({"key": "shop", "type": "push"}, "monitors: 2 have the key shop"),
    "a key with a bracket": (
        {"key": "x)", "type": "push"},
        "monitors[4] (x)).key: x) is not a text without brackets and line breaks",
    ),
    "interval 0": ({"type": "push", "interval": 0}, "monitors[4] (x).interval: 0 is not between 1 and 2073600"),
    "retry interval": (
        {"type": "push", "retryInterval": "0"},
        "monitors[4] (x).retryInterval: 0 is not between 1 and 2073600",
    ),
    "a port": (
        {"type": "port", "hostname": "h", "port": 70000},
        "monitors[4] (x).port: 70000 is not between 1 and 65535",
    ),
    "no address": ({"type": "http"}, "monitors[4] (x).url: is missing, which the type http needs"),
    "an empty address": ({"type": "http", "url": ""}, "monitors[4] (x).url: is missing, which the type http needs"),
    "no keyword": (
        {"type": "keyword", "url": "http://x"},
        "monitors[4] (x).keyword: is missing, which the type keyword needs",
    ),
    "an unknown group": (
        {"type": "push", "group": "nope"},
        "monitors[4] (x).group: there is no group nope, declared are: shop",
    ),
    "a monitor is not a group": (
        {"type": "push", "group": "shop/website"},
        "monitors[4] (x).group: there is no group shop/website, declared are: shop",
    ),
    "inside itself": ({"type": "group", "group": "x"}, "monitors (x).group: it contains itself: x in x"),
    "an unknown notification": (
        {"type": "push", "notifications": ["y"]},
        "monitors[4] (x).notifications: there is no notification y, declared are: ops",
    ),
    "an unknown docker host": (
        {"type": "docker", "docker_container": "c", "docker_host": "far"},
        "monitors[4] (x).docker_host: there is no docker host far, declared are: local",
    ),
    "a status code": (
        {"type": "push", "accepted_statuscodes": ["2xx"]},
        "monitors[4] (x).accepted_statuscodes: 2xx is not like 404 or like 200-299",
    ),
    "our tag": (
        {"type": "push", "tags": [{"name": "crowsnest", "value": "y"}]},
        "monitors[4] (x).tags: crowsnest is the tag that marks this module's own monitors",
    ),
    "a tag without a name": (
        {"type": "push", "tags": [{"name": "", "value": "y"}]},
        "monitors[4] (x).tags[0].name: is missing",
    ),
}


@pytest.mark.parametrize("case", MONITORS)
def test_a_mistake_in_a_monitor_has_its_sentence(case: str) -> None:
    monitor, sentence = MONITORS[case]
    assert found(monitors=[{"key": "x", "name": "x", **monitor}]) == [sentence]


# What Ansible refuses by the argument spec: option -> (an object of another shape, parts of what it says).
SHAPES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "no key": ("monitors", {"name": "x", "type": "push"}, ("missing required arguments: key", "monitors")),
    "no type": ("monitors", {"key": "x", "name": "x"}, ("missing required arguments: type", "monitors")),
    "an unknown type": ("monitors", {"type": "htp"}, ("value of type must be one of: dns, docker, ", "monitors")),
    "an unknown field": ("monitors", {"intervall": 60}, ("monitors.intervall", "accepted_statuscodes, active, ")),
    "not a number": ("monitors", {"interval": "often"}, ("'interval'", "monitors", "int")),
    "tags as texts": ("monitors", {"tags": ["app"]}, ("'tags'", "dict")),
    "headers as text": ("monitors", {"headers": "A: b"}, ("'headers'", "monitors", "dict")),
    "a strategy": (
        "maintenances",
        {"key": "x", "title": "x", "strategy": "odd"},
        ("value of strategy must be one of: manual, single, recurring-interval, ", "maintenances"),
    ),
    "a theme": (
        "status_pages",
        {"slug": "x", "title": "x", "theme": "pink"},
        ("value of theme must be one of: auto, light, dark, None, got: pink", "status_pages"),
    ),
    "an incident": (
        "status_pages",
        {"slug": "x", "title": "x", "incident": {"title": "y"}},
        ("missing required arguments: content found in status_pages -> incident",),
    ),
    "a docker host": (
        "docker_hosts",
        {"name": "x", "dockerType": "ssh"},
        ("value of dockerType must be one of: socket, tcp, None, got: ssh found in docker_hosts",),
    ),
    "a tag": ("tags", {"name": "x"}, ("missing required arguments: color found in tags",)),
}


@pytest.mark.parametrize("case", SHAPES)
def test_another_shape_is_refused_with_the_option_and_what_is_allowed(case: str) -> None:
    option, row, parts = SHAPES[case]
    whole = {"key": "x", "name": "x", "type": "push", **row} if option == "monitors" and "no " not in case else row
    message = " ".join(refusals(ARGUMENT_SPEC, options(**{option: [whole]})))
    assert [part for part in parts if part not in message] == [], message


def test_what_is_not_declared_is_not_there() -> None:
    (monitor,) = taken(ARGUMENT_SPEC, {**options(), "monitors": [{"key": "x", "name": "x", "type": "push"}]})[
        "monitors"
    ]
    assert monitor == {"key": "x", "name": "x", "type": "push"}


def test_null_says_nothing_wherever_it_stands() -> None:
    needed: dict[str, dict[str, Any]] = {
        "monitors": {"key": "x", "name": "x", "type": "group"},
        "maintenances": {"key": "x", "title": "x", "strategy": "manual"},
        "status_pages": {"slug": "x", "title": "x"},
        "docker_hosts": {"name": "x"},
    }
    rows = {option: [{**dict.fromkeys(ARGUMENT_SPEC[option]["options"]), **row}] for option, row in needed.items()}
    result = taken(ARGUMENT_SPEC, {**options(), **rows})
    assert {option: result[option] for option in needed} == {option: [row] for option, row in needed.items()}


def test_what_has_no_fixed_shape_stays_as_it_is() -> None:
    free = {"key": "x", "name": "x", "type": "slack", "slackwebhookURL": "u", "channel": None, "retries": 5, "on": True}
    given = {**options(), "notifications": [free], "settings": {"entryPage": None, "keepDataPeriodDays": 5}}
    headers = {"A": 1, "B": None}
    given["monitors"] = [{"key": "x", "name": "x", "type": "http", "url": "u", "headers": headers}]
    result = taken(ARGUMENT_SPEC, given)
    assert (result["notifications"], result["settings"]) == ([free], given["settings"])
    assert result["monitors"][0]["headers"] == headers


def test_every_secret_field_is_kept_out_of_logs_and_results() -> None:
    fields = {
        name: {"x": f"hush-{name}"} if name == "headers" else f"hush-{name}" for name in MONITOR if MONITOR[name].secret
    }
    fields["kafkaProducerSaslOptions"] = {"mechanism": "plain", "password": "hush-kafkaProducerSaslOptions"}
    monitor = {"key": "x", "name": "x", "type": "http", "url": "https://a.example.com?token=1", **fields}
    masked = secrets(taken(ARGUMENT_SPEC, options(monitors=[monitor])))
    assert masked == {*(f"hush-{name}" for name in fields), "a-password", "https://hooks.example/x"}
    spec = ARGUMENT_SPEC["monitors"]["options"]
    assert {name for name, option in spec.items() if option.get("no_log")} == {*fields, "url"}


def test_a_longer_circle_of_groups_is_found() -> None:
    circle = [{"key": key, "name": key, "type": "group", "group": outer} for key, outer in ("pq", "qr", "rp")]
    ways = ("p in q in r in p", "q in r in p in q", "r in p in q in r")
    assert found(monitors=circle) == [f"monitors ({way[0]}).group: it contains itself: {way}" for way in ways]


def test_every_type_can_do_without_what_it_does_not_need() -> None:
    for kind, needed in NEEDED.items():
        values = {
            name: {"port": 80, "docker_host": "local", "kafkaProducerBrokers": ["b"]}.get(name, "x") for name in needed
        }
        assert found(monitors=[{"key": "x", "name": "x", "type": kind, **values}]) == [], kind


RANGE = [{"hours": 2, "minutes": 0}, {"hours": 3, "minutes": 0}]
# name of the case -> (option, an object with a mistake, the sentence about it)
OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a notification without a name": (
        "notifications",
        {"key": "x", "type": "slack", "slackwebhookURL": "u"},
        "notifications[1] (x).name: is missing",
    ),
    "type of a notification": (
        "notifications",
        {"key": "x", "name": "x", "type": "pigeon"},
        "notifications[1] (x).type: pigeon is not one of slack, webhook",
    ),
    "option of a notification": (
        "notifications",
        {"key": "x", "name": "x", "type": "webhook"},
        "notifications[1] (x).webhookURL: is missing, which the type webhook needs",
    ),
    "key of a notification twice": (
        "notifications",
        {"key": "ops", "name": "x", "type": "webhook", "webhookURL": "y"},
        "notifications: 2 have the key ops",
    ),
    "one date": (
        "maintenances",
        {"strategy": "single", "dateRange": ["2031-01-01"]},
        "maintenances[1] (x).dateRange: needs a start and an end",
    ),
    "an open end": (
        "maintenances",
        {"strategy": "single", "dateRange": ["2031-01-01", None]},
        "maintenances[1] (x).dateRange: needs a start and an end",
    ),
    "a date that is none": (
        "maintenances",
        {"strategy": "single", "dateRange": ["2031-01-01", "2031-02-30 10:00"]},
        "maintenances[1] (x).dateRange: 2031-02-30 10:00 is not like 2026-12-24 22:00",
    ),
    "no days": (
        "maintenances",
        {"strategy": "recurring-weekday", "timeRange": RANGE},
        "maintenances[1] (x).weekdays: is missing, which recurring-weekday needs",
    ),
    "no days of the month": (
        "maintenances",
        {"strategy": "recurring-day-of-month", "timeRange": RANGE},
        "maintenances[1] (x).daysOfMonth: is missing, which recurring-day-of-month needs",
    ),
    "no start": (
        "maintenances",
        {"strategy": "recurring-interval", "timeRange": RANGE},
        "maintenances[1] (x).dateRange: needs a start, from which the days are counted",
    ),
    "no times": (
        "maintenances",
        {"strategy": "recurring-weekday", "weekdays": [1]},
        "maintenances[1] (x).timeRange: needs a start and an end",
    ),
    "cron": (
        "maintenances",
        {"strategy": "cron", "cron": "daily", "durationMinutes": 5},
        "maintenances[1] (x).cron: 'daily' does not have five fields",
    ),
    "no cron": (
        "maintenances",
        {"strategy": "cron", "durationMinutes": 5},
        "maintenances[1] (x).cron: '' does not have five fields",
    ),
    "time zone": (
        "maintenances",
        {"strategy": "manual", "timezone": "Mars/X"},
        "maintenances[1] (x).timezone: Mars/X is not a time zone such as Europe/Berlin",
    ),
    "monitor of a window": (
        "maintenances",
        {"strategy": "manual", "monitors": ["y"]},
        "maintenances[1] (x).monitors: there is no monitor y, declared are: shop, shop/website, c, d",
    ),
    "page of a window": (
        "maintenances",
        {"strategy": "manual", "status_pages": ["y"]},
        "maintenances[1] (x).status_pages: there is no status page y, declared are: status",
    ),
    "slug": (
        "status_pages",
        {"slug": "Our Page"},
        "status_pages[1] (Our Page).slug: Our Page is not made of lower-case letters, digits and single hyphens",
    ),
    "a picture": (
        "status_pages",
        {"icon": "data:image/png;base64,AAAA"},
        "status_pages[1] (x).icon: must be an address; Kuma stores an image under a name of its own",
    ),
    "our mark": (
        "status_pages",
        {"customCSS": "/* crowsnest */ a {}"},
        "status_pages[1] (x).customCSS: starts with the mark that this module writes itself",
    ),
    "monitor on a page": (
        "status_pages",
        {"groups": [{"name": "G", "monitors": ["y"]}]},
        "status_pages[1] (x).groups[0] (G).monitors: there is no monitor y, declared are: shop, shop/website, c, d",
    ),
    "incident": (
        "status_pages",
        {"incident": {"title": "y", "content": ""}},
        "status_pages[1] (x).incident.content: is missing",
    ),
}
REST = {"maintenances": {"key": "x", "title": "x"}, "status_pages": {"slug": "x", "title": "x"}}


@pytest.mark.parametrize("case", OTHERS)
def test_a_mistake_in_another_object_has_its_sentence(case: str) -> None:
    option, row, sentence = OTHERS[case]
    assert found(**{option: [{**REST.get(option, {}), **row}]}) == [sentence]


@pytest.mark.parametrize(
    "name, value, start",
    [
        ("disableAuth", True, "settings.disableAuth: cannot be set here"),
        ("serverTimezone", "Mars/X", "settings.serverTimezone: Mars/X is not a time zone"),
    ],
)
def test_a_setting_that_does_harm_is_refused(name: str, value: Any, start: str) -> None:
    (sentence,) = found(settings={name: value})
    assert sentence.startswith(start)


def test_a_domain_name_belongs_to_one_page() -> None:
    pages = [{"slug": slug, "title": "x", "domainNameList": ["up.example.com"]} for slug in ("a", "b")]
    assert found(status_pages=pages) == ["status_pages: 2 have the domain name up.example.com"]


def test_all_mistakes_come_at_once() -> None:
    wrong = {"key": "x", "name": "x", "type": "http", "interval": 0}
    assert len(found(monitors=[wrong], tags=[{"name": "y", "color": ""}])) == 3
