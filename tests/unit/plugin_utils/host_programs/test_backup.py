"""What a host gets of crowsnest-backup: settings that the program itself reads, secrets apart, and what starts it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from contexts import context_of
from crowsnest_backup import settings as program

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import read
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import backup
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan import backups
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

HUSH = "hush-4f1c9e-hush"
AGE = "age1" + "q" * 58
REMOTE = {
    "bucket": "backups",
    "region": "ap-northeast-2",
    "access_key": "AKIA",
    "secret_key": HUSH,
    "encrypt_to": [AGE],
}
SHOP = {
    "name": "shop",
    "database": {
        "name": "shop",
        "address": "127.0.0.1:5433",
        "admin_user": "shop",
        "admin_password": HUSH,
        "ssl": True,
    },
    "backup": {"at": "02:30", "keep": {"daily": 3}, "remote": "offsite", "drill": "monthly"},
}
BLOG = {
    "name": "blog",
    "host": "web2",
    "database": {
        "name": "blog", "address": "10.0.0.7:5432", "container": "db", "admin_user": "b", "admin_password": HUSH
    },
}  # fmt: skip
DECLARED = {"apps": [SHOP, BLOG], "backup_remotes": {"offsite": REMOTE}, "backup_pause": "2m", "backup_tries": 5}
SECRETS = {"uptime_kuma_push_key": "key"}


def context(declared: dict[str, Any] | None = None) -> Context:
    return context_of(DECLARED if declared is None else declared, ["web1", "web2"], SECRETS, total_mib=8000)


def settings_of(made: Context, host: str, folder: Path) -> program.Settings:
    """What the program reads of what a host gets."""
    for name, text in {**backup.program_files(made, host), **backup.program_secrets(made, host)}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return program.read(folder)


def test_the_program_reads_what_is_declared(tmp_path: Path) -> None:
    read_back = settings_of(context(), "web1", tmp_path)
    assert (read_back.environment, read_back.timezone) == ("production", ZoneInfo("Asia/Seoul"))
    assert (read_back.tries, read_back.pause_seconds) == (5, 120)
    assert read_back.metrics == Path("/var/lib/prometheus/node-exporter")
    assert list(read_back.jobs) == ["shop", "stack"]
    shop = read_back.jobs["shop"]
    assert shop.database == program.Database("shop", "127.0.0.1", 5433, None, "shop", HUSH, True)
    assert (shop.at, shop.keep, shop.remote, shop.drill) == ("02:30", program.Keep(3, 4, 6), "offsite", "monthly")
    assert shop.push_url.startswith("http://127.0.0.1:3001/api/push/")
    remote = program.Remote("offsite", "backups", "ap-northeast-2", None, "AKIA", HUSH, (AGE,))
    assert read_back.remotes == {"offsite": remote}


def test_a_further_host_gets_its_own_backups_only(tmp_path: Path) -> None:
    read_back = settings_of(context(), "web2", tmp_path)
    assert list(read_back.jobs) == ["blog"]
    blog = read_back.jobs["blog"]
    assert blog.database == program.Database("blog", "10.0.0.7", 5432, "db", "b", HUSH)
    assert blog.push_url == ""  # Uptime Kuma listens on the server's loopback
    assert read_back.stack is None
    assert read_back.remotes["offsite"].secret_key == ""  # no backup of this host is copied there


def test_a_host_whose_last_backup_was_taken_out_has_none(tmp_path: Path) -> None:
    assert settings_of(context({"backup_stack": False}), "web1", tmp_path).jobs == {}


def test_the_state_of_the_stack_is_that_of_the_services_that_run(tmp_path: Path) -> None:
    stack = settings_of(context(), "web1", tmp_path).stack
    assert stack is not None
    assert stack.compose_file == "/opt/crowsnest/compose.yaml"
    assert stack.sqlite == {
        "grafana": "/var/lib/crowsnest/grafana/grafana.db",
        "uptime_kuma": "/var/lib/crowsnest/uptime_kuma/kuma.db",
    }
    assert stack.folders == {"uptime_kuma/upload": "/var/lib/crowsnest/uptime_kuma/upload"}
    assert stack.alertmanager == "http://127.0.0.1:9093"
    assert stack.metabase == program.Database("metabase", "127.0.0.1", 5434, "crowsnest-metabase_database-1")
    assert {"/opt/crowsnest/grafana/current/secrets", "/opt/crowsnest/metabase/api_key"} <= set(stack.secrets)
    assert stack.blocks is None


def test_without_grafana_metabase_and_uptime_kuma_little_is_left(tmp_path: Path) -> None:
    small = context_of({}, secrets=SECRETS, total_mib=945, used_mib=520)
    stack = settings_of(small, "web1", tmp_path).stack
    assert stack is not None
    assert (stack.sqlite, stack.folders, stack.metabase) == ({}, {}, None)


def test_metabase_s_data_on_a_declared_server_and_metrics_are_named(tmp_path: Path) -> None:
    declared = {
        **DECLARED,
        "metabase_database": {"address": "db.example.com:5432", "password": HUSH},
        "backup_stack": {"metrics": True},
    }
    stack = settings_of(context(declared), "web1", tmp_path).stack
    assert stack is not None
    assert stack.metabase == program.Database("metabase", "db.example.com", 5432, None, "metabase", HUSH)
    assert stack.blocks == "/var/lib/crowsnest/prometheus"


def test_no_secret_is_among_the_files() -> None:
    for host in ("web1", "web2"):
        assert HUSH not in json.dumps(backup.program_files(context(), host))
        assert HUSH in json.dumps(backup.program_secrets(context(), host))


def test_the_stack_has_the_same_name_here_and_in_the_program() -> None:
    assert backups.STACK == program.STACK
    assert read({}).backup_stack is not None


def command(tmp_path: Path, user: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command for people, with a Python that tells how it was started."""
    text, mode = backup.starter_files()["/usr/local/bin/crowsnest-backup"]
    (tmp_path / "python").write_text('#!/bin/sh\necho "$PYTHONPATH $*"\n')
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "command").write_text(text.replace("/opt/crowsnest/toolbox/current/bin/python", f"{tmp_path}/python"))
    for name in ("python", "id", "command"):
        (tmp_path / name).chmod(int(mode, 8))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    return subprocess.run([tmp_path / "command", *words], env=environment, capture_output=True, text=True, check=False)


