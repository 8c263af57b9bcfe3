# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""SSH to the hosts of a lab: a key of the lab's own, and the host keys pinned."""

from pathlib import Path
from typing import Any

from lab.shell import run

USER = "deploy"


def ensure_key(folder: Path) -> str:
    """The public key of the lab; made on first use as `id_ed25519` in the lab's state directory."""
    key = folder / "id_ed25519"
    if not key.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "crowsnest lab", "-f", str(key)])
    return key.with_suffix(".pub").read_text(encoding="utf-8")


def known_hosts_line(port: int, public_key: str) -> str:
    """Line of a known_hosts file for a host published on this machine's loopback."""
    kind, key = public_key.split()[:2]
    return f"[127.0.0.1]:{port} {kind} {key}\n"


def client_config(lab: dict[str, Any]) -> str:
    """A configuration for the ssh client in which the hosts of the lab have their names; ssh_config(5)."""
    hosts = [f"Host {host['name']}\n  Port {host['ssh_port']}\n" for host in lab["hosts"]]
    return "".join(hosts) + (
        "Host *\n"
        "  HostName 127.0.0.1\n"
        f"  User {lab['ssh_user']}\n"
        f'  IdentityFile "{lab["ssh_key"]}"\n'
        "  IdentitiesOnly yes\n"
        f'  UserKnownHostsFile "{lab["known_hosts"]}"\n'
        "  StrictHostKeyChecking yes\n"
        "  BatchMode yes\n"
        "  ConnectTimeout 5\n"
    )


def command(lab: dict[str, Any], host: dict[str, Any], words: list[str]) -> list[str]:
    """The ssh command that runs `words` on a host of the lab."""
    return ["ssh", "-F", lab["ssh_config"], host["name"], "--", *words]
