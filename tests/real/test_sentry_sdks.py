# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The snippets of docs/sentry.md in apps of each framework: what a real server gets of their errors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bugsink
import chromium
import compose
import locked_packages
import pytest
import sentry_apps
import yaml
from bugsink import Bugsink
from playwright.sync_api import Browser, Error
from programs import until

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.encode import encode
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.text import edited
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.sentry import SentryNames

ENVIRONMENT, RELEASE, RATE = "staging", "shop@1.2.3", "0.25"
# Seconds until an error can be seen in the server.
ARRIVES = 3
BUTTONS = ("click", "render")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    with bugsink.running(tmp_path_factory.mktemp("bugsink"), validation="none") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


def variables(names: SentryNames, dsn: str) -> dict[str, str]:
    """What crowsnest writes of a backend into the env file."""
    return {names.dsn: dsn, names.environment: ENVIRONMENT, names.release: RELEASE, names.traces_sample_rate: RATE}


def frontend_variables(dsn: str) -> dict[str, str]:
    """What it writes where the DSN is that of a frontend."""
    return variables(SentryNames(dsn="VITE_SENTRY_DSN"), dsn)


def env_file(folder: Path, keys: dict[str, str], *, own: str = "") -> None:
    """The env file of an app, with lines of its own below."""
    content = edited(b"", {key: encode(value) for key, value in keys.items()}, {})
    (folder / ".env").write_bytes(content + own.encode())


def events(server: Bugsink, project: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a project, as they were sent."""
    found = [event for issue in server.issues(project["id"]) for event in server.rows("events", issue=issue["id"])]
    return [server.ask(f"events/{event['id']}")["data"] for event in found]


def message(event: dict[str, Any]) -> str:
    assert (event["environment"], event["release"]) == (ENVIRONMENT, RELEASE)
    exceptions: list[dict[str, str]] = event["exception"]["values"]
    return exceptions[-1]["value"]


def press(browser: Browser, url: str, button: str) -> None:
    """Opens the app, presses a button, and waits until the page has sent what then fails."""
    for attempt in range(5):
        with browser.new_context() as context:
            tab, failed = context.new_page(), []
            tab.on("requestfailed", lambda request, failed=failed: failed.append(request.failure))
            try:
                tab.goto(url)
                with tab.expect_response(lambda answer: f"in {button}" in (answer.request.post_data or "")):
                    tab.click(f"#{button}")
            except Error as error:
                if attempt == 4 or chromium.NETWORK_CHANGED not in f"{failed} {error.message}":
                    raise
            else:
                return


@pytest.mark.parametrize("name", sentry_apps.BACKENDS)
def test_an_error_of_a_backend_arrives_with_environment_and_release(name: str, server: Bugsink, tmp_path: Path) -> None:
    project = server.new_project(name)
    with sentry_apps.backend(name, tmp_path, variables(SentryNames(), project["dsn"])) as url:
        assert sentry_apps.ask(f"{url}/rate") == (200, RATE)
        assert sentry_apps.ask(f"{url}/no-such-page")[0] == 404  # which is no error
        assert sentry_apps.ask(f"{url}/fails")[0] == 500
        (first,) = until(lambda: events(server, project), ARRIVES)
    assert message(first) == "in a view"
    assert len(events(server, project)) == 1, "sent again when the app ended"


def test_python_s_sdk_does_not_read_the_rate_itself() -> None:
    code = "import sentry_sdk; sentry_sdk.init(); print(sentry_sdk.get_client().options['traces_sample_rate'])"
    python = locked_packages.of_pypi(sentry_apps.SOURCES / "python") / "python"
    keys = variables(SentryNames(), "http://0@127.0.0.1:9/1")
    assert subprocess.check_output([python, "-c", code], env=keys, text=True, timeout=60) == "None\n"


def test_errors_of_a_frontend_that_a_dockerfile_builds_arrive(
    server: Bugsink, browser: Browser, tmp_path: Path
) -> None:
    project = server.new_project("React")
    env_file(tmp_path, frontend_variables(project["dsn"]))
    given = build_arguments(tmp_path)
    (tmp_path / ".env").unlink()  # as no image has it
    sentry_apps.build_frontend(tmp_path, given)
    with sentry_apps.frontend(tmp_path) as url:
        for button in BUTTONS:
            press(browser, url, button)
        until(lambda: len(events(server, project)) == len(BUTTONS), ARRIVES)
    assert [message(event) for event in events(server, project)] == [f"in {button}" for button in BUTTONS]


def build_arguments(folder: Path) -> dict[str, str]:
    """What compose gives the build of the page's service, all of which the page's Dockerfile takes."""
    snippets = sentry_apps.snippets("React")
    service = yaml.safe_load(snippets["yaml"])
    (folder / "compose.json").write_text(json.dumps(service))
    command = ["docker", "compose", "--file", folder / "compose.json", "config", "--format", "json"]
    printed = subprocess.check_output(command, env=compose.variables(), timeout=60)
    arguments: dict[str, str] = json.loads(printed)["services"]["web"]["build"]["args"]
    assert f"ARG {' '.join(arguments)}\n" in snippets["dockerfile"]
    return arguments


def test_a_frontend_reads_its_env_file_only_when_it_is_built(server: Bugsink, browser: Browser, tmp_path: Path) -> None:
    own = sentry_apps.snippets("React")["ini"]
    old, new = server.new_project("old"), server.new_project("new")
    env_file(tmp_path, frontend_variables(old["dsn"]), own=own)
    sentry_apps.build_frontend(tmp_path, {})
    env_file(tmp_path, frontend_variables(new["dsn"]), own=own)
    with sentry_apps.frontend(tmp_path) as url:
        press(browser, url, "click")
        (event,) = until(lambda: events(server, old), ARRIVES)
        assert message(event) == "in click" and events(server, new) == []
        sentry_apps.build_frontend(tmp_path, {})
        press(browser, url, "click")
        (event,) = until(lambda: events(server, new), ARRIVES)
    assert message(event) == "in click" and len(events(server, old)) == 1
