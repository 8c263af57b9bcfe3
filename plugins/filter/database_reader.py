# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import database_reader

DOCUMENTATION = r"""
name: database_reader
short_description: Which databases Metabase or an exporter may read, and as whom
version_added: 0.1.0
author: crowsnest contributors
description:
  - Gives options of the role C(database_reader). Passwords are among them.
options:
  _input:
    description: The text C(context) that the filter P(crowsnest.core.plan#filter) gives.
    type: str
    required: true
  service:
    description: Who reads, C(metabase) or C(postgres_exporter).
    type: str
    default: metabase
"""

EXAMPLES = r"""
- name: Show whose databases are read
  ansible.builtin.debug:
    msg: "{{ (context | crowsnest.core.database_reader).databases | map(attribute='app') }}"
"""

RETURN = r"""
_value:
  description: C(databases), one entry for each app that declares one, and the C(password) of the reader.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"database_reader": database_reader}
