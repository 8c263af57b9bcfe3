# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Certificates for servers on loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path) -> Path:
    """A file with a key and its certificate for 127.0.0.1."""
    path = folder / "certificate.pem"
    words = ["-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", "/CN=loopback"]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *words, *name, "-keyout", str(path), "-out", str(folder / "public.pem")]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "public.pem").read_text())
    return path
