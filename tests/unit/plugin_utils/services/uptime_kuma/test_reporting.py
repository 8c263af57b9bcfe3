"""Addresses at which jobs report: known before Kuma has the monitor, and for nobody else to guess."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import (
    HEARTBEAT_KEY,
    backup_urls,
    job_key,
    job_urls,
    own_key,
    own_urls,
    push_token,
    push_url,
)

MakeContext = Callable[..., Context]
SECRETS = {"uptime_kuma_push_key": "k"}
BACKUP = {"name": "backup", "every": "1d"}


def test_a_token_never_changes() -> None:
    """Else jobs on other machines would report to an address that is gone."""
    assert push_token("a-push-key", "shop/job/backup") == "49118b1c18a1326702dd21afe21cd773"


def test_a_token_is_what_kuma_takes_and_differs_by_key_and_monitor() -> None:
    tokens = [push_token(key, monitor) for key in ("one", "two") for monitor in ("shop/job/a", "shop/job/b", "")]
    assert len(set(tokens)) == len(tokens)
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)
    assert not any("one" in token for token in tokens)


def test_an_address_is_on_loopback_at_the_planned_port(context: MakeContext) -> None:
    token = push_token("k", HEARTBEAT_KEY)
    url = push_url(context({"ports": {"uptime_kuma": 13001}}, secrets=SECRETS), HEARTBEAT_KEY)
    assert url == f"http://127.0.0.1:13001/api/push/{token}"


def test_each_job_has_a_file_with_its_address(context: MakeContext) -> None:
    apps = [{"name": "shop", "jobs": [BACKUP, {"name": "mail", "every": "1h"}]}, {"name": "blog", "jobs": [BACKUP]}]
    planned = context({"apps": apps}, secrets=SECRETS)
    assert job_urls(planned) == {
        "secrets/jobs/shop/backup": push_url(planned, "shop/job/backup"),
        "secrets/jobs/shop/mail": push_url(planned, "shop/job/mail"),
        "secrets/jobs/blog/backup": push_url(planned, "blog/job/backup"),
    }


def test_hyphens_in_names_do_not_make_one_file_of_two(context: MakeContext) -> None:
    apps = [{"name": "shop", "jobs": [{"name": "eu-backup", "every": "1d"}]}, {"name": "shop-eu", "jobs": [BACKUP]}]
    assert len(job_urls(context({"apps": apps}))) == 2


def test_without_jobs_there_are_no_files(context: MakeContext) -> None:
    assert job_urls(context({"apps": [{"name": "shop"}]})) == {}


def test_a_job_is_watched_under_the_key_of_its_address() -> None:
    app = App.model_validate({"name": "shop", "jobs": [BACKUP]})
    assert job_key(app, app.jobs[0]) == "shop/job/backup"


def test_each_backup_of_the_server_has_an_address(context: MakeContext) -> None:
    planned = context({"apps": [{"name": "shop", "database": {"name": "shop"}}]}, secrets=SECRETS)
    assert backup_urls(planned) == {name: push_url(planned, f"{name}/backup") for name in ("shop", "stack")}


def test_where_uptime_kuma_has_no_room_backups_report_nowhere(context: MakeContext) -> None:
    planned = context({}, secrets=SECRETS)
    services = {name: each for name, each in planned.services.items() if name != "uptime_kuma"}
    assert backup_urls(replace(planned, plan=planned.plan.model_copy(update={"services": services}))) == {}


# Id or name of a monitor of the team's own: its file, one in one folder whatever the name
FILES = {"Import": {}, "Nightly import 2": {}, "eu/import": {"id": "eu-import"}, "가게": {"id": "Shop"}}


def push(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, "type": "push", **keys}


@pytest.mark.parametrize("name", FILES)
def test_each_push_monitor_of_the_team_has_a_file_with_its_address(context: MakeContext, name: str) -> None:
    made, known = context({"monitors": [push(name, **FILES[name])]}, secrets=SECRETS), FILES[name].get("id", name)
    assert own_urls(made) == {f"secrets/push/{known}": push_url(made, own_key(known))}


@pytest.mark.parametrize("name", ["eu/import", "..", ".", "가게", "../jobs/shop/backup", "a" * 61])
def test_what_cannot_name_a_file_needs_an_id(name: str) -> None:
    with pytest.raises(ValueError, match="an `id` of at most 60 letters"):
        Declaration.model_validate({"monitors": [push(name)]})


def test_the_file_of_a_renamed_monitor_stays(context: MakeContext) -> None:
    """What reports there does not have to learn of it."""
    before, after = (context({"monitors": [monitor]}) for monitor in (push("One"), push("Two", id="One")))
    assert own_urls(before) == own_urls(after)


def test_what_looks_by_itself_has_no_file(context: MakeContext) -> None:
    own = [{"name": "Net", "type": "group"}, {"name": "Office", "type": "ping", "hostname": "10.0.0.1"}]
    assert own_urls(context({"monitors": own})) == {}


def test_the_key_of_a_monitor_of_the_team_has_no_brackets_and_is_one_of_its_own() -> None:
    """Kuma's description of a monitor has its key between brackets."""
    assert own_key("Import (old)") == "crowsnest/extra/Import %28old%29"
    assert own_key("Import %28old%29") != own_key("Import (old)")
