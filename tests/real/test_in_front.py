# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team pastes into its own proxy, in the real nginx, Caddy, Traefik and Apache, with our real Caddy behind."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from certificates import self_signed
from contexts import context_of
from door import DOMAIN, KIM, Door, Echo, caddy
from lab import shell
from programs import free_port, until

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.in_front import blocks

ROOT = Path(__file__).resolve().parents[2]
# Debian's packages of the programs that PyPI does not have.
PACKAGES = {"nginx": "nginx-light", "apache2": "apache2"}


def made() -> Mapping[str, str]:
    """{file: what the page says}."""
    declared = {"domain": DOMAIN, "proxy": "behind", "apps": [{"name": "shop", "database": {"name": "shop"}}]}
    return blocks(context_of(declared, registry=REGISTRY, total_mib=7800))


def program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        shell.install([PACKAGES[name]], f"The proxy {name}")
    return path or f"/usr/sbin/{name}"


def _nginx(folder: Path, block: str) -> list[str]:
    path = folder / "nginx.conf"
    own = f"pid {folder}/pid; error_log {folder}/log; daemon off; events {{}} http {{ access_log off; {block} }}"
    path.write_text(own)
    return [program("nginx"), "-c", str(path)]


def _caddy(folder: Path, block: str) -> list[str]:
    port = (folder / "port").read_text()
    block = block.replace(" {\n", f" {{\n    tls {folder}/public.pem {folder}/certificate.pem\n", 1)
    block = re.sub(rf"{DOMAIN}(?=[, ])", f"{DOMAIN}:{port}", block)
    (folder / "Caddyfile").write_text("{\n    admin off\n    auto_https disable_redirects\n}\n" + block)
    return [program("caddy"), "run", "--config", str(folder / "Caddyfile")]


def _traefik(folder: Path, block: str) -> list[str]:
    block = block.replace("tls: {certResolver: letsencrypt}", "tls: {}")
    block += f"tls:\n  certificates: [{{certFile: {folder}/public.pem, keyFile: {folder}/certificate.pem}}]\n"
    (folder / "dynamic.yaml").write_text(block)
    port = (folder / "port").read_text()
    return [
        program("traefik"),
        f"--providers.file.filename={folder}/dynamic.yaml",
        f"--entrypoints.https.address=127.0.0.1:{port}",
    ]


def _apache(folder: Path, block: str) -> list[str]:
    modules = ("mpm_event", "authz_core", "ssl", "proxy", "proxy_http", "headers", "socache_shmcb")
    loaded = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules]
    port = (folder / "port").read_text()
    own = [f"ServerRoot {folder}", f"PidFile {folder}/pid", f"ErrorLog {folder}/log", f"Listen 127.0.0.1:{port}"]
    (folder / "apache.conf").write_text("\n".join([*loaded, *own, block]))
    return [program("apache2"), "-f", str(folder / "apache.conf"), "-D", "FOREGROUND"]


STARTED: dict[str, Callable[[Path, str], list[str]]] = {
    "nginx.conf": _nginx,
    "Caddyfile": _caddy,
    "traefik.yaml": _traefik,
    "apache.conf": _apache,
}


@contextmanager
def in_front(folder: Path, file: str, behind: int) -> Iterator[Door]:
    """The proxy with its block: certificates and ports of the test are all that is changed in it."""
    port = free_port()
    (folder / "port").write_text(str(port))
    self_signed(folder, f"DNS:{DOMAIN},DNS:*.{DOMAIN}")
    block = made()[file]
    for old, new in (
        (r"(127\.0\.0\.1|172\.17\.0\.1):8088", f"127.0.0.1:{behind}"),
        (r"/etc/letsencrypt/live/[^/]+/fullchain.pem", f"{folder}/public.pem"),
        (r"/etc/letsencrypt/live/[^/]+/privkey.pem", f"{folder}/certificate.pem"),
        (r"listen \[::\]:443 ssl;", ""),
        (r"(listen |<VirtualHost \*:)443", rf"\g<1>{port}"),
    ):
        block = re.sub(old, new, block)
    command = STARTED[file](folder, block)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    door = Door(port, folder / "public.pem")
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "output").read_text()
            return door.ask("grafana").status == 200

        until(answers, 30)
        yield door
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with caddy(tmp_path_factory.mktemp("behind"), Echo, crowsnest_proxy="behind") as door:
        yield door


@pytest.mark.parametrize("file", STARTED)
def test_each_proxy_hands_on_as_the_page_says(tmp_path: Path, behind: Door, file: str) -> None:
    with in_front(tmp_path, file, behind.port) as door:
        assert [door.ask("prometheus", login=given).status for given in ("", "wrong", KIM)] == [401, 401, 200]
        assert door.ask("", "/.well-known/crowsnest").text == "crowsnest\n"
        seen = door.ask("grafana", **{"X-Forwarded-For": "198.51.100.1"}).seen["headers"]
        assert seen["Host"] == f"grafana.{DOMAIN}"
        assert seen["X-Forwarded-Proto"] == "https"
        assert seen["X-Forwarded-For"].split(", ")[-1] == "127.0.0.1"
        assert door.ask("uptime", "/socket.io/", Connection="Upgrade", Upgrade="websocket").status == 101
        assert door.ask("status").headers["Location"] == "/status/status"


def test_every_block_is_on_the_page() -> None:
    page = (ROOT / "docs/pages.md").read_text()
    assert [file for file, block in made().items() if f"\n```\n{block}```\n" not in page] == []
