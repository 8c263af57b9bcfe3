"""The bot mode of Slack: what a real Alertmanager posts to slack.com, edits there, and what it does when that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from generated import Alertmanager, alertmanager, write
from programs import tool, until
from slack_com import SlackCom, reach, slack_com

from ansible_collections.crowsnest.core.plugins.module_utils.alertmanager_client import AlertmanagerClient
from ansible_collections.crowsnest.core.plugins.modules import alertmanager_test_alerts
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import texts_of_test_alerts

TOKEN = "xoxb-1-lab"
BOT = {"type": "slack", "bot_token": TOKEN, "channel": "#alerts"}
DECLARED: dict[str, Any] = {
    "receivers": [BOT],
    "external_urls": {"grafana": "https://watch.example.com/grafana/", "alertmanager": "https://watch.example.com/am/"},
}
OVER = "2026-01-01T00:00:00Z"
# As in its container.
WORDS = (
    "--enable-feature=receiver-name-in-metrics",
    f"--web.external-url={DECLARED['external_urls']['alertmanager']}",
    "--web.route-prefix=/",
)


def written(folder: Path, **declared: Any) -> Path:
    """The generated files, in which nothing waits, and news is repeated at once."""
    config = write(folder, DECLARED | declared) / "alertmanager.yml"
    config.write_text(
        re.sub(r"(group_wait|group_interval): \w+|(repeat_interval): 24h", r"\1\2: 1s", config.read_text())
    )
    return config


@contextmanager
def team(folder: Path, **declared: Any) -> Iterator[tuple[Alertmanager, SlackCom]]:
    with slack_com(folder, "--token", TOKEN, "--channel", "alerts") as slack:
        reach(written(folder, **declared), slack)
        with alertmanager(folder, words=WORDS) as running:
            yield running, slack


def alert(name: str, over: bool = False, severity: str = "critical", **labels: str) -> dict[str, Any]:
    """An alert of the team's own: its groups are by alert, app and host, whatever those of crowsnest are."""
    return {
        "labels": {"alertname": "Own", "severity": severity, "app": "shop", "part": name, **labels},
        "annotations": {"summary": f"shop: {name} is down", "runbook_url": "https://wiki.example.com/own"},
        **({"endsAt": OVER} if over else {}),
    }


def said(slack: SlackCom, *words: str) -> dict[str, Any]:
    """The newest message, once it says all of this."""

    def found() -> Any:
        messages = slack.messages()
        return messages and all(word in json.dumps(messages[-1]["payload"]) for word in words) and messages[-1]

    return dict(until(found, 30))


def failures(running: Alertmanager, severity: str = "critical") -> float:
    found = AlertmanagerClient(running.url).delivery_counts()
    return found.get((severity, "slack"), (0, 0))[1]


def test_a_fault_is_one_message_that_grows_and_ends_and_the_next_one_is_new(tmp_path: Path) -> None:
    with team(tmp_path) as (running, slack):
        running.post([alert("database")])
        first = said(slack, "database is down")
        running.post([alert("worker")])
        assert said(slack, "database is down", "worker is down")["ts"] == first["ts"]
        running.post([alert("database", over=True), alert("worker", over=True)])
        ended = said(slack, "Resolved")
        assert ended["ts"] == first["ts"] and len(ended["edits"]) >= 2
        running.post([alert("database")])
        until(lambda: len(slack.messages()) == 2, 30)
        assert said(slack, "CRITICAL")["edits"] == []


def test_a_higher_severity_is_a_message_of_its_own(tmp_path: Path) -> None:
    """An edit would be silent."""
    with team(tmp_path) as (running, slack):
        running.post([alert("disk", severity="medium")])
        said(slack, "MEDIUM")
        running.post([alert("disk")])
        said(slack, "CRITICAL")
        assert [len(each["edits"]) for each in slack.messages()] == [0, 0]


def test_news_is_never_edited_into_one_another(tmp_path: Path) -> None:
    """Not even where Alertmanager did not see the end of the news before: it was off, or the repeat came first."""
    own = {"severity": "none", "crowsnest_alert": "true", "app": "shop"}
    with team(tmp_path, weekly_report={}) as (running, slack):
        for night in ("Monday", "Tuesday"):
            for name in ("BackupDone", "WeeklyReport"):
                running.post([{"labels": {"alertname": name, **own}, "annotations": {"summary": f"{name} {night}"}}])
                until(lambda said=f"{name} {night}": slack.messages(contains=said), 30)
        assert {len(each["edits"]) for each in slack.messages()} == {0}
        assert slack.messages(contains="BackupDone Monday") and slack.messages(contains="WeeklyReport Monday")


def test_a_message_that_a_person_deleted_is_a_failure_that_is_counted_and_no_other_message_is_lost(
    tmp_path: Path,
) -> None:
    """AlertmanagerNotificationsFailing takes two in 20 minutes; its own message is of another group."""
    with team(tmp_path) as (running, slack):
        running.post([alert("database")])
        slack.delete(said(slack, "database is down")["ts"])
        running.post([alert("worker")])
        until(lambda: failures(running) >= 2, 30)
        running.post([alert("mail", alertname="Other")])
        said(slack, "mail is down")
    assert "message_not_found" in (tmp_path / "alertmanager.log").read_text()


