"""The real Alertmanager on the laboratory's slack.com: what the tests of messages that are edited rest upon."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from generated import Alertmanager, alertmanager
from programs import until
from slack_com import SlackCom, reach, slack_com

CONFIG = {
    "route": {"receiver": "team", "group_by": ["thing"], "group_wait": "1s", "group_interval": "1s"},
    "receivers": [
        {
            "name": "team",
            "slack_configs": [
                {
                    "api_url": "https://slack.com/api/chat.postMessage",
                    "http_config": {"authorization": {"credentials": "xoxb-lab"}},
                    "channel": "#alerts",
                    "update_message": True,
                    "send_resolved": True,
                    "title": "{{ .Status }}: {{ len .Alerts.Firing }}",
                }
            ],
        }
    ],
}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[tuple[Alertmanager, SlackCom]]:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    with slack_com(tmp_path, "--token", "xoxb-lab", "--channel", "alerts") as slack:
        reach(path, slack)
        with alertmanager(tmp_path) as running:
            yield running, slack


def fire(alertmanager: Alertmanager, alert: str, **more: str) -> None:
    alertmanager.post([{"labels": {"alertname": alert, "thing": "shop"}, **more}])


def says(slack: SlackCom, title: str) -> dict[str, Any]:
    """The one message there is, once it has this title."""
    [message] = until(lambda: slack.messages(contains=title), 20)
    assert slack.messages() == [message]
    return dict(message)


def test_one_message_is_edited_while_its_group_grows_and_ends(team: tuple[Alertmanager, SlackCom]) -> None:
    alertmanager, slack = team
    fire(alertmanager, "DatabaseDown")
    first = says(slack, "firing: 1")
    assert first["edits"] == []
    fire(alertmanager, "AppDown")
    assert says(slack, "firing: 2")["ts"] == first["ts"]
    for alert in ("DatabaseDown", "AppDown"):
        fire(alertmanager, alert, endsAt="2026-01-01T00:00:00Z")
    ended = says(slack, "resolved: 0")
    assert ended["posted"] == first["payload"]
    assert ended["received"] == first["received"] < ended["edits"][-1]["received"]


def test_a_message_that_a_person_deleted_is_not_posted_again(team: tuple[Alertmanager, SlackCom]) -> None:
    alertmanager, slack = team
    fire(alertmanager, "DatabaseDown")
    slack.delete(says(slack, "firing: 1")["ts"])
    fire(alertmanager, "AppDown")
    failed = 'alertmanager_notifications_failed_total{integration="slack",reason="clientError"} 2'
    until(lambda: failed in requests.get(f"{alertmanager.url}/metrics", timeout=10).text, 20)
    assert slack.messages() == []
