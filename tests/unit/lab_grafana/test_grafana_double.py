"""The contract double of Grafana itself: what it refuses, what it keeps, and how it follows its files."""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grafana_double as helper
import pytest
import requests
import yaml
from grafana_client.client import GrafanaUnauthorizedError
from grafana_double import RECORDED, Stub, dashboard, running, upstream, write_dashboard, write_yaml


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Stub]:
    with upstream() as stub:
        yield stub


@pytest.fixture
def files(tmp_path: Path, prometheus: Stub) -> Path:
    return helper.provisioned(tmp_path, prometheus.url)


def eventually(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.03)
    return True


def edit_sources(files: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    path = files / "provisioning/datasources/crowsnest.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document["datasources"])
    write_yaml(path, document)


def edit_provider(files: Path, **changes: Any) -> None:
    path = files / "provisioning/dashboards/crowsnest.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["providers"][0].update(changes)
    write_yaml(path, document)


# --- a start that is refused ------------------------------------------------------------------------------------------


def test_no_configuration_no_start(files: Path) -> None:
    (files / "grafana.ini").unlink()
    assert "no such file or directory" in helper.refused(files)


def test_a_secret_that_is_missing_is_no_start(files: Path) -> None:
    (files / "secrets/admin_password").unlink()
    said = helper.refused(files)
    assert "got error while expanding security.admin_password with expander 'file'" in said
    assert "secrets/admin_password: no such file or directory" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_data_folder_that_is_not_writable_is_no_start(files: Path) -> None:
    (files / "data").chmod(0o500)
    assert "Error: ✗" in helper.refused(files)


def test_a_data_folder_that_is_a_file_is_no_start(files: Path) -> None:
    (files / "data").rmdir()
    (files / "data").write_text("", encoding="utf-8")
    assert "Error: ✗" in helper.refused(files)


def test_two_default_data_sources_are_refused(files: Path) -> None:
    edit_sources(files, lambda sources: sources[1].update(isDefault=True))
    words = "Only one datasource per organization can be marked as default"
    assert f"Datasource provisioning error: datasource.yaml config is invalid. {words}" in helper.refused(files)


def test_one_uid_for_two_data_sources_is_refused(files: Path) -> None:
    edit_sources(files, lambda sources: sources[1].update(uid="prometheus"))
    assert "data source with the same uid already exists" in helper.refused(files)


def test_one_name_for_two_uids_is_refused(files: Path) -> None:
    edit_sources(files, lambda sources: sources[1].update(name="Prometheus", isDefault=False))
    assert "Datasource provisioning error: data source not found" in helper.refused(files)


def test_a_data_source_without_a_name_is_refused(files: Path) -> None:
    edit_sources(files, lambda sources: sources[1].pop("name"))
    assert "unique identifier and org id are needed" in helper.refused(files)


def test_a_uid_that_is_no_uid_is_refused(files: Path) -> None:
    edit_sources(files, lambda sources: sources[1].update(uid="alert manager"))
    assert "invalid UID for datasource Alertmanager" in helper.refused(files)


def test_a_data_source_file_that_is_no_yaml_is_refused(files: Path) -> None:
    (files / "provisioning/datasources/crowsnest.yml").write_text("a: [", encoding="utf-8")
    assert "Datasource provisioning error: yaml:" in helper.refused(files)


def test_a_data_source_that_got_another_uid_is_refused_at_the_next_start(files: Path) -> None:
    with running(files):
        pass
    edit_sources(files, lambda sources: sources[0].update(uid="other"))
    assert "Datasource provisioning error: data source not found" in helper.refused(files)


def test_a_provider_without_a_path_is_refused(files: Path) -> None:
    edit_provider(files, options={})
    words = "failed to create file reader for config Operations: failed to load dashboards, path param is not a string"
    assert words in helper.refused(files)


def test_a_provider_of_another_type_is_refused(files: Path) -> None:
    edit_provider(files, type="ftp")
    assert "type ftp is not supported" in helper.refused(files)


def test_providers_without_a_version_are_refused(files: Path) -> None:
    path = files / "provisioning/dashboards/crowsnest.yml"
    write_yaml(path, {"providers": yaml.safe_load(path.read_text(encoding="utf-8"))["providers"]})
    assert "could not parse provisioning config file: crowsnest.yml" in helper.refused(files)


# --- a start that is not refused, and what is missing then ------------------------------------------------------------


def test_a_provider_whose_directory_is_missing_is_only_warned_of(files: Path) -> None:
    edit_provider(files, options={"path": str(files / "nowhere")})
    with running(files) as double:
        double.waits_for("Failed to provision config")
        assert double.uids() == []


@pytest.mark.parametrize("kind", ["plugins", "alerting"])
def test_a_folder_that_is_not_used_is_missed_all_the_same(files: Path, kind: str) -> None:
    line = f"logger=provisioning.{kind} t="
    with running(files) as double:
        assert line in double.log()
    (files / "provisioning" / kind).mkdir()
    with running(files) as double:
        assert line not in double.log()


def set_ini(files: Path, text: str) -> None:
    path = files / "grafana.ini"
    path.write_text(f"{path.read_text(encoding='utf-8')}{text}", encoding="utf-8")


def test_the_keys_of_plugins_are_asked_for_unless_told_not_to(files: Path) -> None:
    with running(files) as double:
        assert "https://grafana.com/api/plugins/ci/keys" in double.log()
    set_ini(files, "[plugins]\npublic_key_retrieval_disabled = true\npreinstall_disabled = true\n")
    with running(files) as double:
        assert "grafana.com" not in double.log()


def test_a_plugin_that_does_not_come_ends_the_start_or_is_only_logged(files: Path) -> None:
    set_ini(files, "[plugins]\npreinstall = a-panel@1.0.0\n")
    with running(files) as double:
        assert 'msg="Failed to install plugin" pluginId=a-panel@1.0.0' in double.log()
        assert sorted(each["id"] for each in double.get("plugins").json()) == ["alertmanager", "prometheus"]
    set_ini(files, "preinstall_sync = b-panel@1.0.0\n")
    assert "failed to install plugin b-panel@1.0.0" in helper.refused(files)


def test_the_log_has_the_level_that_it_was_given_and_exceptions_from_it(files: Path) -> None:
    set_ini(files, "[log]\nlevel = error\nfilters = http.server:info\n")
    with running(files) as double:
        assert "Starting Grafana" not in double.log()
        assert "HTTP Server Listen" in double.log()
        assert requests.get(f"{double.url}/api/user", auth=("admin", "wrong"), timeout=10).status_code == 401
        assert "Failed to authenticate request" not in double.log()


def test_a_provisioning_folder_that_is_missing_is_only_logged(files: Path) -> None:
    (files / "provisioning/dashboards/crowsnest.yml").unlink()
    (files / "provisioning/dashboards").rmdir()
    with running(files) as double:
        double.waits_for("can't read provisioning files from directory")
        assert double.uids() == []


def test_a_dashboard_that_is_no_json_or_has_no_title_is_left_out_and_logged(files: Path) -> None:
    (files / "dashboards/operations/broken.json").write_text("{", encoding="utf-8")
    write_dashboard(files, {"uid": "untitled", "title": ""})
    with running(files) as double:
        double.waits_for("failed to load dashboard from ")
        double.waits_for("Dashboard title cannot be empty")
        assert "broken.json" in double.log()
        assert double.uids() == ["host", "stack"]


def test_a_data_source_file_without_a_version_loses_its_uids(files: Path) -> None:
    path = files / "provisioning/datasources/crowsnest.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    write_yaml(path, {"datasources": document["datasources"]})
    with running(files) as double:
        double.waits_for("the datasource provisioning config is outdated")
        found = double.client().datasource.list_datasources()
        # pkg/services/provisioning/datasources/types.go of Grafana, safeUIDFromName.
        digest = hashlib.sha256(b"Prometheus").hexdigest()[:16].upper()
        assert {source["name"]: source["uid"] for source in found}["Prometheus"] == f"P{digest}"


def test_one_uid_in_two_files_takes_the_right_to_write_from_the_provider(files: Path) -> None:
    write_dashboard(files, dashboard("host", "Another host"), "z-copy")
    with running(files) as double:
        double.waits_for("the same UID is used more than once")
        double.waits_for("has no database write permissions because of duplicates")
        write_dashboard(files, dashboard("new", "New"))
        double.waits_for("Not saving new dashboard due to restricted database access")
        assert double.uids() == ["host", "stack"]
        (files / "dashboards/operations/z-copy.json").unlink()
        assert eventually(lambda: double.uids() == ["host", "new", "stack"]), double.log()


def test_one_title_twice_in_a_folder_is_warned_of(files: Path) -> None:
    write_dashboard(files, dashboard("host2", "Host"))
    with running(files) as double:
        double.waits_for("dashboard title is not unique in folder")


def test_a_panel_of_a_data_source_that_does_not_exist_is_reported(files: Path) -> None:
    write_dashboard(files, dashboard("lost", "Lost", source="elsewhere"))
    with running(files) as double:
        double.waits_for('msg="datasource not found" dashboard=lost panel=Up datasource=elsewhere')
        assert "dashboard=host" not in double.log()


# --- following files --------------------------------------------------------------------------------------------------


def test_polling_adds_changes_and_removes(files: Path) -> None:
    with running(files) as double:
        assert double.uids() == ["host", "stack"]
        write_dashboard(files, dashboard("new", "New"))
        assert eventually(lambda: double.uids() == ["host", "new", "stack"])
        write_dashboard(files, dashboard("new", "Newer"))
        assert eventually(lambda: double.get("dashboards/uid/new").json()["meta"]["slug"] == "newer")
        assert double.get("dashboards/uid/new").json()["meta"]["version"] == 2
        (files / "dashboards/operations/stack.json").unlink()
        assert eventually(lambda: double.uids() == ["host", "new"])


def releases(files: Path) -> Path:
    """Two releases of the dashboards, and `current` that leads to the first."""
    for number in (1, 2):
        directory = files / f"releases/{number}/dashboards/operations"
        directory.mkdir(parents=True)
        for uid in (f"only-in-{number}", "in-both"):
            model = dashboard(uid, f"{uid} of {number}")
            (directory / f"{uid}.json").write_text(json.dumps(model), encoding="utf-8")
    (files / "current").symlink_to("releases/1")
    return files / "current"


def turn(current: Path, release: str) -> None:
    """Swap the link atomically, as a deployment does."""
    (current.parent / "next").symlink_to(f"releases/{release}")
    (current.parent / "next").rename(current)


def test_a_turned_link_is_seen_by_a_provider_that_polls(files: Path) -> None:
    current = releases(files)
    edit_provider(files, options={"path": str(current / "dashboards/operations")}, updateIntervalSeconds=11)
    with running(files) as double:
        assert double.uids() == ["in-both", "only-in-1"]
        turn(current, "2")
        assert eventually(lambda: double.uids() == ["in-both", "only-in-2"])


def test_a_turned_link_is_not_seen_by_a_provider_that_watches(files: Path) -> None:
    current = releases(files)
    edit_provider(files, options={"path": str(current / "dashboards/operations")}, updateIntervalSeconds=10)
    with running(files) as double:
        turn(current, "2")
        assert not eventually(lambda: double.uids() == ["in-both", "only-in-2"], 100 * helper.SECOND)
        assert double.request("POST", "admin/provisioning/dashboards/reload").status_code == 200
        assert double.uids() == ["in-both", "only-in-2"]


def identity(double: helper.Double, uid: str) -> tuple[int, int]:
    """(id, version) of a dashboard; (0, 0) while there is none."""
    answer = double.get(f"dashboards/uid/{uid}")
    model = answer.json().get("dashboard", {"id": 0, "version": 0})
    return model["id"], model["version"]


def test_a_turned_link_in_the_path_makes_every_dashboard_anew(files: Path) -> None:
    """The resolved path is the identity: stars, annotations and versions are lost, and for a moment there is none."""
    current = releases(files)
    edit_provider(files, options={"path": str(current / "dashboards/operations")}, updateIntervalSeconds=11)
    # Its seconds are long, so that the moment without a dashboard is seen on a busy machine too.
    with running(files, GRAFANA_DOUBLE_SECOND="4") as double, ThreadPoolExecutor() as beside:
        number, version = identity(double, "in-both")
        turn(current, "2")
        reload = beside.submit(double.request, "POST", "admin/provisioning/dashboards/reload")
        assert eventually(lambda: identity(double, "in-both") == (0, 0))
        assert reload.result().status_code == 200
        assert identity(double, "in-both")[0] != number
        assert identity(double, "in-both")[1] == version == 1


def test_a_link_to_a_file_may_be_turned(files: Path) -> None:
    current, stable = releases(files), files / "stable"
    stable.mkdir()
    for uid in ("in-both", "only-in-1"):
        (stable / f"{uid}.json").symlink_to(f"../current/dashboards/operations/{uid}.json")
    edit_provider(files, options={"path": str(stable)}, updateIntervalSeconds=11)
    with running(files) as double:
        number, _ = identity(double, "in-both")
        turn(current, "2")
        assert eventually(lambda: identity(double, "in-both") == (number, 2))
        # A link that leads nowhere is an error at each look, and what it led to stays.
        double.waits_for("only-in-1.json")
        assert "only-in-1" in double.uids()
        (stable / "only-in-1.json").unlink()
        assert eventually(lambda: double.uids() == ["in-both"])


def test_a_link_to_a_directory_is_not_followed(files: Path) -> None:
    (files / "stable").mkdir()
    (files / "stable/operations").symlink_to("../dashboards/operations")
    edit_provider(files, options={"path": str(files / "stable")})
    with running(files) as double:
        assert double.uids() == []


def test_a_provider_that_watches_sees_files_change(files: Path) -> None:
    edit_provider(files, updateIntervalSeconds=10)
    with running(files) as double:
        write_dashboard(files, dashboard("new", "New"))
        assert eventually(lambda: double.uids() == ["host", "new", "stack"])


def test_a_reload_of_data_sources_applies_the_file_and_refuses_a_wrong_one(files: Path) -> None:
    with running(files) as double:
        edit_sources(files, lambda sources: sources[1].update(url="http://127.0.0.1:2"))
        answer = double.request("POST", "admin/provisioning/datasources/reload")
        assert (answer.status_code, answer.json()["message"]) == (200, "Datasources config reloaded")
        assert double.client().datasource.get_datasource_by_uid("alertmanager")["url"] == "http://127.0.0.1:2"
        edit_sources(files, lambda sources: sources[1].update(isDefault=True))
        assert double.request("POST", "admin/provisioning/datasources/reload").status_code == 500
        unknown = requests.post(f"{double.url}/api/admin/provisioning/dashboards/reload", timeout=10)
        assert unknown.status_code == 401


def test_a_data_source_left_out_stays_unless_it_is_pruned_or_deleted(files: Path) -> None:
    path = files / "provisioning/datasources/crowsnest.yml"
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))

    def sources_with(document: dict[str, Any]) -> list[str]:
        write_yaml(path, document)
        with running(files) as double:
            return [source["uid"] for source in double.client().datasource.list_datasources()]

    only = {"apiVersion": 1, "datasources": whole["datasources"][:1]}
    assert sources_with(whole) == ["alertmanager", "prometheus"]
    assert sources_with(only) == ["alertmanager", "prometheus"]
    assert sources_with({**only, "deleteDatasources": [{"name": "Alertmanager", "orgId": 1}]}) == ["prometheus"]
    assert sources_with({**whole, "prune": True}) == ["alertmanager", "prometheus"]
    assert sources_with({**only, "prune": True}) == ["prometheus"]


