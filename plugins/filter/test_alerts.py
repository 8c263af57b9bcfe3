# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import test_alerts

DOCUMENTATION = r"""
name: test_alerts
short_description: What a test of the alerting path sends, and what must arrive
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives the options of the module P(crowsnest.core.alertmanager_test_alerts#module) from the declaration alone, so
    that the test needs no plan.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Send test alerts and watch their delivery
  crowsnest.core.alertmanager_test_alerts:
    url: "{{ (declaration | crowsnest.core.test_alerts).url }}"
"""

RETURN = r"""
_value:
  description: C(url), C(deliveries), C(texts), C(environment) and the C(container).
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"test_alerts": test_alerts}
