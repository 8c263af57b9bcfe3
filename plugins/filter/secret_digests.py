# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import secret_digests

DOCUMENTATION = r"""
name: secret_digests
short_description: Digests of the secret files of all services
version_added: 0.1.0
author: crowsnest contributors
positional: variables, secrets
description:
  - Gives the SHA-256 digest of each secret file, with which P(crowsnest.core.verify#module) compares what is there.
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
- name: Ask whether everything is as declared
  crowsnest.core.verify:
    expected: "{{ plan | crowsnest.core.expectations(declaration, secrets, hostvars, inventory_dir) }}"
    secrets: "{{ plan | crowsnest.core.secret_digests(declaration, secrets) }}"
"""

RETURN = r"""
_value:
  description: Service to relative path to digest.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"secret_digests": secret_digests}
