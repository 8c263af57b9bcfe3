"""A first run makes everything, a second one nothing, and a prediction says what the run does."""

from __future__ import annotations

import hashlib
from typing import Any

from sentry_stub import Stub

SHOP: dict[str, Any] = {"name": "shop", "team": "backend", "platform": "python-django"}
SLACK = {**SHOP, "slack_channel": "#errors"}
ALL_CHANGES = [
    "create team backend",
    "create project shop",
    "create alert crowsnest shop critical",
    "create alert crowsnest shop other",
]


def writes(stub: Stub) -> list[str]:
    return [endpoint for endpoint, _, _ in stub.asked if not endpoint.startswith("GET")]


def test_a_first_run_makes_all_and_returns_the_dsn(run, stub: Stub) -> None:
    result = run(SHOP)
    assert result["changes"] == ALL_CHANGES
    (key,) = stub.keys
    number = stub.projects[0]["id"]
    dsn = key["dsn"]["public"]
    shown = {"name": "shop", "slug": "shop", "id": number, "alerts": "email", "dsn_digest": digest(dsn)}
    assert result["projects"] == [{**shown, "dsn": dsn}]
    assert run(SHOP, dsns=False)["projects"] == [shown]


def digest(dsn: str) -> str:
    return hashlib.sha256(dsn.encode()).hexdigest()


def test_sentry_s_own_alert_is_not_made_as_well(run, stub: Stub) -> None:
    run(SHOP)
    assert [row["name"] for row in stub.workflows] == ["crowsnest shop critical", "crowsnest shop other"]


def test_a_second_run_changes_nothing(run, stub: Stub) -> None:
    run(SHOP)
    stub.asked.clear()
    result = run(SHOP)
    assert (result["changed"], result["changes"], writes(stub)) == (False, [], [])
    assert result["projects"][0]["dsn"] == stub.keys[0]["dsn"]["public"]


def test_a_prediction_says_the_same_and_writes_nothing(run, stub: Stub) -> None:
    predicted = run(SHOP, check=True)
    assert writes(stub) == []
    assert (predicted["changed"], predicted["projects"][0]["dsn"]) == (True, "")
    done = run(SHOP)
    assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])


def test_critical_is_told_at_once_and_all_else_once_an_hour(run, stub: Stub) -> None:
    run(SHOP)
    critical, other = stub.workflows
    high = [("issue_priority_greater_or_equal", 75)]
    assert [group["logicType"] for group in critical["actionFilters"]] == ["all"]
    assert [group["logicType"] for group in other["actionFilters"]] == ["none"]
    for workflow in (critical, other):
        assert [(row["type"], row["comparison"]) for row in workflow["actionFilters"][0]["conditions"]] == high
    assert (critical["config"], other["config"]) == ({"frequency": 5}, {"frequency": 60})
    assert sorted(row["type"] for row in critical["triggers"]["conditions"]) == [
        "first_seen_event",
        "reappeared_event",
        "regression_event",
    ]
    assert other["triggers"]["conditions"] == []


def test_alerts_hang_on_all_issues_of_their_own_project(run, stub: Stub) -> None:
    stub.add_team("web")
    stub.add_project("blog", "web")
    run(SHOP)
    number = stub.projects[1]["id"]
    (source,) = [row["id"] for row in stub.detectors if row["projectId"] == number and row["type"] == "issue_stream"]
    assert [row["detectorIds"] for row in stub.workflows] == [[source], [source]]


def test_an_older_sentry_has_only_the_source_of_errors(run, stub: Stub) -> None:
    stub.add_team("backend")
    stub.add_project("shop", "backend", platform="python-django")
    stub.detectors = [row for row in stub.detectors if row["type"] == "error"]
    run(SHOP)
    assert [row["detectorIds"] for row in stub.workflows] == [[stub.detectors[0]["id"]]] * 2
    assert run(SHOP)["changed"] is False


def test_slack_where_the_organization_has_it(run, stub: Stub) -> None:
    workspace = stub.install_slack()
    result = run(SLACK)
    actions = [action for row in stub.workflows for group in row["actionFilters"] for action in group["actions"]]
    sent = {(row["type"], row["integrationId"], row["config"]["targetDisplay"]) for row in actions}
    assert sent == {("slack", workspace["id"], "#errors")}
    assert result["projects"][0]["alerts"] == "slack"
    assert result["warnings"] == []
    assert run(SLACK)["changed"] is False


