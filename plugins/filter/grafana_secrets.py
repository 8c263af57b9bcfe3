# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import grafana_secrets

DOCUMENTATION = r"""
name: grafana_secrets
short_description: The secret files of Grafana
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the password of the user admin, the key that encrypts Grafana's database, and the password of the e-mail
    server a file each.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
  admin_password:
    description: Password of the user admin.
    type: str
    required: true
  secret_key:
    description: Key with which Grafana encrypts what is secret in its database.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write the configuration
  crowsnest.core.config_directory:
    path: /opt/crowsnest/grafana
    secrets: "{{ declaration | crowsnest.core.grafana_secrets(admin_password, secret_key) }}"
"""

RETURN = r"""
_value:
  description: Relative path to secret text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"grafana_secrets": grafana_secrets}
