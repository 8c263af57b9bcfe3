# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`./crowsnest scan` of a host with a firewall, from another machine: network namespaces and the real kernel."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from namespaces import Place, link, listening, made

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.firewall import TABLE, ruleset

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE, HOST = "198.51.100.2", "198.51.100.1"
OUTSIDE_6, HOST_6 = "2001:db8::2", "2001:db8::1"
# 80 loses the first packet of each connection. 5432 listens, and what is for it is lost. `new` and `too_many` count
# connections; the latter those above 210 a second, of which 40 may come at once.
RULES = """
table inet odd
delete table inet odd
table inet odd {
  counter new {}
  counter too_many {}
  counter ssh {}
  counter web {}
  set seen { type inet_service; flags dynamic; }
  chain before {
    type filter hook prerouting priority -150; policy accept;
    tcp dport 22 tcp flags & (syn | ack) == syn counter name ssh
    tcp dport 20000-29999 counter name new limit rate over 210/second burst 40 packets counter name too_many
    tcp dport 80 tcp sport @seen accept
    tcp dport 80 add @seen { tcp sport } counter name web drop
    tcp dport { 5432, 30000-39999 } drop
  }
}
"""


class Net(NamedTuple):
    outside: Place
    host: Place

    def counted(self, name: str) -> int:
        return int(self.host.do("nft", "list", "counter", "inet", "odd", name).split("packets ")[1].split()[0])

    def command(self, asked: dict[str, Any], before: str = "") -> list[str]:
        """The program that goes on after the playbook, at the machine outside."""
        launcher = "ansible_collections.crowsnest.core.plugins.plugin_utils.launcher"
        code = f"{before}\nimport sys; from {launcher} import scan; sys.exit(scan.main(sys.argv[1]))"
        return ["ip", "netns", "exec", self.outside.name, sys.executable, "-c", code, json.dumps(asked)]

    def scan(self, asked: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(asked), capture_output=True, text=True, timeout=60, check=False, env=ENV)


ENV = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
HOSTS = f"""
all:
  children:
    server: {{hosts: {{web0: {{ansible_host: nobody.invalid}}}}}}
    monitored: {{children: {{server: {{}}}}, hosts: {{web1: {{ansible_host: {HOST}}}}}}}
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Net]:
    with ExitStack() as stack:
        net = Net(*(stack.enter_context(made(name)) for name in ("cn-from", "cn-to")))
        link(net.outside, f"{OUTSIDE}/24", net.host, f"{HOST}/24", "eth0")
        net.outside.do("ip", "addr", "add", f"{OUTSIDE_6}/64", "dev", "out", "nodad")
        net.host.do("ip", "addr", "add", f"{HOST_6}/64", "dev", "eth0", "nodad")
        stack.enter_context(listening(net.host, 22, 80, 5432, 9100))
        yield net


@pytest.fixture
def net(machines: Net) -> Net:
    machines.host.do("nft", "-f", "-", stdin=RULES)
    return machines


def asked(address: str, ports: str, *declared: Any) -> dict[str, Any]:
    return {
        "targets": [{"address": address, "hosts": ["web1"], "ssh": [22]}],
        "notes": [],
        "ports": ports,
        "rate": 200,
        "open_ports": [port if isinstance(port, dict) else {"port": port} for port in declared],
        "names": {9100: "node_exporter"},
        "firewall": False,
    }


def rows(text: str) -> dict[int, tuple[bool, str]]:
    """{port: (whether it is wrong, its state)} of a table."""
    found = re.findall(r"(?m)^  (WRONG|     ) +(\d+)  (open|closed|filtered)", text)
    return {int(port): (wrong == "WRONG", state) for wrong, port, state in found}


@pytest.mark.parametrize("address", [HOST, HOST_6])
def test_what_is_open_closed_and_filtered_is_told_by_ipv4_and_ipv6(net: Net, address: str) -> None:
    done = net.scan(asked(address, "1-100,443,5430-5439,9100", 22, 80, 443, 5432))
    assert (done.returncode, done.stderr) == (1, "")
    assert rows(done.stdout) == {
        22: (False, "open"),
        80: (False, "open"),  # though a packet was lost
        443: (False, "closed"),
        5432: (True, "filtered"),
        9100: (True, "open"),
    }
    assert "all others: 107 closed\n" in done.stdout
    assert "Usually node_exporter." in done.stdout
    assert net.counted("ssh") == 1


@pytest.mark.parametrize("address", [HOST, HOST_6])
def test_with_our_firewall_nothing_but_what_is_declared_is_open(net: Net, address: str) -> None:
    declared = Declaration.model_validate({"open_ports": [22, 80]})
    net.host.do("nft", "delete", "table", "inet", "odd")
    net.host.do("nft", "-f", "-", stdin=ruleset(["eth0"], declared.open_ports, [9100], "198.51.100.9", 22))
    try:
        done = net.scan(asked(address, "1-100,5432,9100", 22, 80))
    finally:
        net.host.do("nft", "delete", "table", "inet", TABLE)
    assert done.returncode == 0, done.stdout
    assert "all others: 100 filtered\n" in done.stdout


def test_when_exactly_what_is_declared_is_open_it_says_so(net: Net) -> None:
    elsewhere = {"port": 22, "from": [f"{OUTSIDE}/32"]}
    done = net.scan(asked(HOST, "1-100,5432,9100", elsewhere, 80, 9100))
    assert done.returncode == 0, done.stdout
    assert "1 of 1 addresses are as declared." in done.stdout


def test_a_port_for_others_that_lets_this_machine_in_is_wrong(net: Net) -> None:
    done = net.scan(asked(HOST, "80,9100", 22, 80, {"port": 9100, "from": ["203.0.113.4/32"]}))
    assert done.returncode == 1
    assert rows(done.stdout) == {22: (False, "open"), 80: (False, "open"), 9100: (True, "open")}


def test_no_more_connections_a_second_than_it_says(net: Net) -> None:
    start = time.monotonic()
    done = net.scan(asked(HOST, "20000-21999", 22))
    assert net.counted("new") == 2000, done.stdout
    assert net.counted("too_many") == 0
    assert time.monotonic() - start > 9


def test_no_more_wait_for_an_answer_at_once_than_it_says(net: Net) -> None:
    few = "from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter import probing; probing._AT_ONCE = 50"
    waiting = [0]
    with subprocess.Popen(net.command(asked(HOST, "30000-30199", 22), few), env=ENV) as scan:
        while scan.poll() is None:
            with suppress(OSError):  # it has just ended
                # The kernel lists sockets one by one; only those of two lists were there at the same time, in between.
                waiting.append(len(syn_sent(scan.pid) & syn_sent(scan.pid)))
            time.sleep(0.1)
    assert 40 < max(waiting) <= 50


def syn_sent(pid: int) -> set[str]:
    """The local addresses in the namespace of a process from which a connection was begun and not answered."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()]
    return {row[1] for row in rows if row[3] == "02"}


