# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.inventory.manager import IGNORED

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory import guard

DOCUMENTATION = r"""
name: inventory_mistakes
short_description: What is wrong with the inventory
version_added: 0.1.0
author: crowsnest contributors
positional: hostvars, in_this_run, tags, sources
description:
  - One sentence for each mistake that would otherwise silently make a run do less than the inventory declares.
options:
  _input:
    description: Ansible's C(groups).
    type: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars). Their values are compared as they are written, no template is filled in.
    type: dict
    required: true
  in_this_run:
    description: The hosts that C(--limit) leaves.
    type: list
    elements: str
    required: true
  tags:
    description: Those of C(--tags) and C(--skip-tags); C(all) where neither was given.
    type: list
    elements: str
    required: true
  sources:
    description: Files and folders of the inventory, as C(-i) names them.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse an inventory that does not fit
  ansible.builtin.assert:
    that: mistakes | length == 0
    fail_msg: "{{ mistakes | join('\n') }}"
  vars:
    mistakes: >-
      {{ groups | crowsnest.core.inventory_mistakes(hostvars, ansible_play_hosts_all,
      ansible_run_tags + ansible_skip_tags, ansible_inventory_sources) }}
"""

RETURN = r"""
_value:
  description: Sentences; none when all is well.
  type: list
  elements: str
"""


def inventory_mistakes(
    groups: Mapping[str, Sequence[str]],
    hostvars: Any,
    in_this_run: Sequence[str],
    tags: Sequence[str],
    sources: Sequence[str],
) -> list[str]:
    """`inventory_guard.inventory_mistakes` with what Ansible knows of its hosts and of the names it reads."""
    variables = {name: hostvars.raw_get(name) for name in groups["all"]}
    return guard.inventory_mistakes(
        groups, variables, in_this_run, tags, sources, lambda name: not IGNORED.search(os.fsencode(name))
    )


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"inventory_mistakes": inventory_mistakes}
