"""`./crowsnest new`: the domain of the pages, and the firewall after a look at the server."""

import os
import shutil
import socket
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

PUBLIC = "52.78.0.1"
DOMAIN = ("--domain", "watch.example.com")


@pytest.fixture
def new(real_launcher):
    """Runs `new` without questions; knows the file that it writes."""
    name = f"inv-{uuid4().hex[:8]}"

    def run(*flags, **more):
        return real_launcher.run("new", name, "--yes", *flags, **more)

    run.settings = real_launcher.folder / "inventories" / name / "group_vars/all/settings.yml"
    run.variables = lambda: yaml.safe_load(run.settings.read_text())
    return run


def door(variables):
    keys = ("domain", "proxy", "certificates", "firewall", "open_ports")
    return {key: variables[f"crowsnest_{key}"] for key in keys if f"crowsnest_{key}" in variables}


CLOSED = {"firewall": False, "open_ports": [22, 80, 443]}


@pytest.mark.parametrize(
    ("flags", "written"),
    [
        ((), CLOSED),
        (("--port", "2222"), CLOSED | {"open_ports": [2222, 80, 443]}),
        (DOMAIN, CLOSED | {"domain": "watch.example.com"}),
        ((*DOMAIN, "--proxy", "behind"), CLOSED | {"domain": "watch.example.com", "proxy": "behind"}),
        (
            ("--domain", "watch.lan", "--certificates", "internal"),
            CLOSED | {"domain": "watch.lan", "certificates": "internal"},
        ),
    ],
)
def test_what_is_not_the_default_is_written(new, flags, written):
    done = new("--host", "a.test", *flags)
    assert done.returncode == 0, done.stderr
    assert door(new.variables()) == written


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--domain", "watch.lan"), "--domain: Let's Encrypt gives no certificates for 'watch.lan'"),
        (("--app-name", "shop", "--app-url", "https://watch.example.com/", *DOMAIN), "--domain: crowsnest_apps[0]"),
        (("--proxy", "behind"), "--proxy: has nothing to apply to. Give --domain too."),
        ((*DOMAIN, "--proxy", "nginx"), "--proxy: 'nginx' does not fit. Allowed: "),
        (("--firewall", "0"), "--firewall: '0' does not fit. Allowed: yes, no, or ports"),
        (("--firewall", "8000 http"), "--firewall: '8000 http' does not fit. Allowed: yes, no, or ports"),
    ],
)
def test_a_wrong_answer_is_refused(new, flags, told):
    done = new("--host", "a.test", *flags)
    assert done.returncode == 2
    assert told in done.stderr
    assert not new.settings.exists()


@pytest.mark.parametrize(
    ("host", "record"),
    [
        ((PUBLIC,), f"A  {PUBLIC}"),
        (("2600:1f1c::7",), "AAAA  2600:1f1c::7"),
        (("a.test",), "A  the address of a.test"),
        (("10.0.0.3",), "A  the public address of the server"),
        (("localhost",), "A  the public address of the server"),
        (("web1", "--jump-host", "bastion.test"), "A  the public address of the server"),
    ],
)
def test_it_says_which_records_to_make_and_which_ports_to_open(new, host, record):
    told = new("--host", *host, *DOMAIN).stdout
    assert f"  watch.example.com    {record}\n  *.watch.example.com  {record}\n" in told
    assert "grafana.watch.example.com" in told
    assert "status.watch.example.com" in told
    assert "Open ports 80 and 443" in told
    assert "behind-your-own-proxy" not in told


def test_with_a_proxy_of_the_team_it_says_where_the_block_is(new):
    page = (Path(__file__).resolve().parents[2] / "docs/pages.md").read_text()
    assert "docs/pages.md#behind-your-own-proxy" in new("--host", PUBLIC, *DOMAIN, "--proxy", "behind").stdout
    assert "\n## Behind your own proxy\n" in page


@pytest.mark.parametrize("flags", [(), (*DOMAIN, "--proxy", "none")])
def test_without_pages_in_public_there_is_nothing_to_make(new, flags):
    done = new("--host", PUBLIC, *flags)
    assert done.returncode == 0, done.stderr
    assert "DNS" not in done.stdout


@pytest.fixture
def as_root():
    """The look becomes root; without sudo a root can by su."""
    if os.geteuid() != 0 and not shutil.which("sudo"):
        pytest.skip("nobody here may become root")
    return {"ANSIBLE_BECOME_METHOD": "su"} if os.geteuid() == 0 else {}


@pytest.fixture
def listening():
    """Ports of this process: one that others reach, and one that they do not."""
    with socket.create_server(("0.0.0.0", 0)) as outside, socket.create_server(("127.0.0.1", 0)) as inside:
        yield outside.getsockname()[1], inside.getsockname()[1]


def test_after_a_look_the_firewall_is_turned_on_with_what_stays_open(new, as_root, listening):
    outside, inside = listening
    done = new("--host", "localhost", "--firewall", "8000,443", **as_root)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.strip().startswith(f"{outside} ")]
    assert f"(pid {os.getpid()}, " in row
    assert str(inside) not in done.stdout
    written = door(new.variables())
    assert written["firewall"] is True
    assert [*written["open_ports"][:3], written["open_ports"][-1]] == [22, 80, 443, 8000]
    assert outside not in written["open_ports"]


def test_a_look_without_a_wish_changes_nothing(new, as_root, listening):
    done = new("--host", "localhost", "--look", **as_root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"  {listening[0]}  " in done.stdout
    assert "The firewall stays off" in done.stdout
    assert door(new.variables()) == CLOSED


def test_a_server_that_does_not_answer_gets_no_firewall(new):
    done = new("--host", "localhost", "--port", "1", "--firewall", "yes")
    assert done.returncode == 2, "it was asked for"
    assert "what a firewall would close is not known" in done.stdout
    assert door(new.variables()) == {"firewall": False, "open_ports": [1, 80, 443]}
    assert "docs/security.md#firewall" in done.stdout
