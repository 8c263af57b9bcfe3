# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import host_program

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
  context:
    description:
      - The plan and the declaration of this run, as the text C(context) of the plan, for a program whose settings are
        made of them.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say what is left to do
  ansible.builtin.debug:
    msg: "{{ name | crowsnest.core.host_program(host.service_manager, host.files, host.units, settings, '') }}"
"""

RETURN = r"""
_value:
  description:
    - C(todo), the file of tasks of the role host_program that does it, empty when all is done.
    - C(files) that are missing or differ, path to text; the C(directory) of the program; C(packages) to install;
      C(timers) to start, or to stop, name to path; paths that are C(gone) when the program is no longer declared.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"host_program": host_program}
