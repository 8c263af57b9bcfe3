# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import missing_secrets

DOCUMENTATION = r"""
name: missing_secrets
short_description: Secrets that planned services need and that do not exist yet
version_added: 0.1.0
author: crowsnest contributors
description:
  - Passwords and keys that are neither declared nor in the folder of generated ones.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what has to be made
  ansible.builtin.debug:
    msg: "{{ context | crowsnest.core.missing_secrets | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: C(name), C(service), and in C(data) the folder of what is lost without the first one.
  type: list
  elements: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"missing_secrets": missing_secrets}
