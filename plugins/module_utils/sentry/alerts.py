# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The two alerts of a project, as Sentry's API calls them workflows: wanted, found, and as sent. Pure. Python 3.9.

Critical issues are told at once, all others at most once an hour per issue.

- Fields and values: https://docs.sentry.io/api/monitors/create-an-alert-for-an-organization/
- A workflow without detectors never fires. `issue_stream` has all issues of a project, also those of `error`; Sentry
  removes what is connected to both: https://github.com/getsentry/sentry/pull/112402
- Sentry finds the id of a Slack channel itself when `targetIdentifier` is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import Thing

Row = Mapping[str, Any]
DETECTORS = ("issue_stream", "error")  # the first one that a project has; an older Sentry has no issue_stream
HIGH_PRIORITY = 75
EMAIL = "e-mail to the assignee, else to all active members of the project's teams"
_HIGH = {"type": "issue_priority_greater_or_equal", "comparison": HIGH_PRIORITY, "conditionResult": True}


class Urgency(NamedTuple):
    """When an alert is sent: `triggers` are the states that an issue gets, without one every event of it counts;
    `minutes` are between two messages about one issue; `logic` is that of the condition "high priority".
    """

    triggers: tuple[str, ...]
    minutes: int
    logic: str


URGENCIES = {
    "critical": Urgency(("first_seen_event", "reappeared_event", "regression_event"), 5, "all"),
    "other": Urgency((), 60, "none"),
}


def alert_name(slug: str, urgency: str) -> str:
    """It identifies the alert, beside the detectors it is connected to."""
    return f"crowsnest {slug} {urgency}"


def slack(integration: Row, channel: str) -> str:
    """How an alert reaches a channel, as it is compared and shown."""
    return f"slack #{channel.lstrip('#')} of workspace {integration['id']}"


def wanted_alert(slug: str, urgency: str, environment: str, to: str, detector: str) -> Thing:
    """An alert of a project. `detector` is the type of its source."""
    own = URGENCIES[urgency]
    fields = {
        "enabled": True,
        "environment": environment,
        "minutes": own.minutes,
        "triggers": list(own.triggers),
        "filter": f"{own.logic} {_HIGH['type']} {HIGH_PRIORITY}",
        "to": to,
        "sources": [detector],
    }
    name = alert_name(slug, urgency)
    return Thing(name, name, fields)


def found_alert(workflow: Row, detectors: Mapping[str, str]) -> Thing:
    """A workflow of Sentry. `detectors` is {id: type} of the project's; others are shown by their id."""
    filters = workflow.get("actionFilters") or []
    triggers = workflow.get("triggers") or {}
    fields = {
        "enabled": workflow.get("enabled"),
        "environment": workflow.get("environment") or "",
        "minutes": (workflow.get("config") or {}).get("frequency"),
        "triggers": sorted(_condition(condition) for condition in triggers.get("conditions") or []),
        "filter": "; ".join(
            " ".join([row.get("logicType", ""), *(_condition(condition) for condition in row.get("conditions") or [])])
            for row in filters
        ),
        "to": "; ".join(_action(action) for row in filters for action in row.get("actions") or []),
        "sources": sorted(detectors.get(str(number), str(number)) for number in workflow.get("detectorIds") or []),
    }
    return Thing(workflow["name"], workflow["name"], fields, workflow["id"], workflow)


def body(alert: Thing, urgency: str, to: Row, detector_ids: list[int]) -> dict[str, Any]:
    """What is sent. `to` is {"integration", "channel"} of Slack, or empty for e-mail.

    Lists without ids replace what is there; `enabled` would otherwise become true at each change anyway.
    """
    return {
        "name": alert.name,
        "enabled": True,
        "environment": alert.fields["environment"] or None,
        "config": {"frequency": alert.fields["minutes"]},
        "detectorIds": detector_ids,
        "triggers": {
            "logicType": "any-short",
            "conditions": [
                {"type": name, "comparison": True, "conditionResult": True} for name in alert.fields["triggers"]
            ],
            "actions": [],
        },
        "actionFilters": [
            {"logicType": URGENCIES[urgency].logic, "conditions": [dict(_HIGH)], "actions": [_sent_action(to)]}
        ],
    }


def _sent_action(to: Row) -> dict[str, Any]:
    if not to:
        config = {"targetType": "issue_owners", "targetIdentifier": None, "targetDisplay": None}
        data = {"fallthroughType": "ActiveMembers"}
        return {"type": "email", "integrationId": None, "data": data, "config": config, "status": "active"}
    config = {"targetType": "specific", "targetIdentifier": "", "targetDisplay": to["channel"].lstrip("#")}
    return {"type": "slack", "integrationId": to["integration"]["id"], "data": {}, "config": config, "status": "active"}


def _condition(condition: Row) -> str:
    """The name of a state alone, or with what it is compared with."""
    comparison = condition.get("comparison")
    return str(condition.get("type")) if comparison is True else f"{condition.get('type')} {comparison}"


def _action(action: Row) -> str:
    """In the words of `slack` and EMAIL where it is one of them."""
    config, data = action.get("config") or {}, action.get("data") or {}
    status = "" if action.get("status") in ("active", None) else f" ({action['status']})"
    if action.get("type") == "slack":
        return slack({"id": action.get("integrationId")}, config.get("targetDisplay") or "") + status
    if (action.get("type"), config.get("targetType")) == ("email", "issue_owners"):
        fallback = data.get("fallthroughType")
        return (EMAIL if fallback == "ActiveMembers" else f"e-mail to the assignee, else {fallback}") + status
    return f"{action.get('type')} {config.get('targetType')} {config.get('targetIdentifier')}{status}"
