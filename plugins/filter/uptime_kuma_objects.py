# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import uptime_kuma_objects

DOCUMENTATION = r"""
name: uptime_kuma_objects
short_description: What Uptime Kuma shall hold
version_added: 0.1.0
author: crowsnest contributors
positional: variables, secrets
description:
  - Gives monitors, notifications, maintenance windows, status pages and settings, as the module
    P(crowsnest.core.uptime_kuma#module) takes them, which masks what is secret in them.
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
"""

EXAMPLES = r"""
- name: Make Uptime Kuma hold what is declared
  crowsnest.core.uptime_kuma:
    monitors: "{{ (plan | crowsnest.core.uptime_kuma_objects(declaration, secrets)).monitors }}"
"""

RETURN = r"""
_value:
  description: Options of the module.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"uptime_kuma_objects": uptime_kuma_objects}
