"""The stub takes events as Sentry does, and refuses them in all the ways of H2."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from sentry_stub import TOKEN, Stub

EVENT = "9ec79c33ec9942ab8353589fcb2e04dc"


@pytest.fixture
def dsn(stub: Stub) -> tuple[str, str]:
    """(number of a project, its public key)."""
    stub.add_team("web")
    project = stub.add_project("shop", "web")
    return project["id"], stub.keys[0]["public"]


def send(stub: Stub, project: str, key: str, timeout: float = 5) -> tuple[int, Any, Any]:
    """(status, JSON, headers)."""
    lines = [{"event_id": EVENT}, {"type": "event"}, {"event_id": EVENT, "message": "Hi", "environment": "staging"}]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    login = f"Sentry sentry_version=7, sentry_key={key}, sentry_client=crowsnest/1"
    request = urllib.request.Request(  # noqa: S310 - on loopback
        f"{stub.url}/api/{project}/envelope/", body, {"X-Sentry-Auth": login}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def visible(stub: Stub) -> bool:
    path = f"/api/0/projects/acme/shop/events/{EVENT}/"
    return stub.answer("GET", path, f"Bearer {TOKEN}", b"").status == 200


def test_an_event_is_visible_and_its_environment_known(stub: Stub, dsn: tuple[str, str]) -> None:
    assert send(stub, *dsn)[:2] == (200, {"id": EVENT})
    assert visible(stub) and stub.environments == ["staging"]


def test_an_event_may_be_visible_later_or_never(stub: Stub, dsn: tuple[str, str]) -> None:
    stub.visible_after = 0.2
    assert send(stub, *dsn)[0] == 200 and not visible(stub)
    time.sleep(0.25)
    assert visible(stub)
    stub.envelope = "lost"
    stub.events.clear()
    assert send(stub, *dsn)[0] == 200 and not visible(stub)


def test_a_wrong_key_or_project(stub: Stub, dsn: tuple[str, str]) -> None:
    assert send(stub, dsn[0], "0" * 32)[0] == 403
    assert send(stub, "999", dsn[1])[0] == 403


@pytest.mark.parametrize("fault, status", [("429", 429), ("413", 413), ("500", 500)])
def test_refusals(stub: Stub, dsn: tuple[str, str], fault: str, status: int) -> None:
    stub.envelope = fault
    found, _, headers = send(stub, *dsn)
    assert found == status and not visible(stub)
    if fault == "429":
        assert (headers["Retry-After"], headers["X-Sentry-Rate-Limits"]) == ("60", "60:error:organization")


def test_a_hang(stub: Stub, dsn: tuple[str, str]) -> None:
    stub.envelope = "hang"
    with pytest.raises(TimeoutError):
        send(stub, *dsn, timeout=0.3)


def test_it_can_be_told_by_http(stub: Stub, dsn: tuple[str, str]) -> None:
    """As the laboratory does, where it is another process."""
    sent = json.dumps({"envelope": "413"}).encode()
    with urllib.request.urlopen(f"{stub.url}/stub", sent, timeout=5):  # noqa: S310
        assert send(stub, *dsn)[0] == 413
