"""Cron monitors: made, corrected, read back; without a seat they are told."""

from __future__ import annotations

from typing import Any

import pytest
from sentry_stub import Stub

BACKUP = {
    "slug": "shop_backup",
    "name": "shop: backup",
    "crontab": "0 3 * * *",
    "timezone": "Asia/Seoul",
    "margin_minutes": 120,
}
JOB = {"slug": "shop_job_mail", "name": "shop: mail", "every_minutes": 60, "margin_minutes": 10}
SHOP: dict[str, Any] = {"name": "shop", "team": "backend", "monitors": [BACKUP, JOB]}


def test_a_first_run_makes_them_and_a_second_one_changes_nothing(run, stub: Stub) -> None:
    stub.seats = 2
    predicted, made = run(SHOP, check=True), run(SHOP)
    ours = ["create cron monitor shop_backup", "create cron monitor shop_job_mail"]
    assert made["changes"][-2:] == predicted["changes"][-2:] == ours
    backup, job = stub.monitors
    assert (backup["name"], backup["status"], backup["project"]["slug"]) == ("shop: backup", "active", "shop")
    crontab = {"schedule_type": "crontab", "schedule": "0 3 * * *", "timezone": "Asia/Seoul", "checkin_margin": 120}
    assert backup["config"] == crontab
    assert (job["config"]["schedule_type"], job["config"]["schedule"]) == ("interval", [60, "minute"])
    again = run(SHOP)
    assert (again["changes"], [each for each in again["warnings"] if "seat" in each]) == ([], [])


def test_what_was_edited_by_hand_is_put_right_and_a_silence_is_kept(run, stub: Stub) -> None:
    stub.seats = 2
    run(SHOP)
    stub.monitors[0]["config"]["checkin_margin"] = 1
    stub.monitors[0]["isMuted"] = True
    assert run(SHOP)["changes"] == ["change cron monitor shop_backup: margin_minutes"]
    assert (stub.monitors[0]["config"]["checkin_margin"], stub.monitors[0]["isMuted"]) == (120, True)


def test_one_without_a_seat_is_told_and_is_not_pushed_again(run, stub: Stub) -> None:
    for _ in range(2):
        (told,) = [each for each in run(SHOP)["warnings"] if "cron monitor" in each]
        assert "disabled the cron monitor shop_job_mail" in told and "no seat" in told
    assert [row["status"] for row in stub.monitors] == ["active", "disabled"]


def test_a_project_without_monitors_is_not_asked_for_them(run, stub: Stub) -> None:
    run({**SHOP, "monitors": []})
    run({**SHOP, "monitors": []})
    assert [endpoint for endpoint, _, _ in stub.asked if "/monitors/" in endpoint] == []


def test_a_slug_of_another_project_is_refused_in_sentry_s_words(run, stub: Stub) -> None:
    run({**SHOP, "name": "blog"})
    assert "already in use" in run(SHOP)["msg"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"slug": "Shop Backup"}, "slug: "),
        ({"margin_minutes": 0}, "margin_minutes"),
        ({"crontab": None}, "one of crontab and every_minutes"),
        ({"every_minutes": 60}, "one of crontab and every_minutes"),
    ],
)
def test_a_wrong_one_is_refused(run, stub: Stub, change: dict[str, Any], told: str) -> None:
    assert told in run({**SHOP, "monitors": [{**BACKUP, **change}]})["msg"]
    assert stub.asked == []
