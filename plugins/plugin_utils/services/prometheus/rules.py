# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Rule files of Prometheus: the static ones of files/rules, the per-app ones, and the team's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import NOTICE_ALERT
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Database
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.custom import CustomAlert, CustomMetric
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.kpis import Kpi
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.metrics import MetricsSource
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.redis import Redis
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.signals import Signals
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import static_rules, yaml_data, yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import units
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.sentry import told_by_sentry
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.anomaly_rules import anomaly_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.app_rules import app_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.budget_rules import budget_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.causes import (
    also,
    cause_series,
    waiting,
    waits,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.custom_rules import (
    custom_rules,
    kpi_rules,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.dependency_rules import (
    dependency_rules,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.deploys import (
    deploy_series,
    deployed,
    has_deploys,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.profiles import profile_files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import Language, recorded
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.signal_rules import signal_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.pushgateway.service import push_limits
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.queues import queue_limits

# Label that Prometheus gives to crowsnest's own alerts on their way to Alertmanager, and to no others. Only alerts that
# have it silence others: alerts of a team's rules or of other programs are never mistaken for crowsnest's.
OWN_LABEL, OWN_VALUE = "crowsnest_alert", "true"
# An app that gets every kind of alert.
EVERY_KIND = App(
    name="any",
    framework="django",
    metrics=[MetricsSource(address=":8000")],
    custom_metrics=[CustomMetric(name="campaigns", description="Campaigns", alert=CustomAlert(below=1))],
    database=Database(name="any"),
    redis=Redis(queues=["celery"]),
    kpis=[Kpi(name="orders", sql="SELECT 1 AS value", description="Orders", alert=CustomAlert(below=1))],
    slo=0.995,
    anomaly=True,
    signals=Signals(
        payment_up="payment_up",
        failed_payments="failed_payments_total",
        refunds="refunds_total",
        rate_limited="rate_limited_total",
        out_of_stock="out_of_stock",
    ),
)
# Of groups of rules. Series of what is usual change slowly.
_OPTIONS = {"anomaly": {"interval": "1m"}}


def rule_files(context: Context) -> dict[str, str]:
    """{"rules/host.yml": text, …}; a profile's recording rules only when an app uses that profile.

    The team's own files end with .yml whatever their names were, as prometheus.yml loads rules/*.yml.
    """
    declared = context.declaration
    groups = {name: file["groups"] for name, file in static_rules().items()}
    groups |= profile_files(app.framework for app in declared.apps)
    groups |= app_files(declared.apps, declared.language, told_by_sentry(context))
    groups["redis_exporter.yml"] = [queue_limits(context), *groups["redis_exporter.yml"]]
    groups["pushgateway.yml"] = [push_limits(context), *groups["pushgateway.yml"]]
    groups["containers.yml"] = [*groups["containers.yml"], deploy_series(context)]
    groups["backup.yml"] = [_declared_backups(context), *groups["backup.yml"]]
    groups["stack.yml"] = [*_declared_report(context), *groups["stack.yml"]]
    groups["causes.yml"] = cause_series(context)
    told_after = waits(group for entries in groups.values() for group in entries)
    return {
        **{
            f"rules/{name}": yaml_text({"groups": _finished(entries, context, told_after)})
            for name, entries in groups.items()
        },
        **{
            f"rules/own-{number}-{Path(path).stem}.yml": (context.inventory_dir / path).read_text()
            for number, path in enumerate(declared.rule_files, 1)
        },
    }


def app_files(apps: Sequence[App], language: Language, told: Collection[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """{"app.yml": groups, …} of what is made for each app, a group each; what no app has declared gets no file.

    `told` are names of the apps whose exceptions Sentry tells. The texts are without the runbook's address.
    """
    kinds: dict[str, Callable[[App, Language], list[dict[str, Any]]]] = {
        "app": lambda app, language: app_rules(app, language, app.name in told),
        "dependency": dependency_rules,
        "budget": budget_rules,
        "anomaly": anomaly_rules,
        "signals": signal_rules,
        "custom": custom_rules,
        "kpi": kpi_rules,
    }
    files = {
        f"{kind}.yml": [
            {"name": f"{kind}_{app.name}", **_OPTIONS.get(kind, {}), "rules": rules}
            for app in apps
            if (rules := make(app, language))
        ]
        for kind, make in kinds.items()
    }
    return {name: groups for name, groups in files.items() if groups or name == "app.yml"}


def rule_counts(files: Mapping[str, str]) -> dict[str, int]:
    """{file/group: number of its rules} of all rule files, such as {"host.yml/host_cpu": 2}.

    A group without rules, of which all alerts are disabled, counts as well: Prometheus lists it.
    """
    return {
        f"{Path(path).name}/{group['name']}": len(group.get("rules") or [])
        for path, text in files.items()
        if path.startswith("rules/")
        for group in yaml_data(text)["groups"]
    }


def _declared_backups(context: Context) -> dict[str, Any]:
    """Records how many backups are declared on each host, so that a host that makes none is noticed."""
    jobs = Counter(job.host for job in backup_jobs(context.declaration, context.server))
    rules = [
        recorded("backup:jobs:count", f"vector({count})", host=host, environment=context.declaration.environment)
        for host, count in jobs.items()
    ]
    return {"name": "backup_declared", "rules": rules}


def _declared_report(context: Context) -> list[dict[str, Any]]:
    """Records that a weekly message is declared, so that one that never comes is noticed."""
    if context.declaration.weekly_report is None:
        return []
    labels = {"host": context.server, "environment": context.declaration.environment}
    return [{"name": "stack_report_declared", "rules": [recorded("report:declared:info", "vector(1)", **labels)]}]


def _finished(
    groups: Sequence[Mapping[str, Any]], context: Context, told_after: Mapping[str, float]
) -> list[dict[str, Any]]:
    declared = context.declaration
    disabled = [*declared.disabled_alerts, *([] if declared.backup_notices else [NOTICE_ALERT])]
    deploying = [app.name for app in declared.apps if has_deploys(context, app)]
    return [
        {
            **group,
            "rules": [
                _rule(rule, declared, deploying, told_after)
                for rule in group["rules"]
                if rule.get("alert") not in disabled
            ],
        }
        for group in groups
    ]


def _rule(
    rule: Mapping[str, Any], declared: Declaration, deploying: Sequence[str], told_after: Mapping[str, float]
) -> dict[str, Any]:
    """The rule with its runbook, its texts in the declared language, and what was deployed before it began.

    `deploying` are the apps whose deploys are known; a rule for all apps has no label `app` of its own. `told_after` is
    what `waits` returns.
    """
    if "alert" not in rule:
        return dict(rule)
    texts = texts_in(declared.language, rule["annotations"])
    if declared.language == "ko":
        texts = {name: text.replace(_DURATION, _korean_duration()) for name, text in texts.items()}
    texts["runbook_url"] = declared.runbook(rule["alert"])
    if deploying and rule["labels"].get("app", deploying[0]) in deploying:
        texts["deployed"] = deployed(rule, declared.language)
    if failing := also(rule):
        texts["also"] = failing
    return {**waiting(rule, told_after), "annotations": texts}


def texts_in(language: Language, annotations: Mapping[str, str]) -> dict[str, str]:
    """The annotations of an alert in one language: in Korean `summary_ko`, where there is one, becomes `summary`."""
    texts = {name: text for name, text in annotations.items() if not name.endswith("_ko")}
    if language == "ko":
        return {name: annotations.get(f"{name}_ko", text) for name, text in texts.items()}
    return texts


# https://prometheus.io/docs/prometheus/latest/configuration/template_reference/#numbers
_DURATION = "humanizeDuration"


@cache
def _korean_duration() -> str:
    """What makes `1시간 2분 3초` of a number in a template; less than a second stays in `ms`."""
    words = [f'reReplaceAll "([0-9]){unit}\\\\b" "${{1}}{word}"' for unit, word in units("ko").items()]
    return " | ".join([_DURATION, *words])


def alert_names() -> list[str]:
    """Names of all alerts there are, for whatever app."""
    return sorted({str(rule["alert"]) for rule in _alerts()})


def stepped_alerts() -> list[str]:
    """Names of the alerts with several severities. Each severity includes the condition of the lower ones."""
    steps = Counter(name for name, _ in {(str(rule["alert"]), rule["labels"]["severity"]) for rule in _alerts()})
    return sorted(name for name, count in steps.items() if count > 1)


def _alerts() -> list[Mapping[str, Any]]:
    """All alerting rules there are, those of an app for one that has every kind."""
    static = [group for file in static_rules().values() for group in file["groups"]]
    per_app = [group for groups in app_files([EVERY_KIND], "en").values() for group in groups]
    return [rule for group in [*static, *per_app] for rule in group["rules"] if "alert" in rule]