# --- the proxy --------------------------------------------------------------------------------------------------------


def test_the_proxy_passes_on_neither_the_callers_login_nor_cookies(files: Path, prometheus: Stub) -> None:
    with running(files) as double:
        cookies = {"grafana_session": "made-up"}
        answer = double.request("GET", "datasources/proxy/uid/prometheus/api/v1/query?query=up%2B1", cookies=cookies)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        _, path, headers = prometheus.asked[-1]
        assert path == "/api/v1/query?query=up%2B1"
        assert not {"authorization", "cookie"} & {name.lower() for name in headers}


def test_a_data_source_that_is_gone_is_a_bad_gateway(files: Path) -> None:
    edit_sources(files, lambda sources: sources[0].update(url="http://127.0.0.1:1"))
    with running(files) as double:
        assert double.get("datasources/proxy/uid/prometheus/api/v1/query?query=up").status_code == 502
        health = double.get("datasources/uid/prometheus/health")
        assert (health.status_code, health.json()["status"]) == (400, "ERROR")


# --- logins -----------------------------------------------------------------------------------------------------------


def test_the_password_of_the_file_is_only_used_when_the_database_is_made(files: Path) -> None:
    with running(files) as double:
        assert double.client().user.get_actual_user()["id"] == 1
    (files / "secrets/admin_password").write_text("another-password", encoding="utf-8")
    with running(files) as double:
        assert double.client().user.get_actual_user()["id"] == 1
        with pytest.raises(GrafanaUnauthorizedError):
            double.client("another-password").user.get_actual_user()


