# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The portal with the real Caddy, before the APIs of Prometheus and Alertmanager as they answer; in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import locked_packages
import pytest
from chromium import running
from door import DOMAIN, KIM, Answer, Door, caddy
from playwright.sync_api import Browser
from programs import until

ROOT = Path(__file__).resolve().parents[2]
EVIL = "<script>alert(1)</script>\"'&"
STARTED = "2026-11-29T15:04:05.123Z"


def alert(severity: str, summary: str, **more: Any) -> dict[str, Any]:
    """As https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml says."""
    labels = {"alertname": "AppDown", "app": "shop", "severity": severity}
    texts = {
        "summary": summary,
        "description": "See its log.",
        "value": "up = 0",
        "runbook_url": "https://x.example/AppDown.md",
    }
    state = {"state": "active", "silencedBy": [], "inhibitedBy": []}
    return {"labels": labels, "annotations": texts, "startsAt": STARTED, "status": state, **more}


class Services(BaseHTTPRequestHandler):
    """Prometheus and Alertmanager in one."""

    alerts: ClassVar[list[Any]] = []
    silences: ClassVar[list[Any]] = []
    samples: ClassVar[list[Any]] = []
    posted: ClassVar[list[Any]] = []
    status = 200

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        answers = {
            "/api/v2/alerts": self.alerts,
            "/api/v2/silences": self.silences,
            "/api/v1/query": {"status": "success", "data": {"resultType": "vector", "result": self.samples}},
        }
        self.answer(answers.get(path, {}), self.status if path in answers else 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.posted.append((self.path, self.headers["Content-Type"], body))
        self.answer({"silenceID": "1"}, 200)

    def answer(self, content: Any, status: int) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def services() -> Iterator[type[Services]]:
    """To be set by a test; as at the beginning afterwards."""
    before = {name: getattr(Services, name) for name in ("alerts", "silences", "samples", "status")}
    Services.posted = []
    yield Services
    for name, value in before.items():
        setattr(Services, name, value)


@pytest.fixture(scope="module", params=["en", "ko"])
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with caddy(tmp_path_factory.mktemp("portal"), Services, crowsnest_language=request.param) as found:
        yield found


def shown(door: Door, path: str = "/") -> Answer:
    answer = door.ask("", path, login=KIM)
    assert answer.status == 200, answer
    return answer


def test_nobody_sees_it_without_a_login(door: Door) -> None:
    for path in ("/", "/data.json", "/runbooks/", "/runbooks/AppDown.md", "/live/alerts", "/live/query?query=1"):
        assert [door.ask("", path, login=given).status for given in ("", "wrong")] == [401, 401], path


def test_it_names_every_page(door: Door, services: type[Services]) -> None:
    text = shown(door).text
    for page in ("grafana", "prometheus", "alerts", "uptime"):
        assert f'href="https://{page}.{DOMAIN}/"' in text


def test_what_fires_is_shown_the_worst_first(door: Door, services: type[Services]) -> None:
    services.alerts = [alert("low", "one"), alert("none", "never"), alert("critical", "two"), alert("high", "three")]
    titles = re.findall("<h3>(.*)</h3>", shown(door).text)
    assert titles == ["two", "three", "one"]


def test_nothing_that_an_alert_says_is_markup(door: Door, services: type[Services]) -> None:
    evil = alert("critical", EVIL)
    evil["labels"] |= {"alertname": EVIL, "instance": EVIL}
    evil["annotations"] |= {"description": EVIL, "value": EVIL, "runbook_url": "javascript:alert(1)"}
    services.alerts = [evil]
    services.silences = [
        {
            "status": {"state": "active"},
            "createdBy": EVIL,
            "comment": EVIL,
            "endsAt": STARTED,
            "matchers": [{"name": "instance", "value": EVIL}],
        }
    ]
    text = shown(door).text
    assert "<script>alert" not in text
    assert "javascript:" not in text
    (labels,) = re.findall('data-labels="([^"]*)"', text)
    assert json.loads(unescape(labels)) == evil["labels"]


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_it_is_there_when_the_services_are_not(door: Door, services: type[Services], status: int) -> None:
    services.status = status
    text = shown(door).text
    assert f"https://grafana.{DOMAIN}/" in text
    assert 'class="alert critical"' in text


def test_signals_stand_in_the_row_of_their_app(door: Door, services: type[Services]) -> None:
    services.samples = [{"metric": {"app": "shop"}, "value": [0, "0.125"]}, {"metric": {"app": "x"}, "value": [0, "7"]}]
    text = shown(door).text
    row = re.search(r'<th scope="row">shop</th>(.*?)</tr>', text, re.DOTALL)
    assert row
    assert "12.5 %" in row[1]
    assert "0.12 s" in row[1]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1e99"])
def test_a_value_that_is_no_number_breaks_nothing(door: Door, services: type[Services], value: str) -> None:
    services.samples = [{"metric": {"app": "shop"}, "value": [0, value]}]
    shown(door)


def test_a_runbook_is_rendered(door: Door) -> None:
    text = shown(door, "/runbooks/AppDatabaseConnectionErrors.md").text
    assert '<h1 id="appdatabaseconnectionerrors">' in text
    assert "{{.Names}}" in unescape(re.sub("<[^>]*>", "", text)), "commands are no templates"
    assert '<a href="HostDiskFilling.md">' in text
    assert door.ask("", "/operating.md", login=KIM).headers["Location"].endswith("/docs/operating.md")


def test_a_runbook_that_is_none_is_said_to_be_none(door: Door) -> None:
    assert "<h1>Nope</h1>" in shown(door, "/runbooks/Nope.md").text


def test_the_list_of_runbooks_says_what_each_is_about(door: Door) -> None:
    assert shown(door, "/runbooks/").text.count('<li data-text="AppDown ') == 1


@pytest.mark.parametrize(
    "path", ["/caddy.json", "/../caddy.json", "/secrets/", "/..%2fsecrets/", "/runbooks/AppDown.html"]
)
def test_nothing_else_of_the_configuration_is_served(door: Door, path: str) -> None:
    assert door.ask("", path, login=KIM).status == 404


def test_only_silences_can_be_made_there(door: Door, services: type[Services]) -> None:
    for path in ("/live/alerts", "/live/query", "/api/v2/silences"):
        assert door.ask("", path, "POST", KIM).status in (404, 405), path
    assert services.posted == []


def test_no_text_of_it_is_left_in_english(door: Door, services: type[Services]) -> None:
    data = json.loads(shown(door, "/data.json").text)
    said = {**data["texts"], **{page["title"]: page["about"] for page in data["pages"]}}
    said |= {column["query"]: column["title"] for table in data["tables"] for column in table["columns"]}
    korean = [text for text in said.values() if re.search("[가-힣]", text)]
    assert len(korean) == (0 if data["language"] == "en" else len(said))


@pytest.fixture(scope="module")
def open_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Without a certificate that a browser would not know."""
    with caddy(tmp_path_factory.mktemp("open"), Services, crowsnest_proxy="behind") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running(f"--host-resolver-rules=MAP {DOMAIN} 127.0.0.1") as found:
        yield found


@pytest.mark.parametrize(("severity", "quiet"), [("high", {}), ("critical", {"escalation": "true"})])
def test_the_form_makes_a_silence_of_this_alert(
    browser: Browser, tmp_path: Path, services: type[Services], severity: str, quiet: dict[str, str]
) -> None:
    """Of a severity that others are told of later, only that is silenced: the message itself says when it is over."""
    services.alerts = [alert(severity, "shop on web1 is down")]
    slack = {"type": "slack", "webhook_url": "https://hooks.slack.com/services/T/B/x", "channel": "#alerts"}
    later = {**slack, "name": "next", "severities": ["critical"], "after": "15m"}
    with caddy(tmp_path, Services, crowsnest_proxy="behind", crowsnest_receivers=[slack, later]) as door:
        page = browser.new_page(
            base_url=f"http://{DOMAIN}:{door.port}", http_credentials={"username": "kim", "password": KIM}
        )
        page.goto("/")
        page.get_by_label("I am on it:").fill("Looking at it")
        page.get_by_label("Quiet for").select_option("4 h")
        page.get_by_role("button", name="Acknowledge").click()
        until(lambda: services.posted, 10)
    ((path, kind, silence),) = services.posted
    assert (path.rstrip("?"), kind) == ("/api/v2/silences", "application/json")
    wanted = {"alertname": "AppDown", "app": "shop", "severity": severity, **quiet}
    assert {each["name"]: each["value"] for each in silence["matchers"]} == wanted
    assert (silence["createdBy"], silence["comment"]) == ("kim", "Looking at it")
    begin, end = (datetime.fromisoformat(silence[name]) for name in ("startsAt", "endsAt"))
    assert end - begin == timedelta(hours=4)


@pytest.mark.parametrize("path", ["/", "/runbooks/", "/runbooks/AppDown.md"])
@pytest.mark.parametrize("width", [1600, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(
    browser: Browser, open_door: Door, services: type[Services], path: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No finding of axe-core, nothing wider than the window, and no word of the browser's console."""
    services.alerts = [alert(severity, "shop on web1 is down") for severity in ("critical", "high", "medium", "low")]
    services.samples = [{"metric": {"app": "shop", "host": "web1"}, "value": [0, "0"]}]
    page = browser.new_page(
        base_url=f"http://{DOMAIN}:{open_door.port}",
        http_credentials={"username": "kim", "password": KIM},
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # for axe-core itself
    )
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path)
    page.add_script_tag(path=locked_packages.of_npm(ROOT / "tests/accessibility") / "axe-core/axe.min.js")
    found = page.evaluate("axe.run()")["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
