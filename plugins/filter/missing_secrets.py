# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import missing_secrets

DOCUMENTATION = r"""
name: missing_secrets
short_description: The secrets that planned services need and nobody gave
version_added: 0.1.0
author: crowsnest contributors
positional: secrets
description:
  - Names each with its service and the folder of its data, in which the secret may be needed already.
options:
  _input:
    description: The plan, as made by the filter P(crowsnest.core.plan#filter).
    type: dict
    required: true
  secrets:
    description: Secrets by name, as given by the filter P(crowsnest.core.generated_secrets#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which secrets are missing
  ansible.builtin.debug:
    msg: "{{ plan | crowsnest.core.missing_secrets(secrets) | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: One mapping per secret, with name, service and data.
  type: list
  elements: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"missing_secrets": missing_secrets}
