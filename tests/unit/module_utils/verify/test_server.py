"""Containers as `docker inspect` shows them (recorded from Docker 26), files on a disk, metrics of the services."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.http import ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.verify import server
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import Check

ID = "sha256:013c702779022cf67b506b3ea53cf5202240bac477291ce4a4dc69c0a43bfaac"
IMAGE = "prom/prometheus:v3.14.0"
STARTED = 1795261326.0  # 2026-11-21T11:42:06Z
NOW = STARTED + 2400
SERVICE: dict[str, Any] = {
    "container": "crowsnest-prometheus-1",
    "image": IMAGE,
    "user": 21090,
    "limit_mib": 256,
    "command": ["--config.file=/etc/prometheus.yml", "--web.enable-lifecycle"],
    "environment": {"GOMEMLIMIT": "230MiB"},
    "labels": {},
}
ROW: dict[str, Any] = {
    "Name": "/crowsnest-prometheus-1",
    "Image": ID,
    "RestartCount": 0,
    "State": {
        "Status": "running",
        "Running": True,
        "OOMKilled": False,
        "ExitCode": 0,
        "StartedAt": "2026-11-21T11:42:06.775155153Z",
    },
    "HostConfig": {"Memory": 268435456},
    "Config": {
        "Image": IMAGE,
        "User": "21090:21090",
        "Cmd": ["--config.file=/etc/prometheus.yml", "--web.enable-lifecycle"],
        "Env": ["GOMEMLIMIT=230MiB", "PATH=/bin"],
        "Labels": {"com.docker.compose.project": "crowsnest"},
    },
}


def row(**changes: Any) -> dict[str, Any]:
    """The container with other values: State__Status="exited" is that of `State`."""
    changed = copy.deepcopy(ROW)
    for path, value in changes.items():
        *parents, name = path.split("__")
        place = changed
        for parent in parents:
            place = place[parent]
        place[name] = value
    return changed


def check_of(found: dict[str, Any] | None, images: dict[str, str] | None = None, **service: Any) -> list[Check]:
    wanted = {**SERVICE, **service}
    return list(server.container_check("prometheus", wanted, found, images or {IMAGE: ID}, NOW))


def test_a_container_as_planned_is_not_worth_a_word() -> None:
    assert check_of(row()) == []


CONTAINERS: list[tuple[dict[str, Any] | None, str, str]] = [
    (None, "FAIL", "prometheus has no container"),
    (row(State__Status="exited", State__ExitCode=2), "FAIL", "prometheus is exited with exit code 2"),
    (row(State__Status="restarting", State__ExitCode=1), "FAIL", "prometheus is restarting with exit code 1"),
    (row(State__Status="paused"), "FAIL", "prometheus is paused"),
    (
        row(State__OOMKilled=True),
        "WARN",
        "prometheus hit its memory limit of 256 MiB and one of its processes was killed",
    ),
    (row(RestartCount=3), "WARN", "prometheus was restarted by Docker, 3 time(s) in total, most recently 40 min ago"),
    (
        row(Image="sha256:ffffffffffff0000", Config__Image="prom/prometheus:v2"),
        "FAIL",
        f"prometheus runs with the image prom/prometheus:v2 (ffffffffffff) instead of {IMAGE}",
    ),
    (
        row(HostConfig__Memory=512 * 2**20),
        "FAIL",
        "prometheus runs with a memory limit of 512 MiB instead of 256 MiB",
    ),
    (row(HostConfig__Memory=0), "FAIL", "prometheus runs with no memory limit instead of 256 MiB"),
    (
        row(Config__Cmd=["--config.file=/etc/prometheus.yml", "--web.enable-admin-api"]),
        "FAIL",
        "prometheus runs with a different command: --web.enable-admin-api instead of --web.enable-lifecycle",
    ),
    (row(Config__User=""), "FAIL", "prometheus runs with the user root instead of 21090"),
    (row(Config__Env=["GOMEMLIMIT=1GiB"]), "FAIL", "prometheus runs with a different value of GOMEMLIMIT"),
]


@pytest.mark.parametrize(
    ("found", "status", "detail"), CONTAINERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_container_that_is_not_as_planned_is_named(found: Any, status: str, detail: str) -> None:
    (check,) = check_of(found)
    assert (check.status, check.detail) == (status, detail)
    assert check.advice


def test_a_restart_of_long_ago_is_forgotten() -> None:
    (warned,) = server.container_check("prometheus", SERVICE, row(RestartCount=3), {IMAGE: ID}, STARTED + 3599)
    assert warned.status == "WARN"
    assert list(server.container_check("prometheus", SERVICE, row(RestartCount=3), {IMAGE: ID}, STARTED + 3601)) == []


def test_a_label_tells_what_a_service_reads_only_at_its_start() -> None:
    (check,) = check_of(row(), labels={"crowsnest.configuration": "new"})
    assert check.detail.endswith("an older configuration than the one in force, which it reads only when it starts")
    same = row(Config__Labels={"crowsnest.configuration": "new"})
    assert check_of(same, labels={"crowsnest.configuration": "new"}) == []


def test_the_command_of_an_image_is_its_own_matter() -> None:
    assert check_of(row(Config__Cmd=None), command=[]) == []


def test_a_planned_image_that_is_not_there_is_another_one() -> None:
    (check,) = check_of(row(), {"other": ID})
    assert f"instead of {IMAGE}" in check.detail


# --- files ---


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A configuration directory with three files, as config_directory leaves them."""
    files = {"prometheus.yml": "a: 1\n", "rules/host.yml": "groups: []\n", "secrets/webhook": "secret"}
    for name, text in files.items():
        path = tmp_path / "releases/abc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o640)
    (tmp_path / "current").symlink_to("releases/abc")
    return tmp_path


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def files_of(release: Path) -> list[Check]:
    files = {"prometheus.yml": sha256("a: 1\n"), "rules/host.yml": sha256("groups: []\n")}
    found = server.read_release(str(release))
    wanted = {**files, "secrets/webhook": sha256("secret")}
    return server.release_checks("prometheus", str(release), wanted, found, f"{os.getuid()}:{os.getgid()}:0640")


