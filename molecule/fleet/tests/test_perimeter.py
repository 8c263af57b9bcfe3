# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a stranger reaches: each of the two hosts looks at all ports of the other."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

INVENTORY = ["-i", "inventories/lab", "-i", "molecule/fleet/inventory/hosts.yml"]
# Those of the ports of an address that take a connection.
SCAN = """
import asyncio, json, sys
async def look(port, slots):
    async with slots:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(sys.argv[1], port), 3)
        except (OSError, asyncio.TimeoutError):
            return None
        writer.close()
        return port
async def scan():
    slots = asyncio.Semaphore(400)
    return await asyncio.gather(*(look(port, slots) for port in json.loads(sys.argv[2])))
print(json.dumps([port for port in asyncio.run(scan()) if port]))
"""
# Rules that let nobody in; the connection that loads them stays.
NOBODY = """
table inet crowsnest
delete table inet crowsnest
table inet crowsnest {
  chain before_dnat {
    type filter hook prerouting priority -150; policy accept;
    ct state established accept
    tcp dport 22 counter drop
  }
}
"""


@pytest.fixture(scope="module")
def addresses(lab: Any) -> dict[str, str]:
    return {host["name"]: host["address"] for host in lab.facts["hosts"]}


@pytest.fixture(scope="module")
def reached(hosts: dict[str, Any], addresses: dict[str, str]) -> Callable[[str, str], list[int]]:
    """The ports of one host that another reaches, of the first thousand and all at which anybody listens."""

    def look(there: str, here: str) -> list[int]:
        listening = hosts[there].check_output("ss -ltnH | awk '{print $4}' | sed 's/.*://'").split()
        asked = json.dumps(sorted({*range(1, 1025), *map(int, listening)})).replace(" ", "")
        found: list[int] = json.loads(hosts[here].check_output(f"python3 -c '{SCAN}' {addresses[there]} {asked}"))
        return found

    return look


@pytest.fixture(scope="module")
def published(server: Any) -> Iterator[int]:
    """A container of the team that Docker publishes at every address of the host."""
    image = server.check_output("docker inspect --format {{.Config.Image}} redis-of-the-user")
    server.check_output(f"docker run -d --name published --restart always -p 0.0.0.0:18080:6379 {image}")
    yield 18080
    server.check_output("docker rm -f published")


