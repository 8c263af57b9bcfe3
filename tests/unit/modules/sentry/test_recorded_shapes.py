"""What the stub answers has the recorded shape of Sentry's published API, and it refuses what that does not take."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from sentry_stub import ENDPOINTS, TOKEN, Stub

TYPES = {"string": str, "boolean": bool, "integer": int, "null": type(None), "object": dict}


def ask(stub: Stub, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - on loopback
        f"{stub.url}{path}", data, {"Authorization": f"Bearer {TOKEN}"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def unlike(recorded: Any, found: Any, path: str = "") -> list[str]:
    """Where an answer has a field that is not recorded, or another type. Null stands for anything."""
    if isinstance(found, list) and isinstance(recorded, list):
        return [wrong for row in found if recorded for wrong in unlike(recorded[0], row, f"{path}[]")]
    if isinstance(found, dict) and isinstance(recorded, dict):
        unknown = [f"{path}.{name} is not recorded" for name in set(found) - set(recorded)]
        below = [unlike(recorded[name], value, f"{path}.{name}") for name, value in found.items() if name in recorded]
        return [*unknown, *(wrong for wrongs in below for wrong in wrongs)]
    if found is None or recorded == "null":
        return []
    right = isinstance(recorded, str) and isinstance(found, TYPES[recorded])
    return [] if right else [f"{path} is {found!r}, recorded is {recorded}"]


def test_every_answer_has_the_recorded_shape_and_status(run, stub: Stub) -> None:
    """Of a run with everything, and of a second one with changes: whatever they ask is asked again here."""
    stub.install_slack()
    stub.environments = ["production"]
    shop: dict[str, Any] = {"name": "shop", "team": "backend", "environment": "production"}
    monitor = {"slug": "shop_backup", "name": "shop: backup", "crontab": "0 3 * * *", "margin_minutes": 120}
    run({**shop, "slack_channel": "errors", "monitors": [monitor]})
    stub.keys[0]["isActive"] = False
    run({**shop, "platform": "python-django", "monitors": [{**monitor, "crontab": "0 4 * * *"}]})
    asked = [each for each in stub.asked if each[0] in ENDPOINTS]
    stub.keys[0]["isActive"] = True
    wrong = []
    for endpoint, address, body in asked:
        method = endpoint.split()[0]
        sent = {**body, "slug": f"again-{stub.number()}"} if method == "POST" and "slug" in body else body
        status, found = ask(stub, method, address, sent)
        assert status == ENDPOINTS[endpoint]["status"], (endpoint, found)
        wrong += [f"{endpoint}: {each}" for each in unlike(ENDPOINTS[endpoint]["answer"], found)]
    assert wrong == []
    used = {endpoint for endpoint, *_ in asked}
    # Which only the event test and blackbox exporter ask.
    assert set(ENDPOINTS) - used == {
        "GET /api/0/projects/{}/{}/events/{}/",
        "GET /api/0/organizations/{}/stats_v2/",
    }


def test_an_answer_about_dropped_errors_has_the_recorded_shape(stub: Stub) -> None:
    stub.add_team("backend")
    project = stub.add_project("shop", "backend")
    stub.dropped[project["id"]] = 3
    query = "field=sum%28quantity%29&groupBy=outcome&category=error&outcome=rate_limited&statsPeriod=1h&interval=1h"
    path = f"/api/0/organizations/acme/stats_v2/?{query}&project={project['id']}"
    status, found = ask(stub, "GET", path)
    assert (status, unlike(ENDPOINTS["GET /api/0/organizations/{}/stats_v2/"]["answer"], found)) == (200, [])
    assert [group["totals"] for group in found["groups"]] == [{"sum(quantity)": 3}]


@pytest.mark.parametrize(
    "path, body, field",
    [
        ("/api/0/organizations/acme/workflows/", {"enabled": True}, "name"),
        ("/api/0/organizations/acme/workflows/", {"name": "a", "monitorIds": [1]}, "monitorIds"),
        ("/api/0/organizations/acme/teams/", {"slug": "Upper Case"}, "slug"),
        ("/api/0/projects/acme/shop/keys/", {"name": "a" * 65}, "name"),
    ],
)
def test_what_is_not_recorded_is_refused(stub: Stub, path: str, body: Any, field: str) -> None:
    status, found = ask(stub, "POST", path, body)
    assert (status, list(found)) == (400, [field])


def test_a_shape_that_is_not_recorded_is_seen() -> None:
    recorded = ENDPOINTS["GET /api/0/organizations/{}/teams/"]["answer"]
    assert unlike(recorded, [{"id": 7, "colour": "red"}]) == [
        "[].colour is not recorded",
        "[].id is 7, recorded is string",
    ]


def test_the_old_api_of_alerts_is_not_there(stub: Stub) -> None:
    assert ask(stub, "GET", "/api/0/projects/acme/shop/rules/")[0] == 404
