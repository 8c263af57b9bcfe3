"""uptime_kuma as Ansible runs it, in-process, against a small Kuma that keeps what it is told."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crowsnest.core.plugins.module_utils.kuma import client as kuma_client
from ansible_collections.crowsnest.core.plugins.module_utils.kuma import metrics_key as kuma_metrics_key
from ansible_collections.crowsnest.core.plugins.module_utils.kuma import run as kuma_run
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.fields import MONITOR, STATUS_PAGE
from ansible_collections.crowsnest.core.plugins.modules import uptime_kuma

PASSWORD = "a-Long-Secret-1"
TOKEN = "a token of Kuma"


class DoubleError(Exception):
    """What the library raises."""


class Slack(Enum):
    SLACK = "slack"


class Kuma:
    """Uptime Kuma's socket and pages, as far as the module uses them. `refuse` and `die_at` make it fail."""

    def __init__(self) -> None:
        self.password, self.version, self.up = PASSWORD, "2.5.3", True
        self.account, self.two_factors, self.too_many = False, False, 0
        self.settings: dict[str, Any] = {"serverTimezone": "UTC"}
        self.lists: dict[str, dict[int, dict[str, Any]]] = {
            name: {} for name in ("notification", "host", "tag", "monitor", "page", "maintenance", "key")
        }
        self.calls: list[str] = []
        self.number, self.die_at, self.dead, self.restarts = 0, "", False, 0
        self.refuse: dict[str, str] = {}

    @property
    def writes(self) -> list[str]:
        quiet = ("needSetup", "login", "loginByToken", "get")
        return [event for event in self.calls if not event.startswith(quiet)]

    def store(self, name: str, it: dict[str, Any], number: int | None = None) -> int:
        self.number += 0 if number else 1
        number = number or self.number
        self.lists[name][number] = {**self.lists[name].get(number, {}), **it, "id": number}
        return number

    def answer(self, event: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append(event)
        if event in self.refuse:
            return {"ok": False, "msg": self.refuse[event]}
        return getattr(self, "on_" + event)(*arguments)

    # --- login ---

    def on_needSetup(self) -> bool:  # noqa: N802 - the names of Kuma's events
        return not self.account

    def on_setup(self, _: str, password: str) -> Any:
        if len(password) < 6:
            return {"ok": False, "msg": "passwordTooWeak"}
        self.account, self.password = True, password
        return {"ok": True}

    def on_login(self, given: dict[str, str]) -> Any:
        if self.too_many:
            self.too_many -= 1
            return {"ok": False, "msg": "Too frequently, try again later."}
        if (given["username"], given["password"]) != ("admin", self.password):
            return {"ok": False, "msg": "authIncorrectCreds"}
        return {"tokenRequired": True} if self.two_factors else {"ok": True, "token": TOKEN}

    def on_loginByToken(self, token: str) -> Any:  # noqa: N802
        return {"ok": token == TOKEN}

    # --- reading ---

    def on_getMonitorList(self) -> Any:  # noqa: N802
        return {"ok": True}

    on_getMaintenanceList = on_getMonitorList  # noqa: N815

    def on_getSettings(self) -> Any:  # noqa: N802
        return {"ok": True, "data": self.settings}

    def on_getTags(self) -> Any:  # noqa: N802
        return {"ok": True, "tags": list(self.lists["tag"].values())}

    def on_getMonitorMaintenance(self, number: int) -> Any:  # noqa: N802
        return {"ok": True, "monitors": self.lists["maintenance"][number]["monitors"]}

    def on_getMaintenanceStatusPage(self, number: int) -> Any:  # noqa: N802
        return {"ok": True, "statusPages": self.lists["maintenance"][number]["pages"]}

    def page(self, slug: str) -> dict[str, Any]:
        return next(page for page in self.lists["page"].values() if page["slug"] == slug)

    def on_getStatusPage(self, slug: str) -> Any:  # noqa: N802
        return {"ok": True, "config": {k: v for k, v in self.page(slug).items() if k not in ("groups", "incidents")}}

    def monitors(self) -> list[dict[str, Any]]:
        tags = self.lists["tag"]
        return [
            {
                **each,
                "tags": [{"tag_id": tag, "name": tags[tag]["name"], "value": value} for tag, value in each["tags"]],
            }
            for each in self.lists["monitor"].values()
        ]

    # --- writing ---

    def on_setSettings(self, given: dict[str, Any], _: str) -> Any:  # noqa: N802
        assert given["entryPage"]
        self.settings = given
        return {"ok": True}

    def on_addNotification(self, given: dict[str, Any], number: int | None) -> Any:  # noqa: N802
        self.lists["notification"].pop(number or 0, None)
        return {"ok": True, "id": self.store("notification", given, number)}

    def on_deleteNotification(self, number: int) -> Any:  # noqa: N802
        del self.lists["notification"][number]
        return {"ok": True}

    def on_addDockerHost(self, given: dict[str, Any], number: int | None) -> Any:  # noqa: N802
        return {"ok": True, "id": self.store("host", given, number)}

    def on_deleteDockerHost(self, number: int) -> Any:  # noqa: N802
        del self.lists["host"][number]
        return {"ok": True}

    def on_addTag(self, tag: dict[str, Any]) -> Any:  # noqa: N802
        return {"ok": True, "tag": self.lists["tag"][self.store("tag", tag)]}

    def on_editTag(self, tag: dict[str, Any]) -> Any:  # noqa: N802
        return {"ok": True, "tag": self.lists["tag"][self.store("tag", tag, tag["id"])]}

    def on_add(self, monitor: dict[str, Any]) -> Any:
        assert "conditions" in monitor and monitor["active"] is False
        made = {
            **{name: field.default for name, field in MONITOR.items()},
            **monitor,
            "tags": [],
            "forceInactive": False,
        }
        made["notificationIDList"] = [int(number) for number in monitor["notificationIDList"]]
        return {"ok": True, "monitorID": self.store("monitor", made)}

    def on_editMonitor(self, monitor: dict[str, Any]) -> Any:  # noqa: N802
        edited = {name: it for name, it in monitor.items() if name not in ("tags", "active")}
        edited["notificationIDList"] = [int(number) for number in monitor["notificationIDList"]]
        self.store("monitor", edited, monitor["id"])
        return {"ok": True}

    def on_addMonitorTag(self, tag: int, number: int, value: str) -> Any:  # noqa: N802
        self.lists["monitor"][number]["tags"].append((tag, value))
        return {"ok": True}

    def on_deleteMonitorTag(self, tag: int, number: int, value: str) -> Any:  # noqa: N802
        monitor = self.lists["monitor"][number]
        monitor["tags"] = [each for each in monitor["tags"] if each != (tag, value)]
        return {"ok": True}

    def on_resumeMonitor(self, number: int) -> Any:  # noqa: N802
        self.lists["monitor"][number]["active"] = True
        return {"ok": True}

    def on_pauseMonitor(self, number: int) -> Any:  # noqa: N802
        self.lists["monitor"][number]["active"] = False
        return {"ok": True}

    def on_deleteMonitor(self, number: int) -> Any:  # noqa: N802
        del self.lists["monitor"][number]
        return {"ok": True}

    def on_addMaintenance(self, given: dict[str, Any]) -> Any:  # noqa: N802
        return {"ok": True, "maintenanceID": self.store("maintenance", {**given, "monitors": [], "pages": []})}

    def on_editMaintenance(self, given: dict[str, Any]) -> Any:  # noqa: N802
        self.store("maintenance", given, given["id"])
        return {"ok": True}

    def on_addMonitorMaintenance(self, number: int, monitors: list[Any]) -> Any:  # noqa: N802
        self.lists["maintenance"][number]["monitors"] = monitors
        return {"ok": True}

    def on_addMaintenanceStatusPage(self, number: int, pages: list[Any]) -> Any:  # noqa: N802
        self.lists["maintenance"][number]["pages"] = pages
        return {"ok": True}

    def on_deleteMaintenance(self, number: int) -> Any:  # noqa: N802
        del self.lists["maintenance"][number]
        return {"ok": True}

    def on_addStatusPage(self, title: str, slug: str) -> Any:  # noqa: N802
        table = {name: field.default for name, field in STATUS_PAGE.items()}
        self.store("page", {**table, "slug": slug, "title": title, "groups": [], "incidents": []})
        return {"ok": True}

    def on_saveStatusPage(self, slug: str, config: dict[str, Any], icon: str, groups: list[Any]) -> Any:  # noqa: N802
        assert icon
        known = {name: it for name, it in config.items() if name in STATUS_PAGE}
        self.page(slug).update(known, groups=[{**group} for group in groups])
        return {"ok": True}

    def on_postIncident(self, slug: str, incident: dict[str, Any]) -> Any:  # noqa: N802
        page = self.page(slug)
        page["incidents"] = [each for each in page["incidents"] if each["id"] != incident.get("id")]
        page["incidents"].append({"id": len(self.calls), **incident})
        return {"ok": True}

    def on_unpinIncident(self, slug: str) -> Any:  # noqa: N802
        self.page(slug)["incidents"] = []
        return {"ok": True}

    def on_editIncident(self, slug: str, number: int, incident: dict[str, Any]) -> Any:  # noqa: N802
        assert incident["pin"] is False
        self.page(slug)["incidents"] = [each for each in self.page(slug)["incidents"] if each["id"] != number]
        return {"ok": True}

    def on_deleteStatusPage(self, slug: str) -> Any:  # noqa: N802
        del self.lists["page"][self.page(slug)["id"]]
        return {"ok": True}

    def on_addAPIKey(self, key: dict[str, Any]) -> Any:  # noqa: N802
        number = self.store("key", {**key, "clear": f"uk{self.number}_clear"})
        return {"ok": True, "key": self.lists["key"][number]["clear"]}

    def on_deleteAPIKey(self, number: int) -> Any:  # noqa: N802
        del self.lists["key"][number]
        return {"ok": True}

    # --- pages ---

    def fetch(self, address: str, _: float = 5, user: str = "", password: str = "", method: str = "GET") -> Any:
        if address.endswith("/metrics"):
            good = any(key["clear"] == password for key in self.lists["key"].values())
            return (200 if good and user and method == "GET" else 401), ""
        page = self.page(address.split("/")[-1].split("?")[0])
        return 200, json.dumps({"publicGroupList": page["groups"], "incidents": page["incidents"]})


def fake_library(kuma: Kuma) -> ModuleType:
    """The module uptime_kuma_api whose client talks to the double."""

    class Socket:
        reconnection, connected = True, True

        def emit(self, event: str, arguments: tuple[Any, ...], callback: Callable[..., None]) -> None:
            if event == kuma.die_at:
                kuma.die_at, self.connected = "", False
                return
            callback(json.loads(json.dumps(kuma.answer(event, arguments))))

    class Client:
        def __init__(self, _: str, **options: Any) -> None:
            assert options["wait_events"] == 0
            if not kuma.up:
                raise DoubleError("unable to connect")
            self.sio = Socket()
            self.info = lambda: {"version": kuma.version}
            self.get_monitors = kuma.monitors
            self.get_notifications = lambda: list(kuma.lists["notification"].values())
            self.get_docker_hosts = lambda: list(kuma.lists["host"].values())
            self.get_maintenances = lambda: [dict(each) for each in kuma.lists["maintenance"].values()]
            self.get_status_pages = lambda: [dict(each) for each in kuma.lists["page"].values()]
            self.get_api_keys = lambda: list(kuma.lists["key"].values())

        def disconnect(self) -> None:
            pass

    library: Any = ModuleType("uptime_kuma_api")
    library.UptimeKumaApi, library.UptimeKumaException = Client, DoubleError
    library.notification_provider_options = {Slack.SLACK: {"slackwebhookURL": {"required": True}}}
    return library  # type: ignore[no-any-return]


@pytest.fixture
def kuma(monkeypatch: pytest.MonkeyPatch) -> Kuma:
    double = Kuma()
    monkeypatch.setitem(sys.modules, "uptime_kuma_api", fake_library(double))
    monkeypatch.setattr(kuma_client, "fetch", double.fetch)
    monkeypatch.setattr(kuma_metrics_key, "fetch", double.fetch)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return double


@pytest.fixture
def run(kuma: Kuma, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def run_module(check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"url": "http://127.0.0.1:3001", "password": PASSWORD, "timeout": 0, **options}
        more = {"_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args({**given, **more}), pytest.raises(SystemExit):
            uptime_kuma.main()
        text = capsys.readouterr().out
        assert "SECRET" not in text and PASSWORD not in text
        result: dict[str, Any] = json.loads(text)
        return result

    return run_module


SITE = {"key": "shop/website", "name": "shop: website", "type": "http", "url": "https://shop.example.com"}
ALL: dict[str, Any] = {
    "settings": {"keepDataPeriodDays": 90},
    "notifications": [
        {"key": "ops", "name": "Ops", "type": "slack", "slackwebhookURL": "https://hooks.example/SECRET-HOOK"}
    ],
    "docker_hosts": [{"name": "local", "dockerDaemon": "/var/run/docker.sock"}],
    "tags": [{"name": "app", "color": "#111111"}],
    "monitors": [
        {**SITE, "group": "shop", "notifications": ["ops"], "tags": [{"name": "app", "value": "shop"}]},
        {"key": "shop", "name": "shop", "type": "group"},
        {"key": "job", "name": "job", "type": "push", "pushToken": "SECRET-TOKEN"},
        {"key": "c", "name": "c", "type": "docker", "docker_container": "c", "docker_host": "local", "active": False},
        {"key": "a", "name": "a", "type": "keyword", "url": "u", "keyword": "k", "headers": {"A": "SECRET-HEADER"}},
    ],
    "maintenances": [
        {"key": "n", "title": "N", "strategy": "manual", "monitors": ["shop"], "status_pages": ["status"]}
    ],
    "status_pages": [
        {
            "slug": "status",
            "title": "Status",
            "domainNameList": ["up.example.com"],
            "groups": [{"name": "Shop", "monitors": ["shop/website"]}],
            "incident": {"title": "Slow", "content": "We look"},
        }
    ],
}
Run = Callable[..., dict[str, Any]]


def test_the_first_run_makes_everything_and_the_second_nothing(run: Run, kuma: Kuma) -> None:
    first = run(**ALL)
    assert (first["changed"], first["version"], first["restarted"]) == (True, "2.5.3", False)
    assert first["counts"] == {"created": 12, "changed": 1, "removed": 0}
    monitors = {each["name"]: each for each in kuma.monitors()}
    assert monitors["shop: website"]["parent"] == monitors["shop"]["id"]
    assert [monitors[name]["active"] for name in ("job", "c")] == [True, False]
    kuma.calls.clear()
    second = run(**ALL)
    assert (second["changed"], second["changes"], second["diff"]) == (False, [], {"before": "", "after": ""})
    assert kuma.writes == []


def test_check_mode_predicts_what_a_run_does_and_writes_nothing(run: Run, kuma: Kuma) -> None:
    stages: list[dict[str, Any]] = [
        ALL,
        {**ALL, "monitors": ALL["monitors"][1:], "status_pages": [], "maintenances": []},
    ]
    stages.append({"monitors": [{**SITE, "interval": 30}]})
    for options in stages:
        kuma.calls.clear()
        predicted = run(check=True, **options)
        assert kuma.writes == []
        if options is not ALL:
            assert kuma.calls.count("login") == 1
        done = run(**options)
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        assert done["changed"] is True


def test_check_mode_without_a_running_kuma_predicts_everything(run: Run, kuma: Kuma) -> None:
    kuma.up = False
    result = run(check=True, **ALL)
    assert (result["counts"]["created"], result["version"]) == (12, "")
    assert result["msg"].startswith("Predicted as for an empty Uptime Kuma: Uptime Kuma does not answer at http://")


def test_a_kuma_that_does_not_answer_is_one_sentence(run: Run, kuma: Kuma) -> None:
    kuma.up = False
    assert run()["msg"].startswith("Uptime Kuma does not answer at http://127.0.0.1:3001: unable to connect. See `sudo")


def test_a_missing_library_is_one_sentence(run: Run, kuma: Kuma, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uptime_kuma_api", None)
    assert run()["msg"].startswith("The Python library uptime_kuma_api is missing")


def test_mistakes_are_reported_before_kuma_is_asked(run: Run, kuma: Kuma) -> None:
    message = run(monitors=[{**SITE, "interval": 5}, {"key": "x", "name": "x", "type": "http"}])["msg"]
    assert message.startswith(
        "Uptime Kuma at http://127.0.0.1:3001: nothing was changed, 2 mistakes: monitors[0] (shop/website).interval: 5"
    )
    message = run(monitors=[{**SITE, "type": "htp", "headers": {"A": "SECRET-HEADER"}}])["msg"]
    assert message.startswith("value of type must be one of: dns, docker, ") and "got: htp found in mon" in message
    assert kuma.calls == []


def test_a_wrong_password_is_tried_once(run: Run, kuma: Kuma) -> None:
    run()
    kuma.calls.clear()
    message = run(password="Another-Secret-1", container="crowsnest-uptime_kuma-1")["msg"]
    assert "refuses the login of admin (authIncorrectCreds)" in message
    assert "docker exec -it crowsnest-uptime_kuma-1 node extra/reset-password.js" in message
    assert kuma.calls.count("login") == 1


def test_a_weak_password_for_a_new_account_is_refused(run: Run) -> None:
    assert "does not take the password for the new account admin" in run(password="abc")["msg"]


def test_two_factors_are_named(run: Run, kuma: Kuma) -> None:
    kuma.two_factors = True
    assert "two-factor authentication" in run()["msg"]


def test_too_many_logins_are_waited_for(run: Run, kuma: Kuma) -> None:
    kuma.too_many = 3
    assert run()["changed"] is True
    assert kuma.calls.count("login") == 4


def test_too_many_logins_end_some_time(run: Run, kuma: Kuma, monkeypatch: pytest.MonkeyPatch) -> None:
    kuma.too_many = 10**6
    monkeypatch.setattr(kuma_client, "LOGIN_SECONDS", 0)
    assert "refuses all logins for now" in run()["msg"]


@pytest.mark.parametrize(
    "version, known", [("1.23.17", True), ("2.0.0-dev.0", True), ("1.22.1", False), ("3.0.0", False)]
)
def test_only_known_versions_are_touched(run: Run, kuma: Kuma, version: str, known: bool) -> None:
    kuma.version = version
    assert ("knows 1.23 and 2.x" in run(settings={"keepDataPeriodDays": 1}).get("msg", "")) is not known
    assert ("setSettings" in kuma.calls) is known


@pytest.mark.parametrize("event", ["add", "addMonitorTag", "resumeMonitor", "addStatusPage", "saveStatusPage"])
def test_a_lost_connection_says_after_what_and_the_next_run_goes_on(run: Run, kuma: Kuma, event: str) -> None:
    kuma.die_at = event
    message = run(**ALL)["msg"]
    assert "was lost after create " in message and "run it again, it goes on from there" in message
    assert "create account admin" not in run(**ALL)["changes"]
    assert run(**ALL)["changed"] is False
    assert sorted(each["name"] for each in kuma.monitors()) == ["a", "c", "job", "shop", "shop: website"]
    assert len(kuma.lists["page"]) == 1


def test_a_refusal_names_the_change_and_no_values(run: Run, kuma: Kuma) -> None:
    kuma.refuse["add"] = "insert into `monitor` (`a`) values ('SECRET-X') - SQLITE_ERROR: no column a"
    message = run(monitors=[SITE])["msg"]
    assert "refuses to create monitor shop: website: SQL error SQLITE_ERROR: no column a." in message


def test_ours_edited_by_hand_is_put_right_and_the_rest_is_left(run: Run, kuma: Kuma) -> None:
    run(**ALL)
    by_name = {each["name"]: each for each in kuma.lists["monitor"].values()}
    by_name["shop: website"].update(interval=999, parent=None, notificationIDList=[])
    by_name["shop: website"]["tags"].append((by_name["shop: website"]["tags"][0][0], "mine"))
    by_name["job"]["active"] = False
    kuma.on_postIncident("status", {"title": "By people", "content": "stays"})
    by_hand = kuma.store("monitor", {**by_name["job"], "name": "mine", "tags": [], "description": ""})
    before = dict(kuma.lists["monitor"][by_hand])
    assert [line.split(":")[0] for line in run(**ALL)["changes"]] == ["change monitor job", "change monitor shop"]
    assert run(**ALL)["changed"] is False
    assert kuma.lists["monitor"][by_hand] == before
    without = {**ALL, "status_pages": [{**ALL["status_pages"][0], "incident": None}]}
    assert run(**without)["changed"] is True
    assert [each["title"] for each in kuma.page("status")["incidents"]] == ["By people"]


def test_our_incident_is_edited_and_taken_off(run: Run, kuma: Kuma) -> None:
    run(**ALL)
    page = ALL["status_pages"][0]
    for incident, titles in (({"title": "Slower", "content": "x"}, ["Slower"]), (None, [])):
        run(**{**ALL, "status_pages": [{**page, "incident": incident}]})
        assert [each["title"] for each in kuma.page("status")["incidents"]] == titles


def test_what_is_no_longer_declared_goes(run: Run, kuma: Kuma) -> None:
    run(**ALL)
    assert run()["counts"]["removed"] == 9
    assert [name for name, there in kuma.lists.items() if there] == ["tag"]


def test_a_page_made_by_hand_is_refused_before_anything_is_written(run: Run, kuma: Kuma) -> None:
    run()
    kuma.on_addStatusPage("Mine", "status")
    kuma.calls.clear()
    assert "1 mistake: status page status was made by hand" in run(**ALL)["msg"]
    assert kuma.writes == []


@pytest.fixture
def docker(kuma: Kuma, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake = SimpleNamespace(commands=[], status=0)

    def restart(command: list[str], **_: Any) -> SimpleNamespace:
        fake.commands.append(command)
        return SimpleNamespace(returncode=fake.status, stdout="", stderr="No such container")

    monkeypatch.setattr(kuma_run.subprocess, "run", restart)
    return fake


def test_a_new_tag_restarts_kuma_once(run: Run, kuma: Kuma, docker: SimpleNamespace, tmp_path: Path) -> None:
    options = {**ALL, "container": "kuma", "state_directory": str(tmp_path)}
    result = run(**options)
    assert (result["restarted"], docker.commands) == (True, [["docker", "restart", "kuma"]])
    assert (kuma.calls.count("login"), kuma.calls.count("loginByToken")) == (1, 1)
    assert kuma.calls.index("loginByToken") < kuma.calls.index("add")  # before monitors, whose labels need it
    assert run(**options)["restarted"] is False
    assert list(tmp_path.iterdir()) == []


def test_a_restart_that_failed_is_made_up_for(run: Run, kuma: Kuma, docker: SimpleNamespace, tmp_path: Path) -> None:
    options = {**ALL, "container": "kuma", "state_directory": str(tmp_path)}
    docker.status = 1
    assert run(**options)["msg"] == "Uptime Kuma cannot be restarted: No such container"
    docker.status = 0
    assert run(check=True, **options)["restarted"] is True
    assert run(**options)["restarted"] is True
    assert run(**options)["changed"] is False


def test_version_1_has_no_tags_as_labels_and_is_not_restarted(run: Run, kuma: Kuma, docker: SimpleNamespace) -> None:
    kuma.version = "1.23.17"
    kuma.on_add = lambda monitor, add=kuma.on_add: add({"conditions": [], **monitor})  # type: ignore[method-assign]
    assert run(**ALL, container="kuma")["restarted"] is False
    assert docker.commands == []


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The Prometheus that uses the key: what it said of its last scrape, None while it does not answer."""
    found = SimpleNamespace(scrape=None, asked={"url": "http://127.0.0.1:9090", "container": "prometheus"})

    def get(_: object, path: str) -> dict[str, Any]:
        assert path == "/api/v1/targets?state=active&scrapePool=uptime_kuma"
        if found.scrape is None:
            raise kuma_metrics_key.ServiceError("connection refused")
        return {"activeTargets": [dict(zip(("health", "lastError"), found.scrape, strict=True))]}

    monkeypatch.setattr(kuma_metrics_key.Prometheus, "get", get)
    return found


def test_the_key_for_metrics_is_kept_in_its_file(
    run: Run, kuma: Kuma, tmp_path: Path, reader: SimpleNamespace, docker: SimpleNamespace
) -> None:
    file = tmp_path / "key"
    options = {"metrics_key": {"path": str(file), "owner": os.getuid(), "reader": reader.asked}}
    run()
    assert (run(check=True, **options)["changed"], file.exists()) == (True, False)
    assert run(**options)["changes"] == [f"create API key crowsnest in {file}"]
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("uk0_clear", 0o640)
    assert run(**options)["changed"] is False
    file.chmod(0o644)
    assert run(**options)["changes"] == [f"change API key rights of {file}"]
    file.write_text("uk1_wrong")
    assert run(**options)["changes"] == [f"change API key crowsnest in {file}, which Kuma refuses"]
    assert [each["name"] for each in kuma.lists["key"].values()] == ["crowsnest"]
    assert sorted(tmp_path.iterdir()) == [file]
    assert docker.commands == []


NO_KEY = "unable to read basic auth password: unable to read file /etc/crowsnest-keys/uptime_kuma: no such file"
# What Prometheus said of its last scrape before the new key, and whether it must be restarted to use that.
SCRAPES: list[tuple[tuple[str, str] | None, bool]] = [
    (("up", ""), True),
    (("down", "server returned HTTP status 401 Unauthorized"), True),
    (("down", NO_KEY), False),
    (("unknown", ""), False),
    (None, False),
]


@pytest.mark.parametrize(("scrape", "restarts"), SCRAPES)
def test_a_new_key_reaches_a_prometheus_that_has_used_an_older_one(
    run: Run,
    tmp_path: Path,
    reader: SimpleNamespace,
    docker: SimpleNamespace,
    scrape: tuple[str, str] | None,
    restarts: bool,
) -> None:
    """It does not read the file again by itself."""
    file = tmp_path / "key"
    options = {"metrics_key": {"path": str(file), "owner": os.getuid(), "reader": reader.asked}}
    run(**options)
    file.unlink()
    reader.scrape = scrape
    assert run(**options)["changes"] == [f"create API key crowsnest in {file}"]
    assert docker.commands == ([["docker", "restart", "prometheus"]] if restarts else [])


def test_a_prometheus_that_was_not_restarted_is_made_good_by_the_next_run(
    run: Run, tmp_path: Path, reader: SimpleNamespace, docker: SimpleNamespace
) -> None:
    options = {"metrics_key": {"path": str(tmp_path / "key"), "owner": os.getuid(), "reader": reader.asked}}
    run(**options)
    reader.scrape = ("down", "server returned HTTP status 401 Unauthorized")
    assert run(check=True, **options)["changes"] == ["change API key new in Prometheus"]
    docker.status = 1
    assert "prometheus cannot be restarted, which its new API key needs" in run(**options)["msg"]
    docker.status = 0
    assert run(**options)["changes"] == ["change API key new in Prometheus"]
    reader.scrape = ("up", "")
    assert run(**options)["changed"] is False
    assert docker.commands == [["docker", "restart", "prometheus"]] * 2


def test_a_key_that_cannot_be_written_is_one_sentence(run: Run, tmp_path: Path) -> None:
    message = run(metrics_key={"path": str(tmp_path / "missing/key"), "reader": {"url": "http://127.0.0.1:1"}})["msg"]
    assert message.startswith("The API key of Uptime Kuma cannot be written to ")


def test_a_copy_made_by_hand_is_warned_about(run: Run, kuma: Kuma) -> None:
    run(monitors=[SITE])
    kuma.store("monitor", {**next(iter(kuma.lists["monitor"].values())), "name": "My copy"})
    result = run(monitors=[SITE])
    assert result["changed"] is False
    assert "My copy" in str(result["warnings"])
