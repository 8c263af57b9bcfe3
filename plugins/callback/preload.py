# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Loads the generators before Ansible forks."""

from __future__ import annotations

from ansible.plugins.callback import CallbackBase

# Ansible runs each task in a fork of itself. What is imported here is there in all of them.
from ansible_collections.crowsnest.core.plugins.plugin_utils import facts_to_read as facts_to_read
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters as filters

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Loads the generators once, and not in every task
version_added: 0.1.0
author: crowsnest contributors
description:
  - Says nothing. Without it each task that uses a filter of this collection spends 0.35 s on loading it.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Only there so that this file is imported."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "crowsnest.core.preload"
    CALLBACK_NEEDS_ENABLED = True
