# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Changes of the declaration, right ones and wrong ones, and runs that are cut off."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

APP = {
    "name": "shop",
    "framework": "django",
    "url": "http://127.0.0.1:8000/",
    "metrics": ["127.0.0.1:8000/metrics"],
    "health": {"basic": "/health/", "detailed": "/health/detailed/", "components": ["database", "redis", "celery"]},
}
MANAGED = "/opt/crowsnest /etc/docker /etc/default/prometheus-node-exporter"
STATE = f"find {MANAGED} -not -type d -printf '%p %T@ %l\\n' | sort; docker ps -q"


def _app(**thresholds: Any) -> list[dict[str, Any]]:
    return [{**APP, "thresholds": {"down_for": "10s", **thresholds}}]


def _threshold(lab: Any) -> str:
    groups = lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["name"] == "AppErrorRatioHigh"]
    return str(rules[0]["query"])


@pytest.fixture(autouse=True, scope="module")
def _declared_again(lab: Any) -> Any:
    yield
    run = lab.play()
    assert run.status == 0, run.output


def test_a_second_run_changes_nothing(lab: Any, figure: Any) -> None:
    lab.play()
    run = lab.play()
    figure("second run", f"{run.seconds:.1f} s, {run.recap['ok']} tasks, {run.recap['changed']} changed")
    assert run.status == 0, run.output
    assert run.recap["changed"] == 0, run.output
    assert run.recap["ok"] <= 40


def test_check_mode_predicts_a_change_and_writes_nothing(lab: Any, server: Any) -> None:
    before = server.check_output(STATE)
    run = lab.play("--check", "--diff", crowsnest_apps=_app(error_ratio=0.21))
    assert run.status == 0, run.output
    assert "-      expr: " in run.output or "> 0.21" in run.output
    assert run.recap["changed"] >= 1
    assert server.check_output(STATE) == before


def test_a_changed_threshold_is_in_force_soon_after_writing(lab: Any, server: Any, figure: Any) -> None:
    begun = lab.start(crowsnest_apps=_app(error_ratio=0.17))
    end = time.monotonic() + 300
    while "0.17" not in _threshold(lab):
        assert time.monotonic() < end
        time.sleep(0.2)
    written = float(server.check_output("stat --format %.Y /opt/crowsnest/prometheus/current"))
    seen = float(server.check_output("date +%s.%N"))
    figure("changed threshold, written to in force", f"{seen - written:.1f} s")
    assert seen - written < 30  # bench measures; this is two scenarios on one machine
    assert lab.finish(begun).status == 0


def test_a_broken_rule_file_leaves_the_old_configuration_in_force(lab: Any, server: Any, tmp_path: Path) -> None:
    lab.play()
    before, rules = server.check_output(STATE), lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    broken = tmp_path / "broken.yml"
    broken.write_text('groups: [{name: own, rules: [{alert: Broken, expr: "sum(up"}]}]\n')
    run = lab.play(crowsnest_rule_files=[str(broken)])
    assert run.status != 0
    assert "promtool" in run.output
    assert "broken.yml" in run.output
    assert "Traceback" not in run.output
    assert server.check_output(STATE) == before
    names = [group["name"] for group in rules]
    assert [group["name"] for group in lab.get("prometheus", "/api/v1/rules")["data"]["groups"]] == names


# Ten wrong declarations: what is declared, and what the refusal must say.
WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "a typo in a setting",
        {"crowsnest_retentoin": "15d"},
        ["crowsnest_retentoin: unknown key", "`crowsnest_retention`"],
    ),
    ("a typo in an app", {"crowsnest_apps": [{"name": "shop", "helth": {}}]}, ["[0] (shop).helth", "`health`"]),
    ("an unknown framework", {"crowsnest_apps": [{"name": "shop", "framework": "djngo"}]}, [".framework", "`django`"]),
    ("a bad URL", {"crowsnest_apps": [{"name": "shop", "url": "shop.example.com"}]}, [".url", "a full URL"]),
    ("a name twice", {"crowsnest_apps": [{"name": "shop"}, {"name": "shop"}]}, ["declared 2 times"]),
    ("an unknown host", {"crowsnest_apps": [{"name": "shop", "host": "lab9"}]}, ["'lab9'", "`lab1`"]),
    (
        "a ratio above one",
        {"crowsnest_apps": _app(error_ratio=5)},
        [".thresholds.error_ratio", "less than or equal to 1"],
    ),
    ("a bad duration", {"crowsnest_apps": _app(down_for="5 minutes")}, [".down_for", "such as 30s, 5m"]),
    ("an unknown receiver", {"crowsnest_receivers": [{"type": "slak"}]}, ["[0]", "`slack`"]),
    ("a bad time zone", {"crowsnest_timezone": "Seoul"}, ["crowsnest_timezone", "Asia/Seoul"]),
]


def test_ten_wrong_declarations_are_refused_and_the_host_is_untouched(lab: Any, server: Any) -> None:
    before = server.check_output(STATE)
    for what, variables, words in WRONG:
        run = lab.play(**variables)
        assert run.status != 0, what
        assert run.recap["changed"] == 0, what
        assert "Nothing was changed on any host" in run.output, what
        for word in words:
            assert word in run.output, f"{what}: {word!r} is not in\n{run.output}"
        assert "Traceback" not in run.output, what
    assert server.check_output(STATE) == before


def test_a_change_by_hand_is_shown_and_undone(lab: Any, server: Any) -> None:
    lab.play()
    server.check_output(
        "sed -i 's/evaluation_interval: .*/evaluation_interval: 7m/' /opt/crowsnest/prometheus/current/prometheus.yml"
    )
    run = lab.play("--diff")
    assert run.status == 0, run.output
    assert "-  evaluation_interval: 7m" in run.output
    assert lab.play().recap["changed"] == 0


def test_a_stopped_container_is_started_again(lab: Any, server: Any) -> None:
    server.check_output("docker stop crowsnest-blackbox-1")
    run = lab.play()
    assert run.status == 0, run.output
    assert run.recap["changed"] == 1
    assert server.check_output("docker inspect --format '{{.State.Running}}' crowsnest-blackbox-1") == "true"


def test_a_run_that_is_cut_off_anywhere_is_made_good_by_the_next(lab: Any) -> None:
    """Ten runs with a change in every service, each killed at another moment of its length."""
    whole = lab.play(crowsnest_apps=_app(error_ratio=0.3)).seconds
    moments = random.Random(20261121)
    for number in range(10):
        ratio = 0.31 + number / 100
        process, _ = lab.start(
            crowsnest_apps=[*_app(error_ratio=ratio), {"name": "other", "url": f"http://127.0.0.1:8000/?{number}"}],
            crowsnest_repeat_after=f"{20 + number}m",
        )
        time.sleep(moments.uniform(0.1, 0.95) * whole)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    run = lab.play(crowsnest_apps=_app(error_ratio=0.45))
    assert run.status == 0, run.output
    assert "0.45" in _threshold(lab)
    assert lab.play(crowsnest_apps=_app(error_ratio=0.45)).recap["changed"] == 0