def test_a_refused_token_is_counted_and_what_waits_arrives_once_with_the_right_one(tmp_path: Path) -> None:
    with team(tmp_path, receivers=[{**BOT, "bot_token": "xoxb-1-revoked"}]) as (running, slack):
        running.post([alert("database")])
        until(lambda: failures(running) >= 2, 30)
        (tmp_path / "secrets/slack_bot_token").write_text(TOKEN)
        said(slack, "database is down")
        running.post([alert("database", over=True)])
        assert said(slack, "Resolved")["edits"]
        assert len(slack.messages()) == 1
    log = (tmp_path / "alertmanager.log").read_text()
    assert "invalid_auth" in log and "xoxb" not in log


@pytest.mark.parametrize("fault", [{"mode": "refuse", "word": "ratelimited"}, {"mode": "down"}], ids=str)
def test_while_slack_takes_nothing_for_a_while_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path, fault: dict[str, Any]
) -> None:
    with team(tmp_path) as (running, slack):
        running.post([alert("database")])
        said(slack, "database is down")
        slack.fault(**fault)
        running.post([alert("worker"), alert("mail", alertname="Other")])
        until(lambda: failures(running) >= 2, 30)
        slack.fault("off")
        until(lambda: "mail is down" in str(slack.messages()) and "worker is down" in str(slack.messages()), 60)
        running.post([alert(part, over=True) for part in ("database", "worker")])
        until(lambda: "Resolved" in str([each["payload"] for each in slack.messages()]), 60)
        assert len(slack.messages()) == 2


def sent(running: Alertmanager, folder: Path, *severities: str) -> list[dict[str, Any]]:
    """What `./crowsnest alert-test` finds."""
    params = {
        "url": running.url,
        "deliveries": {severity: {"slack": 1} for severity in severities},
        "texts": texts_of_test_alerts("en"),
        "labels": {"host": "web1"},
        "log_command": ["sh", "-c", f"cat {folder}/alertmanager.log"],
        "timeout": 30,
    }
    return alertmanager_test_alerts.run(params)


def test_a_test_alert_of_each_severity_is_posted_and_its_end_edits_it(tmp_path: Path) -> None:
    severities = ("critical", "high", "medium", "low")
    with team(tmp_path) as (running, slack):
        rows = sent(running, tmp_path, *severities)
        assert [(row["severity"], row["delivered"], row["failed"]) for row in rows] == [(it, 1, 0) for it in severities]
        now = datetime.now(UTC).isoformat()
        running.post([{**each, "endsAt": now} for each in running.alerts()])
        until(lambda: all("Resolved" in str(each["payload"]) for each in slack.messages()), 30)
        assert [len(each["edits"]) for each in slack.messages()] == [1] * 4


def test_a_refusal_of_a_test_alert_is_told_in_slack_s_word(tmp_path: Path) -> None:
    with team(tmp_path, receivers=[{**BOT, "channel": "#gone"}]) as (running, _slack):
        (row,) = sent(running, tmp_path, "critical")
        assert row["failed"] >= 1 and "channel_not_found" in row["words"]


# --- buttons ---


def buttons(message: dict[str, Any]) -> dict[str, str]:
    return {each["text"]: each["url"] for each in message["payload"]["attachments"][0]["actions"]}


def test_buttons_open_pages_and_the_text_does_not_repeat_them(tmp_path: Path) -> None:
    with team(tmp_path) as (running, slack):
        running.post([alert("database"), alert("worker")])
        message = said(slack, "worker is down")
        text = message["payload"]["attachments"][0]["text"]
        assert buttons(message) == {
            "Runbook": "https://wiki.example.com/own",
            "Dashboard": "https://watch.example.com/grafana/d/overview",
            "Acknowledge": "https://watch.example.com/am/#/silences/new?filter="
            "%7Balertname%3D%22Own%22%2C%20app%3D%22shop%22%2C%20part%3D%22database%22%2C%20severity%3D%22critical%22%7D",
        }
        first, second = text.split("worker is down")
        assert "|Runbook>" not in first and "|Dashboard>" not in first and "|Silence>" not in first
        assert "|Runbook>" in second and "|Dashboard>" in second and "|Silence>" in second
        running.post([alert("database", over=True), alert("worker", over=True)])
        assert buttons(said(slack, "Resolved"))["Acknowledge"] == "-", "Slack leaves a button out whose url is none"


def test_without_a_public_address_the_text_keeps_the_links(tmp_path: Path) -> None:
    """Slack leaves buttons out that lead to a name without a dot, and says nothing of numbers."""
    urls = {"grafana": "http://127.0.0.1:3000/", "alertmanager": "http://127.0.0.1:9093/"}
    with team(tmp_path, external_urls=urls, language="ko") as (running, slack):
        own = alert("database")
        running.post([{**own, "annotations": {"summary": "database is down"}}])
        message = said(slack, "database is down")
    assert buttons(message)["조치 방법"] == "-"
    assert buttons(message)["대시보드"] == "http://127.0.0.1:3000/d/overview"
    assert "<http://127.0.0.1:3000/d/overview|대시보드>" in message["payload"]["attachments"][0]["text"]


@pytest.mark.parametrize("more", [{}, {"weekly_report": {}, "language": "ko"}], ids=str)
def test_amtool_takes_it(tmp_path: Path, more: dict[str, Any]) -> None:
    written(tmp_path, **more)
    done = tool("amtool")(tmp_path, "check-config", "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr
