# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import verify_report

DOCUMENTATION = r"""
name: verify_report
short_description: A verification as lines of text
version_added: 0.1.0
author: crowsnest contributors
description:
  - One line per check, what failed first, each followed by what to do about it.
options:
  _input:
    description: The C(report) returned by M(crowsnest.core.verify).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Report
  ansible.builtin.debug:
    msg: "{{ verification.report | crowsnest.core.verify_report }}"
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
        return {"verify_report": verify_report}