def ansible(lab: Any, module: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a module on lab1, as root."""
    variables = options.pop("variables", {})
    words = ["ansible", "lab1", *INVENTORY, "--become", "-m", module, "-a", json.dumps(options)]
    words += ["-e", json.dumps(variables)]
    return subprocess.run(words, env=lab.environment, capture_output=True, text=True, check=False)


def rules(server: Any) -> str:
    listed: str = server.check_output("nft -s list chain inet crowsnest before_dnat")
    return listed


def logs_in(server: Any) -> bool:
    """Whether SSH lets this machine in."""
    try:
        return bool(server.run("true").rc == 0)
    except RuntimeError:  # no connection
        return False


def answers(server: Any) -> bool:
    """Whether the container does, on the host itself."""
    ask = "exec 3<>/dev/tcp/127.0.0.1/18080; echo PING >&3; timeout 3 head -1 <&3"
    return bool(server.run(f"bash -c '{ask}'").stdout.startswith("+PONG"))


def test_a_stranger_finds_ssh_and_the_pages_and_nothing_that_docker_published(
    reached: Any, published: int, server: Any, eventually: Any
) -> None:
    eventually(lambda: answers(server), 30)
    assert server.check_output("ss -ltnH").count(f":{published} "), "it does listen"
    assert reached("lab1", "lab2") == [22, 80, 443]


def test_the_server_also_finds_node_exporter_and_nobody_else_does(reached: Any) -> None:
    assert reached("lab2", "lab1") == [22, 9100]


def test_a_tunnel_and_containers_work_as_before(
    lab: Any, server: Any, published: int, addresses: dict[str, str]
) -> None:
    out = server.check_output(f"docker exec published bash -c 'exec 3<>/dev/tcp/{addresses['lab2']}/22; head -1 <&3'")
    assert out.startswith("SSH-2.0"), "a container reaches another host"
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["ssh", "-F", lab.facts["ssh_config"], "-N", "-o", "ExitOnForwardFailure=yes"]
    tunnel = subprocess.Popen([*words, "-L", f"127.0.0.1:{port}:127.0.0.1:{published}", "lab1"])
    try:
        end = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as through:
                    through.sendall(b"PING\r\n")
                    assert through.recv(5) == b"+PONG"
                break
            except OSError:
                assert time.monotonic() < end, "the tunnel does not work"
                time.sleep(0.5)
    finally:
        tunnel.terminate()
        tunnel.wait(10)


def test_a_declaration_that_would_lock_this_machine_out_is_refused(lab: Any, server: Any) -> None:
    before = rules(server)
    run = lab.play(*INVENTORY[2:], crowsnest_open_ports=[80, 443])
    assert run.status != 0
    words = " ".join(run.output.split())
    assert f"port 22 of lab1 is not open to {lab.facts['gateway']}, from where this run logs in over SSH" in words
    assert run.recap["changed"] == 0
    assert rules(server) == before


def test_rules_that_let_nobody_in_are_given_up_and_the_run_says_so(lab: Any, server: Any, eventually: Any) -> None:
    before, kept = rules(server), server.file("/opt/crowsnest/firewall/rules.nft").content_string
    begin = time.monotonic()
    host = {"firewall": {"rules": kept, "there": True}}
    variables = {"firewall_rules": NOBODY, "__firewall_login_seconds": 5, "__crowsnest_host": host}
    done = ansible(lab, "ansible.builtin.include_role", name="firewall", variables=variables)
    assert done.returncode != 0
    assert "Under the new firewall nobody could log in to lab1" in done.stdout, done.stdout + done.stderr
    eventually(lambda: logs_in(server), 60)
    assert time.monotonic() - begin > 30, "they were in force"
    assert rules(server) == before
    assert server.file("/opt/crowsnest/firewall/rules.nft").content_string == kept


def test_a_run_that_is_killed_leaves_no_rules_behind(lab: Any, server: Any, eventually: Any) -> None:
    """Nobody keeps what was tried: the timer takes it back, also where there was no firewall before."""
    before = rules(server)
    wanted = server.file("/opt/crowsnest/firewall/rules.nft").content_string.replace("dport 443", "dport 444")
    done = ansible(lab, "crowsnest.core.firewall", state="tried", ruleset=wanted, seconds=5)
    assert "CHANGED" in done.stdout, done.stdout + done.stderr
    assert "444" in rules(server)
    eventually(lambda: rules(server) == before, 15)
    late = ansible(lab, "crowsnest.core.firewall", state="kept", ruleset=wanted)
    assert "not in force any more" in late.stdout
    broken = ansible(lab, "crowsnest.core.firewall", state="tried", ruleset="table inet crowsnest { chain x { y } }")
    assert "nft: " in broken.stdout
    assert rules(server) == before


def test_it_stays_closed_after_docker_and_the_host_started_anew(
    lab: Any, server: Any, reached: Any, published: int, eventually: Any
) -> None:
    server.check_output("systemctl restart docker")
    eventually(lambda: answers(server), 120)
    assert reached("lab1", "lab2") == [22, 80, 443]
    container = lab.facts["hosts"][0]["container"]
    subprocess.run(["docker", "restart", "--time", "20", container], check=True, capture_output=True)
    eventually(lambda: logs_in(server) and answers(server), 240, 3)
    assert "dport 443" in rules(server)
    eventually(lambda: reached("lab1", "lab2") == [22, 80, 443], 240, 5)


def test_undeclared_it_goes_and_declared_it_comes_back(lab: Any, server: Any, reached: Any, published: int) -> None:
    gone = lab.play(*INVENTORY[2:], crowsnest_firewall=False)
    assert gone.recap["changed"] == 2, gone.output  # on each host
    assert server.run("nft list table inet crowsnest").rc != 0
    assert not server.file("/etc/systemd/system/crowsnest-firewall.service").exists
    assert server.run("ls /opt/crowsnest/firewall/*").stdout == ""
    assert published in reached("lab1", "lab2")
    check = lab.play(*INVENTORY[2:], "--check", "--diff")
    assert (check.status, check.recap["changed"]) == (0, 4), check.output  # nftables, the rules
    assert server.run("nft list table inet crowsnest").rc != 0
    back = lab.play(*INVENTORY[2:])
    assert back.status == 0, back.output
    assert "the firewall closes all ports but 22, 80, 443" in " ".join(back.output.split())
    assert lab.play(*INVENTORY[2:]).recap["changed"] == 0
    assert published not in reached("lab1", "lab2")
