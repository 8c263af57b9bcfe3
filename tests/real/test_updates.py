# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the real apt, unattended-upgrade and needrestart make of our files, on a host below a folder of the test.

Their packages are unpacked there, not installed: this machine shall not begin to upgrade itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lab import shell

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt, as the hosts have it")
PYTHON = "/usr/bin/python3"  # which has the modules of apt
PACKAGES = ("unattended-upgrades", "python3-distro-info", "needrestart")
# {archive: (its Release file, names of the packages for which it has version 2)}
SECURITY = {
    "debian": "Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: bookworm-security\n",
    "ubuntu": "Origin: Ubuntu\nLabel: Ubuntu\nSuite: noble-security\nCodename: noble\n",
}
ORDINARY = {
    "debian": "Origin: Debian\nLabel: Debian\nSuite: stable\nCodename: bookworm\n",
    "ubuntu": "Origin: Ubuntu\nLabel: Ubuntu\nSuite: noble-updates\nCodename: noble\n",
}
DOCKERS = "Origin: Docker\nLabel: Docker CE\nSuite: bookworm\nCodename: bookworm\n"
LEFT_ALONE = ("docker.io", "docker-ce-cli", "containerd", "containerd.io", "runc", "moby-engine", "kept")
# What a team may have allowed before, in the files of the distribution.
TEAM = """\
APT::Periodic::Enable "0";
APT::Periodic::Unattended-Upgrade "0";
Unattended-Upgrade::Allowed-Origins { "Docker:bookworm"; "Debian:stable"; "Ubuntu:noble-updates"; };
Unattended-Upgrade::Origins-Pattern { "origin=*"; };
Unattended-Upgrade::Package-Blacklist { "kept"; };
Unattended-Upgrade::Automatic-Reboot "true";
"""


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files of the packages."""
    folder = tmp_path_factory.mktemp("packages")
    if subprocess.run([PYTHON, "-c", "import apt, apt_inst"], capture_output=True, check=False).returncode:
        shell.install(["python3-apt"], "Python's apt")
    download = ["apt-get", "download", *PACKAGES]
    if subprocess.run(download, cwd=folder, capture_output=True, check=False).returncode:
        shell.run(shell.as_root(["apt-get", "update"]), 300)  # its lists are old, or there are none
        subprocess.run(download, cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "all"], check=True)
    return folder / "all"


# The program as a module, so that it takes another root than this machine's.
UNATTENDED_UPGRADE = """
import importlib.machinery, importlib.util, sys
loader = importlib.machinery.SourceFileLoader("unattended_upgrade", sys.argv[1])
program = importlib.util.module_from_spec(importlib.util.spec_from_loader("unattended_upgrade", loader))
loader.exec_module(program)
program.LOCK_FILE = sys.argv[2] + "/lock"
options = program.Options()
options.dry_run = options.verbose = options.debug = True
sys.exit(program.main(options, sys.argv[2]))
"""


class Host:
    """One of Debian or Ubuntu, whose files are below a folder."""

    def __init__(self, root: Path, unpacked: Path, system: str) -> None:
        self.root, self.unpacked = root, unpacked
        self.settings, self.sources = root / "etc/apt/apt.conf.d", root / "etc/apt/sources.list"
        self.periodic, self.status = root / "var/lib/apt/periodic", root / "var/lib/dpkg/status"
        own = ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/unattended-upgrades")
        more = ("var/lib/apt/periodic", "var/lib/dpkg/updates", "etc/apt/apt.conf.d", "usr/bin", "bin")
        for folder in (*own, *more):
            (root / folder).mkdir(parents=True)
        (root / "usr/bin/dpkg").symlink_to("/usr/bin/dpkg")
        name, code = {"debian": ("Debian", "bookworm"), "ubuntu": ("Ubuntu", "noble")}[system]
        (root / "bin/lsb_release").write_text(f'#!/bin/sh\ncase "$1" in -c) echo {code};; *) echo {name};; esac\n')
        (root / "bin/lsb_release").chmod(0o755)
        self.sources.touch()
        self.status.touch()
        (root / "apt.conf").write_text(f'Dir "{root}/";\nDir::State::status "{self.status}";\n')
        (self.settings / "10test").write_text('APT::Architecture "amd64";\nAPT::Sandbox::User "root";\n')
        (self.settings / "50unattended-upgrades").write_text(TEAM)
        ours = (FILES / "updates/apt.conf").read_text().replace("/var/lib/apt/periodic", str(self.periodic))
        (self.settings / "52crowsnest-updates").write_text(ours)

    def archive(self, name: str, release: str, *packages: str) -> None:
        """Packages of version 2 in an archive; version 1 of them is installed."""
        place = self.root / "archives" / name
        place.mkdir(parents=True)
        entries = [_package(place, package) for package in packages]
        (place / "Packages").write_text("\n".join(entries))
        digest = shell_out("sha256sum", str(place / "Packages")).split()[0]
        size = (place / "Packages").stat().st_size
        (place / "Release").write_text(f"{release}SHA256:\n {digest} {size} Packages\n")
        with self.sources.open("a") as sources:
            sources.write(f"deb [trusted=yes] file:{place} ./\n")
        with self.status.open("a") as status:
            status.writelines(_installed(package) for package in packages)

    def run(self, *words: str) -> str:
        environment = os.environ | {
            "APT_CONFIG": str(self.root / "apt.conf"),
            "PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(self.unpacked / "usr/lib/python3/dist-packages"),
            "LC_ALL": "C",
        }
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def upgraded(self) -> set[str]:
        """What unattended-upgrade would install."""
        program = str(self.unpacked / "usr/bin/unattended-upgrade")
        said = self.run(PYTHON, "-c", UNATTENDED_UPGRADE, program, str(self.root))
        found = re.search(r"Packages that will be upgraded: (.*)", said)
        return set(found[1].split()) if found else set()


def shell_out(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _fields(name: str, version: int) -> str:
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Lab <lab@example.com>\nDescription: x\n"
    )


def _installed(name: str) -> str:
    return _fields(name, 1) + "Status: install ok installed\n\n"


def _package(place: Path, name: str) -> str:
    control = place / name / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(_fields(name, 2))
    file = place / f"{name}.deb"
    subprocess.run(["dpkg-deb", "-b", place / name, file], check=True, capture_output=True)
    digest = shell_out("sha256sum", str(file)).split()[0]
    return f"{_fields(name, 2)}Filename: ./{name}.deb\nSize: {file.stat().st_size}\nSHA256: {digest}\n"


@pytest.mark.parametrize("system", ["debian", "ubuntu"])
def test_only_security_updates_are_installed_and_none_of_docker(tmp_path: Path, unpacked: Path, system: str) -> None:
    host = Host(tmp_path, unpacked, system)
    host.archive("security", SECURITY[system], "openssl", "runc-tools", *LEFT_ALONE)
    host.archive("ordinary", ORDINARY[system], "vim")
    host.archive("docker", DOCKERS, "docker-ce")
    host.archive("team", "Origin: Shop\nLabel: Debian-Security\nSuite: shop\nCodename: bookworm-security\n", "shop")
    host.run("apt-get", "update")
    assert host.upgraded() == {"openssl", "runc-tools"}
    # Without our file the team's own allows everything: the test can fail.
    (host.settings / "52crowsnest-updates").unlink()
    assert {"vim", "docker-ce", "shop", "docker.io"} <= host.upgraded()


def test_the_program_counts_what_waits_with_what_is_left_alone(tmp_path: Path, unpacked: Path) -> None:
    host = Host(tmp_path, unpacked, "debian")
    host.archive("security", SECURITY["debian"], "openssl", "docker.io")
    host.archive("ordinary", ORDINARY["debian"], "vim")
    host.run("apt-get", "update")
    host.run(PYTHON, str(FILES / "updates/updates.py"), str(tmp_path))
    assert "\ncrowsnest_security_updates_waiting 2\n" in (tmp_path / "crowsnest-updates.prom").read_text()


def test_apt_runs_it_daily_and_reboots_nothing(tmp_path: Path, unpacked: Path) -> None:
    host = Host(tmp_path, unpacked, "debian")
    names = ("Enable", "Update-Package-Lists", "Unattended-Upgrade")
    said = host.run("apt-config", "dump", "APT::Periodic")
    assert all(f'APT::Periodic::{name} "1";' in said for name in names)
    assert 'Unattended-Upgrade::Automatic-Reboot "false";' in host.run("apt-config", "dump", "Unattended-Upgrade")


def test_the_lists_have_a_stamp_only_if_a_server_answered(tmp_path: Path, unpacked: Path) -> None:
    """The exit code of `apt-get update` says nothing: it is 0 with old lists as well."""
    host = Host(tmp_path, unpacked, "debian")
    stamp = host.periodic / "update-success-stamp"
    host.sources.write_text("deb [trusted=yes] http://127.0.0.1:9/debian bookworm main\n")
    host.run("apt-get", "update")
    assert not stamp.exists()
    host.sources.write_text("")
    host.archive("security", SECURITY["debian"], "openssl")
    host.run("apt-get", "update")
    assert stamp.exists()


def test_needrestart_restarts_what_an_update_touched_but_not_docker(unpacked: Path) -> None:
    """Its own rule for services, with its own settings and ours after them."""
    program = (unpacked / "usr/sbin/needrestart").read_text()
    assert "foreach my $re (keys %{$nrconf{override_rc}})" in program
    rule = """
        our %nrconf; our $LOGPREF = ""; my $own = pop @ARGV; my $theirs = pop @ARGV;
        foreach my $file ($theirs, $own) { eval do { local(@ARGV, $/) = $file; <>}; die $@ if $@ }
        foreach my $rc (qw(nginx.service docker.service docker.socket containerd.service)) {
            my $restart = 1;
            foreach my $re (keys %{$nrconf{override_rc}}) {
                next unless($rc =~ /$re/);
                $restart = $nrconf{override_rc}->{$re}; last;
            }
            print "$rc " if $restart;
        }"""
    theirs, own = unpacked / "etc/needrestart/needrestart.conf", FILES / "updates/needrestart.conf"
    assert shell_out("perl", "-e", rule, str(theirs), str(own)) == "nginx.service "
    assert "containerd.service" in shell_out("perl", "-e", rule, str(theirs), os.devnull)
