# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the apps' databases answer what is asked for KPIs. Pure. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.crowsnest.core.plugins.module_utils.http import Answer, ServiceError
from ansible_collections.crowsnest.core.plugins.module_utils.paths import COMPOSE_COMMAND
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    WARN,
    Check,
    logs_of,
    runbook,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import Kpi

AREA = "KPIs"
# PostgreSQL's answers, each above the name of its KPI; an answer to the login has no name.
_REASONS = f"{COMPOSE_COMMAND} logs --no-log-prefix query_exporter | grep -E '^sqlalchemy|-- KPI' | tail"
# PromQL: a series for each KPI whose last answer still counts. How long one counts is known after a minute.
_ANSWER = 'query_timestamp{job="query_exporter"}'
ANSWERED_KPIS = f"{_ANSWER} unless (time() - {_ANSWER} > app_kpi:patience:seconds)"
# The exporter asks for each KPI when it starts; what fails then is asked again after the KPI's own interval, which may
# be days: waiting longer than this is of no use.
_FIRST_ANSWER_SECONDS = 60


def kpi_checks(wanted: Sequence[Kpi], answer: Answer, age_seconds: float) -> list[Check]:
    """One line per KPI that cannot be read. `age_seconds` of the configuration of Prometheus: KPIs are part of it."""
    if not wanted:
        return []
    if isinstance(answer, ServiceError):
        return [Check(FAIL, AREA, f"Prometheus refuses the query: {answer}", logs_of("prometheus"))]
    found = {(sample.labels["app"], sample.labels["kpi"]) for sample in answer}
    unread = [kpi for kpi in wanted if (kpi["app"], kpi["kpi"]) not in found]
    read = len(wanted) - len(unread)
    checks = [_unread(kpi, soon=age_seconds < _FIRST_ANSWER_SECONDS) for kpi in unread]
    return [*checks, Check(PASS, AREA, f"{read} of {len(wanted)} can be read")] if read else checks


def _unread(kpi: Kpi, *, soon: bool) -> Check:
    name = f"{kpi['app']}: {kpi['kpi']}"
    return Check(
        WARN,
        AREA,
        f"{name} cannot be read",
        f"PostgreSQL's answer, on the server: `{_REASONS}`. {runbook('KpiUnreadable')}",
        soon=soon,
        kind="KPIs cannot be read",
        name=name,
    )
