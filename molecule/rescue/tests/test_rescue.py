# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole host is destroyed. A new one, two restores, and everything of people is back.

Commands are those of docs/backup.md, without the environment that ./crowsnest makes first.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import yaml
from lab.metabase_client import Metabase
from lab.play import Lab
from lab.state import REPOSITORY
from uptime_kuma_api import MonitorType, NotificationType

OPTIONS = yaml.safe_load((REPOSITORY / "molecule/rescue/molecule.yml").read_text())["platforms"][0]["options"]
KIM = {"login": "kim", "name": "Kim", "email": "kim@example.com", "password": "long-Enough-1"}
BOARD = {"title": "Kim's own", "uid": "kims-own", "panels": []}
MATCHER = {"name": "app", "value": "shop", "isRegex": False, "isEqual": True}
# What never changes of the orders up to a number, whatever customers do since.
ORDERS = """SELECT count(*), md5(string_agg(concat_ws('|', id, customer_id, total_krw, placed_at), ',' ORDER BY id))
FROM shop_order WHERE id <= {}"""


@dataclass(frozen=True)
class Made:
    """What people have made, as the interface of each service tells it; `silences` are (comment, end)."""

    grafana_user: str
    dashboard: str
    monitors: dict[str, int]
    notifications: set[str]
    status_pages: dict[str, str]
    questions: dict[str, int]
    silences: list[tuple[str, str]]
    orders: str


@dataclass(frozen=True)
class People:
    """Those who work with this stack."""

    lab: Lab
    server: Any
    secret: Callable[[str], str]
    metabase: Callable[[], Metabase]
    kuma: Any

    def make(self) -> None:
        """An afternoon of them."""
        assert self._grafana("POST", "admin/users", json=KIM).status_code == 200
        assert self._grafana("POST", "dashboards/db", json={"dashboard": BOARD}).status_code == 200
        with self.kuma() as kuma:
            kuma.add_monitor(type=MonitorType.HTTP, name="of mine", url="http://127.0.0.1:8000/", interval=120)
            hook = {"webhookURL": "http://127.0.0.1:8065/services/T/B/x", "webhookContentType": "json"}
            kuma.add_notification(name="of mine", type=NotificationType.WEBHOOK, **hook)
            kuma.add_status_page("by-hand", "Of mine")
        metabase = self.metabase()
        likeness = {key: metabase.cards()["Revenue per day"][key] for key in ("collection_id", "dataset_query")}
        metabase.post("card", name="My question", display="table", visualization_settings={}, **likeness)
        times = {"startsAt": _in(hours=0), "endsAt": _in(hours=5)}
        silence = {"matchers": [MATCHER], "createdBy": "kim", "comment": "planned work", **times}
        self.lab.post("alertmanager", "/api/v2/silences", silence)

    def look(self, last_order: int) -> Made:
        """What there is of it now."""
        with self.kuma() as kuma:
            monitors = {each["name"]: each["id"] for each in kuma.get_monitors()}
            notifications = {each["name"] for each in kuma.get_notifications()}
            pages = {each["slug"]: each["title"] for each in kuma.get_status_pages()}
        silences = self.lab.get("alertmanager", "/api/v2/silences")
        user = self._grafana("GET", "user", login=(KIM["login"], KIM["password"])).json()
        board = self._grafana("GET", f"dashboards/uid/{BOARD['uid']}").json()
        return Made(
            grafana_user=user.get("login", ""),
            dashboard=board.get("dashboard", {}).get("title", ""),
            monitors=monitors,
            notifications=notifications,
            status_pages=pages,
            questions={name: card["id"] for name, card in self.metabase().cards().items()},
            silences=[(each["comment"], each["endsAt"]) for each in silences if each["status"]["state"] == "active"],
            orders=self.sql(ORDERS.format(last_order)),
        )

    def sql(self, query: str) -> str:
        """The answer of the shop's database."""
        return str(self.server.check_output("docker exec shop-db-1 psql -U shop -Atc %s shop", query))

    def _grafana(
        self, method: str, path: str, login: tuple[str, str] | None = None, json: Any = None
    ) -> requests.Response:
        auth = login or ("admin", self.secret("grafana_admin_password"))
        return requests.request(method, f"{self.lab.url('grafana')}/api/{path}", auth=auth, json=json, timeout=10)


