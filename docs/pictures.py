# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures in docs/pictures/ from a running demo, with Debian's chromium.

    ./crowsnest demo
    apt-get install fonts-noto-cjk fonts-noto-color-emoji
    . .venv/bin/activate && python docs/pictures.py [NAME …]      (without names: all)

Messages have to be there: stop the shop's database for two minutes, in English, and for those that end with -ko once
more after `./crowsnest site -e crowsnest_language=ko`.

Every picture is what a browser or a terminal showed, of real programs with the sample shop's data. Where the demo has
no access to Docker Hub, Grafana and Metabase are doubles (molecule/lab/images) that draw a preview of each
dashboard, and say so on it.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
sys.path[0:0] = [str(ROOT / "molecule"), str(ROOT / "tests/helpers")]  # where `lab` and `chromium` are

import chromium  # noqa: E402
from lab.play import Lab  # noqa: E402

PICTURES = ROOT / "docs/pictures"
LAB = ROOT / ".lab/demo"
TOUR = ROOT / "docs/tour.md"
VERSIONS = re.compile(r"Prometheus [\d.]+, Alertmanager [\d.]+ and blackbox exporter [\d.]+\d")
WIDTH = 1600
TERMINAL = """<body style="margin:0;background:#0d1117"><pre style="color:#e6edf3;margin:0;padding:18px 22px;
font:15px/1.5 'DejaVu Sans Mono',monospace;display:inline-block">
<span style="color:#7ee787">$ %s</span>\n%s</pre></body>"""


def demo() -> Lab:
    """The demo as the laboratory described it."""
    return Lab("demo", json.loads((LAB / "lab.json").read_text()))


def url(service: str) -> str:
    """Where a page of the demo is reached."""
    return demo().url(service)


def dashboard(uid: str) -> Callable[[Browser, Path], None]:
    """A whole dashboard, logged in as admin."""

    def take(browser: Browser, path: Path) -> None:
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        password = (LAB / "secrets/grafana_admin_password").read_text().strip()
        answer = page.request.post(f"{url('grafana')}/login", data={"user": "admin", "password": password})
        if not answer.ok:
            raise SystemExit(f"Grafana refuses the login: {answer.text()}")
        page.goto(f"{url('grafana')}/d/{uid}?kiosk&from=now-1h&to=now", wait_until="networkidle")
        page.wait_for_timeout(2000)
        page.screenshot(path=path, full_page=True)
        page.close()

    return take


def kuma(path_of_page: str, height: int) -> Callable[[Browser, Path], None]:
    """A page of Uptime Kuma, logged in as admin."""

    def take(browser: Browser, path: Path) -> None:
        page = browser.new_page(viewport={"width": WIDTH, "height": height})
        page.goto(url("uptime_kuma") + "/dashboard", wait_until="networkidle")
        page.locator("#floatingInput").fill("admin")
        page.locator("#floatingPassword").fill((LAB / "secrets/uptime_kuma_admin_password").read_text().strip())
        page.locator("button[type=submit]").click()
        page.wait_for_timeout(3000)
        page.goto(url("uptime_kuma") + path_of_page, wait_until="networkidle")
        page.wait_for_timeout(3000)
        page.screenshot(path=path)
        page.close()

    return take


def business(browser: Browser, path: Path) -> None:
    """The dashboard Business of Metabase, logged in as the first account."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    password = (LAB / "secrets/metabase_admin_password").read_text().strip()
    login = {"username": "admin@crowsnest.invalid", "password": password}
    answer = page.request.post(f"{url('metabase')}/api/session", data=login)
    if not answer.ok:
        raise SystemExit(f"Metabase refuses the login: {answer.text()}")
    listed = page.request.get(f"{url('metabase')}/api/dashboard").json()
    number = next(each["id"] for each in listed if each["name"] == "Business")
    page.goto(f"{url('metabase')}/dashboard/{number}", wait_until="networkidle")
    page.wait_for_timeout(2000)
    page.screenshot(path=path, full_page=True)
    page.close()


def web(
    service: str, path_of_page: str, height: int, prepare: Callable[[Page], None] | None = None
) -> Callable[[Browser, Path], None]:
    """The upper part of a page."""

    def take(browser: Browser, path: Path) -> None:
        page = browser.new_page(viewport={"width": WIDTH, "height": height})
        page.goto(url(service) + path_of_page, wait_until="networkidle")
        if prepare:
            prepare(page)
        page.wait_for_timeout(1000)
        page.screenshot(path=path)
        page.close()

    return take


def portal(width: int, height: int) -> Callable[[Browser, Path], None]:
    """The first page below the demo's domain, through port 443 of its host, logged in as admin."""

    def take(browser: Browser, path: Path) -> None:
        password = (LAB / "secrets/proxy_password_admin").read_text().strip()
        page = browser.new_page(
            viewport={"width": width, "height": height},
            http_credentials={"username": "admin", "password": password},
            ignore_https_errors=True,  # the authority is the lab's own
        )
        page.goto(f"https://watch.localhost:{demo().facts['hosts'][0]['ports']['https']}/", wait_until="networkidle")
        page.wait_for_timeout(1000)
        page.screenshot(path=path, full_page=True)
        page.close()

    return take


