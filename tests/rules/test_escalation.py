"""Receivers with `after`, with a real Prometheus and Alertmanager: who is told of a fault, when, and when no more."""

from __future__ import annotations

import json
import re
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import requests
from generated import Alertmanager, alertmanager, write
from posted import Posted, posted
from programs import free_port, running, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text


def declared(slack: Posted, oncall: Posted, boss: Posted) -> dict[str, Any]:
    hook = {"type": "webhook", "severities": ["critical", "high"]}
    return {
        "receivers": [
            {"type": "slack", "webhook_url": f"{slack.url}/services/T/B/x"},
            {**hook, "name": "oncall", "url": f"{oncall.url}/", "after": "15m"},
            {**hook, "name": "boss", "url": f"{boss.url}/", "after": "1h", "severities": ["critical"]},
        ]
    }


def told(server: Posted) -> list[tuple[str, str]]:
    """(alert, state) of each message: to a webhook, or to Slack."""
    found = []
    for body in map(json.loads, server.bodies):
        if "attachments" in body:
            title = body["attachments"][0]["title"]
            found.append((title.split()[-1], "resolved" if title.startswith("✅") else "firing"))
        else:
            found.append((body["commonLabels"]["alertname"], body["status"]))
    return found


def acknowledge(hub: Alertmanager, slack: Posted, name: str) -> None:
    """The silence that the link in Slack's message about this alert prepares."""
    text = next(json.loads(body)["attachments"][0]["text"] for body in slack.bodies if f": {name}" in body)
    found = re.search(r"<http://[^|>]+/#/silences/new\?filter=([^|>]+)\|Acknowledge>", text)
    assert found, text
    now = datetime.now(UTC)
    body = {
        "matchers": [
            {"name": label, "value": value, "isRegex": False, "isEqual": True}
            for label, value in re.findall(r'(\w+)="([^"]*)"', unquote(found[1]))
        ],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "kim",
        "comment": "I am on it",
    }
    requests.post(f"{hub.url}/api/v2/silences", json=body, timeout=10).raise_for_status()


FAULTS = {
    "Long": {"severity": "critical", "app": "shop"},
    "Short": {"severity": "critical", "app": "shop"},
    "Known": {"severity": "critical", "app": "shop"},
    "Mild": {"severity": "medium"},
    "Late": {"severity": "high", "escalation": "true"},  # a label of its own, by chance
}


def fire(folder: Path, url: str, *names: str) -> None:
    """These faults are there now, and none of the others."""
    rules = [
        {"alert": name, "expr": "vector(1)" if name in names else "vector(1) > 1", "labels": labels}
        for name, labels in FAULTS.items()
    ]
    load(folder, url, [{"name": "own", "interval": "2s", "rules": rules}])


def load(folder: Path, url: str, groups: list[dict[str, Any]]) -> None:
    """These groups of rules are in force now, and none of before."""
    (folder / "rules/own.yml").write_text(yaml_text({"groups": groups}))
    requests.post(f"{url}/-/reload", timeout=10).raise_for_status()


def quick(folder: Path, port: int) -> None:
    """Seconds instead of minutes: 20 for `oncall`, 30 for `boss`; nobody's rules; Alertmanager at this port."""
    config, scraped = folder / "alertmanager.yml", folder / "prometheus.yml"
    text = re.sub("(group_wait): (10s|1m|5m)$|(group_interval): .*", r"\1\3: 1s", config.read_text(), flags=re.M)
    config.write_text(text.replace("group_wait: 15m", "group_wait: 20s").replace("group_wait: 1h", "group_wait: 30s"))
    scraped.write_text(scraped.read_text().replace("127.0.0.1:9093", f"127.0.0.1:{port}"))
    for path in (folder / "rules").glob("*.yml"):
        path.unlink()


