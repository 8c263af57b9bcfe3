# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked, and what the answers mean; whether a real host answers so: tests/real/test_scan.py."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verbs import ROOT, VERBS
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter import scan
from ansible_collections.crowsnest.core.plugins.plugin_utils.perimeter.scan import Answers, Reached, Scan, State, Target

PUBLIC, PUBLIC_6, OFFICE = "203.0.114.10", "2a01:4f8::10", "198.52.100.7"
WEB1 = Target(address=PUBLIC, hosts=["web1"], ssh=[22])


def asked(*declared: Any, firewall: bool = False) -> Scan:
    ports = [port if isinstance(port, dict) else {"port": port} for port in declared]
    return Scan.model_validate(
        {"targets": [], "notes": [], "ports": "1", "rate": 1, "names": {9100: "node_exporter"}}
        | {"open_ports": ports, "firewall": firewall}
    )


def wrong(declared: list[Any], states: dict[int, State], source: str = OFFICE, address: str = PUBLIC) -> list[int]:
    target = Target(address=address, hosts=["web1"], ssh=[22])
    return [row.port for row in scan.judged(asked(*declared), target, Answers(source, states, True)) if row.wrong]


@pytest.mark.parametrize(
    ("text", "ports"),
    [("1-3,80", [1, 2, 3, 80]), ("443", [443]), ("80, 22-23,22", [22, 23, 80]), ("65535", [65535])],
)
def test_ports_are_numbers_and_ranges(text: str, ports: list[int]) -> None:
    assert scan.numbers(text) == ports


@pytest.mark.parametrize("text", ["", "0", "65536", "80-", "-80", "9-8", "ssh", "1,,2", "203.0.113.9", "²"])
def test_what_is_no_port_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"^--ports: '.*' is no port\. Allowed: "):
        scan.numbers(text)


@pytest.mark.parametrize("text", ["0", "251", "-1", "fast", ""])
def test_a_rate_that_would_hurt_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Allowed: 1 to 250 connections a second"):
        scan.pace(text)


def test_help_tells_how_long_it_takes_with_what_the_playbook_takes_by_default() -> None:
    defaults = dict(re.findall(r"(scan_\w+) \| default\('(.+?)'\)", (ROOT / "playbooks/scan.yml").read_text()))
    minutes = math.ceil(len(scan.numbers(defaults["scan_ports"])) / scan.pace(defaults["scan_rate"]) / 60)
    ports, rate = (option.help for verb in VERBS if verb.name == "scan" for option in verb.options)
    assert f"default: all, {minutes} minutes for each address" in ports
    assert f"at most {scan.HIGHEST_RATE} (default: {defaults['scan_rate']})" in rate


def test_ssh_is_asked_always_and_last() -> None:
    assert scan.order(WEB1, [22, 80, 443]) == [80, 443, 22]
    assert scan.order(WEB1, [80]) == [80, 22]


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_each_address_is_asked_once_with_all_hosts_behind_it() -> None:
    hosts = {"web1": Reached("a.test", 2201, False), "web2": Reached("a.test", 2202, False)}
    found, notes, mistakes = scan.targets(hosts, {"a.test": [PUBLIC, PUBLIC_6]})
    assert found == [Target(address=each, hosts=["web1", "web2"], ssh=[2201, 2202]) for each in (PUBLIC, PUBLIC_6)]
    assert (notes, mistakes) == ([], [])


def test_a_private_address_behind_a_jump_host_is_another_machine_s_here() -> None:
    hosts = {"db1": Reached("10.0.0.12", 22, True), "web1": Reached("a.test", 22, True)}
    found, notes, mistakes = scan.targets(hosts, {"10.0.0.12": ["10.0.0.12"], "a.test": ["10.0.0.13", PUBLIC_6]})
    assert [target.address for target in found] == [PUBLIC_6]
    assert notes == ["db1: 10.0.0.12 is behind a jump host, where strangers do not reach it; it was not asked."]
    assert mistakes == []


def test_without_an_address_it_does_not_begin_and_without_ipv6_it_says_so() -> None:
    hosts = {"web1": Reached("prod-web", 22, False), "web2": Reached(PUBLIC, 22, False)}
    _, notes, mistakes = scan.targets(hosts, {"prod-web": [], PUBLIC: [PUBLIC]})
    assert [line.partition(":")[0] for line in mistakes] == ["web1"]
    assert [line.partition(". ")[0] for line in notes] == ["web2: no IPv6 address is known, so none was asked"]


# --- what the answers mean --------------------------------------------------------------------------------------------


