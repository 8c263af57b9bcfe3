# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import metabase_objects

DOCUMENTATION = r"""
name: metabase_objects
short_description: What Metabase shall hold
version_added: 0.1.0
author: crowsnest contributors
positional: variables, secrets, inventory_dir
description:
  - Gives people, databases, collections, questions, dashboards and subscriptions, as the module
    P(crowsnest.core.metabase#module) takes them, which masks what is secret in them.
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
  inventory_dir:
    description: Folder of the inventory, where relative paths of SQL files start.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Make Metabase hold what is declared
  crowsnest.core.metabase:
    questions: "{{ (plan | crowsnest.core.metabase_objects(declaration, secrets, inventory_dir)).questions }}"
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
        return {"metabase_objects": metabase_objects}
