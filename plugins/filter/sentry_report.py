# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import sentry_report

DOCUMENTATION = r"""
name: sentry_report
short_description: Shows what became of test events
version_added: 0.1.0
author: crowsnest contributors
description:
  - Makes one line of text of each event.
options:
  _input:
    description: The events that the module M(crowsnest.core.sentry_test) returns.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what arrived
  ansible.builtin.debug:
    msg: "{{ sent.events | crowsnest.core.sentry_report }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"sentry_report": sentry_report}