def test_where_nothing_answers_it_ends_in_time_and_is_in_doubt(net: Net) -> None:
    net.host.do("nft", "insert", "rule", "inet", "odd", "before", "drop")
    start = time.monotonic()
    done = net.scan(asked(HOST, "30000-31000", 22, 80))
    assert time.monotonic() - start < 1001 / 200 + 2 + 20  # the last: to start Python on a busy machine
    assert done.returncode == 1
    assert "Nothing answers at 198.51.100.1, not even SSH at port 22" in done.stdout
    assert rows(done.stdout) == {}


def test_a_host_that_shuts_this_machine_out_on_the_way_is_in_doubt(net: Net) -> None:
    rule = "tcp dport 20100 add @out { ip saddr } drop"
    net.host.do("nft", "add set inet odd out { type ipv4_addr; flags dynamic; }")
    net.host.do("nft", f"insert rule inet odd before {rule}")
    net.host.do("nft", "insert rule inet odd before ip saddr @out drop")
    done = net.scan(asked(HOST, "20000-20200", 22))
    assert done.returncode == 1
    assert "answered at first and not at the end" in done.stdout


def test_an_interrupted_scan_says_what_it_found(net: Net) -> None:
    with subprocess.Popen(net.command(asked(HOST, "1-65535", 22, 80)), stdout=-1, text=True, env=ENV) as scan:
        end = time.monotonic() + 30
        while not net.counted("web") and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(2.5)  # until the packet that was lost is sent again
        scan.send_signal(signal.SIGINT)
        said, _ = scan.communicate(timeout=30)
    assert scan.returncode == 130
    assert rows(said) == {80: (False, "open")}
    assert "Stopped; this is not all." in said


def test_the_whole_command(net: Net, tmp_path: Path) -> None:
    """With a locked file; --limit leaves out the server, whose address nobody has."""
    variables, key = tmp_path / "group_vars/all/settings.yml", tmp_path / "secrets/key"
    for path, text in (
        (tmp_path / "hosts.yml", HOSTS),
        (variables, f"crowsnest_open_ports: [80, {{port: 22, from: [{OUTSIDE}]}}]\n"),
        (key, "a key of the team\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    programs = Path(sys.prefix, "bin")
    locking = [programs / "ansible-vault", "encrypt", "--vault-password-file", key, variables]
    subprocess.run(locking, check=True, capture_output=True)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    words = [
        "ip",
        "netns",
        "exec",
        net.outside.name,
        sys.executable,
        "plugins/plugin_utils/launcher",
        "scan",
        "--ports",
    ]
    words += ["22,80,9100", "-i", str(tmp_path), "--limit", "web1", "--vault-password-file", str(key)]
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert rows(done.stdout) == {22: (False, "open"), 80: (False, "open"), 9100: (True, "open")}
    assert "PLAY" in done.stderr
    assert "PLAY" not in done.stdout
    assert net.counted("ssh") == 1, "Ansible logs in nowhere"
