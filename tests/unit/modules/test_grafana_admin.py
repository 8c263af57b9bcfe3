"""grafana_admin: decides by a login, sets the password by Grafana's own command, says what is wrong."""

from __future__ import annotations

import base64
import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crowsnest.core.plugins.modules import grafana_admin

PASSWORD = "a-Long-Secret-1"
# Stands in for `docker exec`: what it reads becomes the password that the page knows.
DOCKER = """#!/bin/sh
[ "$1 $2 $3" = "exec --interactive crowsnest-grafana-1" ] && shift 3
[ "$*" = "grafana cli admin reset-admin-password --password-from-stdin" ] || exit 64
{commands}
"""


class Page:
    """A page that knows one user as Grafana does; the password is in a file."""

    def __init__(self, folder: Path) -> None:
        self.password, self.ready, self.logins, self.status = folder / "password", True, 0, 200
        self.datasources: list[dict[str, Any]] = []
        self.provisioned: list[dict[str, Any]] = []
        self.reloads = 0
        self.folders: dict[str, str] = {}
        self.refuses = ""
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/api/health":
                    return self.answer(200, {"database": "ok" if page.ready else "starting"})
                if self.path == "/api/datasources":
                    return self.answer(200, page.datasources)
                if self.path == "/api/folders":
                    return self.answer(200, [{"uid": uid, "title": title} for uid, title in page.folders.items()])
                page.logins += 1
                known = base64.b64encode(f"admin:{page.password.read_text().strip()}".encode()).decode()
                right = self.headers["Authorization"] == f"Basic {known}"
                return self.answer(page.status if right else 401, {"login": "admin"})

            def do_POST(self) -> None:
                assert self.path == "/api/admin/provisioning/datasources/reload"
                page.datasources, page.reloads = page.provisioned, page.reloads + 1
                self.answer(200, {"message": "Datasources config reloaded"})

            def do_PUT(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if page.refuses == sent["title"]:
                    return self.answer(403, {"message": "Provisioned folders cannot be changed"})
                page.folders[self.path.removeprefix("/api/folders/")] = sent["title"]
                return self.answer(200, {})

            def answer(self, status: int, body: Any) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(tmp_path)
    made.password.write_text(PASSWORD)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(commands: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "docker"
        program.write_text(DOCKER.format(commands=commands))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


def run(capsys: pytest.CaptureFixture[str], page: Page, **more: Any) -> dict[str, Any]:
    parameters = {"url": page.url, "password": PASSWORD, "container": "crowsnest-grafana-1", "timeout": 1, **more}
    with patch_module_args(parameters), pytest.raises(SystemExit):
        grafana_admin.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert PASSWORD not in json.dumps({key: value for key, value in result.items() if key != "invocation"})
    return result


def test_the_right_password_is_left_alone(capsys: pytest.CaptureFixture[str], page: Page) -> None:
    assert run(capsys, page)["changed"] is False
    assert page.logins == 1  # each wrong login counts against Grafana's limit


def test_another_password_is_replaced(capsys: pytest.CaptureFixture[str], page: Page, docker: Any) -> None:
    page.password.write_text("changed by hand")
    docker(f"cat > {page.password}")
    assert run(capsys, page)["changed"] is True
    assert page.password.read_text() == PASSWORD + "\n"
    assert run(capsys, page)["changed"] is False


def test_check_mode_predicts_and_sets_nothing(capsys: pytest.CaptureFixture[str], page: Page, docker: Any) -> None:
    page.password.write_text("changed by hand")
    docker("exit 1")
    assert run(capsys, page, _ansible_check_mode=True)["changed"] is True
    assert page.password.read_text() == "changed by hand"


def test_check_mode_does_not_wait_for_a_grafana_that_does_not_run(
    capsys: pytest.CaptureFixture[str], page: Page
) -> None:
    page.ready = False
    assert run(capsys, page, _ansible_check_mode=True, timeout=600)["changed"] is False


def test_grafanas_words_are_shown_without_the_password(
    capsys: pytest.CaptureFixture[str], page: Page, docker: Any
) -> None:
    page.password.write_text("changed by hand")
    docker('echo "cannot set $(cat): no such user" >&2; exit 1')
    result = run(capsys, page)
    assert result["msg"] == "The password of Grafana cannot be set: cannot set ***: no such user"


def test_a_login_that_is_still_refused_names_the_limit(
    capsys: pytest.CaptureFixture[str], page: Page, docker: Any
) -> None:
    page.password.write_text("changed by hand")
    docker("exit 0")
    result = run(capsys, page)
    assert (result["changed"], "failed" in result) == (True, False)  # the rest of the run goes on
    assert "wait, then run again" in str(result["warnings"])


def test_not_ready_names_the_log(capsys: pytest.CaptureFixture[str], page: Page) -> None:
    page.ready = False
    message = run(capsys, page)["msg"]
    assert "not ready" in message and "logs --tail 50 grafana" in message


def test_a_broken_grafana_is_no_wrong_password(capsys: pytest.CaptureFixture[str], page: Page) -> None:
    page.status = 500
    assert "status 500" in run(capsys, page)["msg"]


WANTED: dict[str, Any] = {
    "name": "Prometheus",
    "uid": "prometheus",
    "type": "prometheus",
    "url": "http://127.0.0.1:9090",
    "isDefault": True,
}
WANTED["jsonData"] = {"httpMethod": "POST"}
IN_FORCE = {**WANTED, "id": 1, "access": "proxy", "basicAuth": False, "user": "", "readOnly": True}
DIFFERENCES: dict[str, list[dict[str, Any]]] = {
    "missing": [],
    "another address": [{**IN_FORCE, "url": "http://127.0.0.1:9091"}],
    "a login that it should not have": [{**IN_FORCE, "basicAuth": True}],
    "another type": [{**IN_FORCE, "type": "loki"}],
    "another uid": [{**IN_FORCE, "uid": "other"}],
    "another option": [{**IN_FORCE, "jsonData": {"httpMethod": "GET"}}],
}


@pytest.mark.parametrize("found", DIFFERENCES.values(), ids=DIFFERENCES)
def test_data_sources_that_differ_are_read_again(
    capsys: pytest.CaptureFixture[str], page: Page, found: list[dict[str, Any]]
) -> None:
    page.datasources, page.provisioned = found, [IN_FORCE]
    predicted = run(capsys, page, datasources=[WANTED], _ansible_check_mode=True)
    assert (predicted["changed"], predicted["datasources_read"], page.reloads) == (True, ["Prometheus"], 0)
    assert run(capsys, page, datasources=[WANTED])["datasources_read"] == ["Prometheus"]
    assert run(capsys, page, datasources=[WANTED])["changed"] is False
    assert page.reloads == 1


def test_data_sources_made_by_hand_are_left_alone(capsys: pytest.CaptureFixture[str], page: Page) -> None:
    page.datasources = [IN_FORCE, {**IN_FORCE, "uid": "mine", "name": "Mine", "isDefault": False}]
    assert run(capsys, page, datasources=[WANTED])["changed"] is False


def test_data_sources_that_grafana_does_not_take_are_named(capsys: pytest.CaptureFixture[str], page: Page) -> None:
    assert "does not take the data sources Prometheus" in run(capsys, page, datasources=[WANTED])["msg"]


def test_a_title_that_grafana_refuses_is_told_and_ends_no_run(capsys: pytest.CaptureFixture[str], page: Page) -> None:
    page.folders, page.refuses = {"folder-overview": "Overview", "folder-operations": "Operations"}, "운영"
    done = run(capsys, page, folders={"folder-operations": "운영", "folder-overview": "전체 현황"})
    assert (done["changed"], done["folders_renamed"]) == (True, ["전체 현황"])
    (warning,) = done["warnings"]
    assert "The folder Operations keeps its title" in str(warning)


def test_a_folder_of_another_title_is_renamed_and_one_that_is_not_there_is_left(
    capsys: pytest.CaptureFixture[str], page: Page
) -> None:
    """Grafana takes a title from its provisioning only when it creates a folder."""
    page.folders = {"folder-operations": "Operations", "mine": "Mine"}
    wanted = {"folder-operations": "운영", "folder-development": "개발"}
    predicted = run(capsys, page, folders=wanted, _ansible_check_mode=True)
    assert (predicted["changed"], predicted["folders_renamed"]) == (True, ["운영"])
    assert page.folders["folder-operations"] == "Operations"
    assert run(capsys, page, folders=wanted)["folders_renamed"] == ["운영"]
    assert page.folders == {"folder-operations": "운영", "mine": "Mine"}
    assert run(capsys, page, folders=wanted)["changed"] is False