def test_the_command_starts_the_program_with_its_words_unchanged(tmp_path: Path) -> None:
    done = command(tmp_path, 0, "restore", "shop", "--as", "a b")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "/opt/crowsnest/backup/current -B -m crowsnest_backup restore shop --as a b\n"


def test_the_command_tells_who_is_not_root_how_to_run_it(tmp_path: Path) -> None:
    done = command(tmp_path, 1000, "list", "shop")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "crowsnest-backup: run it as root: sudo crowsnest-backup list shop\n"


def test_cron_looks_every_quarter_of_an_hour_and_disturbs_nothing() -> None:
    text, mode = backup.starter_files()["/etc/cron.d/crowsnest-backup"]
    *settings, line = [line for line in text.splitlines() if not line.startswith("#")]
    assert settings == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    assert line.split()[:6] == ["*/15", "*", "*", "*", "*", "root"]
    assert "chrt --idle 0 ionice --class idle /usr/local/bin/crowsnest-backup run 2>&1 | logger" in line
    assert "%" not in line  # a line break for cron
    assert mode == "0644"  # cron refuses a file that others may write


@pytest.mark.parametrize("words", [["chrt", "--idle", "0", "true"], ["ionice", "--class", "idle", "true"]])
def test_the_classes_are_known_to_the_programs_of_every_debian(words: list[str]) -> None:
    assert subprocess.run(words, check=False).returncode == 0
