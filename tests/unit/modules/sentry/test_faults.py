"""Whatever goes wrong is one sentence with the cause and a way out, and nothing is done twice."""

from __future__ import annotations

import re
import socket
import time
from typing import Any

import pytest
from clock import Clock
from sentry_stub import SCOPES, Reply, Stub

SHOP: dict[str, Any] = {"name": "shop", "team": "backend"}
TEAMS, NEW_PROJECT = "GET /api/0/organizations/{}/teams/", "POST /api/0/teams/{}/{}/projects/"
WORKFLOWS, NEW_WORKFLOW = "GET /api/0/organizations/{}/workflows/", "POST /api/0/organizations/{}/workflows/"


def writes(stub: Stub) -> list[str]:
    return [endpoint for endpoint, _, _ in stub.asked if not endpoint.startswith("GET")]


@pytest.mark.parametrize(
    "different, sentence",
    [
        ({"token": "sntrys_abc"}, "token: is an organization token, whose rights are fixed and end at uploads"),
        ({"token": "https://key@o1.ingest.us.sentry.io/1"}, "token: is an address, perhaps a DSN, and no token"),
        ({"token": ""}, "token: is missing"),
        ({"url": "sentry.io"}, "url: is not like https://sentry.io"),
        ({"url": "https://kim:secret@sentry.io"}, "url: is not like https://sentry.io"),
        ({"url": "file:///etc/passwd"}, "url: is not like https://sentry.io"),
        ({"organization": "Acme Inc"}, "organization: Acme Inc is not the slug of an organization"),
        (
            {"projects": [{"name": "The Shop", "team": "web"}]},
            "projects[0] (The Shop).name: The Shop is not small letters",
        ),
        ({"projects": [{"name": "7", "team": "web"}]}, "projects[0] (7).name: 7 is not"),
        ({"projects": [{**SHOP, "name": "a" * 51}]}, f".name: {'a' * 51} is not small letters"),
        ({"projects": [SHOP, SHOP]}, "projects: 2 have the name shop"),
        ({"projects": [{**SHOP, "environment": "a/b"}]}, "projects[0] (shop).environment: a/b is not an environment"),
        ({"projects": [{**SHOP, "environment": "None"}]}, "environment: None is not"),
    ],
)
def test_mistakes_are_refused_before_any_request(run, stub: Stub, different: dict[str, Any], sentence: str) -> None:
    result = run(SHOP, **different) if "projects" not in different else run(*different["projects"])
    assert result["failed"] and sentence in result["msg"]
    assert stub.asked == []


def test_all_mistakes_are_told_together(run) -> None:
    message = run(SHOP, token="sntrys_abc", url="ftp://a")["msg"]
    assert "2 mistakes" in message


def test_without_an_organization(run) -> None:
    assert "organization: is missing" in run(SHOP, organization=None)["msg"]


def test_an_organization_that_does_not_exist(run, stub: Stub) -> None:
    result = run(SHOP, organization="acne")
    assert result["msg"].startswith(f"There is no organization acne at {stub.url} that this token can see.")
    assert "https://de.sentry.io" in result["msg"] and result["msg"].endswith("Nothing was changed.")


def test_a_token_that_sentry_does_not_know(run) -> None:
    message = run(SHOP, token="sntryu_other")["msg"]
    assert "the token is not accepted (HTTP 401: Invalid token). Nothing was changed." in message


@pytest.mark.parametrize("scope", ["org:read", "team:write", "project:write", "alerts:write"])
def test_a_scope_that_is_missing_is_named(run, stub: Stub, scope: str) -> None:
    stub.scopes = [each for each in SCOPES if each != scope]
    assert f"The token needs the scope {scope}." in run(SHOP)["msg"]


def test_a_refusal_says_what_was_done_before_and_the_next_run_goes_on(run, stub: Stub) -> None:
    stub.scopes.remove("project:write")
    assert "Done before: create team backend. What was done is kept." in run(SHOP)["msg"]
    stub.scopes.append("project:write")
    assert run(SHOP)["changes"][0] == "create project shop"
    assert [row["slug"] for row in stub.teams] == ["backend"]


def test_the_old_api_of_alerts_is_never_asked(run, stub: Stub) -> None:
    run(SHOP)
    run(SHOP)
    assert [path for _, path, _ in stub.asked if "/rules/" in path] == []


def test_a_sentry_without_the_new_api_of_alerts_is_a_warning(run, stub: Stub) -> None:
    stub.replies[WORKFLOWS] = [Reply(404, {"detail": "The requested resource does not exist"})]
    result = run({**SHOP, "slack_channel": "#errors", "environment": "production"})
    assert result["changes"] == ["create team backend", "create project shop"]
    assert result["projects"][0]["alerts"] == "none" and result["projects"][0]["dsn"]
    (warning,) = result["warnings"]
    assert "is too old: it has no API for alerts" in warning


