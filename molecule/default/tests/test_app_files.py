# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The app arrived after the first run: its env file and its template get what is declared, and its errors arrive.

One story from its beginning to its end: each fixture does something, on top of the one before it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import chromium
import pytest
import requests
from certificates import self_signed
from complete.declared import ROOT, SHOP, SHOP_COMPOSE, WORKER, one_line, shop
from google_analytics import serving
from lab import engine
from lab.bugsink import BUGSINK
from lab.fault_course import posts

ENV_FILE, TEMPLATE = SHOP["env_file"], SHOP["analytics"]["templates"][0]
# As the app's team wrote it, before the first run that finds it.
COMMENT = "# What differs between this host and others."


@pytest.fixture(scope="module")
def newest_events(lab: Any) -> Callable[[], list[dict[str, Any]]]:
    """The newest events of the error tracker, as the SDK sent them."""
    tracker = lab.facts["bugsink"]

    def ask(path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {tracker['token']}"}
        answer = requests.get(f"{tracker['url']}/api/canonical/0/{path}/", params=query, headers=headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def look() -> list[dict[str, Any]]:
        issues = ask("issues", project=1)["results"]
        events = [row for issue in issues for row in ask("events", issue=issue["id"], order="desc")["results"][:5]]
        return [ask(f"events/{event['id']}")["data"] for event in events]

    return look


def started(server: Any) -> dict[str, str]:
    """{container of the app: when it was made}."""
    names = " ".join(f"shop-{name}-1" for name in ("web", "worker", "traffic", "db"))
    lines = server.check_output(f"docker inspect --format '{{{{.Name}}}} {{{{.Created}}}}' {names}").splitlines()
    return dict(line.lstrip("/").split() for line in lines)


def recreated(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in after if after[name] != before[name]}


@pytest.fixture(scope="module")
def arrived(lab: Any, server: Any) -> tuple[dict[str, str], Any]:
    """(when the app's containers were made before it, the first run that finds the app)."""
    before = started(server)
    return before, lab.play("--diff")


def test_the_env_file_gets_the_declared_keys_alone(arrived: tuple[dict[str, str], Any], lab: Any, server: Any) -> None:
    assert arrived[1].status == 0, arrived[1].output
    assert server.file(ENV_FILE).content_string.splitlines() == [
        COMMENT,
        "SENTRY_ENVIRONMENT=development",
        "SENTRY_TRACES_SAMPLE_RATE=0.05",
        "SENTRY_RELEASE=1",
        f"SENTRY_DSN={lab.facts['bugsink']['dsn']}",
    ]
    assert server.file(ENV_FILE).mode == 0o600


def test_the_services_that_read_it_are_recreated_and_healthy(arrived: tuple[dict[str, str], Any], server: Any) -> None:
    assert recreated(arrived[0], started(server)) == {"shop-web-1", "shop-worker-1"}
    state = "docker inspect --format '{{.State.Health.Status}}' shop-web-1 shop-worker-1"
    assert set(server.check_output(state).split()) == {"healthy"}


def test_the_diff_shows_the_release_and_no_dsn(arrived: tuple[dict[str, str], Any], lab: Any) -> None:
    output = arrived[1].output
    assert "+SENTRY_RELEASE=1" in output
    assert "+SENTRY_DSN=" in output
    assert lab.facts["bugsink"]["dsn"] not in output


def test_the_served_page_reports_to_analytics_without_a_cookie(lab: Any, tmp_path: Any) -> None:
    """The shop's own page in a real browser, with a server that stands in for Google."""
    with serving(self_signed(tmp_path)) as google, chromium.running(*google.chromium_flags) as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(lab.url("shop"), wait_until="networkidle")
        consent = page.evaluate("dataLayer[0][2].analytics_storage")
    (hit,) = google.hits
    assert (hit["tid"], hit["gcs"], consent) == (SHOP["analytics"]["measurement_id"], "G100", "denied")


@pytest.fixture(scope="module")
def broken(arrived: tuple[dict[str, str], Any], lab: Any, server: Any, eventually: Callable[..., Any]) -> float:
    """When the shop began to answer each page with 500; a restart of it ends that.

    What the shop lacked before it arrived, and that it was deployed, explains no fault any more.
    """
    eventually(lambda: not lab.query('app:cause:explains{app="shop"}'), 600, 5)
    since = time.time()
    server.check_output(f"{SHOP_COMPOSE} exec -T web python manage.py fault errors 1")
    return since


def test_an_exception_is_in_the_error_tracker_within_three_seconds(
    broken: float,
    lab: Any,
    newest_events: Callable[[], list[dict[str, Any]]],
    eventually: Callable[..., Any],
    figure: Any,
) -> None:
    mark = f"asked={time.time()}"
    assert requests.get(f"{lab.url('shop')}/?{mark}", timeout=10).status_code == 500
    since = time.monotonic()
    (event,) = eventually(
        lambda: [event for event in newest_events() if event.get("request", {}).get("query_string") == mark], 3, 0.1
    )
    figure("exception to the error tracker", f"{time.monotonic() - since:.1f} s")
    assert event["exception"]["values"][-1]["type"] == "FaultOnPurposeError"
    assert (event["environment"], event["release"]) == ("development", "1")


def test_a_second_run_changes_nothing(broken: float, lab: Any) -> None:
    run = lab.play()
    assert (run.status, run.recap["changed"]) == (0, 0), run.output
    assert "There is no file" not in run.output


def test_the_test_event_says_who_took_it(broken: float, lab: Any) -> None:
    run = lab.play(playbook="playbooks/sentry_test.yml")
    assert run.status == 0, run.output
    assert "PASS  shop: " in run.output


@pytest.fixture(scope="module")
def account(broken: float, lab: Any, server: Any) -> Iterator[tuple[bytes, Any, Any]]:
    """(the env file, a run in which an account is declared in place of a DSN, one while its server is stopped)."""
    tracker = lab.facts["bugsink"]
    declared = {"organization": "any", "token": tracker["token"], "host": tracker["address"], "team": "laboratory"}
    sentry = {name: value for name, value in SHOP["sentry"].items() if name != "dsn"}
    wanted = {"crowsnest_apps": [shop(sentry=sentry), WORKER], "crowsnest_sentry": declared}
    before, run = server.file(ENV_FILE).content, lab.play(**wanted)
    container = engine.ensure().containers.get(BUGSINK.container(lab.name))
    container.stop()
    yield before, run, lab.play(**wanted)
    container.start()


def test_a_dsn_that_is_not_declared_is_that_of_the_account(
    account: tuple[bytes, Any, Any], server: Any, secret: Callable[[str], str]
) -> None:
    before, run, _ = account
    assert (run.status, run.recap["changed"]) == (0, 1), run.output  # what is kept on this machine
    assert server.file(ENV_FILE).content == before
    kept = json.loads(secret("sentry_projects.json"))
    assert [project["name"] for project in kept["projects"]] == ["shop"]


def test_a_server_that_does_not_answer_stops_no_run_and_changes_nothing(
    account: tuple[bytes, Any, Any], server: Any
) -> None:
    before, _, run = account
    assert (run.status, run.recap["changed"]) == (0, 0), run.output
    assert "Until it answers, apps keep the DSNs they have." in one_line(run.output)
    assert server.file(ENV_FILE).content == before


def test_a_site_that_answers_errors_alone_is_told_once_and_its_exceptions_are_not_told_beside_it(
    broken: float, lab: Any, eventually: Callable[..., Any]
) -> None:
    eventually(lambda: posts(lab.messages(broken, contains="shop gives no good answer")), 240, 5)
    eventually(lambda: lab.query('app:exceptions:increase5m{app="shop"} > 10'), 60)
    begun = [post.title for post in posts(lab.messages(broken, contains="shop")) if not post.ends]
    assert len(begun) == 1, begun


@pytest.fixture(scope="module")
def misnamed(broken: float, lab: Any, server: Any) -> tuple[bytes, Any]:
    """(the env file before it, a run that gives the DSN to a variable without which the app does not start)."""
    before = server.file(ENV_FILE).content
    names = {"dsn": "SHOP_DB_HOST"}
    return before, lab.play("--diff", crowsnest_apps=[shop(sentry={**SHOP["sentry"], "names": names}), WORKER])


def test_an_environment_with_which_the_app_does_not_start_is_taken_back(
    misnamed: tuple[bytes, Any], lab: Any, server: Any
) -> None:
    before, run = misnamed
    assert run.status != 0
    assert server.file(ENV_FILE).content == before
    assert f"{ENV_FILE} is as before, and web, worker healthy again with it." in one_line(run.output)
    assert lab.facts["bugsink"]["dsn"] not in run.output
    assert requests.get(lab.url("shop"), timeout=10).status_code == 200


@pytest.fixture(scope="module")
def undeclared(misnamed: tuple[bytes, Any], lab: Any) -> Any:
    """A run without Sentry and Analytics."""
    without = {name: value for name, value in SHOP.items() if name not in ("sentry", "analytics")}
    return lab.play(crowsnest_apps=[without, WORKER])


def test_what_is_no_longer_declared_is_gone_byte_for_byte(undeclared: Any, server: Any) -> None:
    assert undeclared.status == 0, undeclared.output
    assert server.file(ENV_FILE).content_string.splitlines() == [COMMENT]
    original = ROOT / "molecule/lab/shop/app/shop/templates/shop/base.html"
    assert server.file(TEMPLATE).content == original.read_bytes()


def test_what_is_declared_again_comes_back(undeclared: Any, lab: Any, server: Any) -> None:
    run = lab.play()
    assert run.status == 0, run.output
    assert "SENTRY_DSN=" in server.file(ENV_FILE).content_string
