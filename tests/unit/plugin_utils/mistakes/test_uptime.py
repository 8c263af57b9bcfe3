"""What monitors, windows and status pages say of each other, of apps and of receivers: each mistake as one line."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes

GROUPS = {"server": ["web1"], "monitored": ["web1"]}
APPS: list[dict[str, Any]] = [
    {"name": "shop", "url": "https://shop.example.com/", "tcp": {"database": "127.0.0.1:5432"}},
    {"name": "idle", "metrics": [":8000"]},
]
RECEIVERS = [
    {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x"},
    {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:oncall", "name": "phone"},
]
NIGHT = {"start": "02:00", "end": "03:00"}


def found(**declared: Any) -> list[str]:
    whole = {"apps": APPS, "receivers": RECEIVERS, **declared}
    return declaration_mistakes({f"crowsnest_{name}": value for name, value in whole.items()}, GROUPS, "")


def ping(name: str = "Office", **keys: Any) -> dict[str, Any]:
    return {"name": name, "type": "ping", "hostname": "10.0.0.1", **keys}


def group(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "type": "group", **keys}


def page(*monitors: str, **keys: Any) -> dict[str, Any]:
    return {"slug": "status", "title": "Status", "groups": [{"name": "All", "monitors": list(monitors)}], **keys}


RIGHT: list[dict[str, Any]] = [
    {"monitors": [ping(group="shop", notifications=["slack"]), ping("Other", tags={"team": "net"})]},
    {"monitors": [group("Net", group="shop"), group("Inner", group="Net"), ping(group="Inner")]},
    {"monitors": [ping(id="one"), ping("Two", id="two")]},
    {"monitors": [ping("shop 2"), ping("shopping: website"), ping("Our shop: website"), ping("The Alerting path")]},
    {"maintenance": [{"title": "Upgrade", **NIGHT, "apps": ["shop", "idle"]}, {"title": "Other", **NIGHT}]},
    {"status_pages": [page("shop: website", "shop: database port", "Office")], "monitors": [ping()]},
    {"status_pages": [page("shop: website"), page("shop: website", slug="other", domains=["a.example.com"])]},
]


@pytest.mark.parametrize("declared", RIGHT, ids=str)
def test_what_fits_together_is_taken(declared: dict[str, Any]) -> None:
    assert found(**declared) == []


MADE = (
    "names of apps, alone or before a colon, and 'Alerting path' and '알림 경로' are reserved for the monitors that "
    "crowsnest makes. Allowed: another name."
)
GROUP_KINDS = "Allowed (apps with something to watch, monitors of `type: group`)"
CIRCLE = "leads back to itself. Allowed: groups within groups, without a cycle."
# (declared, the lines)
LINES: list[tuple[dict[str, Any], list[str]]] = [
    # names and ids
    (
        {"monitors": [ping(), ping()]},
        [
            f"crowsnest_monitors[{index}] (Office).name: 'Office' is declared 2 times. Allowed: each name once."
            for index in (0, 1)
        ],
    ),
    (
        {"monitors": [ping("a", id="x"), ping("b", id="x")]},
        [
            f"crowsnest_monitors[{index}] ({name}).id: 'x' is declared 2 times. Allowed: each id once; without `id`, "
            f"the name is the id."
            for index, name in enumerate("ab")
        ],
    ),
    *(
        ({"monitors": [ping(name)]}, [f"crowsnest_monitors[0] ({name}).name: {MADE}"])
        for name in (
            *("shop", "shop: website", "shop: database port", "shop: of our own", "shop:x", "idle", "idle: website"),
            *("Alerting path", "Alerting path: mine", "Alerting path 2", "알림 경로: mine"),
        )
    ),
    (
        {"monitors": [ping(tags={"crowsnest": "a"})]},
        [
            "crowsnest_monitors[0] (Office).tags.crowsnest: is reserved for crowsnest's mark and for labels of "
            "metrics. Allowed: other tags."
        ],
    ),
    # groups
    (
        {"monitors": [ping(group="shp")]},
        [f"crowsnest_monitors[0] (Office).group: 'shp' is not a group. Did you mean `shop`? {GROUP_KINDS}: shop."],
    ),
    (
        {"monitors": [ping(group="idle")]},
        [f"crowsnest_monitors[0] (Office).group: 'idle' is not a group. {GROUP_KINDS}: shop."],
    ),
    (
        {"monitors": [ping(), ping("Other", group="Office")]},
        [f"crowsnest_monitors[1] (Other).group: 'Office' is not a group. {GROUP_KINDS}: shop."],
    ),
    (
        {"apps": [], "monitors": [ping(group="shop")]},
        [f"crowsnest_monitors[0] (Office).group: 'shop' is not a group. {GROUP_KINDS}: none yet."],
    ),
    ({"monitors": [group("a", group="a")]}, [f"crowsnest_monitors[0] (a).group: 'a' {CIRCLE}"]),
    (
        {"monitors": [group("a", group="b"), group("b", group="c"), group("c", group="a"), group("d", group="a")]},
        [
            f"crowsnest_monitors[{index}] ({name}).group: {above!r} {CIRCLE}"
            for index, (name, above) in enumerate(("ab", "bc", "ca"))
        ],
    ),
    # notifications
    (
        {"monitors": [ping(notifications=["slack", "slak"])]},
        [
            "crowsnest_monitors[0] (Office).notifications[1]: 'slak' is not a receiver. Did you mean `slack`? "
            "Allowed: slack, phone."
        ],
    ),
    (
        {"monitors": [ping(notifications=["phone"])]},
        ["crowsnest_monitors[0] (Office).notifications[0]: Uptime Kuma cannot notify 'phone', a receiver of type sns."],
    ),
    (
        {"receivers": [], "monitors": [ping(notifications=["slack"])]},
        ["crowsnest_monitors[0] (Office).notifications[0]: 'slack' is not a receiver. Allowed: none yet."],
    ),
    # windows of maintenance
    (
        {"maintenance": [{"title": "Upgrade", **NIGHT}, {"title": "Upgrade", **NIGHT}]},
        [
            f"crowsnest_maintenance[{index}] (Upgrade).title: 'Upgrade' is declared 2 times. Allowed: each title once."
            for index in (0, 1)
        ],
    ),
    (
        {"maintenance": [{"title": "Upgrade", **NIGHT, "apps": ["shop", "shp"]}]},
        ["crowsnest_maintenance[0] (Upgrade).apps[1]: 'shp' is not an app. Did you mean `shop`? Allowed: shop, idle."],
    ),
    # status pages
    (
        {"status_pages": [page("shop: website"), page("shop: website")]},
        [
            f"crowsnest_status_pages[{index}] (status).slug: 'status' is declared 2 times. Allowed: each slug once."
            for index in (0, 1)
        ],
    ),
    (
        {"status_pages": [page("shop", domains=["a.de"]), page("shop", slug="other", domains=["a.de"])]},
        [
            f"crowsnest_status_pages[{index}] ({slug}).domains: 'a.de' is declared 2 times. "
            "Allowed: each domain once, for one page."
            for index, slug in enumerate(("status", "other"))
        ],
    ),
    (
        {"status_pages": [page("shop: website", "shop: wbsite")]},
        [
            "crowsnest_status_pages[0] (status).groups[0].monitors[1]: 'shop: wbsite' is not a monitor. "
            "Did you mean `shop: website`? Allowed: shop, shop: website, shop: database port."
        ],
    ),
]


@pytest.mark.parametrize(("declared", "lines"), LINES, ids=[lines[0].split(":")[0] for _, lines in LINES])
def test_what_does_not_fit_together_is_named_with_the_way_out(declared: dict[str, Any], lines: list[str]) -> None:
    assert found(**declared) == lines


def test_an_app_with_a_mistake_does_not_make_its_names_unknown() -> None:
    """One mistake is one line, not one for everything that mentions the app."""
    broken = [{"name": "shop", "url": "shop.example.com"}]
    declared = {
        "monitors": [ping(group="shop")],
        "maintenance": [{"title": "Upgrade", **NIGHT, "apps": ["shop"]}],
        "status_pages": [page("shop: website")],
    }
    (line,) = found(apps=broken, **declared)
    assert line.startswith("crowsnest_apps[0] (shop).url: ")


# Values that are no lists or mappings at all are the model's to refuse, once each.
@pytest.mark.parametrize("value", ["text", 5, {"a": 1}, ["text"], [None], [[]]], ids=str)
@pytest.mark.parametrize("name", ["monitors", "maintenance", "status_pages"])
def test_what_has_another_form_is_refused_and_breaks_nothing(name: str, value: Any) -> None:
    lines = found(**{name: value})
    assert len(lines) == 1
    assert lines[0].startswith(f"crowsnest_{name}")


SECRET = "https://hooks.slack.com/services/T0/B0/hush"


@pytest.mark.parametrize("value", [["slack"], {"slack": 1}], ids=str)
def test_a_receiver_that_is_no_text_breaks_nothing(value: Any) -> None:
    assert found(monitors=[ping(notifications=[value])])


@pytest.mark.parametrize("receiver", [{**RECEIVERS[0], "name": SECRET}, {"type": SECRET}], ids=["name", "type"])
def test_a_webhook_in_the_place_of_a_receivers_name_is_not_shown(receiver: dict[str, Any]) -> None:
    lines = found(receivers=[receiver], monitors=[ping(notifications=["slak"])])
    assert lines
    assert "hush" not in "".join(lines)


def test_headers_in_the_place_of_a_type_are_not_shown() -> None:
    lines = found(monitors=[{"name": "API", "type": {"Authorization": "Bearer hush"}}])
    assert lines
    assert "hush" not in "".join(lines)
