# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
import io
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab import cli, host_container, laboratory, ssh_access, state
from lab.host_container import Host
from lab.progress import LabError

SERVER = Host("dev", 0, "trixie", "none", 40000, 2048)


@pytest.mark.parametrize("cgroups", ["mixed", "v2", "v2-privileged"])
def test_ports_are_published_on_loopback_only(cgroups: str) -> None:
    bindings = host_container.host_config(SERVER, cgroups)["PortBindings"]
    assert {binding["HostIp"] for entries in bindings.values() for binding in entries} == {"127.0.0.1"}
    assert bindings["9090/tcp"][0]["HostPort"] == "49090"


@pytest.mark.parametrize("cgroups", ["mixed", "v2", "v2-privileged"])
def test_memory_is_limited_and_docker_inside_has_a_volume(cgroups: str) -> None:
    config = host_container.host_config(SERVER, cgroups)
    assert config["Memory"] == config["MemorySwap"] == 2 * 1024**3
    assert f"{state.PREFIX}-dev-lab1:/var/lib/docker" in config["Binds"]


def test_privileged_is_used_only_where_it_works() -> None:
    assert "Privileged" not in host_container.host_config(SERVER, "mixed")
    assert host_container.host_config(SERVER, "v2-privileged")["CgroupnsMode"] == "private"


def test_further_hosts_have_their_own_address_and_ssh_port() -> None:
    second = replace(SERVER, index=1).describe()
    assert (second["name"], second["address"], second["ssh_port"]) == ("lab2", "10.213.40.11", 40023)
    assert second["ports"] == {"ssh": 40023}


def test_archive_keeps_text_mode_and_owner() -> None:
    made = host_container.archive({"/home/deploy/.ssh/authorized_keys": ("ssh-ed25519 é\n", 0o600)}, owner=1000)
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        (entry,) = tar.getmembers()
        content = tar.extractfile(entry)
        assert (entry.name, entry.mode, entry.uid) == ("home/deploy/.ssh/authorized_keys", 0o600, 1000)
        assert content is not None
        assert content.read().decode() == "ssh-ed25519 é\n"


def test_ssh_pins_the_host_key() -> None:
    lab: dict[str, Any] = {"ssh_user": "deploy", "ssh_key": "/l b/id_ed25519", "known_hosts": "/l b/known_hosts"}
    lab["ssh_config"] = "/l/config"
    lab["hosts"] = [{"name": "lab1", "ssh_port": 40022}]
    config = [line.strip() for line in ssh_access.client_config(lab).splitlines()]
    assert config[:2] == ["Host lab1", "Port 40022"]
    assert "StrictHostKeyChecking yes" in config
    assert 'UserKnownHostsFile "/l b/known_hosts"' in config
    assert 'IdentityFile "/l b/id_ed25519"' in config
    assert ssh_access.command(lab, lab["hosts"][0], ["id"]) == ["ssh", "-F", "/l/config", "lab1", "--", "id"]
    assert ssh_access.known_hosts_line(40022, "ssh-ed25519 AAAA root@lab1") == "[127.0.0.1]:40022 ssh-ed25519 AAAA\n"


def test_one_suite_per_host_and_the_last_holds_for_the_rest() -> None:
    assert cli.suites_of("bookworm,trixie", 3) == ["bookworm", "trixie", "trixie"]
    assert cli.suites_of("bookworm,trixie", 1) == ["bookworm", "trixie"]
    with pytest.raises(LabError, match="allowed are trixie, bookworm"):
        cli.suites_of("buster", 1)


@pytest.mark.parametrize("name", ["", "Dev", "-x", "a/b", "engine", "x" * 30])
def test_names_that_would_break_paths_or_containers_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="can't name a lab"):
        state.check_name(name)


class Busy:
    """A container whose engine loses every second answer."""

    name = "busy"

    def __init__(self, *answers: str) -> None:
        self.answers = [words for answer in answers for words in (answer, "")]

    def exec_run(self, _: list[str]) -> tuple[int, bytes]:
        return 0, self.answers.pop(0).encode()


def test_an_answer_that_was_seen_once_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert host_container.wait_for_systemd(Busy("starting", "running")) == "running"
    lab: dict[str, Any] = {"name": "x", "hosts": [{"name": "lab1", "ssh_port": 1}]}
    monkeypatch.setattr(host_container, "wait_for_systemd", lambda _: "running")
    monkeypatch.setattr(laboratory, "_ssh_works", lambda *_: True)
    monkeypatch.setattr(ssh_access, "client_config", lambda _: "")
    written: list[str] = []
    monkeypatch.setattr(Path, "write_text", lambda _, text, **__: written.append(text))
    laboratory._wait_for_hosts(lab | {"known_hosts": "k", "ssh_config": "c"}, [Busy("", "ssh-ed25519 AAAA root@lab1")])
    assert written[0] == "[127.0.0.1]:1 ssh-ed25519 AAAA\n"