def test_the_command_line_sets_the_password_of_a_running_server(files: Path) -> None:
    with running(files) as double:
        done = helper.reset_password(files, "a-new-password\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Admin password changed successfully" in done.stdout
        assert "a-new-password" not in done.stdout + double.log()
        with pytest.raises(GrafanaUnauthorizedError):
            double.client().user.get_actual_user()
        assert double.client("a-new-password").user.get_actual_user()["login"] == "admin"


def test_the_command_line_refuses_a_short_password_and_a_missing_database(files: Path) -> None:
    done = helper.reset_password(files, "long-enough\n")
    assert done.returncode == 1
    assert "could not read user" in done.stderr
    with running(files):
        short = helper.reset_password(files, "abc\n")
        assert short.returncode == 1
        assert RECORDED["short password"] in short.stderr


def test_the_command_line_says_nothing_of_a_password_that_could_not_be_stored(files: Path) -> None:
    with running(files) as double:
        with closing(sqlite3.connect(files / "data/grafana.db")) as database, database:
            database.execute("CREATE TRIGGER no BEFORE UPDATE ON user BEGIN SELECT RAISE(ABORT, 'no'); END")
        done = helper.reset_password(files, "a-new-password\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Admin password changed successfully" not in done.stdout
        assert double.client().user.get_actual_user()["login"] == "admin"


def test_the_environment_overrides_the_file(files: Path) -> None:
    with running(files, GF_SECURITY_ADMIN_USER="captain") as double:
        double.user = "captain"
        assert double.client().user.get_actual_user()["login"] == "captain"


def test_five_wrong_passwords_lock_the_user_even_for_the_right_one(files: Path) -> None:
    with running(files) as double:
        for _ in range(4):
            assert requests.get(f"{double.url}/api/user", auth=("admin", "wrong"), timeout=10).status_code == 401
        assert double.get("user").status_code == 200
        assert requests.get(f"{double.url}/api/user", auth=("ADMIN", "wrong"), timeout=10).status_code == 401
        locked = double.get("user")
        assert (locked.status_code, locked.json()["message"]) == (401, "Invalid username or password")
        double.waits_for("too many consecutive incorrect login attempts for user")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_every_page_says_that_it_is_not_grafana(files: Path) -> None:
    with running(files) as double:
        for path in ("login", "", "d/host", "d/host/host", "d/no-such"):
            answer = requests.get(f"{double.url}/{path}", auth=("admin", helper.PASSWORD), timeout=10)
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "This is a contract double of Grafana, not Grafana" in answer.text
        home = requests.get(double.url, auth=("admin", helper.PASSWORD), timeout=10).text
        assert "/d/host/host" in home
        assert "Operations" in home


def test_what_a_dashboard_says_is_text_in_the_page(files: Path) -> None:
    write_dashboard(files, dashboard("evil", "<script>alert(1)</script>"))
    with running(files) as double:
        home = requests.get(double.url, auth=("admin", helper.PASSWORD), timeout=10).text
        assert "<script>alert" not in home


def test_garbage_gets_an_answer_without_a_traceback(files: Path) -> None:
    with running(files) as double:
        for answer in (
            requests.post(f"{double.url}/login", data=b"\xff{", timeout=10),
            requests.get(f"{double.url}/api/search?type=%ff", auth=("admin", helper.PASSWORD), timeout=10),
            requests.get(f"{double.url}/public/double/..%2fstate.py", timeout=10, allow_redirects=False),
            requests.get(f"{double.url}/api/user", headers={"Authorization": "Basic %%%"}, timeout=10),
            requests.get(f"{double.url}/api/user", headers={"Authorization": "Bearer no"}, timeout=10),
        ):
            assert answer.status_code in (200, 302, 401, 404, 500)
            assert "Traceback" not in answer.text
        assert double.get("user").status_code == 200


# --- what people make -------------------------------------------------------------------------------------------------


def test_users_and_dashboards_of_people_outlive_a_restart(files: Path) -> None:
    kim = {"login": "kim", "name": "Kim", "email": "kim@example.com", "password": "long-Enough-1"}
    mine = {"dashboard": {"title": "Kim's own", "panels": []}, "overwrite": False}
    with running(files) as grafana:
        assert grafana.request("POST", "admin/users", json=kim).json() == {"id": 2, "message": "User created"}
        assert grafana.request("POST", "admin/users", json=kim).status_code == 412
        saved = grafana.request("POST", "dashboards/db", json=mine).json()
        again = {"dashboard": {**mine["dashboard"], "uid": saved["uid"]}}
        assert grafana.request("POST", "dashboards/db", json=again).json()["version"] == 2
    with running(files) as grafana:
        client = grafana.client()
        found = client.dashboard.get_dashboard(saved["uid"])
        assert (found["dashboard"]["title"], found["dashboard"]["version"]) == ("Kim's own", 2)
        assert (found["meta"]["provisioned"], found["meta"]["folderTitle"]) == (False, "General")
        assert [hit["title"] for hit in client.search.search_dashboards(query="kim")] == ["Kim's own"]
        assert sorted(grafana.uids()) == sorted(["host", "stack", saved["uid"]])
        grafana.user, grafana.password = "kim", kim["password"]
        assert grafana.get("user").json()["id"] == 2
        assert grafana.get("user").json()["isGrafanaAdmin"] is False
        assert grafana.request("POST", "admin/users", json={**kim, "login": "lee"}).status_code == 403
