"""What is left out because an app does not export it: by what Prometheus knows, else as in the last run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Plan

MakePlan = Callable[..., Plan]
DECLARED: dict[str, Any] = {
    "apps": [
        {
            "name": "shop",
            "metrics": [":8000"],
            "custom_metrics": [
                {"name": "shop_campaigns", "description": "Campaigns"},
                {"name": "shop_refunds_total", "type": "counter", "description": "Refunds"},
                {"name": "shop_failures_total", "type": "counter", "labels": ["reason"], "description": "Failures"},
            ],
        },
        {"name": "blog"},
    ]
}


def kept(**series: list[str]) -> dict[str, str]:
    """The files of a server whose last run left these out."""
    return {"/opt/crowsnest/plan.json": json.dumps({"not_exported": series})}


# (what Prometheus knows, what the last run left out): what is left out
CASES: list[tuple[dict[str, bool], list[str], list[str]]] = [
    ({}, [], []),
    ({"shop_campaigns": True, "shop_refunds_total": True}, [], []),
    ({"shop_campaigns": True, "shop_refunds_total": False}, [], ["shop_refunds_total"]),
    ({"shop_campaigns": True}, [], []),
    ({}, ["shop_campaigns"], ["shop_campaigns"]),
    ({"shop_campaigns": True}, ["shop_campaigns"], []),
    ({"shop_refunds_total": False}, ["shop_campaigns"], ["shop_campaigns", "shop_refunds_total"]),
    ({}, ["shop_failures_total", "shop_campains"], []),
]


@pytest.mark.parametrize(("known", "before", "left_out"), CASES, ids=str)
def test_what_is_left_out(plan: MakePlan, known: dict[str, bool], before: list[str], left_out: list[str]) -> None:
    made = plan(DECLARED, exported={"shop": known}, files=kept(shop=before))
    assert made.not_exported == ({"shop": left_out} if left_out else {})
    assert made.to_keep().not_exported == made.not_exported


def test_a_fresh_host_leaves_nothing_out(plan: MakePlan) -> None:
    assert plan(DECLARED).not_exported == {}


def test_a_run_in_which_prometheus_is_silent_changes_nothing(plan: MakePlan) -> None:
    first = plan(DECLARED, exported={"shop": {"shop_campaigns": False, "shop_refunds_total": True}})
    silent = plan(DECLARED, files={"/opt/crowsnest/plan.json": first.to_keep().model_dump_json()})
    assert silent.not_exported == first.not_exported == {"shop": ["shop_campaigns"]}
