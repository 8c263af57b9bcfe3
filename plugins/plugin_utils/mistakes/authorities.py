# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the files of certificates (`ca_file`) that apps name on the machine that runs crowsnest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import entries, entry, mapping, shown

_CERTIFICATES = re.compile(r"\s*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+", re.ASCII)


def authority_mistakes(apps: Any, inventory_dir: str) -> Iterator[str]:
    """One line per `ca_file` that cannot be read, or holds something else than certificates."""
    for index, app in enumerate(entries(apps)):
        pages = entries(mapping(app).get("metrics"))
        places = {f"metrics[{position}]": page for position, page in enumerate(pages)}
        for name, place in {**places, "redis": mapping(app).get("redis")}.items():
            if isinstance(path := mapping(place).get("ca_file"), str):
                where = f"{entry('crowsnest_apps', index, app, 'name')}.{name}.ca_file: {shown(path)}"
                yield from _file_mistakes(where, Path(inventory_dir) / path)


def _file_mistakes(where: str, path: Path) -> Iterator[str]:
    try:
        text = path.read_text()
    except OSError as error:
        yield f"{where}: {error.strerror}. Relative paths start at the inventory's folder."
        return
    except ValueError:  # not text
        text = ""
    if not _CERTIFICATES.fullmatch(text):
        # A private key in it would be shown in a diff.
        yield f"{where} holds something else. Allowed: certificates as PEM only, from BEGIN to END CERTIFICATE."
