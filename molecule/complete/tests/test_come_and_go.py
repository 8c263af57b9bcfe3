# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Apps, questions, monitors, status pages and passwords that come with the declaration, and go with it.

One declaration changes something of every service, so that a few runs tell what becomes of all of them. The runs are
fixtures, each building on the one before; the tests between them look at what is there at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from complete.declared import (
    DEPOT,
    MONITORS,
    OTHER,
    QUESTIONS,
    ROOT,
    STOCK,
    UNREACHABLE,
    UPTIME,
    WORKER,
    one_line,
    shop,
)
from grafana_client import GrafanaApi
from lab.metabase_client import Metabase

GRAFANA_STARTED = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' crowsnest-grafana-1"
OF_APT = "/etc/apt/apt.conf.d/52crowsnest-updates"
NEW_PASSWORD = "an-0ther-Passw0rd"
ROTATED = ("metabase_admin_password", "database_reader_password")
REGIONS = "SELECT region, 42 AS revenue FROM shop_order WHERE true [[AND {{region}}]] GROUP BY region\n"
Dashboards = Callable[[str], dict[str, int]]


@pytest.fixture(scope="module")
def dashboards(lab: Any) -> Dashboards:
    """{uid: id} of Grafana's dashboards, as admin with this password."""

    def found(password: str) -> dict[str, int]:
        grafana = GrafanaApi.from_url(lab.url("grafana"), credential=("admin", password))
        return {board["uid"]: board["id"] for board in grafana.search.search_dashboards(type_="dash-db")}

    return found


def grafana_login(lab: Any, password: str) -> int:
    """Status of a login. After five wrong ones Grafana refuses any for five minutes, so the tests are sparing."""
    return requests.get(f"{lab.url('grafana')}/api/user", auth=("admin", password), timeout=10).status_code


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """More of everything. Of the questions one replaces a starter's, one is new and one is wrong."""
    file = tmp_path_factory.mktemp("sql") / "regions.sql"
    file.write_text(REGIONS)
    questions = [
        {"name": "Sales by region", "file": str(file), "filters": {"region": "public.shop_order.region"}},
        {"name": "Sold out", "sql": "SELECT sku FROM shop_product WHERE stock = 0", "chart": "table"},
        {"name": "Broken", "sql": "SELECT no_such_column FROM shop_product", "chart": "table"},
    ]
    apps = [shop(business={"questions": questions}), WORKER, OTHER, DEPOT]
    return UPTIME | {
        "crowsnest_apps": apps,
        "crowsnest_grafana_admin_password": NEW_PASSWORD,
        "crowsnest_updates": True,
    }


@pytest.fixture(scope="module")
def fewer(everything: dict[str, Any]) -> dict[str, Any]:
    """Less of it; and Grafana at an address that it reads only at its start."""
    return everything | {
        "crowsnest_monitors": [*UPTIME["crowsnest_monitors"][:2], STOCK],
        "crowsnest_maintenance": [],
        "crowsnest_apps": [*everything["crowsnest_apps"][:2], UNREACHABLE],
        "crowsnest_external_urls": {"grafana": "https://grafana.example.com/"},
        "crowsnest_updates": False,
    }


@pytest.fixture(scope="module")
def before(secret: Callable[[str], str], server: Any, dashboards: Dashboards) -> dict[str, Any]:
    """What was there, and what a kernel forbids by itself."""
    server.check_output("sysctl -w net.ipv4.ping_group_range='1 0'")
    return {
        "dashboards": dashboards(secret("grafana_admin_password")),
        "started": server.check_output(GRAFANA_STARTED),
        **{name: secret(name) for name in (*ROTATED, "grafana_admin_password")},
    }


@pytest.fixture(scope="module")
def predicted(lab: Any, before: dict[str, Any], everything: dict[str, Any]) -> Any:
    """The run that only says what it would do; without Grafana's new password, which would cost it two wrong logins."""
    return lab.play(
        "--check", "--diff", **{k: v for k, v in everything.items() if k != "crowsnest_grafana_admin_password"}
    )