def test_e_mail_and_a_warning_where_it_has_no_slack(run, stub: Stub) -> None:
    stub.add_team("backend")
    stub.install_slack(status="disabled")
    result = run(SLACK)
    assert result["projects"][0]["alerts"] == "email"
    assert result["warnings"] == [
        "project shop: the organization acme has no active integration of Slack (Sentry's free plan cannot have one), "
        "so Sentry tells its errors by e-mail and not in #errors"
    ]
    assert run(SLACK)["changed"] is False
    stub.integrations[0]["organizationIntegrationStatus"] = "active"
    assert run(SLACK)["changes"] == [
        "change alert crowsnest shop critical: to",
        "change alert crowsnest shop other: to",
    ]


def test_mail_to_a_team_without_members_is_a_warning(run, stub: Stub) -> None:
    (warning,) = run(SHOP)["warnings"]
    assert warning.startswith("project shop: the team backend has no members, so Sentry's mails reach nobody.")
    stub.teams[0]["memberCount"] = 2
    assert run(SHOP)["warnings"] == []


def test_whoever_made_the_team_is_in_it(run, stub: Stub) -> None:
    stub.creator_joins = True
    assert run(SHOP)["warnings"] == []


def test_an_environment_counts_from_its_first_event_on(run, stub: Stub) -> None:
    shop = {**SHOP, "environment": "production"}
    stub.add_team("backend")
    (warning,) = run(shop)["warnings"]
    assert "no event came from the environment production yet" in warning
    assert run(shop)["changed"] is False
    stub.environments = ["production"]
    result = run(shop)
    assert result["changes"] == [
        "change alert crowsnest shop critical: environment",
        "change alert crowsnest shop other: environment",
    ]
    assert [row["environment"] for row in stub.workflows] == ["production", "production"]
    assert run(shop)["changed"] is False


def test_a_project_that_people_made_keeps_its_name_and_platform(run, stub: Stub) -> None:
    stub.add_team("backend")
    stub.add_project("shop", "backend", "Web shop")
    before = dict(stub.projects[0])
    assert [change for change in run(SHOP)["changes"] if "project" in change] == []
    assert stub.projects[0] == before


def test_what_was_edited_by_hand_is_corrected(run, stub: Stub) -> None:
    run(SHOP)
    stub.workflows[0].update(enabled=False, detectorIds=[], config={"frequency": 1440})
    stub.workflows[1]["actionFilters"][0]["actions"] = []
    result = run(SHOP)
    assert result["changes"] == [
        "change alert crowsnest shop critical: enabled, minutes, sources",
        "change alert crowsnest shop other: to",
    ]
    assert "  minutes: 1440\n" in result["diff"]["before"]
    assert run(SHOP)["changed"] is False


def test_a_key_is_made_where_none_is_active(run, stub: Stub) -> None:
    run(SHOP)
    stub.keys[0]["isActive"] = False
    result = run(SHOP)
    assert result["changes"] == ["create client key shop"]
    assert stub.keys[1]["name"] == "crowsnest"
    assert result["projects"][0]["dsn"] == stub.keys[1]["dsn"]["public"]


def test_the_dsn_stays_when_people_add_a_key(run, stub: Stub) -> None:
    before = run(SHOP)["projects"]
    stub.add_key(stub.projects[0], "Of people").update(id="0", dateCreated="2026-11-29T12:00:00Z")
    assert run(SHOP)["projects"] == before


def test_a_key_of_our_name_is_taken_before_others(run, stub: Stub) -> None:
    run(SHOP)
    ours = stub.add_key(stub.projects[0], "crowsnest")
    assert run(SHOP)["projects"][0]["dsn"] == ours["dsn"]["public"]


def test_lists_of_several_pages_are_read_whole(run, stub: Stub) -> None:
    stub.page = 2
    for number in range(5):
        stub.add_team(f"team{number}")
        stub.add_project(f"app{number}", f"team{number}")
    run(*({"name": f"app{number}", "team": f"team{number}"} for number in range(5)))
    assert len(stub.workflows) == 10
    result = run(*({"name": f"app{number}", "team": f"team{number}"} for number in range(5)))
    assert result["changed"] is False
