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


def command(lab: dict[str, Any], host: dict[str, Any], words: list[str]) -> list[str]:
    """The ssh command that runs `words` on a host of the lab."""
    options = [
        f"UserKnownHostsFile={lab['known_hosts']}",
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "ConnectTimeout=5",
    ]
    flags = [part for option in options for part in ("-o", option)]
    return [
        "ssh",
        "-i",
        lab["ssh_key"],
        *flags,
        "-p",
        str(host["ssh_port"]),
        f"{lab['ssh_user']}@127.0.0.1",
        "--",
        *words,
    ]
