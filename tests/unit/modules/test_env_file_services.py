"""What module env_file does to the services that read the file, with a real Docker and compose."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import compose
import pytest
from ansible_module import outcome
from programs import until

from ansible_collections.crowsnest.core.plugins.module_utils.env_file import memory, services
from ansible_collections.crowsnest.core.plugins.module_utils.env_file import run as env_file_run
from ansible_collections.crowsnest.core.plugins.modules import env_file

SECRET = "hush-hush-hush"
BEFORE = f"# of the app\nPASSWORD={SECRET}\nAPP_DSN=good\n"
# `bad` ends it, `slow` after a moment, `sick` fails its health check.
ENDS = "case $$APP_DSN in bad) exit 3;; slow) sleep 1; exit 3;; esac"
SCRIPT = f'echo "password $$PASSWORD, dsn $$APP_DSN"; {ENDS}; exec sleep 600'
HEALTHY = {"test": ["CMD-SHELL", 'test "$$APP_DSN" != sick'], "interval": "1s", "retries": 1}


class App:
    """A compose project with the services web and worker, and an env file that both read."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, f"crowsnest-test-{uuid.uuid4().hex[:8]}"
        self.env, self.file = folder / ".env", folder / "compose.yaml"
        self.env.write_text(BEFORE)
        service = {
            "image": compose.image(), "init": True, "command": ["sh", "-c", SCRIPT], "env_file": [".env"],
            "stop_grace_period": "0s", "healthcheck": HEALTHY, "environment": {"TAG": "${TAG:-1}"},
        }  # fmt: skip
        self.services: dict[str, dict[str, Any]] = {"web": service, "worker": dict(service)}

    def write(self) -> None:
        self.file.write_text(json.dumps({"services": self.services}))

    def up(self, *options: str, wait: bool = True, **variables: str) -> None:
        self.write()
        environment = {**compose.variables(), **variables}
        command = ["docker", "compose", "--project-name", self.name, *options, "up", "--detach", *(["--wait"] * wait)]
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)

    def down(self) -> None:
        ids = docker("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={self.name}").split()
        if ids:
            docker("rm", "--force", *ids)
        docker("network", "rm", "--force", f"{self.name}_default")

    def containers(self) -> dict[str, dict[str, Any]]:
        """The containers by service, as `docker inspect` tells."""
        ids = docker("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={self.name}").split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def ids(self) -> dict[str, str]:
        return {service: each["Id"] for service, each in self.containers().items()}

    def variable(self, service: str, name: str) -> str | None:
        lines = self.containers()[service]["Config"]["Env"]
        return dict(line.partition("=")[::2] for line in lines).get(name)


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    for name, value in compose.variables().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "shop").mkdir()
    made = App(tmp_path / "shop")
    try:
        yield made
    finally:
        made.down()


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_module(check: bool = False, **params: Any) -> dict[str, Any]:
        options = {
            "path": str(app.env), "state_directory": str(tmp_path / "state"), "compose": str(app.file),
            "recreate": ["web"], "wait": 60, **params,
        }  # fmt: skip
        result, printed = outcome(env_file, capsys, options, check)
        assert SECRET not in printed
        return result

    return run_module


def warnings(result: dict[str, Any]) -> list[str]:
    """Those on services; APP_DSN was there already."""
    found = [warning["event"]["msg"] for warning in result["warnings"]]
    return [text for text in found if "was there already" not in text]


def test_only_a_change_recreates_and_only_what_is_asked(app: App, run: Run) -> None:
    app.up()
    before = app.ids()
    assert run(check=True, values={"APP_DSN": "other"})["recreated"] == ["web"]
    assert app.ids() == before
    assert run(values={"APP_DSN": "other"})["recreated"] == ["web"]
    after = app.ids()
    assert (after["web"] != before["web"], after["worker"]) == (True, before["worker"])
    assert (app.variable("web", "APP_DSN"), app.variable("worker", "APP_DSN")) == ("other", "good")
    again = run(values={"APP_DSN": "other"})
    assert (again["changed"], again["recreated"], app.ids()) == (False, [], after)


def test_a_service_that_waits_for_another_is_recreated_alone_and_again(app: App, run: Run) -> None:
    app.services["web"] |= {"depends_on": {"worker": {"condition": "service_healthy"}}}
    app.up()
    worker = app.ids()["worker"]
    for value in ("other", "third"):
        assert run(values={"APP_DSN": value})["recreated"] == ["web"]
        assert (app.variable("web", "APP_DSN"), app.ids()["worker"]) == (value, worker)
    app.services["web"] |= {"environment": {"NEW": "1"}}
    app.write()
    assert run(values={"APP_DSN": "x"})["recreated"] == []


def test_a_service_that_reads_the_file_itself_is_recreated_too(app: App, run: Run) -> None:
    app.services["web"] |= {"env_file": [], "volumes": ["./.env:/app.env:ro"]}
    app.up()
    assert run(values={"APP_DSN": "other"})["recreated"] == ["web"]
    assert "APP_DSN=other\n" in docker("exec", app.ids()["web"], "cat", "/app.env")