def test_what_is_open_and_not_declared_is_wrong_and_so_is_what_is_declared_and_lost() -> None:
    assert wrong([22, 80, 443], {22: "open", 80: "open", 443: "open", 81: "closed", 82: "filtered"}) == []
    assert wrong([22, 80, 443], {22: "open", 80: "closed", 443: "filtered", 9100: "open"}) == [443, 9100]
    assert wrong([80], {22: "open"}) == [], "SSH needs no declaration"


OTHERS = {"port": 5432, "from": ["192.0.3.0/24", "2001:db9::/32"]}
OURS = {"port": 5432, "from": ["192.0.3.0/24", "198.52.100.0/24"]}


@pytest.mark.parametrize(
    ("declared", "source", "address", "state", "is_wrong"),
    [
        (OTHERS, OFFICE, PUBLIC, "open", True),
        (OTHERS, OFFICE, PUBLIC, "filtered", False),
        (OURS, OFFICE, PUBLIC, "open", False),
        (OURS, OFFICE, PUBLIC, "filtered", True),
        # Only the host knows from where it is asked.
        (OTHERS, "192.168.0.5", PUBLIC, "open", False),
        (OTHERS, "192.168.0.5", PUBLIC, "filtered", False),
        ({"port": 5432, "from": ["2001:db9::/32"]}, "192.168.0.5", PUBLIC, "open", True),
        # In one private network nothing is hidden.
        ({"port": 5432, "from": ["10.0.0.0/24"]}, "10.0.0.5", "10.0.0.12", "filtered", True),
        (OTHERS, "10.0.0.5", "10.0.0.12", "open", True),
        (OTHERS, "2001:db9::7", PUBLIC_6, "filtered", True),
        (OTHERS, "2a02::7", PUBLIC_6, "open", True),
    ],
)
def test_a_port_for_some_is_judged_by_where_this_machine_is(
    declared: dict[str, Any], source: str, address: str, state: State, is_wrong: bool
) -> None:
    assert bool(wrong([declared], {5432: state}, source, address)) is is_wrong


def test_each_port_that_is_open_by_mistake_comes_with_the_ways_out() -> None:
    answers = Answers(OFFICE, {9100: "open"}, True)
    [row] = scan.judged(asked(80), WEB1, answers)
    assert row.note == (
        "Usually node_exporter. To close it, set crowsnest_firewall: true or use the firewall of your provider, or, if "
        "everybody may reach it, add 9100 to crowsnest_open_ports."
    )
    [row] = scan.judged(asked(80, firewall=True), WEB1, answers)
    assert "run `./crowsnest site`" in row.note


def test_the_rest_is_counted_and_a_flood_is_cut() -> None:
    states: dict[int, State] = {22: "open", 80: "closed", **dict.fromkeys(range(1000, 1050), "open")}
    states |= dict.fromkeys(range(2000, 2007), "closed") | dict.fromkeys(range(3000, 4500), "filtered")
    lines = scan.table(asked(22, 80), WEB1, Answers(OFFICE, states, True), len(states))
    assert lines[0] == f"web1 at {PUBLIC} (IPv4): 1,559 of 1,559 ports"
    assert sum(line.startswith("  WRONG") for line in lines) == 20
    assert "  … and 30 more open ports: something on the way may answer in its place" in lines
    assert lines[-1] == "  all others: 7 closed, 1,500 filtered"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (Answers(OFFICE, {80: "filtered", 22: "open"}, True), ""),
        (Answers(OFFICE, {80: "filtered", 22: "filtered"}, False), "Nothing answers at 203.0.114.10, not even SSH"),
        (Answers(OFFICE, {80: "open", 22: "filtered"}, False), "203.0.114.10 answered at first and not at the end"),
        (Answers("", {}, False), "This machine has no way to 203.0.114.10"),
    ],
)
def test_silence_of_a_host_is_a_doubt_and_no_closed_port(answers: Answers, said: str) -> None:
    assert scan.doubt(WEB1, answers).startswith(said)
    assert bool(scan.doubt(WEB1, answers)) is bool(said)
    shown = "\n".join(scan.table(asked(22, 80, 443), WEB1, answers, 2))
    assert ("DOUBT" in shown) is bool(said)
    assert not said or "WRONG" not in shown


@pytest.mark.parametrize(
    ("address", "source", "said"),
    [
        (PUBLIC, OFFICE, ""),
        (PUBLIC, "192.168.0.5", ""),
        (PUBLIC, PUBLIC, "This machine is the host itself"),
        ("127.0.0.2", "127.0.0.1", "This machine is the host itself"),
        ("10.0.0.12", "10.0.0.5", "10.0.0.12 is a private address"),
        ("fd00::12", "fd00::5", "fd00::12 is a private address"),
    ],
)
def test_a_view_that_strangers_do_not_have_is_no_proof(address: str, source: str, said: str) -> None:
    assert scan.viewpoint(address, source).startswith(said)
    assert bool(scan.viewpoint(address, source)) is bool(said)
