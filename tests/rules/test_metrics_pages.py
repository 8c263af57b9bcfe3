"""A real Prometheus reads pages that want https, a login, a token or a header, by the job that crowsnest writes."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import yaml
from certificates import self_signed
from contexts import context_of
from programs import answering, running, tool, until

from ansible_collections.crowsnest.core.plugins.module_utils.verify.watching import target_checks
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import service_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.config import (
    prometheus_config,
    targets,
)

PASSWORD, TOKEN, HEADER = "hush: with spaces", "hush.token-1", "hush header"
LOGIN = f"Basic {base64.b64encode(f'kim:{PASSWORD}'.encode()).decode()}"


def page_for(**wanted: str) -> type[BaseHTTPRequestHandler]:
    """A page that answers only requests with these headers; `X_Own=…` is X-Own.

    One that wants a Host gets the absolute form in the request line: servers must take the path out of it.
    """
    target = f"http://{wanted['Host']}/own" if "Host" in wanted else "/own"

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = all(self.headers.get(name.replace("_", "-")) == value for name, value in wanted.items())
            self.send_response((200 if self.path == target else 404) if right else 403)
            self.end_headers()
            self.wfile.write(b"orders_total 1\n")

        def log_message(self, *words: Any) -> None:
            pass

    return Page


# What a page wants, whether it speaks TLS, and the options with which it is declared.
READ: dict[str, tuple[dict[str, str], bool, dict[str, Any]]] = {
    "a name": ({"Host": "shop.example.com"}, False, {"headers": {"Host": "shop.example.com"}}),
    "a name with a login": (
        {"Host": "shop.example.com:80", "Authorization": LOGIN},
        False,
        {"headers": {"Host": "shop.example.com:80"}, "username": "kim", "password": PASSWORD},
    ),
    "https with a login and a header": (
        {"Authorization": LOGIN, "X_Own": HEADER},
        True,
        {"username": "kim", "password": PASSWORD, "headers": {"X-Own": HEADER}, "ca_file": "public.pem"},
    ),
    "https with a token": ({"Authorization": f"Bearer {TOKEN}"}, True, {"bearer_token": TOKEN, "verify_tls": False}),
}
UNREAD: dict[str, tuple[dict[str, str], bool, dict[str, Any], str]] = {
    "an unknown authority": ({}, True, {}, "tls: failed to verify certificate"),
    "another password": ({"Authorization": LOGIN}, False, {"username": "kim", "password": "wrong"}, "HTTP status 403"),
    "no name": ({"Host": "shop.example.com"}, False, {"headers": {"X-Own": "a"}}, "HTTP status 403"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """What Prometheus says of the page of an app that is declared under this name; empty for one that it reads."""
    folder = tmp_path_factory.mktemp("prometheus")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(folder))
    cases = {**READ, **{name: case[:3] for name, case in UNREAD.items()}}
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(answering(page_for(**wanted), tls if speaks_tls else None))
            for name, (wanted, speaks_tls, _) in cases.items()
        }
        metrics = [
            {"address": f":{ports[name]}", "path": "/own", "scheme": "https" if speaks_tls else "http", **options}
            for name, (_, speaks_tls, options) in cases.items()
        ]
        made = context_of({"scrape_interval": "1s", "apps": [{"name": "shop", "metrics": metrics}]}, folder=folder)
        config = prometheus_config(made)
        jobs = [job for job in config["scrape_configs"] if job["job_name"].startswith("app/")]
        config = {"global": config["global"], "scrape_configs": jobs}
        written = yaml.safe_dump(config).replace(CONFIG_IN_CONTAINER, str(folder))
        assert "hush" not in written
        (folder / "prometheus.yml").write_text(written)
        files = service_files(made, "prometheus")
        authorities = {path: text for path, text in files.items() if path.startswith("authorities/")}
        for path, text in {**authorities, **made.secret_files("prometheus")}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        checked = tool("promtool")(folder, "check", "config", "prometheus.yml")
        assert checked.returncode == 0, checked.stderr
        words = "--config.file=prometheus.yml", f"--storage.tsdb.path={folder}/data"
        url = stack.enter_context(running("prometheus", folder, *words))

        def active() -> list[dict[str, Any]] | None:
            with urllib.request.urlopen(f"{url}/api/v1/targets?state=active", timeout=30) as answer:  # noqa: S310 - loopback
                seen: list[dict[str, Any]] = json.load(answer)["data"]["activeTargets"]
            return seen if len(seen) == len(cases) and all(it["health"] != "unknown" for it in seen) else None

        asked = until(active, 30)
        by_instance = {it["labels"]["instance"]: it for it in asked}
        assert {it["labels"]["job"] for it in asked} == {"app"}
        misplaced = [it.detail for it in target_checks(targets(config), asked) if "declared" in it.detail]
        assert misplaced == []
        yield lambda name: str(by_instance[f"127.0.0.1:{ports[name]}/own"]["lastError"])


@pytest.mark.parametrize("name", READ)
def test_a_page_is_read_as_it_wants_to_be_asked(found: Callable[[str], str], name: str) -> None:
    assert found(name) == ""


@pytest.mark.parametrize("name", UNREAD)
def test_a_page_that_is_asked_otherwise_is_down(found: Callable[[str], str], name: str) -> None:
    assert UNREAD[name][3] in found(name)
