# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import alert_texts

DOCUMENTATION = r"""
name: alert_texts
short_description: What a test alert of each severity says
version_added: 0.1.0
author: crowsnest contributors
description:
  - Annotations of test alerts in the declared language.
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
    texts: "{{ declaration | crowsnest.core.alert_texts }}"
    log_command: [docker, logs, crowsnest-alertmanager-1, --since]
"""

RETURN = r"""
_value:
  description: Severity to annotation to text.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"alert_texts": alert_texts}
