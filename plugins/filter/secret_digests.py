# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import secret_digests

DOCUMENTATION = r"""
name: secret_digests
short_description: Digests of all secret files
version_added: 0.1.0
author: crowsnest contributors
positional: variables, admin_password, secret_key
description:
  - Gives the SHA-256 digest of each secret file, so that the module M(crowsnest.core.verify) can compare it.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  variables:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  admin_password:
    description: Password of Grafana's user admin.
    type: str
    required: true
  secret_key:
    description: Key with which Grafana encrypts what is secret in its database.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Ask whether everything is as declared
  crowsnest.core.verify:
    expected: "{{ expected }}"
    secrets: "{{ plan | crowsnest.core.secret_digests(declaration, admin_password, secret_key) }}"
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
