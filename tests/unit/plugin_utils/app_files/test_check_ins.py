"""Cron monitors in Sentry: which there are, what reports to them, what is refused, what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from contexts import context_of, declaration_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files import projects
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.check_ins import monitors
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import backup
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import report
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import job_urls

KEY = f"{1:032x}"
DSN, ELSEWHERE = f"https://{KEY}@o1.ingest.us.sentry.io/42", f"https://{KEY}@bugsink.example.com/1"
ACCOUNT = {"organization": "acme", "token": "sntryu_1"}
ASKED = {"backup": {"at": "03:05", "check_in": True}, "jobs": [{"name": "mail", "every": "90s", "check_in": True}]}


def shop(**own: Any) -> dict[str, Any]:
    place = {"env_file": "/srv/shop/.env", "database": {"name": "shop"}, "sentry": {"dsn": DSN}}
    return {"name": "shop", **place, **ASKED, **own}


def declared(*apps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apps": list(apps), "environment": "staging", **more}


def monitors_of(**own: Any) -> list[dict[str, Any]]:
    return list(monitors(declaration_of(declared(shop(**own))).apps[0], "Asia/Seoul"))


def test_a_backup_has_its_time_and_a_job_its_interval_in_whole_minutes() -> None:
    assert monitors_of() == [
        {
            "slug": "shop_backup",
            "name": "shop: backup",
            "crontab": "5 3 * * *",
            "timezone": "Asia/Seoul",
            "margin_minutes": 120,
        },
        {"slug": "shop_job_mail", "name": "shop: mail", "every_minutes": 2, "margin_minutes": 10},
    ]


@pytest.mark.parametrize(
    "own", [{"backup": {}}, {"backup": False}, {"database": None, "backup": ASKED["backup"]}], ids=str
)
def test_what_does_not_check_in_has_no_monitor(own: dict[str, Any]) -> None:
    assert monitors_of(jobs=[{"name": "mail", "every": "1h"}], **own) == []


def test_the_account_makes_those_of_the_projects_that_it_makes() -> None:
    apps = [shop(sentry={}), {**shop(), "name": "own"}, {"name": "new", "env_file": "/srv/new/.env", "sentry": {}}]
    made = projects.options(declaration_of(declared(*apps, sentry=ACCOUNT)))["projects"]
    assert [(each["name"], len(each.get("monitors", []))) for each in made] == [("shop", 2), ("new", 0)]


def test_a_job_has_a_file_for_uptime_kuma_and_one_for_sentry() -> None:
    own = {"jobs": [*ASKED["jobs"], {"name": "silent", "every": "1h"}]}
    files = job_urls(context_of(declared(shop(**own)), secrets={"uptime_kuma_push_key": "a-key"}))
    sentry = f"https://o1.ingest.us.sentry.io/api/42/cron/shop_job_mail/{KEY}/?environment=staging&status=ok"
    assert set(files) == {f"secrets/{name}" for name in ("jobs/shop/mail", "jobs/shop/silent", "check_ins/shop/mail")}
    assert files["secrets/check_ins/shop/mail"] == sentry
    assert "/api/push/" in files["secrets/jobs/shop/mail"]


def test_until_its_project_is_made_a_job_reports_to_uptime_kuma_alone() -> None:
    made = context_of(declared(shop(sentry={}), sentry=ACCOUNT), secrets={"uptime_kuma_push_key": "a-key"})
    assert list(job_urls(made)) == ["secrets/jobs/shop/mail"]
    assert backup.secrets(made, "web1")["check_in_urls"] == {}


def test_the_program_that_makes_backups_gets_both_addresses_in_its_secrets_only() -> None:
    made = context_of(declared(shop()))
    urls = backup.secrets(made, "web1")["check_in_urls"]
    assert list(urls) == ["shop"]
    start = f"https://o1.ingest.us.sentry.io/api/42/cron/shop_backup/{KEY}/?environment=staging&status="
    assert urls["shop"] == {"ok": f"{start}ok", "error": f"{start}error"}
    assert KEY not in json.dumps(backup.program_files(made, "web1"))
    assert backup.secrets(context_of(declared(shop(backup={}))), "web1")["check_in_urls"] == {}


def test_people_are_told_of_monitors_that_only_they_can_make() -> None:
    lines = [line for line in report(context_of(declared(shop())), {}, "", "secrets") if "cron monitor" in line]
    start = "Make a cron monitor {} in the project of shop in Sentry: "
    assert lines == [
        f"{start.format('shop_backup')}crontab 5 3 * * * in Asia/Seoul, grace period 120 minutes.",
        f"{start.format('shop_job_mail')}every 2 minutes, grace period 10 minutes.",
    ]
    made = context_of(declared(shop(sentry={}), sentry=ACCOUNT))
    assert [line for line in report(made, {}, "", "secrets") if "cron monitor" in line] == []


def mistakes(*apps: dict[str, Any], **more: Any) -> list[str]:
    variables = {f"crowsnest_{name}": value for name, value in declared(*apps, **more).items()}
    return declaration_mistakes(variables, {"server": ["web1"], "monitored": ["web1"]}, str(Path()))


def test_what_can_check_in_is_right() -> None:
    assert mistakes(shop()) == mistakes(shop(sentry={}), sentry=ACCOUNT) == []


@pytest.mark.parametrize("sentry", [None, {"frontend_dsn": DSN}])
def test_without_a_dsn_of_the_backend_nothing_checks_in(sentry: Any) -> None:
    found = mistakes(shop(sentry=sentry))
    for key in ("backup.check_in", "jobs[0].check_in"):
        assert [line for line in found if f"(shop).{key}: the backend has no DSN. Needs `sentry` with `dsn`" in line]


def test_a_monitor_whose_name_is_too_long_is_refused() -> None:
    (line,) = mistakes(shop(jobs=[{"name": "m" * 40, "every": "1h", "check_in": True}], name="s" * 6))
    assert f"jobs[0].check_in: its monitor in Sentry would be {'s' * 6}_job_{'m' * 40}." in line
