# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import sentry_tests

DOCUMENTATION = r"""
name: sentry_tests
short_description: What the command sentry-test needs
version_added: 0.1.0
author: crowsnest contributors
positional: server, app, secrets_directory
description:
  - Gives the DSNs of the apps by host, and the account of Sentry if one is declared.
options:
  _input:
    description: All variables C(crowsnest_*).
    type: dict
    required: true
  server:
    description: Inventory name of the server.
    type: str
    required: true
  app:
    description: Name of an app; empty for all.
    type: str
    required: true
  secrets_directory:
    description: Folder of generated secrets, with the projects that were made.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show which hosts send a test event
  ansible.builtin.debug:
    msg: "{{ (declared | crowsnest.core.sentry_tests('web1', '', 'secrets')).hosts | list }}"
"""

RETURN = r"""
_value:
  description:
    - C(lookup) and C(environment) for the module M(crowsnest.core.sentry_test); C(hosts), DSNs by app by host;
      C(mistake), why there are none.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"sentry_tests": sentry_tests}
