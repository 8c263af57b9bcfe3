# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import service_directory

DOCUMENTATION = r"""
name: service_directory
short_description: The configuration of a service
version_added: 0.1.0
author: crowsnest contributors
positional: name
description:
  - Gives its files, its secret files and whose they are, as the module P(crowsnest.core.config_directory#module) takes
    them.
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
- name: Write the configuration of Prometheus
  crowsnest.core.config_directory:
    path: "{{ __prometheus.path }}"
    files: "{{ __prometheus.files }}"
  vars:
    __prometheus: "{{ context | crowsnest.core.service_directory('prometheus') }}"
"""

RETURN = r"""
_value:
  description:
    - Options of the module, and C(image), whose program is the one that validates. C(release) is what the fact
      C(configurations) of P(crowsnest.core.host_facts#module) says of a host that holds all this already.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"service_directory": service_directory}
