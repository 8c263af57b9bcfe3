"""The door with the real Caddy: who comes in, what goes on to the services, and what is closed to everybody."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from door import KIM, Door, Echo, caddy

from ansible_collections.crowsnest.core.plugins.modules.service_reload import ServiceError, make_current

GUARDED, OPEN = ("prometheus", "alerts"), ("grafana", "uptime", "metabase")


@pytest.fixture(scope="module", params=["own", "behind"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with caddy(tmp_path_factory.mktemp("door"), Echo, crowsnest_proxy=request.param) as found:
        yield found


@pytest.mark.parametrize("name", GUARDED)
def test_who_has_no_login_of_its_own_asks_for_one(door: Door, name: str) -> None:
    assert [door.ask(name, login=given).status for given in ("", "wrong", KIM)] == [401, 401, 200]
    assert door.ask(name, login=KIM).seen["path"] == "/"


@pytest.mark.parametrize("name", OPEN)
def test_who_has_one_is_asked_itself_and_is_not_told_of_ours(door: Door, name: str) -> None:
    seen = door.ask(name, "/x?y=1", login=KIM).seen
    assert (seen["path"], seen["headers"].get("Authorization")) == ("/x?y=1", None)


def test_our_password_is_not_handed_on(door: Door) -> None:
    assert "Authorization" not in door.ask("prometheus", login=KIM).seen["headers"]


@pytest.mark.parametrize("name", GUARDED)
@pytest.mark.parametrize("path", ["/-/quit", "/-/reload", "/metrics", "/debug/pprof/", "/api/v1/admin/tsdb/snapshot"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_no_page_needs_is_closed_to_everybody(door: Door, name: str, path: str, method: str) -> None:
    assert door.ask(name, path, method, KIM).status == 403


def test_nothing_but_silences_can_be_changed(door: Door) -> None:
    assert door.ask("alerts", "/api/v2/silences", "POST", KIM).status == 200
    assert door.ask("alerts", "/api/v2/silence/1-2", "DELETE", KIM).status == 200
    assert door.ask("alerts", "/api/v2/alerts", "POST", KIM).status == 403
    assert door.ask("alerts", "/api/v2/silences", "POST").status == 401
    assert [door.ask("alerts", f"/-/{each}", login=KIM).status for each in ("healthy", "ready")] == [200, 200]


def test_the_public_status_page_shows_that_alone(door: Door) -> None:
    home = door.ask("status")
    assert (home.status, home.headers["Location"]) == (302, "/status/status")
    shown = ("/status/status", "/api/status-page/heartbeat/status", "/assets/index.js", "/icon.svg")
    assert [door.ask("status", path).status for path in shown] == [200] * len(shown)
    hidden = ("/dashboard", "/socket.io/?transport=polling", "/metrics", "/api/push/x", "/setup", "/status/../metrics")
    assert [door.ask("status", path).status for path in hidden] == [404] * len(hidden)


def test_a_web_socket_reaches_uptime_kuma(door: Door) -> None:
    assert door.ask("uptime", "/socket.io/", Connection="Upgrade", Upgrade="websocket").status == 101


def test_every_answer_has_headers_that_protect_and_names_no_program(door: Door) -> None:
    for answer in (door.ask("grafana"), door.ask("prometheus"), door.ask("status")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "Server" not in answer.headers
        assert ("Strict-Transport-Security" in answer.headers) == (door.ca is not None)


@pytest.mark.parametrize("name", ["other", "www.grafana"])
def test_a_name_that_is_no_page_shows_nothing(door: Door, name: str) -> None:
    if door.ca is None:
        assert door.ask(name).text == ""
    else:
        with pytest.raises(ssl.SSLError):
            door.ask(name)


def test_what_runs_is_made_what_is_written_without_a_restart(tmp_path: Path) -> None:
    service = {"path": str(tmp_path), "file": "caddy.json", "socket": str(tmp_path / "admin.sock")}
    (tmp_path / "current").symlink_to(".")
    assert not make_current("proxy", service, 0, predict=True), "on a fresh host nothing is written yet"
    with caddy(tmp_path, Echo, crowsnest_proxy="behind") as door:
        file = tmp_path / "caddy.json"
        written = file.read_text()
        assert not make_current("proxy", service, 0, predict=False)
        file.write_text(written.replace("grafana.watch", "charts.watch"))
        assert make_current("proxy", service, 0, predict=True)
        assert door.ask("charts").text == "", "a prediction changes nothing"
        assert make_current("proxy", service, 0, predict=False)
        assert door.ask("charts").seen["path"] == "/"
        assert not make_current("proxy", service, 0, predict=False)
        file.write_text(json.dumps({**json.loads(written), "apps": {"nothing": {}}}))
        with pytest.raises(ServiceError, match=r"refuses the new one: .*nothing"):
            make_current("proxy", service, 0, predict=False)
        assert door.ask("charts").seen["path"] == "/"
    with pytest.raises(ServiceError, match="proxy does not answer at "):
        make_current("proxy", service, 0, predict=False)
