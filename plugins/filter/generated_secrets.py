# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import generated_secrets

DOCUMENTATION = r"""
name: generated_secrets
short_description: The secrets that were made once
version_added: 0.1.0
author: crowsnest contributors
positional: variables
description:
  - Gives passwords and keys of the services by name, the declared one or the one in the folder. Those that are nowhere
    are left out.
options:
  _input:
    description: Folder of the generated secrets.
    type: str
    required: true
  variables:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which secrets there are
  ansible.builtin.debug:
    msg: "{{ (inventory_dir ~ '/secrets') | crowsnest.core.generated_secrets(declaration) | list }}"
"""

RETURN = r"""
_value:
  description: Name to secret text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"generated_secrets": generated_secrets}
