# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import delivery_report

DOCUMENTATION = r"""
name: delivery_report
short_description: Deliveries as lines of text
version_added: 0.1.0
author: crowsnest contributors
description:
  - Reports for each severity and kind of receiver what was delivered, and the text of a refusal.
options:
  _input:
    description: The C(deliveries) returned by M(crowsnest.core.alertmanager_test_alerts).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what arrived
  ansible.builtin.debug:
    msg: "{{ test.deliveries | crowsnest.core.delivery_report }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"delivery_report": delivery_report}
