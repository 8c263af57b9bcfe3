# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Backups on a host: cron makes them, each fault is told, and what is lost comes back by one command.

One night, told from its beginning to its end: each fixture does something, on top of the one before it. What is told in
Slack is asked for late, so that nothing waits for it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from complete.declared import ROOT, SHOP, WORKER, ZONE, one_line, shop
from lab import engine
from lab.storage import STORAGE

FOLDER = "/var/backups/crowsnest/development/shop"
STATE = "/var/lib/crowsnest/backup"
CURRENT = "/opt/crowsnest/backup/current"
CRON_FILE = "/etc/cron.d/crowsnest-backup"
PSQL = "docker exec shop-db-1 psql -XqAt -v ON_ERROR_STOP=1 -U shop"
PASSWORD = "hush-Hush-1"
# Nothing listens there, and of the second one it is known that it should be a container.
LOST = [
    {
        "name": name,
        "database": {
            "address": f"127.0.0.1:{port}", "name": name, "admin_user": name, "admin_password": PASSWORD, **container
        },
        "business": {"starter": False},
    }
    for name, port, container in (("attic", 5498, {}), ("cellar", 5499, {"container": "cellar-db-1"}))
]  # fmt: skip
REASONS = {"attic": "Connection refused", "cellar": "There is no container cellar-db-1"}
PROCESSES = "/run/seen-processes"
# Every command line that there is for a tenth of a second: ps takes longer on a busy host.
WATCH = f"""
import glob, pathlib, time
seen = set()
with open("{PROCESSES}", "w", buffering=1) as file:
    while True:
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                words = pathlib.Path(path).read_bytes().replace(b"\\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words not in seen:
                seen.add(words)
                print(words, file=file)
        time.sleep(0.02)
"""
# A customer's order: those of the laboratory order at random.
BUY = """docker exec -e SHOP_URL=http://127.0.0.1:8000 shop-web-1 python -c '
import traffic
customer = traffic.Visitor()
customer.request("/")
traffic.order(customer, 7)'"""


