# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import alertmanager_secrets

DOCUMENTATION = r"""
name: alertmanager_secrets
short_description: The secret files of Alertmanager
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives every webhook, password and key of the receivers a file of its own.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the configuration
  crowsnest.core.config_directory:
    path: /opt/crowsnest/alertmanager
    secrets: "{{ declaration | crowsnest.core.alertmanager_secrets }}"
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
        return {"alertmanager_secrets": alertmanager_secrets}
