# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the program of files/updates says of a host. What apt and unattended-upgrades make of our files: tests/real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "files/updates/updates.py"
# As apt 2.6 says it.
SIMULATED = """\
Inst libgcrypt20 [1.10.1-3] (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])
Inst bash [5.2.15-2+b8] (5.2.15-2+b13 Debian:12.15/oldstable [amd64])
Inst openssl [3.0.13-0ubuntu3] (3.0.13-0ubuntu3.4 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64]) []
Inst linux-image-6.1.0-40 (6.1.153-1 Debian-Security:12/oldstable-security [amd64])
Inst shop-security [1] (2 Shop:1/stable [all])
Conf libgcrypt20 (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])
"""


class Host:
    """A host below a folder, with an apt-get that says what it is told to say."""

    def __init__(self, folder: Path) -> None:
        self.root, self.metrics, self.bin = folder / "root", folder / "metrics", folder / "bin"
        for path in (self.root, self.metrics, self.bin):
            path.mkdir()
        self.apt("")
        self.file("etc/apt/apt.conf.d/52crowsnest-updates", 1000)

    def apt(self, text: str, status: int = 0, error: str = "") -> None:
        script = self.bin / "apt-get"
        script.write_text(f"#!/bin/sh\necho '{error}' >&2\ncat <<'END'\n{text}END\nexit {status}\n")
        script.chmod(0o755)

    def file(self, name: str, changed: float, text: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (changed, changed))

    def run(self) -> subprocess.CompletedProcess[str]:
        command = ["/usr/bin/python3", str(PROGRAM), str(self.metrics), "--root", str(self.root)]
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def values(self) -> dict[str, str]:
        """{series: value} after a run."""
        assert self.run().returncode == 0
        text = (self.metrics / "crowsnest-updates.prom").read_text()
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


SINCE = "crowsnest_reboot_required_timestamp_seconds"
SUCCESS, WAITING = "crowsnest_updates_last_success_timestamp_seconds", "crowsnest_security_updates_waiting"


def test_a_reboot_is_due_since_the_first_package_asked_and_until_the_flag_is_gone(host: Host) -> None:
    assert host.values()[SINCE] == "0"
    host.file("run/reboot-required", 5000)
    assert host.values()[SINCE] == "5000"
    host.file("run/reboot-required", 9000)  # another package asks
    assert host.values()[SINCE] == "5000"
    (host.root / "run/reboot-required").unlink()  # as the start of a host does
    assert host.values()[SINCE] == "0"
    host.file("run/reboot-required", 12000)
    assert host.values()[SINCE] == "12000"


def test_packages_are_named_without_their_versions_and_once(host: Host) -> None:
    asked = 'linux-image-6.1.0-40-cloud-amd64\nlinux-image-6.1.0-41-cloud-amd64\nlibc6\nlinux-base\nlibc6\n-1\nx"y\n'
    host.file("run/reboot-required.pkgs", 5000, asked)
    named = [series for series in host.values() if series.startswith("crowsnest_reboot_required_by_info")]
    packages = ("libc6", "linux-base", "linux-image", "xy")
    assert named == [f'crowsnest_reboot_required_by_info{{package="{package}"}}' for package in packages]


def test_security_updates_are_counted_and_nothing_else(host: Host) -> None:
    host.apt(SIMULATED)
    assert host.values()[WAITING] == "3"


def test_what_apt_cannot_say_is_left_out_and_told_to_the_journal(host: Host) -> None:
    host.file("run/reboot-required", 5000)
    host.apt("", status=100, error="E: dpkg was interrupted")
    done = host.run()
    assert (done.returncode, done.stderr) == (1, "updates: apt-get cannot say what waits: E: dpkg was interrupted\n")
    text = (host.metrics / "crowsnest-updates.prom").read_text()
    assert f"\n{SINCE} 5000\n" in text and f"\n{WAITING} " not in text


LISTS, UPGRADE = "var/lib/apt/periodic/update-success-stamp", "var/lib/apt/periodic/upgrade-stamp"


@pytest.mark.parametrize(
    ("stamps", "success"),
    [
        ({}, "1000"),  # declared at 1000, and nothing has worked yet
        ({LISTS: 900, UPGRADE: 800}, "1000"),
        ({LISTS: 5000}, "1000"),
        ({UPGRADE: 5000}, "1000"),
        ({LISTS: 3000, UPGRADE: 5000}, "3000"),
        ({LISTS: 5000, UPGRADE: 3000}, "3000"),
    ],
)
def test_success_is_when_lists_and_updates_both_worked(host: Host, stamps: dict[str, float], success: str) -> None:
    for name, changed in stamps.items():
        host.file(name, changed)
    assert host.values()[SUCCESS] == success


def test_node_exporter_may_read_the_file(host: Host) -> None:
    host.values()
    (path,) = host.metrics.iterdir()
    assert path.stat().st_mode & 0o777 == 0o644
