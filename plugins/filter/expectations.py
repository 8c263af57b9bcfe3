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
positional: hostvars, limited
description:
  - Gives the option C(expected) of the module P(crowsnest.core.verify#module). Everything is derived with the functions
    that make the configuration, so the two cannot differ.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  hostvars:
    description: The variable C(hostvars) of Ansible; a host that did not answer has no C(preflight_look).
    type: dict
    required: true
  limited:
    description: C(--limit) left out hosts, so that a host without facts is not a fault.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check whether everything is as declared
  crowsnest.core.verify:
    expected: "{{ context | crowsnest.core.expectations(hostvars) }}"
"""

RETURN = r"""
_value:
  description: What the module compares with.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"expectations": expectations}
