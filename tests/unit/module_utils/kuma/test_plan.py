"""What has to change in Uptime Kuma: declared objects against those that it has, as values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.kuma import plan as kuma_plan
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import MONITOR, STATUS_PAGE
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import (
    NOTHING,
    Live,
    commented,
    described,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import found_things, wanted_things
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.diff import texts

EMPTY: dict[str, Any] = {
    "settings": {},
    **{name: [] for name in ("notifications", "docker_hosts", "tags", "monitors", "maintenances", "status_pages")},
}
SITE = {"key": "shop/website", "name": "shop: website", "type": "http", "url": "https://shop.example.com"}
SLACK: dict[str, Any] = {
    "key": "ops",
    "name": "Ops",
    "type": "slack",
    "slackwebhookURL": "https://hooks.example/SECRET",
}

LIVE_SLACK: dict[str, Any] = {name: value for name, value in SLACK.items() if name != "key"}
LIVE_SLACK |= {"id": 7, "userId": 1, "active": True, "isDefault": False, "crowsnest": "ops"}


def live_monitor(number: int, key: str = "", **fields: Any) -> dict[str, Any]:
    """A monitor as Kuma 2.5 describes it, by default one of ours with nothing special."""
    return {
        **{name: field.default for name, field in MONITOR.items()},
        "id": number,
        "name": SITE["name"],
        "type": "http",
        "url": SITE["url"],
        "description": described(key, None) if key else None,
        "parent": None,
        "docker_host": None,
        "notificationIDList": [],
        "tags": [{"name": "crowsnest", "value": key, "tag_id": 1}] if key else [],
        "active": True,
        "forceInactive": False,
        **fields,
    }


def live_page(slug: str, **fields: Any) -> dict[str, Any]:
    table = {name: field.default for name, field in STATUS_PAGE.items()}
    page = {**table, "id": 1, "slug": slug, "title": slug, "customCSS": "/* crowsnest */"}
    return {**page, "publicGroupList": [], "incidents": [], **fields}


def live_window(number: int, key: str, **fields: Any) -> dict[str, Any]:
    window = {"id": number, "title": key, "description": commented(key, None), "strategy": "manual", "active": True}
    return {**window, "monitors": [], "statusPages": [], "timezoneOption": "UTC", **fields}


def live(**lists: Any) -> Live:
    return NOTHING._replace(version=(2, 5), tags=[{"id": 1, "name": "crowsnest", "color": "#000000"}], **lists)


def changes(declared: dict[str, Any], there: Live, **more: bool) -> list[str]:
    """The changes as text, of the kinds that the case is about."""
    planned = kuma_plan.plan(
        wanted_things({**EMPTY, **declared}), found_things(there), more.pop("restarts", False), **more
    )
    return [str(each) for each in planned]


# name of the case -> (more of the declared monitor, more of the one in Kuma, what changes)
MONITORS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the same": ({}, {}, ""),
    "another interval": ({"interval": 30}, {"interval": 60}, "interval 60 → 30"),
    "a default is put right": ({}, {"interval": 300}, "interval 300 → 60"),
    "numbers as text": ({"interval": "30", "maxretries": "2"}, {"interval": 30, "maxretries": 2}, ""),
    "whole numbers with a point": ({"timeout": 48.0}, {"timeout": 48}, ""),
    "flags as numbers": ({"upsideDown": 1, "ignoreTls": 0}, {"upsideDown": True, "ignoreTls": False}, ""),
    "flags of Kuma as numbers": ({"expiryNotification": True}, {"expiryNotification": 1}, ""),
    "null, empty and missing": ({"keyword": None, "body": ""}, {"keyword": "", "body": None, "headers": ""}, ""),
    "null instead of a default": ({}, {"httpBodyEncoding": None, "oauth_auth_method": None, "authMethod": ""}, ""),
    "status codes in another order": (
        {"accepted_statuscodes": ["301", 200]},
        {"accepted_statuscodes": ["200", "301"]},
        "",
    ),
    "status codes shrink": (
        {"accepted_statuscodes": ["200"]},
        {"accepted_statuscodes": ["200", "301"]},
        "accepted_statuscodes [200, 301] → [200]",
    ),
    "notifications shrink": ({}, {"notificationIDList": [7]}, "notifications [ops] → []"),
    "notifications grow": ({"notifications": ["ops"]}, {}, "notifications [] → [ops]"),
    "a notification made by hand is taken off": (
        {"notifications": ["ops"]},
        {"notificationIDList": [7, 8]},
        "notifications [Mine (made by hand, 8), ops] → [ops]",
    ),
    "a tag too many": (
        {},
        {"tags": [{"name": "crowsnest", "value": "shop/website"}, {"name": "x", "value": ""}]},
        'tags [["crowsnest", "shop/website"], ["x", ""]] → [["crowsnest", "shop/website"]]',
    ),
    "headers as JSON text": ({"headers": {"A": "b"}}, {"headers": '{\n "A": "b"}'}, ""),
    "a secret": (
        {"basic_auth_pass": "new"},
        {"basic_auth_pass": "old"},
        "basic_auth_pass (secret) → (secret, changed)",
    ),
    "a secret goes": ({}, {"basic_auth_pass": "old"}, "basic_auth_pass (secret) → null"),
    "a login in an address": (
        {"url": "https://u:SECRET@shop.example.com"},
        {"url": "https://u:OLD@shop.example.com"},
        "url https://(secret)@shop.example.com → https://(secret)@shop.example.com",
    ),
    "values of an address's query": (
        {"url": "https://shop.example.com/a?token=SECRET&page=2#top"},
        {"url": "https://u:OLD@shop.example.com/a?token=OLD"},
        "url https://(secret)@shop.example.com/a?token=(secret) → "
        "https://shop.example.com/a?token=(secret)&page=(secret)",
    ),
    "a query without values": (
        {"url": "https://shop.example.com/a?full"},
        {"url": "https://shop.example.com/a?full&x="},
        "url https://shop.example.com/a?full&x= → https://shop.example.com/a?full",
    ),
    "a token that is not declared stays": ({}, {"pushToken": "made by Kuma"}, ""),
    "a token that is declared": ({"pushToken": "mine"}, {"pushToken": "x"}, "pushToken (secret) → (secret, changed)"),
    "paused by hand": ({}, {"active": False}, "active false → true"),
    "paused as declared": ({"active": False}, {"active": False}, ""),
    "hidden behind a paused group": ({}, {"active": False, "forceInactive": True}, ""),
    "the mark was taken out of the description": (
        {},
        {"description": "mine"},
        "description mine (without the mark of crowsnest) → null",
    ),
    "a description": ({"description": "For all\n"}, {"description": described("shop/website", "For all")}, ""),
    "moved by hand into a group": ({}, {"parent": 9}, "group 9 → null"),
    "renamed by hand, found by its key": ({}, {"name": "mine"}, "name mine → shop: website"),
    "another type": (
        {"type": "json-query", "expectedValue": True},
        {"type": "http"},
        "type http → json-query, jsonPath null → $, expectedValue null → true, jsonPathOperator null → ==",
    ),
}


@pytest.mark.parametrize("case", MONITORS)
def test_a_monitor_is_compared_field_by_field(case: str) -> None:
    declared, found, expected = MONITORS[case]
    notifications = [LIVE_SLACK, {"id": 8, "name": "Mine", "type": "slack"}]
    there = live(monitors=[live_monitor(1, "shop/website", **found)], notifications=notifications)
    if case == "moved by hand into a group":
        there = there._replace(monitors=[*there.monitors, live_monitor(9, name="g", type="group")])
        expected = expected.replace("group 9", "group g (made by hand, 9)")
    found_changes = changes({"monitors": [{**SITE, **declared}], "notifications": [SLACK]}, there)
    assert found_changes == ([f"change monitor shop: website: {expected}"] if expected else [])


def test_fields_that_an_older_version_lacks_are_left_out() -> None:
    old = live_monitor(1, "shop/website")
    for name in [name for name, field in MONITOR.items() if field.since > (1, 23)]:
        del old[name]
    assert changes({"monitors": [SITE]}, live(monitors=[old])._replace(version=(1, 23))) == []


def test_a_field_that_this_version_does_not_know_is_a_mistake() -> None:
    wanted = wanted_things({**EMPTY, "monitors": [{**SITE, "saveResponse": True}, {**SITE, "key": "b", "name": "b"}]})
    assert kuma_plan.too_new(wanted, (2, 1, 0)) == []
    assert kuma_plan.too_new(wanted, (2, 0)) == ["monitor shop: website: saveResponse needs Uptime Kuma 2.1 or later"]


def test_a_json_query_says_its_operator_only_where_it_is_known() -> None:
    query = {**SITE, "type": "json-query", "expectedValue": "1", "jsonPathOperator": "=="}
    assert kuma_plan.too_new(wanted_things({**EMPTY, "monitors": [query]}), (1, 23)) == []


def test_a_renamed_monitor_is_the_same_one() -> None:
    there = live(monitors=[live_monitor(1, "shop/website")])
    assert changes({"monitors": [{**SITE, "name": "front"}]}, there) == [
        "change monitor front: name shop: website → front"
    ]


def test_what_was_made_by_hand_is_not_touched() -> None:
    by_hand = live(
        monitors=[live_monitor(5), live_monitor(6, description="Managed by hand")],
        notifications=[{"id": 1, "name": "Ops", "type": "slack", "slackwebhookURL": "x"}],
        docker_hosts=[{"id": 1, "name": "local", "dockerType": "socket", "dockerDaemon": "/x"}],
        status_pages=[{**live_page("mine"), "customCSS": ""}],
        maintenances=[{"id": 1, "title": "Mine", "description": "mine", "strategy": "manual"}],
    )
    assert changes({}, by_hand) == []
    assert changes({"monitors": [SITE]}, by_hand) == ["create monitor shop: website"]


def test_a_half_made_monitor_is_adopted() -> None:
    half = live_monitor(1, "shop/website", tags=[], active=False)
    assert changes({"monitors": [SITE]}, live(monitors=[half])) == [
        'change monitor shop: website: tags [] → [["crowsnest", "shop/website"]], active false → true'
    ]


def test_what_a_person_copied_from_ours_is_left_alone_and_named() -> None:
    there = live(monitors=[live_monitor(2, "shop/website", name="My copy"), live_monitor(1, "shop/website")])
    wanted = wanted_things({**EMPTY, "monitors": [SITE]})
    assert kuma_plan.plan(wanted, found_things(there), False) == []
    (sentence,) = kuma_plan.copies(wanted, found_things(there))
    assert sentence.startswith("The monitor My copy (number 2) was copied from shop: website")
    assert changes({}, there) == ["remove monitor shop: website", "remove monitor My copy"]


def test_what_is_no_longer_declared_is_removed_groups_last() -> None:
    there = live(
        monitors=[live_monitor(1, "shop", name="shop", type="group"), live_monitor(2, "shop/website", parent=1)],
        notifications=[LIVE_SLACK],
        docker_hosts=[{"id": 1, "name": "crowsnest: local", "dockerType": "socket", "dockerDaemon": "/x"}],
        status_pages=[live_page("status")],
        maintenances=[live_window(1, "night")],
    )
    assert changes({}, there) == [
        "remove maintenance night",
        "remove status page status",
        "remove monitor shop: website",
        "remove monitor shop",
        "remove docker host local",
        "remove notification Ops",
    ]


def test_a_child_moves_out_before_its_group_goes() -> None:
    there = live(monitors=[live_monitor(1, "old", name="old", type="group"), live_monitor(2, "shop/website", parent=1)])
    declared = [{**SITE, "group": "new"}, {"key": "new", "name": "new", "type": "group"}]
    assert changes({"monitors": declared}, there) == [
        "create monitor new",
        "change monitor shop: website: group old → new",
        "remove monitor old",
    ]


def test_outer_groups_come_first() -> None:
    inner = {"key": "inner", "name": "inner", "type": "group", "group": "outer"}
    outer = {"key": "outer", "name": "outer", "type": "group"}
    declared = [{**SITE, "group": "inner"}, inner, outer]
    assert changes({"monitors": declared}, live()) == [
        "create monitor outer",
        "create monitor inner",
        "create monitor shop: website",
    ]


def test_everything_is_written_in_the_order_of_its_references() -> None:
    declared = {
        "settings": {"keepDataPeriodDays": 30},
        "notifications": [SLACK],
        "docker_hosts": [{"name": "local"}],
        "monitors": [{**SITE, "tags": [{"name": "app", "value": "shop"}]}],
        "status_pages": [{"slug": "status", "title": "Status"}],
        "maintenances": [{"key": "night", "title": "Night", "strategy": "manual", "status_pages": ["status"]}],
    }
    assert changes(declared, NOTHING, restarts=True) == [
        "change settings: keepDataPeriodDays null → 30",
        "create notification Ops",
        "create docker host local",
        "create tag app",
        "create tag crowsnest",
        "restart container since Kuma reads tags as labels of /metrics only at its start",
        "create monitor shop: website",
        "create status page status",
        "create maintenance Night",
    ]


def test_a_restart_that_is_due_is_made_up_for() -> None:
    there = live(monitors=[live_monitor(1, "shop/website")])
    assert changes({"monitors": [SITE]}, there, restarts=True) == []
    (line,) = changes({"monitors": [SITE]}, there, restarts=True, restart_due=True)
    assert line.startswith("restart container")


TAG = {"id": 2, "name": "app", "color": "#111111"}


@pytest.mark.parametrize(
    "listed, expected",
    [([], []), (["#111111"], []), (["#222222"], ["change tag app: color #111111 → #222222"])],
    ids=["not listed", "the same", "another colour"],
)
def test_the_colour_of_a_tag_is_put_right_when_it_is_listed(listed: list[str], expected: list[str]) -> None:
    assert (
        changes({"tags": [{"name": "app", "color": colour} for colour in listed]}, live()._replace(tags=[TAG]))
        == expected
    )


NOTIFICATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the same": ({}, {}, ""),
    "numbers as text, false as nothing": ({"p": 5, "q": False}, {"p": "5", "isDefault": False}, ""),
    "an option more": ({}, {"slackchannel": "#x"}, "slackchannel (secret) → null"),
    "another option": (
        {"slackwebhookURL": "https://hooks.example/NEW"},
        {},
        "slackwebhookURL (secret) → (secret, changed)",
    ),
    "another name": ({"name": "Operators"}, {}, "name Ops → Operators"),
    "what an older Kuma keeps of applying": ({}, {"applyExisting": True}, ""),
}


@pytest.mark.parametrize("case", NOTIFICATIONS)
def test_a_notification_is_exactly_as_declared(case: str) -> None:
    declared, found, expected = NOTIFICATIONS[case]
    there = live(notifications=[{**LIVE_SLACK, **found}])
    found_changes = changes({"notifications": [{**SLACK, **declared}]}, there)
    name = declared.get("name", "Ops")
    assert found_changes == ([f"change notification {name}: {expected}"] if expected else [])


WINDOWS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "single, dates said otherwise": (
        {"strategy": "single", "dateRange": ["2031-01-01T10:00", "2031-01-01 12:00"], "timezone": "UTC"},
        {"strategy": "single", "dateRange": ["2031-01-01 10:00:00", "2031-01-01 12:00:00"], "durationMinutes": None},
        "",
    ),
    "what a strategy does not use": (
        {"strategy": "manual"},
        {"strategy": "manual", "cron": "1 2 * * *", "dateRange": [None], "weekdays": [1]},
        "",
    ),
    "weekdays in another order, seconds added": (
        {
            "strategy": "recurring-weekday",
            "weekdays": [6, 0],
            "timezone": "UTC",
            "timeRange": [{"hours": 2, "minutes": 0}, {"hours": 3, "minutes": 0}],
        },
        {
            "strategy": "recurring-weekday",
            "weekdays": [0, 6],
            "dateRange": [None],
            "cron": "0 2 * * 6,0",
            "timeRange": [{"hours": 2, "minutes": 0, "seconds": 0}, {"hours": 3, "minutes": 0, "seconds": 0}],
        },
        "",
    ),
    "monitors shrink": (
        {"strategy": "manual"},
        {"strategy": "manual", "monitors": [1]},
        "monitors [shop/website] → []",
    ),
    "pages grow": (
        {"strategy": "manual", "status_pages": ["status"]},
        {"strategy": "manual"},
        "status_pages [] → [status]",
    ),
    "switched off by hand": ({"strategy": "manual"}, {"strategy": "manual", "active": 0}, "active false → true"),
    "another strategy": (
        {"strategy": "cron", "cron": "0 4 * * *", "durationMinutes": 30, "timezone": "UTC"},
        {"strategy": "manual"},
        "strategy manual → cron, timezone null → UTC, cron null → 0 4 * * *, durationMinutes null → 30",
    ),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_a_maintenance_window_is_compared_by_what_its_strategy_uses(case: str) -> None:
    declared, found, expected = WINDOWS[case]
    page = {"slug": "status", "title": "status"}
    there = live(
        monitors=[live_monitor(1, "shop/website")],
        maintenances=[live_window(3, "night", **found)],
        status_pages=[live_page("status")],
    )
    window = {"key": "night", "title": "night", **declared}
    found_changes = changes({"monitors": [SITE], "maintenances": [window], "status_pages": [page]}, there)
    assert found_changes == ([f"change maintenance night: {expected}"] if expected else [])


def incident(**fields: Any) -> dict[str, Any]:
    return {"id": 1, "title": "Slow", "content": "We look\n\n<!-- crowsnest -->", "style": "primary", **fields}


SLOW = {"title": "Slow", "content": "We look"}
GROUPS = [{"name": "G", "monitorList": [{"id": 1, "sendUrl": 0}]}]
PAGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the same": (
        {"groups": [{"name": "G", "monitors": ["shop/website"]}], "incident": SLOW},
        {"publicGroupList": GROUPS, "incidents": [incident()]},
        "",
    ),
    "no groups any more": ({}, {"publicGroupList": GROUPS}, 'groups [["G", ["shop/website"]]] → []'),
    "domains in another order": ({"domainNameList": ["b", "a"]}, {"domainNameList": ["a", "b"]}, ""),
    "a domain goes": ({"domainNameList": ["a"]}, {"domainNameList": ["a", "b"]}, "domainNameList [a, b] → [a]"),
    "style sheet with a line end": ({"customCSS": "a {}\n"}, {"customCSS": "/* crowsnest */\na {}"}, ""),
    "an incident is over": (
        {"incident": None},
        {"incidents": [incident()]},
        'incident {"title": "Slow", "content": "We look", "style": "primary"} → null',
    ),
    "an incident of people stays": ({}, {"incidents": [incident(content="by hand")]}, ""),
    "the address shown by hand": (
        {"groups": [{"name": "G", "monitors": ["shop/website"]}]},
        {"publicGroupList": [{"name": "G", "monitorList": [{"id": 1, "sendUrl": 1}]}]},
        'groups [["G", ["shop/website (link)"]]] → [["G", ["shop/website"]]]',
    ),
    "half-made": (
        {},
        {"title": "crowsnest is making this page", "customCSS": None},
        "title crowsnest is making this page → status",
    ),
}


@pytest.mark.parametrize("case", PAGES)
def test_a_status_page_is_as_declared(case: str) -> None:
    declared, found, expected = PAGES[case]
    there = live(monitors=[live_monitor(1, "shop/website")], status_pages=[live_page("status", **found)])
    page = {"slug": "status", "title": "status", **declared}
    found_changes = changes({"monitors": [SITE], "status_pages": [page]}, there)
    assert found_changes == ([f"change status page status: {expected}"] if expected else [])


def test_the_order_on_a_status_page_counts() -> None:
    other = {**SITE, "key": "b", "name": "b"}
    there = live(
        monitors=[live_monitor(1, "shop/website"), live_monitor(2, "b", name="b")],
        status_pages=[live_page("status", publicGroupList=[{"name": "G", "monitorList": [{"id": 2}, {"id": 1}]}])],
    )
    page = {"slug": "status", "title": "status", "groups": [{"name": "G", "monitors": ["shop/website", "b"]}]}
    assert changes({"monitors": [SITE, other], "status_pages": [page]}, there) == [
        'change status page status: groups [["G", ["b", "shop/website"]]] → [["G", ["shop/website", "b"]]]'
    ]


def test_addresses_of_pages_made_by_hand_are_mistakes() -> None:
    by_hand = [{**live_page("mine", domainNameList=["up.example.com"]), "customCSS": None}]
    pages = [{"slug": "mine", "title": "x"}, {"slug": "ours", "title": "y", "domainNameList": ["up.example.com"]}]
    found = kuma_plan.taken(wanted_things({**EMPTY, "status_pages": pages}), by_hand)
    assert [sentence.split(":")[0] for sentence in found] == [
        "status page mine was made by hand; declare another slug, or remove that page",
        "status page ours",
    ]


def test_before_and_after_show_only_what_changes_and_no_secret() -> None:
    there = live(
        monitors=[live_monitor(1, "shop/website", interval=60, basic_auth_pass="SECRET-OLD", body="SECRET-BODY")],
        notifications=[LIVE_SLACK],
    )
    declared = {
        "monitors": [
            {**SITE, "interval": 30, "basic_auth_pass": "SECRET-NEW", "body": "SECRET-BODY"},
            {"key": "job", "name": "job", "type": "push", "pushToken": "SECRET-TOKEN"},
        ]
    }
    planned = kuma_plan.plan(wanted_things({**EMPTY, **declared}), found_things(there), False)
    text = texts(planned)
    assert text["before"] == (
        "monitor shop: website:\n"
        "  interval: 60\n"
        "  basic_auth_pass: (secret)\n"
        "notification Ops:\n"
        "  name: Ops\n"
        "  type: slack\n"
        "  slackwebhookURL: (secret)\n"
    )
    assert text["after"] == (
        "monitor shop: website:\n"
        "  interval: 30\n"
        "  basic_auth_pass: (secret, changed)\n"
        "monitor job:\n"
        "  name: job\n"
        "  type: push\n"
        '  tags: [["crowsnest", "job"]]\n'
        "  active: true\n"
        "  pushToken: (secret)\n"
    )
    assert "SECRET-" not in json.dumps([text, *map(str, planned)])
