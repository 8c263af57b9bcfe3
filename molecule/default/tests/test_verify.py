# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What verify says of a healthy host and of one on which something was broken, and what the next run puts right."""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
GRAFANA = "/opt/crowsnest/grafana/current"
# A data source behind a login that knows another password, as a server of one's own would be.
LOCKED = """
import http.server
class Locked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
    do_POST = do_GET
http.server.HTTPServer(("127.0.0.1", 9099), Locked).serve_forever()
"""
WRONG_PASSWORD = r"""
import pathlib
path = pathlib.Path("/opt/crowsnest/grafana/current/provisioning/datasources/crowsnest.yml")
text = path.read_text()
login = "basicAuth: true\n  basicAuthUser: reader\n  secureJsonData: {basicAuthPassword: wrong}"
path.write_text(text.replace("127.0.0.1:9090", "127.0.0.1:9099\n  " + login))
"""


def failures(run: Any) -> list[str]:
    """`AREA DETAIL` of each failed check."""
    lines = [line.strip() for line in run.output.splitlines()]
    return [" ".join(line.split()[1:]) for line in lines if line.startswith("FAIL ")]


def verify(lab: Any) -> Any:
    return lab.play(playbook="playbooks/verify.yml")


@pytest.fixture(scope="module", autouse=True)
def _settled(lab: Any, eventually_healthy: Any) -> None:
    """What was just restarted by other tests has been read twice."""
    eventually_healthy()


@pytest.fixture(scope="module")
def eventually_healthy(lab: Any) -> Any:
    def wait() -> Any:
        end = time.monotonic() + 120
        while (run := verify(lab)).status != 0:
            assert time.monotonic() < end, run.output
        return run

    return wait


def test_a_healthy_host_passes(lab: Any, figure: Any) -> None:
    run = verify(lab)
    figure("verify", f"{run.seconds:.1f} s")
    assert run.status == 0, run.output
    assert failures(run) == []
    assert "no data" not in run.output  # of an app's dashboard that is only a warning
    assert run.recap["changed"] == 0
    assert run.seconds < 30  # bench measures; this is two scenarios on one machine


def test_json_is_all_that_is_on_standard_output(lab: Any) -> None:
    run = subprocess.run(
        ["./crowsnest", "verify", "--json", "-i", "inventories/lab"],
        cwd=ROOT, env=lab.environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    report = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert report["failed"] == 0
    assert report["passed"] == len([check for check in report["checks"] if check["status"] == "PASS"]) > 10


# What is broken on the host: (commands, what the failed checks say, what puts it right beside `site`).
BROKEN: dict[str, tuple[list[str], list[str], str]] = {
    "a stopped container": (
        ["docker stop crowsnest-blackbox-1"],
        ["containers", "blackbox"],
        "",
    ),
    "a changed file": (
        ["sed -i 's/summary: .*/summary: nothing/' /opt/crowsnest/prometheus/current/rules/host.yml"],
        ["files", "rules/host.yml"],
        "",
    ),
    "an extra published port": (
        [
            "docker run --detach --name stray --publish 5433:5432 --entrypoint sleep "
            "$(docker inspect --format '{{.Config.Image}}' crowsnest-blackbox-1) 3600"
        ],
        ["ports", "5433", "stray"],
        "docker rm --force stray",
    ),
    "a wrong password in a data source": (
        [
            f"systemd-run --quiet --unit locked-prometheus python3 -c '{LOCKED}'",
            f"python3 -c '{WRONG_PASSWORD}'",
            "docker restart crowsnest-grafana-1",
        ],
        ["data source prometheus", "refuses the login"],
        "",
    ),
    "a deleted dashboard": (
        [f"rm {GRAFANA}/dashboards/operations/host.json", "sleep 20"],
        ["dashboards", "host"],
        "",
    ),
    "a lost key": (
        ["rm /var/lib/crowsnest/prometheus_keys/uptime_kuma"],
        ["services", "no key for its metrics"],
        "",
    ),
    "a memory limit changed by hand": (
        ["docker update --memory 300m --memory-swap 300m crowsnest-alertmanager-1"],
        ["containers", "alertmanager"],
        "docker compose --file /opt/crowsnest/compose.yaml up --detach --force-recreate alertmanager",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found_and_put_right(lab: Any, server: Any, eventually_healthy: Any, what: str) -> None:
    commands, words, mend = BROKEN[what]
    for command in commands:
        server.check_output(textwrap.dedent(command).strip())
    run = verify(lab)
    found = failures(run)
    print("\n".join(line for line in run.output.splitlines() if "FAIL" in line or "WARN" in line or "->" in line))
    assert run.status != 0
    assert all(any(word in line for line in found) for word in words), run.output
    again = lab.play()
    if mend:
        assert failures(again) != []
        server.check_output(mend)
    else:
        assert again.status == 0, again.output
    eventually_healthy()
    assert lab.play().recap["changed"] == 0