@pytest.fixture(scope="module")
def written(lab: Any, predicted: Any, before: dict[str, Any], everything: dict[str, Any]) -> Any:
    """The run that does it, with other secrets of Metabase as well."""
    for name in ROTATED:
        (ROOT / ".lab" / lab.name / "secrets" / name).write_text(before[name][::-1] + "7")
    return lab.play("--diff", **everything)


@pytest.fixture(scope="module")
def reduced(lab: Any, written: Any, fewer: dict[str, Any]) -> Any:
    """The run with less."""
    return lab.play("--diff", **fewer)


@pytest.fixture(scope="module")
def restored(lab: Any, reduced: Any) -> Any:
    """The run with what the inventory declares."""
    return lab.play()


@pytest.fixture(scope="module", autouse=True)
def _as_before(lab: Any) -> Iterator[None]:
    yield
    run = lab.play()
    assert run.status == 0, run.output
    assert run.recap["changed"] == 0, run.output


def test_check_mode_names_what_comes_and_writes_nothing(
    predicted: Any, server: Any, before: dict[str, Any], monitors: Any, metabase: Metabase, dashboards: Dashboards
) -> None:
    assert predicted.status == 0, predicted.output
    assert predicted.recap["changed"] > 0
    for part in ("monitor Search", "monitor Import", "monitor Engine", "question Sold out", "unattended-upgrades"):
        assert part in predicted.output, part
    assert not server.file(OF_APT).exists
    assert set(monitors()) == set(MONITORS)
    assert set(metabase.cards()) == set(QUESTIONS)
    assert dashboards(before["grafana_admin_password"]) == before["dashboards"]


def test_the_run_does_what_was_predicted_and_the_next_one_nothing(
    lab: Any, predicted: Any, written: Any, everything: dict[str, Any]
) -> None:
    assert written.status == 0, written.output
    for part in ("monitor Search", "monitor Import", "monitor Engine", "question Sold out"):
        assert part in written.output, part
    again = lab.play(**everything)
    assert again.recap["changed"] == 0, again.output


def test_monitors_are_as_declared(written: Any, lab: Any, monitors: Any, eventually: Any) -> None:
    found = monitors()
    shown = {name for name in found if not name.startswith(("other", "depot"))}
    assert shown == {*MONITORS, *(monitor["name"] for monitor in UPTIME["crowsnest_monitors"])}
    assert {(tag["name"], tag["value"]) for tag in found["Stock"]["tags"]} >= {("team", "stock"), ("tier", "1")}
    assert not found["Name"]["active"]
    up = 'monitor_status{monitor_name=~"Search|Stock|SSH|Itself|Partners"} == 1'
    eventually(lambda: len(lab.query(up)) == 5, 180)


def test_windows_and_status_pages_are_as_declared(written: Any, lab: Any, kuma: Any, status_page: Any) -> None:
    assert {window["title"] for window in kuma.get_maintenances()} == {"Weekly", "New disk"}
    assert {page["slug"] for page in kuma.get_status_pages()} == {"status", "partners"}
    assert status_page("partners").json()["incident"]["title"] == "Slow search"
    by_name = requests.get(lab.url("uptime_kuma"), headers={"Host": "partners.example.com"}, timeout=10)
    assert "For partners" in by_name.text


def test_the_kernel_lets_uptime_kuma_ping(written: Any, server: Any) -> None:
    assert server.check_output("sysctl -n net.ipv4.ping_group_range").split() == ["15001", "15001"]


def test_updates_leave_docker_alone_and_a_reboot_that_is_due_is_told(
    written: Any, lab: Any, server: Any, eventually: Any
) -> None:
    """Its timer starts the program every hour; here the test does."""
    told = "python3 /opt/crowsnest/updates/updates.py /var/lib/prometheus/node-exporter"
    since = "crowsnest_reboot_required_timestamp_seconds"
    said = server.check_output("apt-config dump Unattended-Upgrade")
    assert 'Package-Blacklist:: "docker"' in said and 'Automatic-Reboot "false"' in said
    server.check_output(f"touch /run/reboot-required; echo linux-image-9.9.9-amd64 >/run/reboot-required.pkgs; {told}")
    eventually(lambda: len(lab.query(f"{since} > 0")) == 1, 60)
    assert lab.query('crowsnest_reboot_required_by_info{package="linux-image"}')
    server.check_output(f"rm /run/reboot-required /run/reboot-required.pkgs; {told}")
    eventually(lambda: len(lab.query(f"{since} == 0")) == 1, 60)


