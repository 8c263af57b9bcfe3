"""Module service_reload against real servers that behave as Prometheus does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.modules import service_reload

Serve = Callable[..., Any]
Run = Callable[..., dict[str, Any]]
NOW = 1_800_000_000.25


def metrics(loaded_at: float = NOW, successful: int = 1, name: str = "prometheus") -> str:
    return (
        f"# TYPE {name}_config_last_reload_successful gauge\n"
        f"{name}_config_last_reload_successful {successful}\n"
        f"{name}_config_last_reload_success_timestamp_seconds {loaded_at!r}\n"
        "go_goroutines 30\n"
    )


# (metrics, time of the swap): is a reload due?
DUE = [
    (metrics(NOW), NOW - 1, False),
    (metrics(NOW), NOW, False),
    (metrics(NOW - 1), NOW, True),
    (metrics(NOW, successful=0), NOW - 1, True),
    (metrics(NOW, name="blackbox_exporter"), NOW - 1, False),
    (metrics(NOW - 1, name="alertmanager"), NOW, True),
    ("alertmanager_config_last_reload_success_timestamp_seconds 1.80000000025e+09\n", NOW - 1, False),
    ("", NOW, True),  # it never loaded a configuration
    ("", 0.0, False),  # nor is there one
]


@pytest.mark.parametrize(("text", "swapped_at", "due"), DUE)
def test_a_reload_is_due_when_the_service_has_an_older_configuration(text: str, swapped_at: float, due: bool) -> None:
    assert service_reload.needs_reload(text, swapped_at) is due


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A configuration directory whose `current` was swapped at NOW."""
    (tmp_path / "current").symlink_to("releases/abc")
    os.utime(tmp_path / "current", (NOW, NOW), follow_symlinks=False)
    return str(tmp_path)


def test_the_time_of_the_swap_is_the_links_own(directory: str, tmp_path: Path) -> None:
    assert service_reload.in_force_since(directory) == NOW
    assert service_reload.in_force_since(str(tmp_path / "none")) == 0.0


def service(loaded_at: float, on_reload: tuple[int, str] = (200, "")) -> Callable[..., tuple[int, str]]:
    def answer(method: str, path: str, _: bytes) -> tuple[int, str]:
        return on_reload if (method, path) == ("POST", "/-/reload") else (200, metrics(loaded_at))

    return answer


def reloads(server: Any) -> list[Any]:
    return [asked for asked in server.asked if asked[:2] == ("POST", "/-/reload")]


@pytest.mark.parametrize("check", [False, True])
def test_only_services_with_an_older_configuration_are_reloaded(
    serve: Serve, run_module: Run, directory: str, check: bool
) -> None:
    old, new = serve(service(NOW - 5)), serve(service(NOW + 5))
    services = {name: {"url": it.url, "path": directory} for name, it in (("prometheus", old), ("blackbox", new))}
    result = run_module(service_reload, check=check, services=services)
    assert (result["changed"], result["reloaded"]) == (True, ["prometheus"])
    assert (len(reloads(old)), len(reloads(new))) == (0 if check else 1, 0)


def test_nothing_to_do_is_no_change(serve: Serve, run_module: Run, directory: str) -> None:
    result = run_module(service_reload, services={"a": {"url": serve(service(NOW + 5)).url, "path": directory}})
    assert (result["changed"], result["reloaded"]) == (False, [])


def test_a_refused_configuration_fails_in_the_services_own_words_after_all_others_were_reloaded(
    serve: Serve, run_module: Run, directory: str
) -> None:
    words = "failed to reload config: parse error"
    bad, good = serve(service(NOW - 5, (500, words + "\n"))), serve(service(NOW - 5))
    services = {name: {"url": it.url, "path": directory} for name, it in (("prometheus", bad), ("blackbox", good))}
    result = run_module(service_reload, services=services)
    assert result["failed"]
    assert result["msg"] == f"prometheus keeps its old configuration because it refuses the new one: {words}"
    assert result["reloaded"] == ["blackbox"]


def test_a_service_that_starts_slowly_is_waited_for(serve: Serve, run_module: Run, directory: str) -> None:
    answers = iter([(503, "starting"), (503, "starting")])
    server = serve(lambda *_: next(answers, (200, metrics(NOW + 5))))
    result = run_module(service_reload, services={"prometheus": {"url": server.url, "path": directory}}, timeout=30)
    assert (result["changed"], len(server.asked)) == (False, 3)


def test_a_service_that_does_not_answer_fails_with_where_to_look(
    run_module: Run, directory: str, closed_url: str
) -> None:
    result = run_module(service_reload, services={"prometheus": {"url": closed_url, "path": directory}}, timeout=1)
    assert result["failed"]
    assert result["msg"].startswith(f"prometheus does not answer at {closed_url} (")
    assert result["msg"].endswith(
        ". See `sudo docker compose -f /opt/crowsnest/compose.yaml logs --tail 50 prometheus` on the host."
    )


def test_another_program_at_the_port_fails_with_where_to_look(
    run_module: Run, directory: str, no_http_url: str
) -> None:
    result = run_module(service_reload, services={"prometheus": {"url": no_http_url, "path": directory}}, timeout=0)
    assert result["msg"].startswith(f"prometheus does not answer at {no_http_url} (SSH-2.0-OpenSSH_9.2")


def test_check_mode_leaves_out_what_does_not_run_yet_and_does_not_wait(
    run_module: Run, directory: str, closed_url: str
) -> None:
    services = {"prometheus": {"url": closed_url, "path": directory}}
    result = run_module(service_reload, check=True, services=services, timeout=600)
    assert (result["changed"], result["reloaded"]) == (False, [])


def test_a_proxy_of_the_environment_is_not_asked(
    serve: Serve, run_module: Run, directory: str, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", closed_url)
    services = {"prometheus": {"url": serve(service(NOW - 5)).url, "path": directory}}
    assert run_module(service_reload, services=services, timeout=0)["reloaded"] == ["prometheus"]