def test_keys_of_a_frontend_alone_recreate_nothing(app: App, run: Run) -> None:
    app.up()
    before = app.ids()
    given = {"values": {"VITE_DSN": "x"}, "rebuild_keys": ["VITE_DSN"]}
    first = run(**given)
    assert (first["changed"], first["rebuild"], first["recreated"]) == (True, ["VITE_DSN"], [])
    assert run(values={})["rebuild"] == ["VITE_DSN"]
    assert app.ids() == before


@pytest.mark.parametrize(
    "dsn, reason", [("bad", "web ended with status 3"), ("sick", "web is unhealthy")], ids=["ends", "unhealthy"]
)
def test_a_service_that_does_not_become_healthy_gets_the_old_file_back(
    app: App, run: Run, dsn: str, reason: str
) -> None:
    app.up()
    result = run(secrets={"APP_DSN_": f"{SECRET}2"}, values={"APP_DSN": dsn})
    assert result["msg"] == (
        f"{reason} with the new environment. {app.env} is as before, and web healthy again with it.\n"
        f"The end of its log:\npassword ********, dsn {dsn}"
    )
    assert app.env.read_text() == BEFORE
    assert (app.variable("web", "APP_DSN"), app.containers()["web"]["State"]["Health"]["Status"]) == ("good", "healthy")
    assert run(values={})["changed"] is False


def test_a_service_without_a_health_check_must_run_for_a_while(app: App, run: Run, monkeypatch: Any) -> None:
    del app.services["web"]["healthcheck"]
    app.services["web"]["restart"] = "always"
    app.up()
    monkeypatch.setattr(services, "STEADY_SECONDS", 3.0)
    result = run(values={"APP_DSN": "slow"})
    assert result["msg"].startswith("web starts again and again with the new environment. ")
    assert "web healthy again" in result["msg"]
    assert app.env.read_text() == BEFORE


def test_a_service_that_starts_again_and_again_gets_its_cure(app: App, run: Run) -> None:
    app.env.write_text("APP_DSN=bad\n")
    app.services["web"] |= {"restart": "always"}
    app.up(wait=False)
    until(lambda: app.containers()["web"]["State"]["Status"] == "restarting", 30)
    assert run(values={"APP_DSN": "good"})["recreated"] == ["web"]
    assert app.containers()["web"]["State"]["Health"]["Status"] == "healthy"


def test_a_service_that_was_ill_before_is_told(app: App, run: Run) -> None:
    app.env.write_text("APP_DSN=sick\n")
    app.up(wait=False)
    assert run(values={"OTHER": "1"})["msg"].startswith(
        f"web is unhealthy with the new environment. {app.env} is as before, but with it web is unhealthy too, so the "
        "cause is not the new environment alone.\nThe end of its log:\n"
    )
    assert app.env.read_text() == "APP_DSN=sick\n"


def test_a_project_is_called_as_it_was_started(app: App, run: Run) -> None:
    override = {"services": {"web": {"environment": {"EXTRA": "of the override", "TAG": "${OF_FILE}"}}}}
    (app.folder / "more.yaml").write_text(json.dumps(override))
    (app.folder / "deploy.env").write_text("OF_FILE=7\n")
    app.up("--file", "compose.yaml", "--file", "more.yaml", "--env-file", "deploy.env")
    assert run(values={"APP_DSN": "other"})["recreated"] == ["web"]
    found = [app.variable("web", name) for name in ("APP_DSN", "EXTRA", "TAG")]
    assert found == ["other", "of the override", "7"]


def test_what_else_waits_to_be_deployed_is_not_deployed_by_us(app: App, run: Run) -> None:
    app.up(TAG="2")
    before = app.ids()
    for check in (True, False):
        result = run(check=check, values={"APP_DSN": "other"})
        assert (result["changed"], result["recreated"], app.ids()) == (True, [], before)
        (warning,) = warnings(result)
        assert warning.startswith(f"web of {app.file}: something else waits to be deployed (an edit, an")
    assert app.env.read_text() == BEFORE.replace("APP_DSN=good", "APP_DSN=other")


def test_what_does_not_run_is_not_started(app: App, run: Run) -> None:
    app.write()
    result = run(values={"APP_DSN": "other"}, recreate=["web", "worker"])
    assert warnings(result) == [
        f"{name} of {app.file} does not run, so it was not recreated." for name in ("web", "worker")
    ]
    assert (result["changed"], result["recreated"], app.ids()) == (True, [], {})


