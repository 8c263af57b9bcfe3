# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import secret_files

DOCUMENTATION = r"""
name: secret_files
short_description: The secret files of all services
version_added: 0.1.0
author: crowsnest contributors
positional: variables, secrets
description:
  - Gives each planned service the files with its secrets, below its configuration.
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
- name: Write the configuration of Grafana
  crowsnest.core.config_directory:
    path: /opt/crowsnest/grafana
    secrets: "{{ (plan | crowsnest.core.secret_files(declaration, secrets)).grafana }}"
"""

RETURN = r"""
_value:
  description: Service to relative path to secret text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"secret_files": secret_files}
