# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import service_objects

DOCUMENTATION = r"""
name: service_objects
short_description: What a service must hold that is configured through its API
version_added: 0.1.0
author: crowsnest contributors
positional: name
description:
  - Gives the options of the module that uses its API, which masks what is secret in them.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  name:
    description: Name of the container, such as C(prometheus).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Apply the declaration to Metabase
  crowsnest.core.metabase:
    questions: "{{ (context | crowsnest.core.service_objects('metabase')).questions }}"
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
        return {"service_objects": service_objects}
