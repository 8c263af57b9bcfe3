"""The documented ways to report a job, with the real curl: to Uptime Kuma, and to Sentry, which may be away."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest
import sentry_stub
from contexts import context_of
from programs import REPOSITORY, answering, free_port
from sentry_stub import Stub

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import job_urls

JOB = {"name": "mail", "every": "1h", "check_in": True}


class Kuma(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ok":true}')

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def kuma() -> Iterator[int]:
    Kuma.asked.clear()
    with answering(Kuma) as port:
        yield port


@pytest.fixture
def sentry() -> Iterator[Stub]:
    with sentry_stub.running() as stub:
        stub.add_team("crowsnest")
        stub.add_project("shop", "crowsnest")
        yield stub


def reported(folder: Path, kuma: int, dsn: str, kind: str) -> subprocess.CompletedProcess[str]:
    """A line of docs/uptime.md, run on the file of a job: `kind` is `jobs` or `check_ins`."""
    app = {"name": "shop", "env_file": "/srv/shop/.env", "sentry": {"dsn": dsn}, "jobs": [JOB]}
    made = context_of({"apps": [app], "ports": {"uptime_kuma": kuma}}, secrets={"uptime_kuma_push_key": "a-key"})
    path = folder / "mail"
    path.write_text(job_urls(made)[f"secrets/{kind}/shop/mail"])
    page = (REPOSITORY / "docs/uptime.md").read_text()
    documented = re.search(rf"^sudo (sed \S+) \S+/{kind}/APP/JOB (\| curl .*)$", page, re.MULTILINE)
    assert documented
    line = f"{documented[1]} {path} {documented[2]}".replace("-m 10", "-m 1")
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)


def test_the_documented_line_tells_uptime_kuma_alone(tmp_path: Path, kuma: int, sentry: Stub) -> None:
    done = reported(tmp_path, kuma, sentry.keys[0]["dsn"]["public"], "jobs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(Kuma.asked) == 1 and Kuma.asked[0].startswith("/api/push/")
    assert sentry.check_ins == []


def test_a_report_that_does_not_arrive_is_a_failure(tmp_path: Path, sentry: Stub) -> None:
    done = reported(tmp_path, free_port(), sentry.keys[0]["dsn"]["public"], "jobs")
    assert done.returncode == 7 and "curl: (7)" in done.stderr  # cron mails it


def test_the_second_documented_line_tells_sentry(tmp_path: Path, kuma: int, sentry: Stub) -> None:
    done = reported(tmp_path, kuma, sentry.keys[0]["dsn"]["public"], "check_ins")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sentry.check_ins == [("shop_job_mail", "ok", "production")]
    assert Kuma.asked == []


@pytest.mark.parametrize("fault", ["down", "hang", "wrong key"])
def test_whatever_sentry_does_is_no_fault_of_the_job(tmp_path: Path, kuma: int, sentry: Stub, fault: str) -> None:
    key = sentry.keys[0]["public"]
    sentry.envelope = fault
    dsn = {"down": f"http://{key}@127.0.0.1:{free_port()}/1", "wrong key": sentry.url.replace("://", "://abc@") + "/1"}
    done = reported(tmp_path, kuma, dsn.get(fault, sentry.keys[0]["dsn"]["public"]), "check_ins")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
