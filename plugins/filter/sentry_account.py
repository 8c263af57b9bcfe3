# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import sentry_account

DOCUMENTATION = r"""
name: sentry_account
short_description: The projects that must be in an account of Sentry
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the options of the module M(crowsnest.core.sentry) for the apps that have no DSN of their own.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show which projects are made
  ansible.builtin.debug:
    msg: "{{ (context | crowsnest.core.sentry_account).projects | map(attribute='name') }}"
"""

RETURN = r"""
_value:
  description: The options; C(file) for the answer, and C(kept), what it holds. Empty when no project is made.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"sentry_account": sentry_account}
