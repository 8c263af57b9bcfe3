# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is read of a host before anything is decided: files and units whose state shows what is left to do.

A file that is right is not written again, a unit that runs is not started again, and what the last run put into force
is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.paths import (
    BACKUP_COMMAND,
    COMPOSE_FILE,
    NODE_EXPORTER_DEFAULTS,
    PLAN_FILE,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs import HOST_PROGRAMS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.backup import CRON_FILE
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.work import paths_of, units_of

EVERY_HOST_FILES = (NODE_EXPORTER_DEFAULTS, BACKUP_COMMAND, CRON_FILE)
SERVER_FILES = (
    COMPOSE_FILE,
    PLAN_FILE,
    *(path for program in HOST_PROGRAMS.values() for path in paths_of(program)),
)
SERVER_UNITS = tuple(unit for program in HOST_PROGRAMS.values() for unit in units_of(program))


def facts_to_read(groups: Sequence[str]) -> dict[str, list[str]]:
    """{"files", "units"} for the module `host_facts` on a host that is in these groups."""
    server = "server" in groups
    return {
        "files": [*EVERY_HOST_FILES, *(SERVER_FILES if server else ())],
        "units": list(SERVER_UNITS if server else ()),
    }