def test_an_app_has_its_dashboard_without_a_restart(
    written: Any, server: Any, before: dict[str, Any], dashboards: Dashboards, eventually: Any
) -> None:
    """The other dashboards stay what they are, with all that hangs on their ids."""
    eventually(lambda: "app-other" in dashboards(NEW_PASSWORD), 20)
    assert before["dashboards"].items() <= dashboards(NEW_PASSWORD).items()
    assert server.check_output(GRAFANA_STARTED) == before["started"]
    assert server.check_output("find /opt/crowsnest/grafana/dashboards -xtype l") == ""


def test_passwords_are_rotated_and_no_run_prints_them(
    written: Any, lab: Any, before: dict[str, Any], secret: Callable[[str], str]
) -> None:
    assert (grafana_login(lab, NEW_PASSWORD), grafana_login(lab, before["grafana_admin_password"])) == (200, 401)
    first_account = lab.url("metabase"), "admin@crowsnest.invalid"
    assert Metabase(*first_account, before["metabase_admin_password"]).status == 401
    assert Metabase(*first_account, secret("metabase_admin_password")).status == 200
    for password in (NEW_PASSWORD, *(before[name] for name in ROTATED), *map(secret, ROTATED)):
        assert password not in written.output


def test_a_team_s_own_questions_replace_and_follow_the_starter_ones(written: Any, metabase: Metabase) -> None:
    reason = '1 of 13 questions have no answer: Broken: ERROR: column "no_such_column" does not exist'
    assert reason in one_line(written.output)
    assert {row[1] for row in metabase.rows(*metabase.place("Sales by region"))} == {42}
    assert metabase.place("Sold out")


def test_an_app_with_other_tables_is_a_warning_and_no_fault(written: Any) -> None:
    assert "depot: 11 of 11 questions are missing" in one_line(written.output)


def test_fewer_are_left_when_fewer_are_declared(reduced: Any, lab: Any, monitors: Any, fewer: dict[str, Any]) -> None:
    assert reduced.status == 0, reduced.output
    assert "accepted_statuscodes" in reduced.output
    stock = monitors()["Stock"]
    assert ({tag["name"] for tag in stock["tags"]}, stock["accepted_statuscodes"]) == ({"crowsnest"}, ["200-299"])
    assert "SSH" not in monitors()
    again = lab.play(**fewer)
    assert again.recap["changed"] == 0, again.output


def test_updates_go_and_their_package_stays(reduced: Any, server: Any) -> None:
    assert not server.file(OF_APT).exists and not server.file("/opt/crowsnest/updates").exists
    assert server.package("unattended-upgrades").is_installed


def test_a_database_that_does_not_answer_is_told_and_does_not_stop_the_rest(reduced: Any, metabase: Metabase) -> None:
    sentence = "crowsnest_ro cannot read all that is declared in database attic at 127.0.0.1:5499"
    assert sentence in one_line(reduced.output)
    assert "hush-Hush-1" not in reduced.output
    assert "Traceback" not in reduced.output
    assert metabase.rows(*metabase.place("Orders per day"))


def test_what_grafana_reads_only_at_its_start_recreates_it(reduced: Any, server: Any, before: dict[str, Any]) -> None:
    assert server.check_output(GRAFANA_STARTED) != before["started"]


def test_everything_goes_again(
    restored: Any, monitors: Any, kuma: Any, metabase: Metabase, before: dict[str, Any], dashboards: Dashboards,
    eventually: Any,
) -> None:  # fmt: skip
    assert restored.status == 0, restored.output
    assert set(monitors()) == set(MONITORS)
    assert [page["slug"] for page in kuma.get_status_pages()] == ["status"]
    assert set(metabase.cards()) == set(QUESTIONS)
    archived = {card["name"] for card in metabase.get("card?f=archived")}
    assert {"Sold out", "Broken"} <= archived
    assert {row[1] for row in metabase.rows(*metabase.place("Sales by region"))} != {42}
    eventually(lambda: dashboards(before["grafana_admin_password"]) == before["dashboards"], 20)
