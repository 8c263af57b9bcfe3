# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Loads what every task needs before Ansible forks."""

from __future__ import annotations

import functools
import gc
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.executor import module_common
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import (
    action_loader,
    become_loader,
    connection_loader,
    filter_loader,
    lookup_loader,
    module_loader,
    shell_loader,
    test_loader,
)

# Ansible runs each task in a fork of itself. What is imported here is loaded in all of them.
from ansible_collections.crowsnest.core.plugins.plugin_utils import facts_to_read as facts_to_read
from ansible_collections.crowsnest.core.plugins.plugin_utils import filters as filters

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Loads once what every task would load
version_added: 0.1.0
author: crowsnest contributors
description:
  - Prints nothing. Without it each task that uses a filter of this collection spends 0.35 s on loading it, each task
    0.03 s on Ansible's own filters and tests, and each module 0.1 s on parsing what Ansible ships with all modules.
"""

_PLUGINS = {
    action_loader: ["normal", "debug", "assert", "set_fact", "copy", "fail"],
    become_loader: ["sudo"],
    connection_loader: ["ssh", "local"],
    lookup_loader: ["vars", "varnames", "env", "file"],
    shell_loader: ["sh"],
}


def load_plugins() -> None:
    """Ansible's own plugins that the roles use."""
    for loader in (filter_loader, test_loader):
        list(loader.all())
    for loader, names in _PLUGINS.items():
        for name in names:
            loader.get(f"ansible.builtin.{name}", class_only=True)


def parse_module_library() -> None:
    """Keeps the syntax trees of the 50 files that Ansible ships with every module; the module `ping` needs no others.

    Ansible has no public API for this. A version without these functions packs its modules as usual.
    """
    names = ("_compile_module_ast", "recursive_finder", "_builder")
    parse, pack, builder = (getattr(module_common, name, None) for name in names)
    if not (parse and pack and builder):
        return
    module_common._compile_module_ast = functools.lru_cache(maxsize=None)(parse)
    path = module_loader.find_plugin("ansible.builtin.ping")
    with zipfile.ZipFile(io.BytesIO(), "w") as package:
        now, extensions = datetime.now(UTC), builder.ExtensionManager()
        pack("ping", "ansible.modules.ping", Path(path).read_bytes(), package, now, extensions)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Fills what all tasks inherit from this process."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "crowsnest.core.preload"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """By now the folders of a playbook's own plugins are known."""
        load_plugins()
        parse_module_library()
        gc.freeze()  # the forks need not look through all this for garbage, which would also copy it

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Python looks for garbage once more when it ends: half a second for what ends with it anyway."""
        gc.freeze()
