# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import verify_secrets

DOCUMENTATION = r"""
name: verify_secrets
short_description: The secrets by which a run is verified
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives those options of the module P(crowsnest.core.verify#module) that are secrets, or come of them.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Check whether everything is as declared
  crowsnest.core.verify:
    secrets: "{{ (context | crowsnest.core.verify_secrets).secrets }}"
"""

RETURN = r"""
_value:
  description: The digests of C(secrets), the C(grafana_password) and the C(page_headers).
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"verify_secrets": verify_secrets}
