# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import reader_outcome

DOCUMENTATION = r"""
name: database_reader_outcome
short_description: The outcome of the tasks of the role database_reader
version_added: 0.1.0
author: crowsnest contributors
positional: asked, made, granted, asked_again
description:
  - Turns PostgreSQL's answers to the tasks of the role C(database_reader) into sentences for people.
options:
  _input:
    description: The variable C(database_reader_databases).
    type: list
    elements: dict
    required: true
  asked:
    description: Results of querying each database as its reader.
    type: list
    elements: dict
    required: true
  made:
    description: Results of making the reader; empty where none was made.
    type: list
    elements: dict
    default: []
  granted:
    description: Results of giving it its privileges.
    type: list
    elements: dict
    default: []
  asked_again:
    description: Results of querying again.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Keep what is wrong for the end of the run
  ansible.builtin.set_fact:
    report: "{{ databases | crowsnest.core.database_reader_outcome(asked, made, granted, asked_again) }}"
"""

RETURN = r"""
_value:
  description:
    - C(unready), names of readers that are not as declared; C(logged_in), C(made) and C(granted), names of those for
      which the database did what the step requested.
    - C(failed) and C(notes), each a list of C(app) and C(message). Notes name what every role may do in a database.
  type: dict
"""


class FilterModule:
    """Gives the filter its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters of this file."""
        return {"database_reader_outcome": reader_outcome}
