"""What people get when several things go wrong: asked of a real Alertmanager, with shorter waits than it promises."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from generated import Alertmanager, alertmanager, hurry, write
from posted import Posted, posted
from programs import until
from promised import own_alerts

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import stepped_alerts

FRESH = count()


class Told:
    """Posts alerts to Alertmanager, and reads what it tells."""

    def __init__(self, alertmanager: Alertmanager, discord: Posted) -> None:
        self._alertmanager, self._discord = alertmanager, discord

    def fire(self, *alerts: dict[str, Any]) -> None:
        self._alertmanager.post(alerts)

    def end(self, *alerts: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat()
        self._alertmanager.post([{**alert, "endsAt": now} for alert in alerts])

    def titles(self, case: str) -> list[str]:
        """Of all messages on the case so far, without it, in their order."""
        embeds = [embed for body in list(self._discord.bodies) for embed in json.loads(body)["embeds"]]
        return [it["title"].replace(f" {case}", "") for it in embeds if f" {case}" in it["title"]]

    def until(self, case: str, *titles: str) -> None:
        """Waits until there are as many, which are these in whatever order, and a moment for one more."""
        until(lambda: len(self.titles(case)) >= len(titles), 20)
        assert Counter(self.titles(case)) == Counter(titles)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("grouping")
    with posted() as discord:
        receiver = {"type": "discord", "webhook_url": f"{discord.url}/api/webhooks/1/x"}
        write(folder, {"receivers": [receiver]})
        hurry(folder)
        with alertmanager(folder) as running:
            yield Told(running, discord)


@pytest.fixture
def case() -> str:
    return f"c{next(FRESH)}x"


def alert(case: str, summary: str, own: bool = True, **labels: str) -> dict[str, Any]:
    mark = {"crowsnest_alert": "true"} if own else {}
    always = {"severity": "critical", "environment": "production", "app": case, **mark}
    return {"labels": {**always, **labels}, "annotations": {"summary": f"{summary} {case}"}}


def test_one_alert_on_several_parts_of_an_app_is_one_message_and_has_one_end(told: Told, case: str) -> None:
    celery, redis = (alert(case, name, alertname="ProbeComponentFailed", probe=name) for name in ("celery", "redis"))
    told.fire(celery, redis)
    told.until(case, "🔴 CRITICAL: celery; also: redis")
    told.end(celery, redis)
    told.until(case, "🔴 CRITICAL: celery; also: redis", "✅ Resolved: celery; also: redis")


def test_an_end_that_prometheus_repeats_does_not_send_another_alert_again(told: Told, case: str) -> None:
    """It does so for 15 minutes, once a minute; in one group each repetition would send what fires once more."""
    redis, database = (alert(case, name, alertname=name) for name in ("RedisDown", "PostgresDown"))
    down = alert(case, "down", alertname="AppDown")
    told.fire(redis, database)
    so_far = ["🔴 CRITICAL: RedisDown", "🔴 CRITICAL: PostgresDown"]
    told.until(case, *so_far)
    told.end(redis, database)
    so_far += ["✅ Resolved: RedisDown", "✅ Resolved: PostgresDown"]
    told.until(case, *so_far)
    told.fire(down)
    so_far.append("🔴 CRITICAL: down")
    told.until(case, *so_far)
    for over in (redis, database, redis, database):
        told.end(over)
        time.sleep(1.2)  # longer than the group's interval
    told.until(case, *so_far)


def test_apps_environments_and_severities_are_messages_of_their_own(told: Told, case: str) -> None:
    down = alert(case, "down", alertname="AppDown")
    others = (
        {"app": f"{case} blog"},
        {"environment": "staging"},
        {"severity": "high", "alertname": "AppInstanceDown"},
    )
    told.fire(down, *({**down, "labels": {**down["labels"], **labels}} for labels in others))
    told.until(case, *["🔴 CRITICAL: down"] * 3, "🟠 HIGH: down")


def test_alerts_of_a_team_are_grouped_in_the_same_way(told: Told, case: str) -> None:
    names = ("Orders", "Orders", "Mails")
    told.fire(
        *(alert(case, name, own=False, alertname=name, queue=str(number)) for number, name in enumerate(names)),
    )
    told.until(case, "🔴 CRITICAL: Orders, and 1 more", "🔴 CRITICAL: Mails")


def pairs() -> list[tuple[dict[str, str], dict[str, str]]]:
    """An alert of ours at a lower and at a higher severity, for each pair of severities that there is."""
    found: dict[tuple[str, str], tuple[dict[str, str], dict[str, str]]] = {}
    for name in stepped_alerts():
        steps = {labels["severity"]: labels for labels in own_alerts() if labels["alertname"] == name}
        graded = [severity for severity in SEVERITIES if severity in steps]
        for rank, higher in enumerate(graded):
            found |= {(higher, lower): (steps[lower], steps[higher]) for lower in graded[rank + 1 :]}
    return list(found.values())


GRADE = {"critical": "🔴 CRITICAL", "high": "🟠 HIGH", "medium": "🟡 MEDIUM"}


@pytest.mark.parametrize(("low", "high"), pairs(), ids=lambda it: f"{it['alertname']}-{it['severity']}")
def test_a_lower_severity_that_was_told_ends_and_is_told_again_right_after(
    told: Told, case: str, low: dict[str, str], high: dict[str, str]
) -> None:
    """Its condition holds while the higher one does, so both may end at once, and the lower one later."""
    of_pair = {"crowsnest_alert": "true", "environment": case}
    lower, higher = (
        {"labels": {**low, **of_pair, "severity": labels["severity"]}, "annotations": {"summary": f"x {case}"}}
        for labels in (low, high)
    )
    begins, rises = f"{GRADE[low['severity']]}: x", f"{GRADE[high['severity']]}: x"
    told.fire(lower)
    told.until(case, begins)
    told.fire(higher, lower)
    told.until(case, begins, rises)
    told.end(higher, lower)
    ended = [begins, rises, "✅ Resolved: x", "✅ Resolved: x"]
    told.until(case, *ended)
    told.fire(lower)
    told.until(case, *ended, begins)
    told.end(lower)
    told.until(case, *ended, begins, "✅ Resolved: x")
