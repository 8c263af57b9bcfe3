# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Slack catcher on the first host of a lab: a service that plays Slack on the loopback, as https://slack.com too.

Whoever posts there has to trust its certificate. It is for slack.com and its own authority, so nothing else is trusted
by that, and a checkout has one. The host has it among its authorities, and an image that posts gets one more layer.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lab import image_build, state
from lab.engine import Client
from lab.host_container import archive, output
from lab.progress import LabError, step

PROGRAM = state.LAB_FILES / "slack_catcher"
SERVICE = "slack-catcher.service"
# The folder of this checkout's certificate; no lab can have this name.
SLACK = "slack.com"
# Services whose images post to Slack.
POSTING = {"alertmanager", "uptime_kuma"}
# Go reads every file of this folder; Node reads the one that the variable names.
TRUST = f"""ARG BASE
FROM ${{BASE}}
COPY {SLACK}.crt /etc/ssl/certs/
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/{SLACK}.crt
"""
_making = Lock()  # images are built several at once


def certificate() -> tuple[str, str]:
    """(certificate, key) of slack.com in PEM, made on first use."""
    path = state.directory(SLACK) / "certificate_and_key.pem"
    with _making:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = path.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text("".join(_make_certificate()), encoding="ascii")
            new.replace(path)
    public, end, private = path.read_text(encoding="ascii").partition("-----END CERTIFICATE-----\n")
    return public + end, private


def _make_certificate() -> tuple[str, str]:
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{SLACK} of a laboratory")])
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SLACK)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


def trusting(client: Client, service: str, provide: Callable[[], str]) -> str:
    """Name of the image that `provide` gives for a service; one that posts trusts the lab's slack.com."""
    image = provide()
    if service not in POSTING:
        return image
    with TemporaryDirectory() as folder:
        for name, text in {"Dockerfile": TRUST, f"{SLACK}.crt": certificate()[0]}.items():
            path = Path(folder, name)
            path.write_text(text, encoding="ascii")
            path.chmod(0o644)  # the image's user reads it
        return image_build.build(client, f"{service}-slack", Path(folder), image)


def install(container: Client) -> None:
    """Put the present version of the catcher on the host and (re)start it when it changed."""
    public, private = certificate()
    files = {f"opt/slack-catcher/{path.name}": path.read_text(encoding="utf-8") for path in PROGRAM.glob("*.py")}
    files[f"opt/slack-catcher/{SLACK}.pem"] = public + private  # trusted by nobody but this lab: it needs no hiding
    files[f"usr/local/share/ca-certificates/{SLACK}.crt"] = public
    present = output(container, ["cat", *(f"/{path}" for path in files)])
    if present == (0, "".join(files.values()).strip()):
        return
    with step("Installing the Slack catcher"):
        container.put_archive("/", archive({path: (text, 0o644) for path, text in files.items()}))
        for command in (["update-ca-certificates"], ["systemctl", "restart", SERVICE]):
            code, words = output(container, command)
            if code != 0:
                raise LabError(
                    f"The Slack catcher does not start ({words}): see `exec NAME -- journalctl -u {SERVICE}`."
                )
