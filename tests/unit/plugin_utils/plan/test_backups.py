"""Which backups there are, where each is made, which app has none, and what they take of the disk."""

from __future__ import annotations

from typing import Any

import pytest
from contexts import context_of, declaration_of, plan_of
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import (
    BackupSize,
    backup_hosts,
    backup_jobs,
    backup_sizes,
    jobs_of,
    mib_to_come,
    not_backed_up,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.run import plan_table

ELSEWHERE = {"address": "10.0.0.7:5432", "admin_user": "postgres", "admin_password": "hush-hush-hush"}
MIB = 1024 * 1024


def shop(name: str = "shop", database: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "database": {"name": "shop", **(database or {})}, **more}


# What is declared: {backup: its host}, {app without one: why}.
DECLARED: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {"stack": "web1"}, {}),
    "an app without a database": ({"apps": [{"name": "blog"}]}, {"stack": "web1"}, {}),
    "an app on the server": ({"apps": [shop()]}, {"shop": "web1", "stack": "web1"}, {}),
    "an app elsewhere": (
        {"apps": [shop(host="web2", database=ELSEWHERE)]},
        {"shop": "web2", "stack": "web1"},
        {},
    ),
    "switched off": (
        {"apps": [shop(backup=False)], "backup_stack": False},
        {},
        {"shop": "its `backup` is switched off"},
    ),
    "a shared database": (
        {"apps": [shop(), shop("worker", {"address": "localhost:5432"})]},
        {"shop": "web1", "stack": "web1"},
        {"worker": "its database is that of shop, which is backed up"},
    ),
    "a shared database that only the second app backs up": (
        {"apps": [shop(backup=False), shop("worker")]},
        {"worker": "web1", "stack": "web1"},
        {"shop": "its `backup` is switched off"},
    ),
    "two databases of one server": (
        {"apps": [shop(), shop("blog", {"name": "blog"})]},
        {"shop": "web1", "blog": "web1", "stack": "web1"},
        {},
    ),
}


@pytest.mark.parametrize("case", DECLARED)
def test_a_database_is_backed_up_once_by_the_host_of_its_app(case: str) -> None:
    variables, jobs, without = DECLARED[case]
    declared = declaration_of(variables)
    assert {job.name: job.host for job in backup_jobs(declared, "web1")} == jobs
    assert set(backup_hosts(declared, "web1")) == set(jobs.values())
    assert not_backed_up(declared) == without


def test_a_job_is_as_declared_and_the_stack_has_no_drill() -> None:
    own = {"at": "02:30", "keep": {"daily": 3, "weekly": 2, "monthly": 1}, "remote": "offsite", "drill": "monthly"}
    declared = declaration_of(
        {"apps": [shop(backup=own)], "backup_remotes": {"offsite": {"bucket": "backups", "region": "r"}}}
    )
    of_shop, of_stack = backup_jobs(declared, "web1")
    assert (of_shop.at, of_shop.keep.total, of_shop.remote, of_shop.drill) == ("02:30", 6, "offsite", "monthly")
    assert (of_shop.database, of_stack.database) == ("shop", None)
    assert (of_stack.at, of_stack.keep.total, of_stack.remote, of_stack.drill) == ("03:00", 17, None, "never")


# The name that a person gives: the jobs, or the refusal.
NAMES = {
    "": ["shop", "stack"],
    "shop": ["shop"],
    "stack": ["stack"],
    "blog": "blog is not backed up: its `backup` is switched off. What is: shop, stack.",
    "shpo": "shpo is not backed up: no app of this name has a `database`. What is: shop, stack.",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_without_a_backup_is_refused_with_the_reason(name: str) -> None:
    declared = declaration_of({"apps": [shop(), shop("blog", {"name": "blog"}, backup=False)]})
    expected = NAMES[name]
    if isinstance(expected, list):
        assert [job.name for job in jobs_of(declared, "web1", name)] == expected
        return
    with pytest.raises(ValueError) as refused:
        jobs_of(declared, "web1", name)
    assert str(refused.value) == expected


def test_nothing_to_back_up_is_said() -> None:
    with pytest.raises(ValueError, match="Nothing is backed up"):
        jobs_of(declaration_of({"backup_stack": False}), "web1", "")


SIZES = {"production/shop": [3 * MIB, 4 * MIB], "staging/stack": [MIB]}


def test_sizes_are_those_of_this_environment_and_grow_to_what_is_kept() -> None:
    declared = declaration_of({"apps": [shop()]})
    sizes = backup_sizes(declared, "web1", {"web1": host_facts(backups=SIZES)})
    assert sizes == {"shop": BackupSize(4 * MIB, 7 * MIB, 18 * 4 * MIB)}
    assert mib_to_come(declared, "web1", sizes) == 18 * 4 - 7


def test_backups_of_another_host_take_nothing_of_the_server_s_disk() -> None:
    declared = declaration_of({"apps": [shop(host="web2", database=ELSEWHERE)]})
    sizes = backup_sizes(declared, "web1", {"web2": host_facts(backups=SIZES)})
    assert set(sizes) == {"shop"}
    assert mib_to_come(declared, "web1", sizes) == 0


def test_metrics_leave_room_for_the_backups_to_come() -> None:
    declared = {"apps": [shop()]}
    alone = plan_of(declared, free_mib=10_000)
    beside = plan_of(declared, free_mib=10_000, backups={"production/shop": [300 * MIB]})
    assert (alone.retention_size_mib, beside.retention_size_mib) == (4096, 2048)


def test_the_table_tells_what_is_kept_where_and_what_is_not_backed_up() -> None:
    declared = {"apps": [shop(), shop("blog", {"name": "blog"}, backup=False)]}
    lines = plan_table(context_of(declared, backups=SIZES))
    start = lines.index(next(line for line in lines if line.startswith("BACKUP")))
    assert lines[start : start + 4] == [
        "BACKUP  HOST  AT                KEPT  COPIED TO  NEWEST   ALL      AT MOST",
        "shop    web1  03:00 Asia/Seoul  17               4.0 MiB  7.0 MiB  72.0 MiB",
        "stack   web1  03:00 Asia/Seoul  17               not yet",
        "not backed up: blog - its `backup` is switched off",
    ]
