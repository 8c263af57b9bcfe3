# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import backup_call

DOCUMENTATION = r"""
name: backup_call
short_description: On which hosts a backup is made
version_added: 0.1.0
author: crowsnest contributors
positional: server, job
description:
  - Names the hosts on which C(crowsnest-backup) knows a backup, from the declaration alone.
options:
  _input:
    description: The variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  server:
    description: Inventory name of the server.
    type: str
    required: true
  job:
    description: Name of an app, C(stack), or an empty text for all backups.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where the shop is backed up
  ansible.builtin.debug:
    msg: "{{ (variables | crowsnest.core.backup_call('web1', 'shop')).hosts }}"
"""

RETURN = r"""
_value:
  description: C(hosts), and C(mistake), which says why there is no such backup; it is empty where there is one.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"backup_call": backup_call}
