"""All that Uptime Kuma shall hold: settings, windows of maintenance, status pages; and that its module takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from module_options import taken

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.options import ARGUMENT_SPEC, mistakes, secrets
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.service import UPTIME_KUMA

MakeContext = Callable[..., Context]
MakeObjects = Callable[..., dict[str, Any]]
SHOP: dict[str, Any] = {
    "name": "shop",
    "url": "https://shop.example.com/",
    "health": {"basic": "/health/", "detailed": "/d/", "components": ["database"]},
    "jobs": [{"name": "backup", "every": "1d"}],
}
BLOG: dict[str, Any] = {"name": "blog", "url": "https://blog.example.com/"}
WORKER: dict[str, Any] = {"name": "worker", "tcp": {"queue": "127.0.0.1:5672"}}
IDLE: dict[str, Any] = {"name": "idle", "metrics": [":8000"]}
APPS = [SHOP, BLOG, WORKER, IDLE]
LOOKING_AT_SHOP = ["shop/website", "shop/health", "shop/component/database"]


@pytest.fixture
def made(context: MakeContext) -> MakeObjects:
    """The objects of a declaration."""

    service_objects = UPTIME_KUMA.objects
    assert service_objects

    def make(**declared: Any) -> dict[str, Any]:
        return service_objects(context(declared, secrets={"uptime_kuma_push_key": "a-push-key"}))

    return make


def test_settings_are_the_declared_ones_in_kumas_words(made: MakeObjects) -> None:
    urls = {"uptime_kuma": "https://status.example.com/"}
    assert made(timezone="Europe/Berlin", domain="example.com", uptime_kuma_keep_days=30, external_urls=urls)[
        "settings"
    ] == {
        "serverTimezone": "Europe/Berlin",
        "keepDataPeriodDays": 30,
        "primaryBaseURL": "https://status.example.com",
        "trustProxy": True,
        "checkUpdate": False,
        "searchEngineIndex": False,
    }
    default = made()["settings"]
    assert (default["primaryBaseURL"], default["keepDataPeriodDays"]) == ("http://127.0.0.1:3001", 180)
    assert default["trustProxy"] is False


def test_the_key_for_metrics_lies_where_prometheus_may_read_it(made: MakeObjects) -> None:
    assert made()["metrics_key"] == {
        "path": "/var/lib/crowsnest/prometheus_keys/uptime_kuma",
        "owner": 21090,
        "reader": {"url": "http://127.0.0.1:9090", "container": "crowsnest-prometheus-1"},
    }


# --- windows of maintenance ---

NIGHT = {"start": "02:00", "end": "03:30"}
NIGHTLY = {"timeRange": [{"hours": 2, "minutes": 0}, {"hours": 3, "minutes": 30}]}
# name: (declared, Kuma's strategy and its fields). Kuma counts Monday as 1 and Sunday as 0.
WINDOWS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "once": (
        {"start": "2026-12-31 23:00", "end": "2027-01-01 02:00"},
        {"strategy": "single", "dateRange": ["2026-12-31 23:00:00", "2027-01-01 02:00:00"]},
    ),
    "with a T": (
        {"start": "2026-12-01T02:00", "end": "2026-12-01T03:00"},
        {"strategy": "single", "dateRange": ["2026-12-01 02:00:00", "2026-12-01 03:00:00"]},
    ),
    "a weekday": (
        {**NIGHT, "weekdays": "sunday"},
        {"strategy": "recurring-weekday", "weekdays": [0], **NIGHTLY},
    ),
    "weekdays": (
        {**NIGHT, "weekdays": "monday:friday"},
        {"strategy": "recurring-weekday", "weekdays": [1, 2, 3, 4, 5], **NIGHTLY},
    ),
    "over the week's end": (
        {**NIGHT, "weekdays": "saturday:monday"},
        {"strategy": "recurring-weekday", "weekdays": [0, 1, 6], **NIGHTLY},
    ),
    "days of the month": (
        {**NIGHT, "days_of_month": [15, 1]},
        {"strategy": "recurring-day-of-month", "daysOfMonth": [1, 15], **NIGHTLY},
    ),
    # Kuma's own strategy for each day counts from a first one, which nobody declares.
    "daily": (NIGHT, {"strategy": "recurring-weekday", "weekdays": [0, 1, 2, 3, 4, 5, 6], **NIGHTLY}),
    "to the last minute": (
        {"start": "00:00", "end": "23:59"},
        {
            "strategy": "recurring-weekday",
            "weekdays": [0, 1, 2, 3, 4, 5, 6],
            "timeRange": [{"hours": 0, "minutes": 0}, {"hours": 23, "minutes": 59}],
        },
    ),
    # Kuma takes an end before the start as one of the next day.
    "over midnight": (
        {"start": "23:30", "end": "01:15", "weekdays": "saturday"},
        {
            "strategy": "recurring-weekday",
            "weekdays": [6],
            "timeRange": [{"hours": 23, "minutes": 30}, {"hours": 1, "minutes": 15}],
        },
    ),
    "to midnight": (
        {"start": "22:00", "end": "00:00"},
        {
            "strategy": "recurring-weekday",
            "weekdays": [0, 1, 2, 3, 4, 5, 6],
            "timeRange": [{"hours": 22, "minutes": 0}, {"hours": 0, "minutes": 0}],
        },
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_has_kumas_strategy_in_the_declared_time_zone(made: MakeObjects, name: str) -> None:
    declared, when = WINDOWS[name]
    window = {"title": "Upgrade", "description": "Of the *database*.", **declared}
    assert made(apps=[BLOG], timezone="Europe/Berlin", maintenance=[window])["maintenances"] == [
        {
            "key": "Upgrade",
            "title": "Upgrade",
            "description": "Of the *database*.",
            "timezone": "Europe/Berlin",
            **when,
            "monitors": ["blog/website"],
            "status_pages": ["status"],
        }
    ]


OWN = [
    {"name": "Network", "type": "group", "group": "shop"},
    {"name": "Router", "type": "ping", "hostname": "10.0.0.1", "group": "Network"},
    {"name": "Gate", "type": "ping", "hostname": "10.0.0.2", "group": "shop"},
    {"name": "Queue", "type": "push", "group": "worker"},
]
# Apps of a window: the monitors that it is about. None is a group, waits for reports or watches the alerting path.
WHOSE: dict[tuple[str, ...], list[str]] = {
    (): [
        *LOOKING_AT_SHOP,
        *("blog/website", "worker/tcp/queue"),
        *("crowsnest/extra/Router", "crowsnest/extra/Gate"),
    ],
    ("shop",): [*LOOKING_AT_SHOP, "crowsnest/extra/Router", "crowsnest/extra/Gate"],
    ("worker", "blog"): ["blog/website", "worker/tcp/queue"],
    ("idle",): [],
}


@pytest.mark.parametrize("apps", WHOSE, ids=str)
def test_a_window_is_about_the_monitors_of_its_apps_or_about_all(made: MakeObjects, apps: tuple[str, ...]) -> None:
    window = {"title": "Upgrade", **NIGHT, "apps": list(apps)}
    found = made(apps=APPS, monitors=OWN, maintenance=[window])["maintenances"][0]
    assert (found["monitors"], found["status_pages"]) == (WHOSE[apps], ["status"])


# --- status pages ---

PAGE = {
    "slug": "status",
    "title": "Status",
    "description": None,
    "footerText": None,
    "theme": "auto",
    "domainNameList": [],
    "showCertificateExpiry": False,
    "showPoweredBy": False,
    "incident": None,
}


def test_the_page_that_nobody_declared_shows_what_people_see_of_each_app(made: MakeObjects) -> None:
    groups = [
        {"name": "shop", "monitors": ["shop/website", "shop/health"]},
        {"name": "blog", "monitors": ["blog/website"]},
    ]
    assert made(apps=APPS)["status_pages"] == [{**PAGE, "groups": groups}]


@pytest.mark.parametrize("apps", [[], [WORKER], [IDLE]], ids=str)
def test_a_page_that_would_be_empty_is_not_made(made: MakeObjects, apps: list[dict[str, Any]]) -> None:
    assert made(apps=apps)["status_pages"] == []


def test_no_page_is_made_when_none_is_wanted(made: MakeObjects) -> None:
    assert made(apps=APPS, status_pages=[])["status_pages"] == []


def test_a_declared_page_shows_what_it_says_in_its_order(made: MakeObjects) -> None:
    page = {
        "slug": "public",
        "title": "Our services",
        "description": "What runs.",
        "footer": "Call us.",
        "theme": "dark",
        "domains": ["status.example.com"],
        "certificates": True,
        "groups": [
            {"name": "Inside", "monitors": ["Router", "shop: database"]},
            {"name": "Whole apps", "monitors": ["blog", "worker: queue port"]},
        ],
        "incident": {"title": "Slow", "content": "We are on it."},
    }
    found = made(apps=APPS, monitors=OWN, status_pages=[page, {"slug": "empty", "title": "Empty", "groups": []}])
    assert found["status_pages"] == [
        {
            **PAGE,
            "slug": "public",
            "title": "Our services",
            "description": "What runs.",
            "footerText": "Call us.",
            "theme": "dark",
            "domainNameList": ["status.example.com"],
            "showCertificateExpiry": True,
            "groups": [
                {"name": "Inside", "monitors": ["crowsnest/extra/Router", "shop/component/database"]},
                {"name": "Whole apps", "monitors": ["blog", "worker/tcp/queue"]},
            ],
            "incident": {"title": "Slow", "content": "We are on it.", "style": "warning"},
        },
        {**PAGE, "slug": "empty", "title": "Empty", "groups": []},
    ]


# --- the contract with the module `uptime_kuma` ---

# Options that the library asks of a notification: notification_provider_options of uptime_kuma_api.
PROVIDERS = {
    "slack": {"slackwebhookURL"},
    "discord": {"discordWebhookUrl"},
    "webhook": {"webhookURL", "webhookContentType"},
    "smtp": {"smtpHost", "smtpPort", "smtpFrom"},
}
ADDRESS = {"url": "https://api.example.com/"}
EVERYTHING: dict[str, Any] = {
    "apps": APPS,
    "receivers": [
        {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/hush-slack"},
        {"type": "discord", "webhook_url": "https://discord.com/api/webhooks/1/hush-discord"},
        {"type": "webhook", "url": "https://example.com/hush-webhook"},
        {
            "type": "email",
            "to": ["a@example.com"],
            "sender": "a@example.com",
            "smarthost": "smtp.example.com:587",
            "username": "mailer",
            "password": "hush-email",
        },
        {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall"},
    ],
    "monitors": [
        *OWN,
        {"name": "API (old)", "type": "http", **ADDRESS, "username": "a", "password": "hush-password"},
        {
            "name": "Page",
            "type": "keyword",
            **ADDRESS,
            "keyword": "Welcome",
            "headers": {"Authorization": "hush-header"},
        },
        {
            "name": "Depth",
            "type": "json-query",
            **ADDRESS,
            "query": "depth",
            "expected": "0",
            "notifications": ["slack"],
        },
        {"name": "Port", "type": "port", "address": "127.0.0.1:22"},
        {"name": "Name", "type": "dns", "hostname": "example.com", "tags": {"team": "net"}},
        {"name": "DB", "type": "docker", "container": "shop-db-1", "engine": "tcp://127.0.0.1:2375"},
    ],
    "maintenance": [{"title": name, **declared} for name, (declared, _) in WINDOWS.items()],
    "status_pages": [
        {"slug": "all", "title": "All", "domains": ["status.example.com"], "incident": {"title": "a", "content": "b"}},
        {"slug": "some", "title": "Some", "groups": [{"name": "Own", "monitors": ["API (old)"]}]},
    ],
}


def test_the_module_finds_no_mistake_in_what_it_is_given(made: MakeObjects) -> None:
    for declared in (made(**EVERYTHING), made()):
        options = taken(ARGUMENT_SPEC, {**declared, "password": "hush-account"})
        assert mistakes(options, PROVIDERS) == []


def test_the_module_masks_every_secret_it_is_given(made: MakeObjects) -> None:
    given = made(**EVERYTHING)
    masked = secrets({**given, "password": "hush-account"})
    tokens = [each["pushToken"] for each in given["monitors"] if "pushToken" in each]
    assert len(tokens) == 4
    text = json.dumps(given)
    hidden = ["hush-slack", "hush-discord", "hush-webhook", "hush-email", "hush-password", "hush-header", *tokens]
    for secret in hidden:
        assert secret in text
        assert any(secret in each for each in masked), secret


# (declared): the title of the page
TITLES: list[tuple[dict[str, Any], str]] = [
    ({}, "Status"),
    ({"language": "ko"}, "서비스 상태"),
    ({"language": "ko", "status_pages": [{"slug": "status", "title": "Status"}]}, "Status"),
]


@pytest.mark.parametrize(("declared", "title"), TITLES)
def test_the_page_that_nobody_declared_is_in_the_declared_language(
    made: MakeObjects, declared: dict[str, Any], title: str
) -> None:
    pages = made(apps=[BLOG], **declared)["status_pages"]
    assert [(page["slug"], page["title"]) for page in pages] == [("status", title)]