def exception(browser: Browser, path: Path) -> None:
    """The newest exception of the shop in the error tracker, logged in as admin."""
    page, tracker = browser.new_page(viewport={"width": WIDTH, "height": 1000}), demo().facts["bugsink"]
    page.goto(tracker["url"], wait_until="networkidle")
    page.locator("input[name=username]").fill(tracker["user"])
    page.locator("input[name=password]").fill(tracker["password"])
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(f"{tracker['url']}/issues/1/", wait_until="networkidle")
    page.get_by_text("FaultOnPurposeError").first.click()
    page.wait_for_timeout(2000)
    page.screenshot(path=path)
    page.close()


def message(*words: str) -> Callable[[Browser, Path], None]:
    """The newest message with all of these words as it was received, and what it said before it was edited."""

    def take(browser: Browser, path: Path) -> None:
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        page.goto(url("slack_catcher"), wait_until="load")
        found = page.locator("article")
        for each in words:
            found = found.filter(has_text=each)
        found.first.evaluate("it => it.querySelectorAll('details').forEach(each => each.open = true)")
        found.first.screenshot(path=path)
        page.close()

    return take


def terminal(*command: str) -> Callable[[Browser, Path], None]:
    """What a command prints, from its first line that is not Ansible's frame."""

    def take(browser: Browser, path: Path) -> None:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        page = browser.new_page(viewport={"width": WIDTH, "height": 100})
        page.set_content(TERMINAL % (html.escape(" ".join(command)), html.escape(run.stdout.strip())))
        page.locator("pre").screenshot(path=path)
        page.close()

    return take


TAKERS: dict[str, Callable[[Browser, Path], None]] = {
    **{
        f"dashboard-{uid}": dashboard(uid)
        for uid in (
            "overview",
            "business",
            "host",
            "containers",
            "stack",
            "alerts",
            "probes",
            "app-shop",
            "postgresql",
            "redis",
            "batch-jobs",
            "uptime",
            "backups",
        )
    },
    "business": business,
    "monitors": kuma("/dashboard", 1000),
    "status-page": web("uptime_kuma", "/status/status", 900),
    "slack-message": message("#alerts", "CRITICAL"),
    "slack-message-ko": message("#alerts", "심각"),
    "slack-incident": message("#incidents", "CRITICAL"),
    "slack-incident-ko": message("#incidents", "심각"),
    "weekly-message": message("Week of"),
    "exception": exception,
    "portal": portal(WIDTH, 900),
    "portal-phone": portal(390, 844),
    "pages": terminal("./crowsnest", "demo", "--status"),
    "found": terminal("./crowsnest", "found"),
}


def versions() -> str:
    """The programs that the pictures show, as docs/tour.md names them."""
    names = {"prometheus": "Prometheus", "alertmanager": "Alertmanager", "blackbox": "blackbox exporter"}
    found = demo().versions()
    return "{} and {}".format(*", ".join(f"{title} {found[job]}" for job, title in names.items()).rsplit(", ", 1))


def main(names: list[str]) -> None:
    """Takes the named pictures, or all; the page then names the versions they were taken of."""
    PICTURES.mkdir(exist_ok=True)
    with chromium.running() as browser:
        for name in names or list(TAKERS):
            TAKERS[name](browser, PICTURES / f"{name}.png")
            print(f"docs/pictures/{name}.png")
    if not names:
        TOUR.write_text(VERSIONS.sub(versions(), TOUR.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
