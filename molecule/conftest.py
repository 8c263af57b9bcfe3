# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the scenarios' tests share: the lab's host over SSH, its pages on loopback, and runs of the play."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import testinfra
from lab.metabase_client import Metabase
from lab.play import Lab
from uptime_kuma_api import UptimeKumaApi

ROOT = Path(__file__).resolve().parents[1]

FIGURES = ROOT / ".cache/test/figures.txt"


@pytest.fixture(scope="session")
def figure(lab: Lab) -> Callable[[str, str], None]:
    """Note a measured figure; `./crowsnest test` prints them at its end."""

    def note(name: str, value: str) -> None:
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(f"{lab.name}: {name}: {value}\n")

    return note


@pytest.fixture(scope="session")
def patience() -> float:
    """How much slower this machine may be, as tests/steps.py says."""
    return float(os.environ.get("CROWSNEST_TEST_FACTOR", "1"))


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of this scenario."""
    name = os.environ.get("CROWSNEST_LAB", "demo")
    return Lab(name, json.loads((ROOT / ".lab" / name / "lab.json").read_text()))


@pytest.fixture(scope="session")
def hosts(lab: Lab) -> dict[str, Any]:
    """The lab's hosts by inventory name; commands run as root over SSH."""
    return {
        host["name"]: testinfra.get_host(f"ssh://{host['name']}", ssh_config=lab.facts["ssh_config"], sudo=True)
        for host in lab.facts["hosts"]
    }


@pytest.fixture(scope="session")
def server(hosts: dict[str, Any]) -> Any:
    """The host that runs the stack."""
    return hosts["lab1"]


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait for something that takes a moment: the first true value of a function, or a failure with the last one."""

    def wait(look: Callable[[], Any], seconds: float, pause: float = 1.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(pause)
        return found

    return wait


@pytest.fixture(scope="session")
def secret(lab: Any) -> Callable[[str], str]:
    """A generated secret as it is now."""
    return lambda name: (ROOT / ".lab" / lab.name / "secrets" / name).read_text().strip()


@pytest.fixture(scope="session")
def metabase_login(lab: Any, secret: Callable[[str], str]) -> Callable[[], Metabase]:
    """Log in as the first account with its password of now."""

    def login() -> Metabase:
        found = Metabase(lab.url("metabase"), "admin@crowsnest.invalid", secret("metabase_admin_password"))
        assert found.status == 200
        return found

    return login


@pytest.fixture(scope="session")
def kuma_login(lab: Any, secret: Callable[[str], str]) -> Callable[[], AbstractContextManager[UptimeKumaApi]]:
    """Log in as admin for a block; the library looks at its lists without a pause."""

    @contextmanager
    def login() -> Iterator[UptimeKumaApi]:
        with UptimeKumaApi(lab.url("uptime_kuma"), wait_events=0) as api:
            api.login("admin", secret("uptime_kuma_admin_password"))
            yield api

    return login


@pytest.fixture(scope="session")
def monitors(
    kuma_login: Callable[[], AbstractContextManager[UptimeKumaApi]],
) -> Callable[[], dict[str, dict[str, Any]]]:
    """{name: monitor} as they are now: a run may have restarted Kuma, which ends a login."""

    def look() -> dict[str, dict[str, Any]]:
        with kuma_login() as api:
            found = api.get_monitors()
        assert len({monitor["name"] for monitor in found}) == len(found), "a name twice"
        return {monitor["name"]: monitor for monitor in found}

    return look
