# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What Uptime Kuma watches and shows. Python 3.9, standard library."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError, fetch
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import FAIL, PASS, RUN_SITE, Check, some

# A label's value: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information
_NAMED = re.compile(r'^monitor_status\{.*?\bmonitor_name="((?:[^"\\]|\\.)*)"', re.MULTILINE)


def kuma_checks(url: str, metrics: str, monitors: Sequence[str], pages: Sequence[str]) -> list[Check]:
    """Every declared monitor reports a state, and everybody can read the status pages."""
    return [*monitor_checks(metrics, monitors), *(check for slug in pages for check in page_checks(url, slug))]


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape[1] == "n" else escape[1]


def monitor_checks(metrics: str, wanted: Sequence[str]) -> list[Check]:
    """`wanted` are the names of monitors that probe by themselves, so each has a state after its first check."""
    found = {re.sub(r"\\(.)", _unescaped, name) for name in _NAMED.findall(metrics)}
    missing = [name for name in wanted if name not in found]
    if missing:
        detail = f"{len(missing)} of {len(wanted)} declared monitors report no state: {some(missing)}"
        advice = f"{RUN_SITE} If that does not help: `sudo docker restart crowsnest-uptime_kuma-1` on the server."
        return [Check(FAIL, "uptime", detail, advice, soon=True)]
    return [Check(PASS, "uptime", f"{len(wanted)} of {len(wanted)} declared monitors report a state")]


def page_checks(url: str, slug: str) -> list[Check]:
    """One status page, without a login."""
    try:
        status, _ = fetch(f"{url}/api/status-page/{slug}")
    except NoAnswerError as error:
        detail, soon = f"status page {slug}: no answer ({error})", True
    else:
        if status == 200:
            return [Check(PASS, "uptime", f"status page {slug} can be read without a login")]
        detail, soon = f"status page {slug}: HTTP {status}", False
    return [Check(FAIL, "uptime", detail, RUN_SITE, soon, "status pages cannot be read", slug)]