def test_two_alerts_of_one_name_are_refused_with_both_ids(run, stub: Stub) -> None:
    run(SHOP)
    stub.workflows.append({**stub.workflows[0], "id": "77"})
    stub.asked.clear()
    message = run(SHOP)["msg"]
    ids = [stub.workflows[0]["id"], "77"]
    assert all(f"crowsnest shop critical (id {number})" in message for number in ids)
    assert message.endswith("Nothing was changed.") and writes(stub) == []


def test_two_keys_of_our_name_are_refused_with_both_ids(run, stub: Stub) -> None:
    stub.add_team("backend")
    project = stub.add_project("shop", "backend")
    ids = [stub.add_key(project, "crowsnest")["id"] for _ in range(2)]
    message = run(SHOP)["msg"]
    assert all(f"crowsnest (id {number})" in message for number in ids) and writes(stub) == []


def test_several_workspaces_of_slack_are_refused_with_their_ids(run, stub: Stub) -> None:
    first, second = stub.install_slack("Acme"), stub.install_slack("Acme-EU")
    message = run({**SHOP, "slack_channel": "errors"})["msg"]
    assert f"Acme (id {first['id']}), Acme-EU (id {second['id']})" in message and writes(stub) == []


def test_an_alert_that_sentry_leaves_without_a_source_is_a_failure(run, stub: Stub) -> None:
    stub.loses_detectors = True
    message = run(SHOP)["msg"]
    assert "agreed to create alert crowsnest shop critical, but then sources is [], not ['issue_stream']" in message


def test_a_project_without_a_source_for_alerts_is_a_failure(run, stub: Stub) -> None:
    stub.add_team("backend")
    stub.add_project("shop", "backend")
    stub.detectors = []
    assert "has no monitor of the type issue_stream or error" in run(SHOP)["msg"]
    assert writes(stub) == []


