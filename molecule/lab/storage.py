# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Object storage outside the hosts of a lab."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from pyrage import x25519

from lab.outside import Outside

STORAGE = Outside("storage", "object storage", port=4566, number=3, memory=512 * 1024 * 1024)
BUCKET = "offsite"
REGION = "ap-northeast-2"


def describe(offset: int, folder: Path) -> dict[str, Any]:
    """A remote for backups as an inventory declares it; the keys are accepted as any others are.

    The secret key of age stays in the lab's `folder` on this machine, as `age_identity`.
    """
    return {
        "endpoint_url": STORAGE.address(offset),
        "bucket": BUCKET,
        "region": REGION,
        "access_key": "laboratory",
        "secret_key": "not-a-secret",
        "encrypt_to": [_recipient(folder / "age_identity")],
    }


def _recipient(identity: Path) -> str:
    """The public key of an identity file, which is made on first use."""
    if not identity.exists():
        identity.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        identity.touch(mode=0o600)
        identity.write_text(f"{x25519.Identity.generate()}\n", encoding="ascii")
    return str(x25519.Identity.from_str(identity.read_text(encoding="ascii").strip()).to_public())


def has_bucket(url: str) -> bool:
    """Makes the bucket, which is no error where it exists; False while there is no answer."""
    request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 409
    except OSError:
        return False
