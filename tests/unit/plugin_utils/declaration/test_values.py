"""Time zones, and logins in addresses: what is taken, and the words of each refusal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import read
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import time_zones
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes

GROUPS = {"server": ["web1"], "monitored": ["web1"]}


def refusals(**declared: Any) -> list[str]:
    return declaration_mistakes({f"crowsnest_{name}": value for name, value in declared.items()}, GROUPS, "")


# --- time zones ---

OLD = {
    "ROK": "Asia/Seoul",
    "Japan": "Asia/Tokyo",
    "GB": "Europe/London",
    "US/Pacific": "America/Los_Angeles",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Europe/Kiev": "Europe/Kyiv",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "Zulu": "UTC",
    "Etc/UTC": "UTC",
    "GMT": "UTC",
}


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_of_a_time_zone_is_refused_with_the_one_to_use(name: str) -> None:
    assert refusals(timezone=name) == [
        f"crowsnest_timezone: {name!r} is an old name. Use {OLD[name]}. For times in messages and for office hours."
    ]
    assert refusals(timezone=OLD[name]) == []


# Fixed hours, and rules of a country without a place.
WITHOUT_A_PLACE = re.compile(r"Etc/GMT[+-]\d+|(EST5E|CST6C|MST7M|PST8P)DT|Factory|localtime")


def test_every_other_name_is_taken_or_replaced_by_one_that_is_taken() -> None:
    known, old = time_zones()
    assert not known & set(old)
    assert set(old.values()) <= known
    left = available_timezones() - known - set(old)
    assert [name for name in left if not WITHOUT_A_PLACE.fullmatch(name)] == []
    assert len(known) > 400


@pytest.mark.parametrize("name", ["Seoul", "", "asia/seoul", "+09:00", "KST", "Etc/GMT+9", "../zone.tab"])
def test_any_other_text_is_no_time_zone(name: str) -> None:
    (line,) = refusals(timezone=name)
    assert "Allowed: a time zone name of the IANA database, such as Asia/Seoul or Europe/Berlin." in line


# --- URLs ---


def test_a_url_has_its_scheme_in_small_letters_whatever_is_written() -> None:
    given, url = "HTTPS://Shop.example.com/A", "https://Shop.example.com/A"
    app = {"name": "shop", "url": given, "health": {"basic": given, "detailed": given, "components": ["database"]}}
    docker = {"name": "c", "type": "docker", "container": "c", "engine": "TCP://H:2375"}
    found = read(
        {
            "crowsnest_apps": [app],
            "crowsnest_monitors": [{"name": "m", "type": "http", "url": given}, docker],
            "crowsnest_receivers": [{"type": "webhook", "url": given}],
            "crowsnest_heartbeat_url": given,
            "crowsnest_registry_mirrors": [given],
            "crowsnest_external_urls": {"grafana": given},
            "crowsnest_runbook_url": given,
        }
    )
    text = str(found.model_dump(mode="json", context={}))
    assert "HTTPS:" not in text
    assert found.apps[0].url == found.apps[0].health.basic == found.apps[0].health.detailed == url
    assert found.monitors[0].url == found.registry_mirrors[0] == found.external_urls["grafana"] == url  # type: ignore[union-attr]
    assert found.monitors[1].engine == "tcp://H:2375"  # type: ignore[union-attr]
    assert found.heartbeat_url is not None
    assert found.heartbeat_url.get_secret_value() == found.receivers[0].url.get_secret_value() == url  # type: ignore[union-attr]


# --- logins ---

IN_FIELDS = "Put it in `username` and `password`."
OPENED, PORT = "Leave it out: people log in when they open the address.", "Leave it out: checking a port needs no login"
DATABASE = "Put it in the keys for the user and the password."
# Every place that takes an address: a declaration with this login in front of the host, and the way out.
PLACES: dict[str, tuple[Callable[[str], dict[str, Any]], str]] = {
    "apps[0] (shop).url": (lambda it: shop(url=f"https://{it}h/"), IN_FIELDS),
    "apps[0] (shop).health.basic": (lambda it: shop(health={"basic": f"https://{it}h/"}), IN_FIELDS),
    "apps[0] (shop).health.detailed": (
        lambda it: shop(url="http://h/", health={"detailed": f"//{it}h/", "components": ["database"]}),
        IN_FIELDS,
    ),
    "apps[0] (shop).metrics[0]": (
        lambda it: shop(metrics=[f"{it}h:80/m"]),
        "Put it in `username` and `password` of a mapping, beside `address`.",
    ),
    "apps[0] (shop).metrics[0].address": (
        lambda it: shop(metrics=[{"address": f"{it}h:80/m"}]),
        "Put it in `username` and `password` of a mapping, beside `address`.",
    ),
    "apps[0] (shop).tcp.queue": (lambda it: shop(tcp={"queue": f"{it}h:80"}), PORT),
    "apps[0] (shop).database.address": (lambda it: shop(database={"name": "a", "address": f"{it}h:5432"}), DATABASE),
    "metabase_database.address": (
        lambda it: {"metabase_database": {"address": f"postgres://{it}h/shop", "password": "x"}},
        DATABASE,
    ),
    "registry_mirrors[0]": (lambda it: {"registry_mirrors": [f"https://{it}h"]}, "Leave it out: Docker uses mirrors"),
    "external_urls.grafana": (lambda it: {"external_urls": {"grafana": f"https://{it}h/"}}, OPENED),
    "runbook_url": (lambda it: {"runbook_url": f"https://{it}h/"}, OPENED),
    "receivers[0] (email).smarthost": (
        lambda it: {"receivers": [{"type": "email", "to": ["a@b.de"], "sender": "a@b.de", "smarthost": f"{it}h:25"}]},
        IN_FIELDS,
    ),
    **{
        f"monitors[0] (It).{key}": (
            lambda it, kind=kind, key=key, form=form, more=more: {  # type: ignore[misc]
                "monitors": [{"name": "It", "type": kind, key: form.format(it), **more}]
            },
            way_out,
        )
        for kind, key, form, more, way_out in (
            ("http", "url", "https://{}h/", {}, IN_FIELDS),
            ("port", "address", "{}h:80", {}, PORT),
            ("docker", "engine", "tcp://{}h:2375", {"container": "a"}, "Leave it out: Uptime Kuma uses Docker engines"),
        )
    },
}


def shop(**keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", **keys}]}


@pytest.mark.parametrize(
    "login", ["kim:hush@", "kim@", ":hush@", "kim:hu%40sh@", "kim%3Ahush%40", "hush%40", "a b:hush@"]
)
@pytest.mark.parametrize("place", PLACES)
def test_a_login_in_an_address_is_refused_with_the_way_out_and_not_shown(place: str, login: str) -> None:
    declared, way_out = PLACES[place]
    (line,) = [line for line in refusals(**declared(login)) if line.startswith(f"crowsnest_{place}: ")]
    hidden = "the given value (not shown: it may hold a secret)"
    assert line.startswith(
        f"crowsnest_{place}: {hidden} has a login in it, which would be shown with the address. {way_out}"
    )
    assert "hush" not in line
    assert "kim" not in line


@pytest.mark.parametrize("place", PLACES)
@given(
    user=st.text(min_size=1, max_size=8).filter(lambda it: "/" not in it),
    # A number and a slash are a port and a path.
    password=st.text(max_size=8).filter(lambda it: not re.match("[0-9]+/", it)),
)
@example(user="0", password="/ ")
@example(user="#", password="\r")
@example(user="kim", password="/\n/")
@settings(max_examples=40, deadline=None)
def test_whatever_login_it_is_nothing_of_the_address_is_shown(place: str, user: str, password: str) -> None:
    mark = "hush-hush-hush"
    lines = refusals(**PLACES[place][0](f"{user}{mark}:{password}{mark}@"))
    assert lines
    assert mark not in "".join(lines)


# A webhook may have a login; it is a secret itself.
def test_a_secret_address_may_have_a_login() -> None:
    hook = {"type": "webhook", "url": "https://kim:hush@example.com/"}
    assert refusals(heartbeat_url="https://kim:hush@example.com/", receivers=[hook]) == []
