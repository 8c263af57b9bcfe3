# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Names of files: `{database}_{environment}_{timestamp}.sql.gz`, and what is known from one."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from urllib.parse import quote

# UTC, so that names sort by time, also across summer time.
_STAMP = "%Y%m%d_%H%M%S"
DUMP, ARCHIVE, MANIFEST, ROLES, ENCRYPTED = ".sql.gz", ".tar.gz", ".json", ".roles.sql", ".age"
# A file that is being written; whatever ends so at the next start is swept away.
PARTIAL = ".partial"


def encoded(name: str) -> str:
    """A database's name as part of a file name: letters, digits, dot and dash stay, all else is =HH of its UTF-8.

    The % of percent-encoding would end a line of crontab(5) and be decoded in a URL.
    """
    return quote(name, safe="").replace("_", "%5F").replace("~", "%7E").replace("%", "=")


def stem(what: str, environment: str, at: datetime) -> str:
    """`shop_production_20261128_030000`: the name without its ending."""
    return f"{encoded(what)}_{environment}_{at.astimezone(timezone.utc).strftime(_STAMP)}"


def time_of(name: str, what: str, environment: str) -> datetime | None:
    """When a file of exactly this database and environment was begun, from its stem; None for any other name."""
    start = re.escape(f"{encoded(what)}_{environment}_")
    found = re.fullmatch(start + r"(\d{8}_\d{6})", name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
