# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import expectations

DOCUMENTATION = r"""
name: expectations
short_description: What must be true after a run
version_added: 0.1.0
author: crowsnest contributors
positional: variables, secrets, hostvars, inventory_dir, limited
description:
  - Makes of the plan what the module M(crowsnest.core.verify) compares with what runs. Holds no secrets.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  variables:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  secrets:
    description: Secrets by name, as given by the filter P(crowsnest.core.generated_secrets#filter).
    type: dict
    required: true
  hostvars:
    description: The variable C(hostvars) of Ansible; a host that did not answer has no C(preflight_look).
    type: dict
    required: true
  inventory_dir:
    description: Folder of the inventory, where relative paths of own rule files start.
    type: path
    required: true
  limited:
    description: The run was told to leave out hosts, so that a host without facts is no fault.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Ask whether everything is as declared
  crowsnest.core.verify:
    expected: "{{ plan | crowsnest.core.expectations(declaration, secrets, hostvars, inventory_dir) }}"
"""

RETURN = r"""
_value:
  description: Containers, digests of files, targets, rules, queries of panels, and checks already decided.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"expectations": expectations}