def _in(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


@dataclass(frozen=True)
class Story:
    """What people had before, on the new host, and after its restore; what each command printed."""

    before: Made
    fresh: Made
    after: Made
    printed: dict[str, str]

    def changed(self, command: str) -> int:
        """How many tasks of a run changed something."""
        words = self.printed[command].partition("PLAY RECAP")[2].split()
        return sum(int(word.partition("=")[2]) for word in words if word.startswith("changed="))


@pytest.fixture(scope="module")
def story(
    lab: Lab, server: Any, secret: Any, metabase_login: Any, kuma_login: Any, figure: Callable[[str, str], None]
) -> Story:
    """Backup, loss, a new host, both restores, two runs, verify, the next backup."""
    people, printed = People(lab, server, secret, metabase_login, kuma_login), {}

    def crowsnest(name: str, *words: str) -> None:
        begun = time.monotonic()
        done = _run("plugins/plugin_utils/launcher", *words, environment=lab.environment)
        printed[name] = done
        figure(name, f"{time.monotonic() - begun:.0f} s")

    people.make()
    server.check_output("docker compose --file /srv/shop/compose.yaml stop traffic")
    last_order = int(people.sql("SELECT max(id) FROM shop_order"))
    before = people.look(last_order)
    crowsnest("backup", "backup")
    _run("molecule/lab", "lose", lab.name)

    begun = time.monotonic()
    _run("molecule/lab", "up", lab.name, *OPTIONS)
    _run("molecule/lab", "app", lab.name, "up")
    crowsnest("site on the new host", "site")
    fresh = people.look(last_order)
    printed["cron on the new host"] = server.run("crowsnest-backup run; crowsnest-backup status").stdout
    offsite = "--from", "offsite", "--identity", f".lab/{lab.name}/age_identity"
    crowsnest("restore of the stack", "restore", "--stack", *offsite, "--yes")
    crowsnest("restore of the shop", "restore", "shop", *offsite, "--swap", "--yes")
    crowsnest("site after both", "site")
    figure("from nothing to everything", f"{time.monotonic() - begun:.0f} s")
    after = people.look(last_order)
    crowsnest("the next site", "site")
    crowsnest("verify", "verify")
    crowsnest("the next backup", "backup")
    crowsnest("list", "backup", "--list")
    crowsnest("list of the storage", "backup", "--list", "--from", "offsite")
    return Story(before, fresh, after, printed)


def _run(*words: str, environment: dict[str, str] | None = None) -> str:
    """The output of a Python program of the checkout, which must end well."""
    done = subprocess.run(
        [sys.executable, *words], cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_host_was_really_lost(story: Story) -> None:
    kept = [each.name for each in fields(Made) if getattr(story.fresh, each.name) == getattr(story.before, each.name)]
    assert kept == []


@pytest.mark.parametrize("what", [each.name for each in fields(Made)])
def test_it_is_back(story: Story, what: str) -> None:
    assert getattr(story.after, what) == getattr(story.before, what)


def test_what_was_made_was_worth_it(story: Story) -> None:
    before = story.before
    assert (before.grafana_user, before.dashboard) == ("kim", BOARD["title"])
    assert before.status_pages["by-hand"] == "Of mine"
    assert {"of mine", "shop: website"} <= before.monitors.keys()
    assert "of mine" in before.notifications
    assert {"My question", "Revenue per day"} <= before.questions.keys()
    assert [comment for comment, _ in before.silences] == ["planned work"]
    assert int(before.orders.partition("|")[0]) > 30_000


def test_nothing_is_left_to_do(story: Story) -> None:
    assert story.changed("the next site") == 0, story.printed["the next site"]
    assert " 0 failed" in story.printed["verify"]


def test_cron_does_not_put_the_empty_data_of_a_new_host_on_top(story: Story) -> None:
    for job in ("shop", "stack"):
        assert f"restore first: crowsnest-backup restore {job} --from offsite" in story.printed["cron on the new host"]


@pytest.mark.parametrize("job", ["shop", "stack"])
def test_the_next_backup_is_beside_those_of_before(job: str, story: Story) -> None:
    made = _stems(job, story.printed["the next backup"])
    assert len(made) == 1
    assert _stems(job, story.printed["list"]) == made
    assert made < _stems(job, story.printed["list of the storage"])  # of this day it keeps the first and the newest


def _stems(job: str, text: str) -> set[str]:
    """The names of a job's backups that a command tells."""
    return set(re.findall(rf"\b{job}_development_\d{{8}}_\d{{6}}", text))