def test_a_run_that_was_cut_off_is_made_up_for(app: App, run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    app.up()
    before = app.ids()

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(services, "recreate", cut_off)
        run(values={"APP_DSN": "other"})
    assert (app.variable("web", "APP_DSN"), app.ids()) == ("good", before)
    made_up = run(values={"APP_DSN": "other"})
    assert (made_up["changed"], made_up["changed_keys"], made_up["recreated"]) == (True, [], ["web"])
    assert app.variable("web", "APP_DSN") == "other"
    assert memory.recall(tmp_path / "state", app.env).unfinished == ()
    assert run(values={"APP_DSN": "other"})["changed"] is False


def test_a_file_that_somebody_changed_meanwhile_is_not_taken_back(app: App, run: Run, monkeypatch: Any) -> None:
    app.up()
    recreate = services.recreate

    def edited_meanwhile(*arguments: Any) -> None:
        app.env.write_text("APP_DSN=of-a-deploy\n")
        recreate(*arguments)

    monkeypatch.setattr(env_file_run.services, "recreate", edited_meanwhile)
    monkeypatch.setattr(services, "_failure", lambda container: "is unhealthy")
    assert f"{app.env} was changed by somebody else meanwhile and stays." in run(values={"APP_DSN": "x"})["msg"]
    assert app.env.read_text() == "APP_DSN=of-a-deploy\n"


def not_recreated(app: App, result: dict[str, Any]) -> str:
    """Why not, of a run that went on without."""
    assert (result["changed"], result["recreated"]) == (True, [])
    (text,) = warnings(result)
    start, end = (
        f"web of {app.file}: ",
        ", so they were not recreated. Deploy as usual; the new values count from then on.",
    )
    assert text.startswith(start) and text.endswith(end), text
    return str(text[len(start) : -len(end)])


def test_a_host_without_docker_gets_its_file(app: App, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    app.write()
    with monkeypatch.context() as without:
        without.setenv("PATH", "/nonexistent")
        for check in (True, False):
            result = run(check=check, values={"APP_DSN": "other"})
            assert not_recreated(app, result) == "there is no docker on this host"
    assert app.env.read_text() == BEFORE.replace("good", "other")


@pytest.mark.parametrize(
    "line, meaning",
    [
        (f"DB_PASS='{SECRET}", "in or above line 5 a quote is opened that nothing closes"),
        (f"TOKEN-X$={SECRET}", "the name in line 4 has a character that is not allowed"),
        (f"P={SECRET}${{", ""),
    ],
)
def test_an_env_file_that_compose_cannot_read_is_told_without_its_content(
    app: App, run: Run, line: str, meaning: str
) -> None:
    app.up()
    before = app.ids()
    app.env.write_text(f"{BEFORE}{line}\n")
    for check in (True, False):
        why = not_recreated(app, run(check=check, values={"APP_DSN": "other"}))
        where = f"docker compose cannot read {app.env}" + (f" ({meaning})" if meaning else "")
        assert why.startswith(f"{where}; `docker compose --project-name {app.name} ")
    assert app.env.read_text() == f"{BEFORE}{line}\n".replace("good", "other")
    assert app.ids() == before


def test_a_line_of_the_app_that_comes_back_is_not_quoted_when_compose_cannot_read_it(app: App, run: Run) -> None:
    app.env.write_text(f"A=1\nAPP_DSN='{SECRET}\n")
    run(secrets={"APP_DSN": "good-dsn"}, recreate=[])
    app.up()
    result = run(values={})
    assert result["msg"].startswith(f"docker compose cannot read {app.env} (in or above line ")
    assert f"with the new environment. {app.env} is as before, and web healthy again with it." in result["msg"]
    assert app.env.read_text() == "A=1\nAPP_DSN=good-dsn\n"


def test_a_variable_that_only_the_deploy_has_is_named(app: App, run: Run) -> None:
    app.services["web"] |= {"labels": {"tag": "${TAG:?hush-hush-hush}"}}
    app.up(TAG="1")
    before = app.ids()
    why = not_recreated(app, run(values={"APP_DSN": "other"}))
    assert why.startswith("the compose file needs the variable TAG, which is not set here; `docker compose --proj")
    assert app.env.read_text() == BEFORE.replace("good", "other")
    assert app.ids() == before


def test_two_projects_of_one_file_are_told(app: App, run: Run) -> None:
    app.up()
    name = app.name
    try:
        app.name = f"{name}-2"
        app.up()
        why = not_recreated(app, run(values={"APP_DSN": "other"}))
        assert why.startswith(f"it runs as several projects ({name}, {name}-2; stop those that are left over with")
    finally:
        app.down()
        app.name = name


def test_docker_that_fails_in_the_middle_takes_the_file_back(app: App, run: Run, monkeypatch: Any) -> None:
    app.up()
    containers = services._containers

    def silent(*filters: str) -> Any:
        if any("project=" in each for each in filters):
            raise services.DockerError("docker ps failed: no answer")
        return containers(*filters)

    monkeypatch.setattr(services, "_containers", silent)
    result = run(values={"APP_DSN": "other"})
    assert result["msg"].startswith(f"docker ps failed: no answer with the new environment. {app.env} is as before")
    assert app.env.read_text() == BEFORE


def test_what_stays_after_a_failure_stays_known(app: App, run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    app.up()

    def edited_meanwhile(*_: Any) -> None:
        app.env.write_text(f"{app.env.read_text()}B=2\n")
        raise services.UnhealthyError("web is unhealthy")

    with monkeypatch.context() as patched:
        patched.setattr(services, "recreate", edited_meanwhile)
        assert "was changed by somebody else meanwhile and stays." in run(values={"NEW": "1"})["msg"]
    assert run(values={})["changed_keys"] == ["NEW"]
    assert app.env.read_text() == f"{BEFORE}B=2\n"
