# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import uptime_kuma_files

DOCUMENTATION = r"""
name: uptime_kuma_files
short_description: The files of Uptime Kuma
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the compose fragment. Everything else in Uptime Kuma is made through its API.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the compose fragment of Uptime Kuma
  crowsnest.core.config_directory:
    path: /opt/crowsnest/uptime_kuma
    files: "{{ plan | crowsnest.core.uptime_kuma_files }}"
"""

RETURN = r"""
_value:
  description: Relative path to text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"uptime_kuma_files": uptime_kuma_files}
