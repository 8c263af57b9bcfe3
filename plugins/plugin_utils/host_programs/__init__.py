# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Native programs that a timer or a line for cron starts: the only list of them."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.container_metrics import CONTAINER_METRICS
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.definition import HostProgram
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.updates import UPDATES
from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.weekly_report import WEEKLY_REPORT

HOST_PROGRAMS: dict[str, HostProgram] = {
    program.name: program for program in (CONTAINER_METRICS, WEEKLY_REPORT, UPDATES)
}
