# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A host's firewall, changed so that nobody is locked out. Python 3.9, standard library, nft and systemd.

New rules are tried with a timer that takes them back. Only after somebody has logged in under them are they kept: the
timer is stopped, and the file is written that is loaded when the host starts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.crowsnest.core.plugins.module_utils.files import put_file

TABLE = ("inet", "crowsnest")
ROLLBACK = "crowsnest-firewall-rollback"
UNIT = "crowsnest-firewall.service"
# Docker must not publish a port before.
_UNIT_TEXT = """\
[Unit]
Description=Closes all ports that crowsnest_open_ports does not name
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target docker.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {rules}

[Install]
WantedBy=sysinit.target
"""
# So that the connection over which this runs is known before it is judged: where nothing has asked for the state of
# connections before, the kernel does not follow them, and a running one would look like a new one.
_WOKEN = """\
table inet crowsnest_woken
delete table inet crowsnest_woken
table inet crowsnest_woken {
  chain seen {
    type filter hook prerouting priority -150; policy accept;
    ct state established,related accept
  }
}
"""


class FirewallError(Exception):
    """The rules cannot be loaded; the text has nft's own words."""


class Firewall:
    """The firewall of this host. `folder` holds its files."""

    def __init__(self, folder: Path, units: Path = Path("/etc/systemd/system")) -> None:
        self.folder, self.unit = folder, units / UNIT
        self.rules, self.listed = folder / "rules.nft", folder / "rules.listed"
        self.new, self.new_listed, self.before = folder / "new.nft", folder / "new.listed", folder / "before.nft"

    def holds(self, ruleset: str) -> bool:
        """Whether these rules are in force as they were loaded, and will be after a start of the host."""
        unit = _text(self.unit) == _UNIT_TEXT.format(rules=self.rules)
        return unit and _text(self.rules) == ruleset and bool(now := listing()) and _text(self.listed) == now

    def kept(self) -> str:
        """The rules that are loaded when the host starts."""
        return _text(self.rules)

    def in_force(self) -> str:
        """These, if they are in force now, too; else empty."""
        kept = self.kept()
        return kept if self.holds(kept) else ""

    def attempt(self, ruleset: str, seconds: int) -> None:
        """Load these rules; those before come back after so many seconds. Raises FirewallError."""
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        put_file(self.new, ruleset.encode(), 0o600)
        _run("nft", "-c", "-f", str(self.new))
        family, name = TABLE
        gone = f"table {family} {name}\ndelete table {family} {name}\n"
        put_file(self.before, (gone + listing("table", *TABLE)).encode(), 0o600)
        _run("nft", "-f", "-", stdin=_WOKEN)
        self._disarm()
        _run(
            "systemd-run", "--quiet", f"--unit={ROLLBACK}", f"--on-active={seconds}", "--timer-property=AccuracySec=1s",
            "/usr/sbin/nft", "-f", str(self.before),
        )  # fmt: skip
        _run("nft", "-f", str(self.new))
        _run("nft", "delete", "table", "inet", "crowsnest_woken")
        put_file(self.new_listed, listing().encode(), 0o600)

    def keep(self, ruleset: str) -> None:
        """These rules stay, also after a start of the host. Raises FirewallError where they are no longer in force."""
        self._disarm()
        now = listing()
        if _text(self.new) != ruleset or not now or now != _text(self.new_listed):
            raise FirewallError("The new rules are not in force any more: no new login came in time. Run it again.")
        put_file(self.listed, now.encode(), 0o600)
        put_file(self.unit, _UNIT_TEXT.format(rules=self.rules).encode(), 0o644)
        put_file(self.rules, ruleset.encode(), 0o600)
        _run("systemctl", "daemon-reload")
        _run("systemctl", "enable", "--quiet", UNIT)

    def remove(self) -> None:
        """Remove our rules, and what loads them when the host starts."""
        self._disarm()
        if self.unit.exists():
            _run("systemctl", "disable", "--quiet", UNIT)
            self.unit.unlink()
            _run("systemctl", "daemon-reload")
        if listing():
            _run("nft", "delete", "table", *TABLE)
        for path in (self.rules, self.listed, self.new, self.new_listed, self.before):
            path.unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Whether anything is left to remove."""
        return self.unit.exists() or self.rules.exists() or bool(listing())

    def _disarm(self) -> None:
        subprocess.run(["systemctl", "stop", f"{ROLLBACK}.timer"], capture_output=True, check=False)


def listing(*what: str) -> str:
    """The rules in force as nft lists them, empty without any; without what changes by itself, such as counters."""
    words = what or ("chain", *TABLE, "before_dnat")
    try:
        done = subprocess.run(["nft", "-s", "list", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _run(*words: str, stdin: str | None = None) -> None:
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise FirewallError(f"There is no program {words[0]} on this host.") from None
    if done.returncode:
        raise FirewallError(f"{words[0]}: {' '.join(done.stderr.split())}")
