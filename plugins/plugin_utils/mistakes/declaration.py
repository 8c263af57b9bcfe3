# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake of a declaration at once, each as one sentence: where, what is there, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.app_files import app_file_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.authorities import authority_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.backup import backup_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.business import business_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.door import door_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import entries
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.references import (
    alert_mistakes,
    app_mistakes,
    history_mistakes,
    receiver_mistakes,
    report_mistakes,
    service_mistakes,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.rules import own_rule_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.sentences import value_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.sentry import check_in_mistakes, sentry_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.uptime import uptime_mistakes


def declaration_mistakes(
    variables: Mapping[str, Any], groups: Mapping[str, Sequence[str]], inventory_dir: str
) -> list[str]:
    """One line per mistake in `{"crowsnest_apps": …, …}`; empty when all is well.

    `groups` is Ansible's `groups`: {group name: [inventory host names]}; relative paths start at `inventory_dir`.
    """
    disabled = variables.get("crowsnest_disabled_alerts")
    lines = [
        *value_mistakes(variables),
        *app_mistakes(variables.get("crowsnest_apps"), groups),
        *authority_mistakes(variables.get("crowsnest_apps"), inventory_dir),
        *service_mistakes(variables),
        *history_mistakes(variables),
        *alert_mistakes(disabled),
        *receiver_mistakes(variables.get("crowsnest_receivers")),
        *report_mistakes(variables),
        *uptime_mistakes(variables),
        *own_rule_mistakes(entries(variables.get("crowsnest_rule_files")), entries(disabled), inventory_dir),
        *business_mistakes(variables, groups, inventory_dir),
        *backup_mistakes(variables),
        *app_file_mistakes(variables, groups),
        *sentry_mistakes(variables),
        *check_in_mistakes(variables),
        *door_mistakes(variables),
    ]
    return [" ".join(line.splitlines()) for line in lines]
