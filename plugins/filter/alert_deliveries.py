# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import alert_deliveries

DOCUMENTATION = r"""
name: alert_deliveries
short_description: Which deliveries an alert of each severity makes
version_added: 0.1.0
author: crowsnest contributors
description:
  - Counts the declared receivers per severity and kind.
options:
  _input:
    description: All variables C(crowsnest_*) of the inventory.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Send test alerts
  crowsnest.core.alertmanager_test_alerts:
    url: http://127.0.0.1:9093
    deliveries: "{{ declaration | crowsnest.core.alert_deliveries }}"
    log_command: [docker, logs, crowsnest-alertmanager-1, --since]
"""

RETURN = r"""
_value:
  description: Severity to kind of receiver to number of receivers.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"alert_deliveries": alert_deliveries}
