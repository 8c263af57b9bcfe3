# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Certificates for servers on loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path, name: str = "IP:127.0.0.1") -> Path:
    """A file with a key and its certificate, which is for `name` and its own authority; it lies in public.pem, too."""
    path = folder / "certificate.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(path)]
    public = ["-days", "2", "-subj", "/CN=loopback", "-addext", f"subjectAltName={name}"]
    command = ["openssl", "req", "-x509", *key, *public, "-out", str(folder / "public.pem")]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "public.pem").read_text())
    return path