def reloadable_prometheus(folder: Path, *more: str) -> AbstractContextManager[str]:
    words = ("--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/series", "--web.enable-lifecycle")
    return running("prometheus", folder, *words, *more)


def test_others_are_told_only_of_what_goes_on_and_nobody_acknowledged(tmp_path: Path) -> None:
    with posted() as slack, posted() as oncall, posted() as boss:
        quick(write(tmp_path, declared(slack, oncall, boss)), port := free_port())
        with (
            alertmanager(tmp_path, port=port) as hub,
            reloadable_prometheus(tmp_path, "--rules.alert.resend-delay=5s") as url,
        ):
            fire(tmp_path, url, *FAULTS)
            until(lambda: {("Known", "firing"), ("Short", "firing")} <= set(told(slack)), 60)
            acknowledge(hub, slack, "Known")
            fire(tmp_path, url, *(FAULTS.keys() - {"Short"}))
            until(lambda: ("Late", "firing") in told(oncall), 60)
            acknowledge(hub, slack, "Late")
            until(lambda: ("Long", "firing") in told(boss), 60)
            fire(tmp_path, url)
            ended = ("Long", "resolved")
            until(lambda: len(told(slack)) == 10 and ended in told(oncall) and ended in told(boss), 60)
    assert sorted(told(slack)) == sorted((name, state) for name in FAULTS for state in ("firing", "resolved"))
    assert sorted(told(oncall)) == [("Late", "firing"), ("Long", "firing"), ("Long", "resolved")]
    assert told(boss) == [("Long", "firing"), ("Long", "resolved")]


def test_each_alert_is_there_at_once_and_so_is_its_copy(tmp_path: Path) -> None:
    """Prometheus repeats both only once a minute. There are many, each in a group and so in a request of its own.

    Before 3.6 an entry got, by chance, what the other one had written: https://github.com/prometheus/prometheus/pull/17063
    """
    names, labels = [f"Fault{number}" for number in range(60)], {"severity": "critical"}
    with posted() as slack, posted() as oncall, posted() as boss:
        quick(write(tmp_path, declared(slack, oncall, boss)), port := free_port())
        with alertmanager(tmp_path, port=port) as hub, reloadable_prometheus(tmp_path) as url:
            until(lambda: len(destinations(url)) == 2, 20)
            rules = [{"alert": name, "expr": "vector(1)", "labels": labels} for name in names]
            load(tmp_path, url, [{"name": rule["alert"], "interval": "2s", "rules": [rule]} for rule in rules])
            until(lambda: len(hub.alerts()) == 2 * len(names), 15)
            known = [(each["labels"]["alertname"], each["labels"].get("escalation", "")) for each in hub.alerts()]
    assert sorted(known) == sorted((name, mark) for name in names for mark in ("", "true"))


def destinations(url: str) -> list[Any]:
    """Where Prometheus sends alerts by now."""
    found = requests.get(f"{url}/api/v1/alertmanagers", timeout=10).json()["data"]["activeAlertmanagers"]
    return list(found)


def test_the_wait_counts_from_the_begin_of_the_alert_whenever_alertmanager_was_started(tmp_path: Path) -> None:
    now, ages = datetime.now(UTC), {"New": 1, "Old": 16, "Oldest": 61}
    alerts = [
        {
            "labels": {"alertname": name, "severity": "critical", "escalation": "true"},
            "startsAt": (now - timedelta(minutes=minutes)).isoformat(),
        }
        for name, minutes in ages.items()
    ]
    with (
        posted() as slack,
        posted() as oncall,
        posted() as boss,
        alertmanager(write(tmp_path, declared(slack, oncall, boss))) as hub,
    ):
        hub.post(alerts)
        until(lambda: told(boss) and len(told(oncall)) == 2, 30)
        time.sleep(3)
    assert sorted(told(oncall)) == [("Old", "firing"), ("Oldest", "firing")]
    assert told(boss) == [("Oldest", "firing")] and told(slack) == []
