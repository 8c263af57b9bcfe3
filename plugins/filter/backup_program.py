# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import backup_program

DOCUMENTATION = r"""
name: backup_program
short_description: What a host gets of the program that makes backups
version_added: 0.1.0
author: crowsnest contributors
positional: host, found
description:
  - Gives the files, the settings and the secrets of C(crowsnest-backup) on a host, as the module
    P(crowsnest.core.config_directory#module) takes them, and what is left to do to start it.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  host:
    description: Inventory name of the host.
    type: str
    required: true
  found:
    description: The facts of the host, see P(crowsnest.core.host_facts#module).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which files are left to write
  ansible.builtin.debug:
    msg: "{{ (context | crowsnest.core.backup_program(inventory_hostname, host)).starters | map(attribute='path') }}"
"""

RETURN = r"""
_value:
  description:
    - C(path), C(files) and C(secrets) of the module; C(release) is what the fact C(configurations) says of a host that
      holds all this already. C(starters), a list of C(path), C(text) and C(mode), and C(packages) are what is left to
      do. On a host that makes no backup and never did, C(release) and both lists are empty.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"backup_program": backup_program}
