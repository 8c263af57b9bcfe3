# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a running service uses the configuration that is in force. Python 3.9, standard library."""

from __future__ import annotations

import re
from pathlib import Path

_METRIC = re.compile(r"^\w+_config_last_reload_(successful|success_timestamp_seconds) (\S+)$", re.MULTILINE)


def needs_reload(metrics: str, in_force_since: float) -> bool:
    """Whether a service with these metrics runs with an older configuration, or failed to load the newest one."""
    values = {name: float(value) for name, value in _METRIC.findall(metrics)}
    return values.get("successful", 1.0) != 1.0 or values.get("success_timestamp_seconds", 0.0) < in_force_since


def in_force_since(path: str) -> float:
    """When `current` was last swapped, in seconds since 1970; 0 where there is no configuration yet."""
    link = Path(path, "current")
    return link.lstat().st_mtime if link.is_symlink() else 0.0
