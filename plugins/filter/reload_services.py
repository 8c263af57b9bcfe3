# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import reload_services

DOCUMENTATION = r"""
name: reload_services
short_description: Where services are reloaded
version_added: 0.1.0
author: crowsnest contributors
description:
  - Names the address and the configuration directory of each service of the plan.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Reload what runs with an older configuration
  crowsnest.core.service_reload:
    services: "{{ plan | crowsnest.core.reload_services }}"
"""

RETURN = r"""
_value:
  description: Name to C(url) and C(path).
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"reload_services": reload_services}