def test_files_as_generated_are_not_worth_a_word(release: Path) -> None:
    assert files_of(release) == []


def test_every_file_that_differs_is_named_in_one_line(release: Path) -> None:
    current = release / "current"
    (current / "prometheus.yml").write_text("a: 2\n")
    (current / "rules/host.yml").unlink()
    (current / "rules/mine.yml").write_text("groups: []\n")
    (current / "secrets/webhook").chmod(0o644)
    (check,) = files_of(release)
    assert (check.status, check.detail) == (
        "FAIL",
        "prometheus: changed: prometheus.yml; missing: rules/host.yml; not generated: rules/mine.yml; "
        f"other rights than {os.getuid()}:{os.getgid()}:0640: secrets/webhook",
    )


def test_a_link_in_the_place_of_a_file_is_a_change(release: Path) -> None:
    (release / "current/prometheus.yml").rename(release / "elsewhere")
    (release / "current/prometheus.yml").symlink_to(release / "elsewhere")
    assert "changed: prometheus.yml" in files_of(release)[0].detail


def test_a_service_without_a_configuration_is_named_and_the_others_are_looked_at(release: Path, tmp_path: Path) -> None:
    services = {"none": {"path": str(tmp_path / "none"), "files": {"a": "b"}, "user": 1}}
    services["prometheus"] = {"path": str(release), "files": {}, "user": 1}
    first, second = server.file_checks(services, {})
    assert first.detail == f"none: {tmp_path}/none/current: No such file or directory"
    assert second.detail.startswith("prometheus: not generated: ")


# --- what is loaded ---


def metrics(loaded_at: float, successful: int = 1) -> str:
    return (
        f"prometheus_config_last_reload_successful {successful}\n"
        f"prometheus_config_last_reload_success_timestamp_seconds {loaded_at!r}\n"
    )


LOADED = {
    "in force": (metrics(NOW + 1), "PASS", "in force in prometheus"),
    "older": (metrics(NOW - 1), "FAIL", "prometheus runs with an older configuration than the one in force"),
    "refused": (metrics(NOW + 1, 0), "FAIL", "prometheus refuses its newest configuration and keeps an older one"),
}


@pytest.mark.parametrize("case", LOADED)
def test_what_is_loaded_is_what_is_in_force(case: str, release: Path) -> None:
    os.utime(release / "current", (NOW, NOW), follow_symlinks=False)
    text, status, detail = LOADED[case]
    services = {"prometheus": {"path": str(release), "reloads": True}, "grafana": {"path": "/none", "reloads": False}}
    (check,) = server.loaded_checks(services, {"prometheus": text, "grafana": ""})
    assert (check.status, check.detail) == (status, detail)


def test_of_a_service_that_does_not_answer_nothing_is_said_here() -> None:
    assert server.loaded_checks({"prometheus": {"path": "/none", "reloads": True}}, {}) == []


def test_metrics_are_asked_of_all_and_a_refusal_is_kept(serve: Any, closed_url: str) -> None:
    good, bad = serve(lambda *_: (200, "up 1\n")), serve(lambda *_: (503, "starting"))
    urls = {"a": good.url, "b": bad.url, "c": closed_url}
    found = server.read_metrics({name: {"url": url, "key": "", "answers": "/metrics"} for name, url in urls.items()})
    assert found["a"] == "up 1\n"
    assert str(found["b"]) == "HTTP 503"
    assert isinstance(found["c"], ServiceError)
    assert "refused" in str(found["c"])


def test_a_service_with_a_key_is_asked_with_it(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("uk1_a-key")
    kuma = serve(lambda *_: (200, "up 1\n"))
    service = {"url": kuma.url, "key": str(tmp_path / "key"), "answers": "/metrics"}
    found = server.read_metrics({"kuma": service, "lost": {**service, "key": str(tmp_path / "none")}})
    assert found["kuma"] == "up 1\n"
    assert kuma.logins == ["crowsnest:uk1_a-key"]
    assert str(found["lost"]) == f"the key for its metrics cannot be read: {tmp_path}/none: No such file or directory"


DOCKER_SAYS = {
    "nothing there": ("Error response from daemon: No such container: crowsnest-grafana-1", None),
    "no engine": ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "Cannot connect"),
    "no permission": ("permission denied while trying to connect to the Docker daemon socket", "permission denied"),
}


@pytest.mark.parametrize("name", DOCKER_SAYS)
def test_a_missing_container_is_told_from_a_docker_that_does_not_answer(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, fault = DOCKER_SAYS[name]
    ended = subprocess.CompletedProcess(["docker"], 1, stdout="[]\n", stderr=words + "\n")
    monkeypatch.setattr(server.subprocess, "run", lambda *_, **__: ended)
    if fault is None:
        assert server.inspect("container", ["crowsnest-grafana-1"]) == []
    else:
        with pytest.raises(ServiceError, match=f"Docker does not answer: {fault}"):
            server.inspect("container", ["crowsnest-grafana-1"])
