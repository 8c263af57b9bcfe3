"""Workflows of Sentry as they are compared, also such as people made."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.alerts import (
    EMAIL,
    URGENCIES,
    body,
    found_alert,
    slack,
    wanted_alert,
)

DETECTORS = {"7": "issue_stream", "8": "error"}
EMPTY: dict[str, Any] = {"id": "1", "name": "a"}


@pytest.mark.parametrize("urgency", URGENCIES)
@pytest.mark.parametrize("environment", ["", "production"])
@pytest.mark.parametrize("to", [{}, {"integration": {"id": "5"}, "channel": "#errors"}])
def test_what_is_sent_is_found_as_wanted(urgency: str, environment: str, to: dict[str, Any]) -> None:
    told = slack(to["integration"], to["channel"]) if to else EMAIL
    wanted = wanted_alert("shop", urgency, environment, told, "issue_stream")
    sent = body(wanted, urgency, to, [7])
    found = found_alert({**sent, "id": "1"}, DETECTORS)
    assert (found.name, found.fields) == (wanted.name, wanted.fields)


@pytest.mark.parametrize("nothing", [{}, dict.fromkeys(("triggers", "actionFilters", "config", "detectorIds"))])
def test_a_workflow_may_have_next_to_nothing(nothing: dict[str, Any]) -> None:
    fields = found_alert({**EMPTY, **nothing}, DETECTORS).fields
    assert (fields["triggers"], fields["filter"], fields["to"], fields["sources"]) == ([], "", "", [])


@pytest.mark.parametrize(
    "action, words",
    [
        ({"type": "email", "config": {"targetType": "team", "targetIdentifier": "12"}}, "email team 12"),
        ({"type": "email", "config": {"targetType": "issue_owners"}}, "e-mail to the assignee, else None"),
        (
            {"type": "email", "config": {"targetType": "issue_owners"}, "data": {"fallthroughType": "NoOne"}},
            "e-mail to the assignee, else NoOne",
        ),
        ({"type": "slack", "integrationId": "5", "config": {"targetDisplay": "a"}}, "slack #a of workspace 5"),
        (
            {"type": "slack", "integrationId": "5", "config": {"targetDisplay": "#a"}, "status": "disabled"},
            "slack #a of workspace 5 (disabled)",
        ),
        ({"type": "plugin"}, "plugin None None"),
    ],
)
def test_actions_in_words(action: dict[str, Any], words: str) -> None:
    filters = [{"logicType": "all", "conditions": [], "actions": [action]}]
    assert found_alert({**EMPTY, "actionFilters": filters}, DETECTORS).fields["to"] == words


def test_all_that_people_can_change_is_seen() -> None:
    condition = {"type": "event_frequency_count", "comparison": {"value": 100, "interval": "1h"}}
    filters = [
        {"logicType": "any-short", "conditions": [condition], "actions": []},
        {"logicType": "all", "conditions": [], "actions": []},
    ]
    changed = {"actionFilters": filters, "detectorIds": ["8", "9", "7"], "environment": "staging", "enabled": False}
    fields = found_alert({**EMPTY, **changed}, DETECTORS).fields
    assert fields["filter"] == "any-short event_frequency_count {'value': 100, 'interval': '1h'}; all"
    assert fields["sources"] == ["9", "error", "issue_stream"]
    assert (fields["environment"], fields["enabled"]) == ("staging", False)
