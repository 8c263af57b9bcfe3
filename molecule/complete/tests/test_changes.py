# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Changes of the declaration: predicted, in force soon, refused as a whole when something is wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests
from complete.declared import one_line, shop_with

MANAGED = "/opt/crowsnest /etc/docker /etc/default/prometheus-node-exporter"
STATE = f"find {MANAGED} -not -type d -printf '%p %T@ %l\\n' | sort; docker ps -q"


def _threshold(lab: Any) -> str:
    groups = lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["name"] == "AppErrorRatioHigh"]
    return str(rules[0]["query"])


def test_check_mode_predicts_a_change_and_writes_nothing(lab: Any, server: Any) -> None:
    before = server.check_output(STATE)
    run = lab.play("--check", "--diff", crowsnest_apps=shop_with(error_ratio=0.21))
    assert run.status == 0, run.output
    assert "-      expr: " in run.output or "> 0.21" in run.output
    assert run.recap["changed"] >= 1
    assert server.check_output(STATE) == before


def test_a_changed_threshold_is_in_force_soon_after_writing(
    lab: Any, server: Any, figure: Any, patience: float
) -> None:
    begun = lab.start(crowsnest_apps=shop_with(error_ratio=0.17))
    end = time.monotonic() + 300
    while "0.17" not in _threshold(lab):
        assert time.monotonic() < end
        time.sleep(0.2)
    written = float(server.check_output("stat --format %.Y /opt/crowsnest/prometheus/current"))
    seen = float(server.check_output("date +%s.%N"))
    figure("changed threshold, written to in force", f"{seen - written:.1f} s")
    assert seen - written < 30 * patience  # bench measures; this is two scenarios on one machine
    assert lab.finish(begun).status == 0


def test_a_broken_rule_file_leaves_the_old_configuration_in_force(lab: Any, server: Any, tmp_path: Path) -> None:
    before, rules = server.check_output(STATE), lab.get("prometheus", "/api/v1/rules")["data"]["groups"]
    broken = tmp_path / "broken.yml"
    broken.write_text('groups: [{name: own, rules: [{alert: Broken, expr: "sum(up"}]}]\n')
    run = lab.play(crowsnest_apps=shop_with(error_ratio=0.17), crowsnest_rule_files=[str(broken)])
    assert run.status != 0
    assert "promtool" in run.output
    assert "broken.yml" in run.output
    assert "Traceback" not in run.output
    assert server.check_output(STATE) == before
    names = [group["name"] for group in rules]
    assert [group["name"] for group in lab.get("prometheus", "/api/v1/rules")["data"]["groups"]] == names


def test_the_pages_follow_the_language(lab: Any, kuma_login: Any, metabase_login: Any, secret: Any) -> None:
    run = lab.play(crowsnest_language="ko")
    assert run.status == 0, run.output
    assert "알림 수신처" in run.output
    login = ("admin", secret("grafana_admin_password"))
    found = requests.get(f"{lab.url('grafana')}/api/search", {"type": "dash-db"}, auth=login, timeout=10).json()
    titles = {each["uid"]: each["title"] for each in found}
    assert (titles["overview"], titles["business"], titles["app-shop"]) == ("전체 현황", "비즈니스 현황", "앱 shop")
    assert "일별 매출" in metabase_login().cards()
    with kuma_login() as kuma:
        assert "알림 경로: 하트비트" in {monitor["name"] for monitor in kuma.get_monitors()}
    again = lab.play(crowsnest_language="ko")
    assert again.recap["changed"] == 0, again.output


# A declaration with many mistakes, and what the refusal must say of each.
WRONG = {
    "crowsnest_retentoin": "15d",
    "crowsnest_timezone": "Seoul",
    "crowsnest_receivers": [{"type": "slak"}],
    "crowsnest_apps": [
        {"name": "shop", "helth": {}},
        {"name": "site", "framework": "djngo"},
        {"name": "page", "url": "shop.example.com"},
        {"name": "late", "thresholds": {"down_for": "5 minutes"}},
        {"name": "many", "thresholds": {"error_ratio": 5}},
    ],
}
SENTENCES = (
    ("crowsnest_retentoin: unknown key", "`crowsnest_retention`"),
    ("crowsnest_timezone", "Asia/Seoul"),
    ("crowsnest_receivers[0]", "`slack`"),
    ("[0] (shop).helth", "`health`"),
    ("[1] (site).framework", "`django`"),
    ("[2] (page).url", "a full URL"),
    ("[3] (late).thresholds.down_for", "such as 30s, 5m"),
    ("[4] (many).thresholds.error_ratio", "less than or equal to 1"),
)
# Mistakes of what is right when one looks at each value alone.
CONTRADICTIONS = {"crowsnest_apps": [{"name": "shop", "host": "lab9"}, {"name": "site"}, {"name": "site"}]}
ABOUT_CONTRADICTIONS = (
    ("[0] (shop).host", "'lab9'", "`lab1`"),
    ("[1] (site).name", "declared 2 times"),
    ("[2] (site).name", "declared 2 times"),
)


def test_all_mistakes_of_a_declaration_are_refused_at_once_and_the_host_is_untouched(lab: Any, server: Any) -> None:
    before = server.check_output(STATE)
    for variables, sentences in ((WRONG, SENTENCES), (CONTRADICTIONS, ABOUT_CONTRADICTIONS)):
        run = lab.play(**variables)
        assert run.status != 0
        assert run.recap["changed"] == 0
        assert "Nothing was changed on any host" in run.output
        assert f"Mistakes in the declaration: {len(sentences)}" in one_line(run.output)
        for words in sentences:
            assert all(word in run.output for word in words), f"{words} is not in\n{run.output}"
        assert "Traceback" not in run.output
    assert server.check_output(STATE) == before


def test_the_inventory_is_in_force_again_and_a_second_run_changes_nothing(lab: Any, figure: Any) -> None:
    back = lab.play()
    assert back.status == 0, back.output
    run = lab.play()
    figure("second run", f"{run.seconds:.1f} s, {run.recap['ok']} tasks, {run.recap['changed']} changed")
    assert run.status == 0, run.output
    assert run.recap["changed"] == 0, run.output
    assert "shop: 12 of 12 questions have an answer" in one_line(run.output)
    assert run.recap["ok"] <= 43