def test_a_project_may_get_its_sources_a_moment_later(run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    uptime = {"id": "5", "type": "uptime_domain_failure"}
    stub.replies["GET /api/0/organizations/{}/detectors/"] = [Reply(200, [])] * 2 + [Reply(200, [uptime])]
    assert run(SHOP)["changed"] is True
    assert clock.now == 3


def test_a_channel_that_slack_does_not_know_is_said_in_sentry_s_words(run, stub: Stub) -> None:
    stub.install_slack()
    words = 'Slack: The resource "errors" does not exist or has not been granted access in the Acme Slack workspace.'
    stub.replies[NEW_WORKFLOW] = [Reply(400, {"nonFieldErrors": [words]})]
    message = run({**SHOP, "slack_channel": "errors"})["msg"]
    assert "has not been granted access in the Acme Slack workspace" in message
    assert "Done before: create project shop" in message


def test_a_project_that_was_renamed(run, stub: Stub) -> None:
    moved = {"slug": "store", "detail": {"code": "resource-moved"}}
    headers = {"Location": f"{stub.url}/api/0/projects/acme/store/"}
    stub.replies["GET /api/0/projects/{}/{}/"] = [Reply(302, moved, headers)]
    assert "in Sentry it was renamed to store. Give it the old slug again there" in run(SHOP)["msg"]


def test_the_token_follows_no_redirect(run, stub: Stub) -> None:
    elsewhere = Reply(301, "moved", {"Location": f"{stub.url}/elsewhere/"})
    stub.replies["GET /api/0/organizations/{}/"] = [elsewhere]
    assert f"redirects to {stub.url}/elsewhere/" in run(SHOP)["msg"]
    assert not any("elsewhere" in path for _, path, _ in stub.asked)


def test_a_rate_limit_is_waited_for(run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stub.replies[TEAMS] = [Reply(429, {"detail": "slow"}, {"Retry-After": "7"}), Reply(429, {"detail": "slow"})]
    assert run(SHOP)["changed"] is True
    assert clock.now == 8


def test_the_end_of_the_window_is_waited_for(run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stub.replies[TEAMS] = [Reply(429, {}, {"X-Sentry-Rate-Limit-Reset": str(int(time.time()) + 20)})]
    assert run(SHOP)["changed"] is True
    assert 19 <= clock.now <= 20


def test_a_rate_limit_is_not_waited_for_without_end(run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stub.replies[TEAMS] = [Reply(429, {}, {"Retry-After": "40"})] * 3
    message = warning(run(SHOP))
    assert "too many requests, and the next one is allowed in 40 seconds only" in message
    assert clock.now == 80


@pytest.mark.parametrize("text", ["<html>Bad gateway</html>", ""])
def test_an_answer_that_is_no_json(run, stub: Stub, text: str) -> None:
    stub.replies["GET /api/0/organizations/{}/"] = [Reply(200, text)]
    message = warning(run(SHOP))
    assert re.search(
        r"answers no JSON but: (<html>Bad gateway</html>|no text)\. Is that the address of Sentry\?", message
    )


def test_a_list_that_is_none(run, stub: Stub) -> None:
    stub.replies[TEAMS] = [Reply(200, {"detail": "odd"})]
    assert "answers no list" in run(SHOP)["msg"]


def test_an_error_of_the_server(run, stub: Stub) -> None:
    stub.replies[NEW_PROJECT] = [Reply(500, "<h1>Internal error</h1>")]
    result = run(SHOP)
    assert (result["changed"], result["projects"]) == (True, [])
    assert "HTTP 500: <h1>Internal error</h1>. Done before: create team backend." in result["warnings"][0]


def warning(result: dict[str, Any]) -> str:
    """Of a run that does not fail, although nobody answers: an outage of Sentry stops no other service."""
    assert (result.get("failed", False), result["changed"], result["projects"]) == (False, False, [])
    (message,) = result["warnings"]
    assert message.endswith("Until it answers, apps keep the DSNs they have.")
    return str(message)


def test_nobody_answers(run, closed_url: str) -> None:
    message = warning(run(SHOP, url=closed_url))
    assert message.startswith(f"GET {closed_url}/") and "Connection refused" in message


def test_an_answer_that_does_not_come(run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = warning(run(SHOP, url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1))
    assert "has no answer within 1 seconds (timed out). Nothing was changed." in message


def test_a_program_that_speaks_no_http(run, no_http_url: str) -> None:
    assert "has no answer within 30 seconds" in warning(run(SHOP, url=no_http_url))


def test_it_falls_silent_in_the_middle(run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    stub.replies[NEW_PROJECT] = [Reply(429, {}, {"Retry-After": "600"})]
    result = run(SHOP)
    assert (result["changed"], result["changes"]) == (True, ["create team backend"])
    assert "Done before: create team backend." in result["warnings"][0]
    assert run(SHOP)["changes"][0] == "create project shop"


def test_a_prefix_of_the_url_is_kept(run, stub: Stub) -> None:
    run(SHOP, url=f"{stub.url}/sentry/")
    assert {path.split("/api/")[0] for _, path, _ in stub.asked} == {"/sentry"}


def test_pages_are_asked_where_the_url_says_whatever_the_server_calls_itself(run, stub: Stub) -> None:
    """The token goes to the declared address only."""
    declared = stub.url
    for number in range(5):
        stub.add_team(f"team{number}")
    stub.page, stub.url = 2, "http://sentry.internal:9000"
    result = run({"name": "shop", "team": "team4"}, url=declared)
    assert result["changes"][0] == "create project shop"


def test_a_list_without_end_is_a_failure(run, stub: Stub) -> None:
    again = {"Link": f'<{stub.url}/api/0/organizations/acme/teams/?cursor=0:0:0>; rel="next"; results="true"'}
    stub.replies[TEAMS] = [Reply(200, [], again)] * 200
    assert "has more than 100 pages" in run(SHOP)["msg"]
    assert [endpoint for endpoint, _, _ in stub.asked].count(TEAMS) == 100


@pytest.mark.parametrize("endpoint", ["GET /api/0/projects/{}/{}/", WORKFLOWS, "GET /api/0/organizations/{}/"])
def test_only_not_found_means_that_something_is_not_there(run, stub: Stub, endpoint: str) -> None:
    stub.replies[endpoint] = [Reply(500, {"detail": "oops"})]
    assert "HTTP 500: oops. Nothing was changed." in warning(run(SHOP)) and writes(stub) == []


def test_a_project_that_never_gets_a_source_is_a_failure(run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stub.replies["GET /api/0/organizations/{}/detectors/"] = [Reply(200, [])] * 99
    message = run(SHOP)["msg"]
    assert "has no monitor of the type issue_stream or error" in message
    assert "Done before: create project shop." in message and clock.now == 10


def test_the_words_of_an_error_with_a_code(run, stub: Stub) -> None:
    detail = {"detail": {"code": "sso-required", "message": "Must login via SSO", "extra": {}}}
    stub.replies["GET /api/0/organizations/{}/"] = [Reply(401, detail)]
    assert "the token is not accepted (HTTP 401: Must login via SSO)" in run(SHOP)["msg"]