def typed(lab: Any, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in the checkout, as a person types it, but without a terminal."""
    return subprocess.run(
        ["./crowsnest", *words],
        cwd=ROOT, env={**lab.environment, "CROWSNEST_VENV": sys.prefix}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )  # fmt: skip


def kept(server: Any) -> list[dict[str, Any]]:
    """The manifests of the shop's backups, the oldest first."""
    found: list[dict[str, Any]] = json.loads(server.check_output("crowsnest-backup list shop --json"))
    return found


def said(messages: Sequence[dict[str, Any]]) -> str:
    """All that these messages say, in one line."""
    return one_line(json.dumps([message["payload"] for message in messages], ensure_ascii=False))


def psql(server: Any, database: str, command: str) -> str:
    """What the shop's server answers, as its administrator."""
    answer: str = server.check_output(f"{PSQL} {database} -c '{command}'")
    return answer


def orders(server: Any, database: str = "shop") -> int:
    return int(psql(server, database, "select count(*) from shop_order"))


def databases(server: Any) -> set[str]:
    return set(psql(server, "postgres", "select datname from pg_database").split())


@pytest.fixture(scope="module")
def away(lab: Any) -> Iterator[Any]:
    """The container of the object storage; it runs again at the end."""
    container = engine.ensure().containers.get(STORAGE.container(lab.name))
    yield container
    container.start()


@pytest.fixture(scope="module", autouse=True)
def _as_before(lab: Any, server: Any, away: Any) -> Iterator[None]:
    yield
    for name in databases(server) - {"shop", "postgres", "template0", "template1"}:
        psql(server, "postgres", f"drop database {name} with (force)")
    run = lab.play()
    assert run.status == 0, run.output
    server.check_output("crowsnest-backup run")  # what is no longer declared leaves the metrics


# --- the night ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def begun(lab: Any, server: Any, eventually: Callable[..., Any]) -> tuple[float, Any]:
    """(when, the run that declares it): the next minute is the night, and two databases cannot be had.

    Cron looks each minute and not each quarter of an hour; nothing else of its line is changed. What it started while
    the host was being set up waits five minutes between two tries, and would make the drill of this night.
    """
    eventually(lambda: server.run("pgrep -f crowsnest_[b]ackup").rc == 1, 900, 5)
    assert server.file(CRON_FILE).contains(r"^\*/15 \* \* \* \* root .*/crowsnest-backup run")
    server.check_output("systemctl stop cron")  # or a quarter of an hour that ends during the run makes the backup
    at = datetime.now(ZONE) + timedelta(minutes=1)
    backup = {**SHOP["backup"], "at": f"{at:%H:%M}"}
    since = time.time()
    run = lab.play("--diff", crowsnest_apps=[shop(backup=backup), WORKER, *LOST], crowsnest_backup_tries=1)
    server.check_output(f"sed -i 's|^[*]/15 |* |' {CRON_FILE}")
    server.check_output(f"rm -f {STATE}/jobs/*.json")  # as on a new host: a drill is due, and nothing has failed
    server.check_output(f"systemd-run --quiet --unit seen-processes python3 -c {shlex.quote(WATCH)}")
    server.check_output("systemctl start cron")
    return since, run


@pytest.fixture(scope="module")
def night(begun: tuple[float, Any], lab: Any, server: Any, eventually: Callable[..., Any]) -> dict[str, Any]:
    """The manifest of what cron made; its run is over, and Prometheus has seen it before the next one is made."""
    since = datetime.fromtimestamp(begun[0], UTC)

    def over() -> bool:
        ended = server.run(f"cat {STATE}/ended").stdout or "1970-01-01T00:00:00+00:00"
        return datetime.fromisoformat(ended) > since and bool(made())

    def made() -> list[dict[str, Any]]:
        return [each for each in kept(server) if datetime.fromisoformat(each["started"]) > since]

    eventually(over, 150, 2)
    server.check_output("systemctl stop seen-processes")
    (manifest,) = made()
    eventually(lambda: lab.query(f'ALERTS{{alertname="BackupDone", file="{manifest["file"]}"}}'), 60)
    return manifest


def test_a_database_that_cannot_be_had_does_not_stop_the_run(begun: tuple[float, Any]) -> None:
    assert begun[1].status == 0, begun[1].output


def test_cron_makes_the_backup_when_it_is_due(night: dict[str, Any], server: Any) -> None:
    taken = datetime.fromisoformat(night["started"])
    assert night["file"] == f"shop_development_{taken:%Y%m%d_%H%M%S}.sql.gz"
    assert server.check_output(f"gzip -dc {FOLDER}/{night['file']} | grep -c '^COPY public.shop_order '") == "1"
    assert server.file(f"{FOLDER}/{night['stem']}.json").size > 0
    assert night["counts"]["public.shop_order"] > 0
    assert (
        "cron"
        in server.check_output("journalctl --no-pager -t CRON -S -5min | grep crowsnest-backup | tail -n 1").lower()
    )


def test_what_was_made_is_on_the_remote_and_proven(night: dict[str, Any], server: Any) -> None:
    assert night["drilled"], server.check_output("journalctl --no-pager -t crowsnest-backup -n 20")
    assert night["remote"]["offsite"]["key"] == f"development/shop/{night['file']}.age"


def test_metrics_and_the_monitor_know_it(
    night: dict[str, Any], begun: Any, lab: Any, kuma_login: Any, monitors: Any, eventually: Any
) -> None:
    file = f'crowsnest_backup_info{{app="shop", file="{night["file"]}", host="lab1", environment="development"}}'
    eventually(lambda: lab.query(file), 60)
    for metric, value in (("size_bytes", night["bytes"]), ("ok", 1), ("remote_missing", 0), ("drill_ok", 1)):
        query = f'crowsnest_backup_{metric}{{app="shop"}} == {value}'
        eventually(lambda query=query: lab.query(query), 60)
    with kuma_login() as kuma:
        beats = kuma.get_monitor_beats(monitors()["shop: backup"]["id"], 1)
    times = [datetime.fromisoformat(f"{beat['time']}+00:00").timestamp() for beat in beats if beat["status"].value == 1]
    assert max(times) >= begun[0]


def test_files_are_for_root_alone_and_metrics_for_all(night: dict[str, Any], server: Any) -> None:
    assert server.check_output(f"find /var/backups/crowsnest {STATE} -perm /077") == ""
    secrets = server.file(f"{CURRENT}/secrets.json")
    assert (secrets.user, secrets.group, secrets.mode) == ("root", "root", 0o640)
    assert server.check_output("find /var/lib/prometheus/node-exporter/crowsnest_backup.prom -perm 0644") != ""


def test_no_secret_is_in_a_diff_a_log_or_a_list_of_processes(night: dict[str, Any], begun: Any, server: Any) -> None:
    held = json.loads(server.check_output(f"cat {CURRENT}/secrets.json"))
    assert held["databases"]["attic"] == PASSWORD
    secrets = {PASSWORD, *held["remotes"].values(), *(url.split("/push/")[1] for url in held["push_urls"].values())}
    processes = server.check_output(f"sort -u {PROCESSES}")
    assert "pg_dump" in processes
    assert "PGPASSWORD=" not in processes
    for text in (begun[1].output, processes, server.check_output("journalctl --no-pager -S -10min")):
        assert [secret for secret in secrets if secret in text] == []


# --- a damaged file ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def damaged(night: dict[str, Any], lab: Any, server: Any) -> dict[str, Any]:
    """What is told after one byte of the night's backup has changed: {"since", "drill", "check", "after": …}."""
    file, middle = f"{FOLDER}/{night['file']}", night["bytes"] // 2
    since = time.time()
    server.check_output(
        'python3 -c \'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1)[0];'
        f" f.seek(-1, 1); f.write(bytes([b ^ 1]))' {file} {middle}"
    )
    drill, check = server.run("crowsnest-backup drill shop"), server.run("crowsnest-backup check shop")
    new = typed(lab, "backup", "shop")
    return {
        "since": since,
        "drill": drill,
        "check": check,
        "new": new,
        "again": server.run("crowsnest-backup drill shop"),
    }


def test_one_changed_byte_is_found_by_the_drill_and_by_the_check(
    damaged: dict[str, Any], night: dict[str, Any]
) -> None:
    for found in (damaged["drill"], damaged["check"]):
        assert found.rc == 1
        assert night["file"] in found.stderr


def test_a_new_backup_is_good_and_proven(damaged: dict[str, Any]) -> None:
    assert damaged["new"].returncode == 0, damaged["new"].stdout
    assert damaged["again"].rc == 0, damaged["again"].stderr


# --- the storage is away ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lonely(damaged: dict[str, Any], lab: Any, server: Any, away: Any) -> dict[str, Any]:
    """A backup while the storage is away; it is back afterwards, and the hour until the next try is over."""
    away.stop(timeout=1)
    begun = time.monotonic()
    run = typed(lab, "backup", "shop")
    seconds = time.monotonic() - begun
    state = json.loads(server.check_output(f"cat {STATE}/jobs/shop.json"))
    newest = kept(server)[-1]
    away.start()
    state["sent"]["attempted"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    server.run_expect([0], f"cat >{STATE}/jobs/shop.json <<'END'\n{json.dumps(state)}\nEND")
    return {"run": run, "seconds": seconds, "failed": state["sent"]["failed"], "newest": newest}


def test_without_the_storage_a_backup_is_good_here_and_a_warning_is_told(lonely: dict[str, Any]) -> None:
    assert lonely["run"].returncode == 0, lonely["run"].stdout
    assert "offsite" in lonely["failed"]
    assert lonely["failed"] in one_line(lonely["run"].stdout)
    assert lonely["newest"]["remote"] == {}
    assert lonely["seconds"] < 60


@pytest.fixture(scope="module")
def proof(lonely: dict[str, Any], lab: Any, tmp_path_factory: Any) -> tuple[Any, Path]:
    """A drill with its page."""
    page = tmp_path_factory.mktemp("evidence") / "page.md"
    return typed(lab, "drill", "shop", "--evidence", str(page)), page


def test_a_drill_writes_a_page_that_can_be_shown(proof: Any, lonely: dict[str, Any]) -> None:
    run, page = proof
    assert run.returncode == 0, run.stdout
    text = page.read_text()
    assert text.startswith("# Restore of <code>shop</code>, proven")
    assert lonely["newest"]["sha256"] in text
    assert f"| <code>public.shop_order</code> | {lonely['newest']['counts']['public.shop_order']:,} |" in text


def test_the_list_shows_what_can_be_restored(proof: Any, lonely: dict[str, Any], lab: Any) -> None:
    run = typed(lab, "backup", "shop", "--list")
    assert run.returncode == 0, run.stdout
    for part in ("BACKUP", "PROVEN", "COPIES", lonely["newest"]["stem"]):
        assert part in run.stdout, part


@pytest.fixture(scope="module")
def caught_up(proof: Any, server: Any, lonely: dict[str, Any], eventually: Any) -> None:
    """The next run of cron has sent what the remote lacked."""
    eventually(lambda: kept(server)[-1]["remote"].get("offsite"), 100, 2)


@pytest.mark.usefixtures("caught_up")
def test_what_the_remote_lacks_is_sent_when_it_is_back(lab: Any, eventually: Any) -> None:
    eventually(lambda: lab.query('crowsnest_backup_remote_missing{app="shop"} == 0'), 90)
    assert lab.query('crowsnest_backup_remote_ok{app="shop"} == 1')
    eventually(lambda: not lab.query('ALERTS{alertname="BackupNotUploaded"}'), 30)


# --- restore ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def beside(caught_up: None, lab: Any, server: Any) -> dict[str, Any]:
    """Restores that leave the live database alone."""
    named = typed(lab, "restore", "shop", "--as", "shop_copy")
    dated = typed(lab, "restore", "shop")
    return {"named": named, "dated": dated, "databases": databases(server), "orders": orders(server, "shop_copy")}


def test_a_copy_is_restored_under_its_name(beside: dict[str, Any], lonely: dict[str, Any]) -> None:
    assert beside["named"].returncode == 0, beside["named"].stdout
    assert beside["orders"] == lonely["newest"]["counts"]["public.shop_order"]


def test_without_a_terminal_it_is_restored_beside_and_the_command_that_is_left_is_printed(
    beside: dict[str, Any],
) -> None:
    assert beside["dated"].returncode == 0, beside["dated"].stdout
    command = re.search(r"crowsnest-backup swap shop (shop_restored_\d{8}_\d{6}) --yes", beside["dated"].stdout)
    assert command
    assert command[1] in beside["databases"]


@pytest.fixture(scope="module")
def lost(beside: dict[str, Any], lab: Any, server: Any) -> dict[str, Any]:
    """The shop's database is dropped while customers buy, and comes back by one command."""
    assert typed(lab, "backup", "shop").returncode == 0
    newest = kept(server)[-1]
    psql(server, "postgres", "drop database shop with (force)")
    gone = "shop" not in databases(server)
    begun = time.monotonic()
    run = typed(lab, "restore", "shop", "--swap", "--yes")
    return {"newest": newest, "gone": gone, "run": run, "seconds": time.monotonic() - begun}


def test_a_dropped_database_comes_back_by_one_command_and_the_shop_answers(
    lost: dict[str, Any], server: Any, lab: Any, eventually: Any, figure: Any
) -> None:
    assert lost["gone"]
    assert lost["run"].returncode == 0, lost["run"].stdout
    figure("dropped database to restored", f"{lost['seconds']:.1f} s")
    assert orders(server) >= lost["newest"]["counts"]["public.shop_order"]
    assert "shop is there again" in one_line(lost["run"].stdout)

    eventually(lambda: server.run("curl -fsS http://127.0.0.1:8000/health/").rc == 0, 120)
    before = orders(server)

    def bought() -> bool:
        server.check_output(BUY)
        return orders(server) > before

    eventually(bought, 120)


@pytest.fixture(scope="module")
def swapped(lost: dict[str, Any], beside: dict[str, Any], server: Any) -> dict[str, Any]:
    """The command that the restore without a terminal printed, and the way back that it names."""
    command = re.findall(r"crowsnest-backup swap shop \S+ --yes", beside["dated"].stdout)[-1]
    there = server.run(command)
    back = re.search(r"crowsnest-backup swap shop (shop_before_\d{8}_\d{6}) --yes", there.stdout)
    return {"there": there, "kept": back[1] if back else "", "back": server.run(back[0] if back else "false")}


def test_a_swap_keeps_the_database_before_and_can_be_taken_back(swapped: dict[str, Any], server: Any) -> None:
    assert swapped["there"].rc == 0, swapped["there"].stderr
    assert swapped["back"].rc == 0, swapped["back"].stderr
    assert swapped["kept"] not in databases(server)
    assert orders(server) > 0


# --- what was told ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("swapped")
def test_a_success_is_told_once_with_file_size_duration_and_environment(
    night: dict[str, Any], begun: Any, lab: Any, eventually: Any
) -> None:
    def told() -> list[dict[str, Any]]:
        return [each for each in lab.messages(begun[0], "Backup done: shop") if night["file"] in said([each])]

    eventually(told, 60)
    assert len(told()) == 1
    rows = sum(night["counts"].values())
    assert re.search(rf"{night['file']}, [\d.]+MiB, {rows} rows, in [\d.]+m?s, development, on lab1", said(told()))


@pytest.mark.usefixtures("swapped")
def test_a_failure_is_told_with_its_reason(begun: Any, lab: Any, eventually: Any) -> None:
    for app, why in REASONS.items():
        told = eventually(lambda app=app: lab.messages(begun[0], f"Backup of {app} on lab1 failed"), 90)
        assert why in said(told)


@pytest.mark.usefixtures("swapped")
def test_a_damaged_file_is_told_by_its_name(
    damaged: dict[str, Any], night: dict[str, Any], lab: Any, eventually: Any
) -> None:
    told = eventually(lambda: lab.messages(damaged["since"], "Kept backups of shop on lab1 are damaged"), 120)
    assert night["file"] in said(told)


# --- switched off -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def off(swapped: dict[str, Any], night: dict[str, Any], lab: Any, server: Any) -> Any:
    """The run after the shop's backup was switched off; the damaged file has been taken away."""
    server.check_output(f"rm {FOLDER}/{night['stem']}.*")
    run = lab.play(crowsnest_apps=[shop(backup=False), WORKER, *LOST], crowsnest_backup_tries=1)
    server.run("crowsnest-backup run")  # as cron does within a quarter of an hour
    return run


def test_what_is_not_backed_up_is_a_warning_with_its_reason_in_each_run(off: Any) -> None:
    assert off.status == 0, off.output
    for app, why in REASONS.items():
        assert re.search(rf"(?m)^ *WARN +backups +{app} is not backed up: .*{why}", off.output)
    assert "shop is not backed up: its `backup` is switched off" in one_line(off.output)


def test_nothing_of_a_backup_is_left_that_is_switched_off(
    off: Any, server: Any, lab: Any, monitors: Any, eventually: Any
) -> None:
    settings = json.loads(server.check_output(f"cat {CURRENT}/settings.json"))
    assert [job["name"] for job in settings["jobs"]] == ["attic", "cellar", "stack"]
    assert "shop" not in json.loads(server.check_output(f"cat {CURRENT}/secrets.json"))["databases"]
    assert "shop: backup" not in monitors()
    assert server.file(CRON_FILE).contains(r"^\*/15 ")
    gone = ('{__name__=~"crowsnest_backup_.+", app="shop"}', 'ALERTS{alertname=~"Backup.+", app="shop"}')
    eventually(lambda: not any(map(lab.query, gone)), 60)
    assert server.check_output(f"ls {FOLDER}") != ""  # what was made stays


# --- as declared again ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled(off: Any, lab: Any) -> tuple[Any, Any]:
    """(the run that brings the declaration back, the next one)."""
    return lab.play(), lab.play()


def test_it_comes_back_and_the_second_run_does_little_and_changes_nothing(
    settled: tuple[Any, Any], figure: Any
) -> None:
    back, again = settled
    assert back.status == 0, back.output
    assert again.status == 0, again.output
    assert again.recap["changed"] == 0, again.output
    figure("second run with backups", f"{again.seconds:.1f} s, {again.recap['ok']} tasks")


@pytest.mark.usefixtures("settled")
def test_check_mode_predicts_nothing_on_a_settled_host(lab: Any) -> None:
    run = lab.play("--check", "--diff")
    assert run.status == 0, run.output
    assert run.recap["changed"] == 0, run.output
    assert "+++ after" not in run.output
