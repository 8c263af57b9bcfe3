# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.host_programs.work import host_program

DOCUMENTATION = r"""
name: host_program
short_description: What is left to do for a native program on a host
version_added: 0.1.0
author: crowsnest contributors
description:
  - Compares a native program, its units or its line for cron with what is on a host.
options:
  _input:
    description: Name of the program, such as V(container_metrics).
    type: str
    required: true
  service_manager:
    description: The fact C(service_manager) of the host, see M(crowsnest.core.host_facts).
    type: str
    required: true
  files:
    description: The fact C(files) of the host.
    type: dict
    required: true
  units:
    description: The fact C(units) of the host.
    type: dict
    required: true
  settings:
    description: What the program must know, C(textfile_directory), the folder in which node exporter looks for files.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is left to do
  ansible.builtin.debug:
    msg: "{{ name | crowsnest.core.host_program(host.service_manager, host.files, host.units, settings) }}"
"""

RETURN = r"""
_value:
  description:
    - C(files) that are missing or differ, path to text; the C(directory) of the program; C(timers) to start, name to
      path. All is done when C(files) and C(timers) are empty.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"host_program": host_program}
