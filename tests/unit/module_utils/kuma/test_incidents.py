# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Several incidents pinned on one status page, as Uptime Kuma 2.1 and later have them; the lab's pins one."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.apply import Apply
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.client import Kuma
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.objects import INCIDENT_MARK, our_incident

THEIRS = {"id": 1, "title": "By people", "content": "stays"}
OURS = {"id": 2, "title": "Slow", "content": f"We look\n\n{INCIDENT_MARK}"}


@pytest.mark.parametrize(
    "pinned, found",
    [({"incidents": [THEIRS, OURS]}, [THEIRS, OURS]), ({"incident": OURS}, [OURS]), ({"incident": None}, [])],
)
def test_the_pinned_ones_are_read_in_both_forms(
    serve: Callable[..., Any], pinned: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    server = serve(lambda *_: (200, json.dumps({"publicGroupList": [], **pinned})))
    page = Kuma.public_page(SimpleNamespace(url=server.url), "status")
    assert page["incidents"] == found
    assert our_incident(page) == (OURS if OURS in found else None)


@pytest.mark.parametrize(
    "pinned, call",
    [
        ([THEIRS, OURS], ("editIncident", "status", 2, {**OURS, "pin": False})),
        ([OURS], ("unpinIncident", "status")),
    ],
)
def test_those_of_people_stay_when_ours_goes(pinned: list[dict[str, Any]], call: tuple[Any, ...]) -> None:
    calls: list[Any] = []
    apply = SimpleNamespace(kuma=SimpleNamespace(call=lambda *words: calls.append(words)))
    Apply.incident(apply, "status", None, pinned, OURS)
    assert calls == [call]
