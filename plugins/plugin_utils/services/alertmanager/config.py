# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""alertmanager.yml and its secret files as pure functions of the declaration.

The texts of messages are in messages.py, what each kind of receiver needs is in integrations.py.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import (
    HEARTBEAT_ALERT,
    NOTICE_ALERT,
    REPORT_ALERT,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    SEVERITIES,
    Receiver,
    Severity,
    SlackReceiver,
    SnsReceiver,
    at_once,
    later,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import days_of, duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.integrations import (
    integration_name,
    integrations,
    secret_file,
    secret_files,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.maintenance import (
    muted,
    time_intervals,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.alertmanagers import ESCALATION_LABEL
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rules import (
    OWN_LABEL,
    OWN_VALUE,
    stepped_alerts,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.reporting import (
    HEARTBEAT_KEY,
    push_url,
)

# What is promised per severity: critical at once, high within 1 hour, medium within 4 hours, low in office hours.
# wait: time to gather alerts of a group; interval: time until its changes are sent; repeat: for what keeps firing.
PROMISES: dict[Severity, dict[str, str]] = {
    "critical": {"group_wait": "10s", "group_interval": "15s", "repeat_interval": "10m"},
    "high": {"group_wait": "1m", "group_interval": "5m", "repeat_interval": "1h"},
    "medium": {"group_wait": "5m", "group_interval": "15m", "repeat_interval": "4h"},
    "low": {"group_wait": "5m", "group_interval": "30m", "repeat_interval": "24h"},
}


def alertmanager_config(context: Context) -> dict[str, Any]:
    """alertmanager.yml: https://prometheus.io/docs/alerting/latest/configuration/"""
    declaration, language = context.declaration, context.declaration.language
    return {
        "global": {"resolve_timeout": "5m"},
        "templates": [f"{CONFIG_IN_CONTAINER}/templates/*.tmpl"],
        "route": _route(declaration),
        "inhibit_rules": _inhibit_rules(),
        "time_intervals": [
            _office_hours(declaration),
            *time_intervals(declaration.maintenance, declaration.timezone),
        ],
        "receivers": [
            *({"name": name, **integrations(told, language)} for name, told in _told(declaration).items()),
            {"name": "heartbeat", **_heartbeat(context)},
            {"name": "notice", **integrations(_told_of_successes(declaration), language, ends=False)},
            {"name": "report", **integrations(told_weekly(declaration), language, brief=True, ends=False)},
        ],
    }


def alertmanager_secrets(context: Context) -> dict[str, str]:
    """{"secrets/slack_webhook_url": …}: every secret as a file below the configuration."""
    declaration = context.declaration
    files = secret_files(declaration.receivers)
    if declaration.heartbeat_url:
        files["secrets/heartbeat"] = declaration.heartbeat_url.get_secret_value()
    if "uptime_kuma" in context.services:
        files["secrets/heartbeat_uptime_kuma"] = push_url(context, HEARTBEAT_KEY)
    return files


def deliveries(declaration: Declaration) -> dict[str, dict[str, int]]:
    """{receiver of Alertmanager: {integration: how many}}, such as {"critical": {"slack": 1, "email": 1}}."""
    return {name: dict(Counter(map(integration_name, told))) for name, told in _told(declaration).items()}


def receivers_by_integration(declaration: Declaration) -> dict[str, list[str]]:
    """{integration of Alertmanager: names of the receivers that use it}."""
    names: dict[str, list[str]] = {}
    for receiver in declaration.receivers:
        names.setdefault(integration_name(receiver), []).append(receiver_name(receiver))
    return names


def slack_bots(declaration: Declaration) -> dict[str, str]:
    """{receiver: file with the token of its bot}."""
    bots = [item for item in declaration.receivers if isinstance(item, SlackReceiver) and item.bot_token]
    return {receiver_name(bot): secret_file(bot, "bot_token") for bot in bots}


def _route(declaration: Declaration) -> dict[str, Any]:
    """A team's own alerts without a known severity are routed as `high`: nothing gets lost.

    Alerts of different names are never one group: Prometheus repeats the end of each for 15 minutes, once a minute, and
    each change of what has ended sends the whole group again.
    """
    return {
        "receiver": "high",
        "group_by": ["alertname", "app", "host", "environment"],
        **_promise("high", declaration),
        "routes": [
            {
                "matchers": [f'alertname="{HEARTBEAT_ALERT}"'],
                "receiver": "heartbeat",
                "group_wait": "0s",
                "group_interval": "1m",
                "repeat_interval": "50s",  # as long as the interval it would just miss every second beat
            },
            {
                "matchers": ['test="true"'],
                "group_by": ["..."],
                "group_wait": "1s",
                "routes": [route for severity in SEVERITIES for route in _test_routes(severity, declaration)],
            },
            # At any hour, once: each is over long before it would be repeated.
            *(
                {
                    "matchers": [f'alertname="{alert}"', _OWN],
                    "receiver": receiver,
                    "group_by": ["..."],
                    "group_wait": "1s",
                    "repeat_interval": "24h",
                }
                for alert, receiver in ((NOTICE_ALERT, "notice"), (REPORT_ALERT, "report"))
            ),
            *_severity_routes(declaration),
        ],
    }


def _severity_routes(declaration: Declaration) -> list[dict[str, Any]]:
    return [
        *(route for severity in SEVERITIES for route in _escalations(severity, declaration)),
        *(_severity_route(severity, declaration) for severity in SEVERITIES),
        *([{"receiver": "high", **_muted("high", declaration)}] if declaration.maintenance else []),
    ]


def _severity_route(severity: Severity, declaration: Declaration) -> dict[str, Any]:
    route = {"matchers": [f'severity="{severity}"'], "receiver": severity, **_promise(severity, declaration)}
    return {**route, **_hours(severity), **_muted(severity, declaration)}


def _escalations(severity: Severity, declaration: Declaration) -> list[dict[str, Any]]:
    """The ways of the copies that Prometheus marks to the receivers with `after`: as the usual way, with that wait.

    It counts from the begin of the alert, even if Alertmanager was started since.
    """
    usual = _severity_route(severity, declaration)
    # What has no known severity is routed as `high`.
    known = "|".join(name for name in SEVERITIES if name != "high")
    matchers = [_ESCALATION, f'severity!~"{known}"' if severity == "high" else f'severity="{severity}"']
    return _all_of(
        [
            {**usual, "matchers": matchers, "receiver": _receiver_later(severity, after), "group_wait": after}
            for after in later(declaration.receivers, severity)
        ]
    )


def _test_routes(severity: Severity, declaration: Declaration) -> list[dict[str, Any]]:
    """A test alert comes at once, also to those who get an alert later."""
    names = [severity, *(_receiver_later(severity, after) for after in later(declaration.receivers, severity))]
    return _all_of([{"matchers": [f'severity="{severity}"'], "receiver": name} for name in names])


def _all_of(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An alert goes all of these ways, and none after them."""
    return [*({**route, "continue": True} for route in routes[:-1]), *routes[-1:]]


def _hours(severity: Severity) -> dict[str, list[str]]:
    return {"active_time_intervals": ["office-hours"]} if severity == "low" else {}


def _muted(severity: Severity, declaration: Declaration) -> dict[str, Any]:
    """Maintenance windows: those for everything on the route itself, those for apps on a route for each app.

    A route below another one takes over its times of grouping, not the hours in which it is active.
    """
    windows = declaration.maintenance
    apps = dict.fromkeys(app for window in windows for app in window.apps)
    routes = [
        {"matchers": [f'app="{app}"'], **_hours(severity), "mute_time_intervals": muted(windows, app)} for app in apps
    ]
    everything = muted(windows)
    return {
        **({"mute_time_intervals": everything} if everything else {}),
        **({"routes": routes} if routes else {}),
    }


def _promise(severity: Severity, declaration: Declaration) -> dict[str, str]:
    promise = PROMISES[severity]
    return promise | {
        "repeat_interval": max(promise["repeat_interval"], declaration.repeat_after, key=duration_seconds)
    }


_ESCALATION = f'{ESCALATION_LABEL}="true"'
# What Prometheus gives to crowsnest's own alerts only.
_OWN = f'{OWN_LABEL}="{OWN_VALUE}"'
# Every label that tells one thing from another on `stepped_alerts`. One that neither of two alerts has counts as equal.
_THING = (
    *("alertname", "environment", "app", "host", "instance", "job"),
    *("database", "device", "fstype", "mountpoint", "monitor_name", "monitor_type"),
)


def _inhibit_rules() -> list[dict[str, Any]]:
    """Which alerts are silent while others fire: the same alert on the same thing at a higher severity, and no others.

    The lower condition holds whenever the higher one does, so the lower alert cannot end first: of one that ends while
    it is inhibited nobody is ever told the end. Effects wait for their causes in the rules instead (causes.py).
    A source must have the label that has to be equal: where both lack it, everything would be the same thing.
    """
    stepped = f'alertname=~"{"|".join(stepped_alerts())}"'
    return [
        {
            "source_matchers": [_OWN, stepped, f'severity="{severity}"'],
            "target_matchers": [_OWN, stepped, f'severity=~"{"|".join(SEVERITIES[rank + 1 :])}"'],
            "equal": list(_THING),
        }
        for rank, severity in enumerate(SEVERITIES[:-1])
    ]


def _office_hours(declaration: Declaration) -> dict[str, Any]:
    hours = declaration.office_hours
    interval = {
        "weekdays": days_of(hours.weekdays),
        "times": [{"start_time": hours.start, "end_time": hours.end}],
        "location": declaration.timezone,
    }
    return {"name": "office-hours", "time_intervals": [interval]}


def _heartbeat(context: Context) -> dict[str, Any]:
    """To an outside service, which notices when the server is down, and to Uptime Kuma, which notices the rest."""
    files = ["heartbeat"] if context.declaration.heartbeat_url else []
    files += ["heartbeat_uptime_kuma"] if "uptime_kuma" in context.services else []
    webhooks = [{"url_file": f"{CONFIG_IN_CONTAINER}/secrets/{name}", "send_resolved": False} for name in files]
    return {"webhook_configs": webhooks} if webhooks else {}


def _told(declaration: Declaration) -> dict[str, list[Receiver]]:
    """{receiver of Alertmanager: those that it stands for}: a severity, and for those with `after` one beside it."""
    told = {}
    for severity in SEVERITIES:
        told[str(severity)] = at_once(declaration.receivers, severity)
        for after, receivers in later(declaration.receivers, severity).items():
            told[_receiver_later(severity, after)] = receivers
    return told


def _receiver_later(severity: Severity, after: str) -> str:
    return f"{severity}_after_{after}"


def _told_of_successes(declaration: Declaration) -> list[Receiver]:
    """Those that get even alerts of severity low, and that people read when they like."""
    return [receiver for receiver in at_once(declaration.receivers, "low") if receiver.read]


def told_weekly(declaration: Declaration) -> list[Receiver]:
    """Those that get the weekly message: those that are told of successes, and SNS if it gets alerts of severity low.

    When it comes is declared, and a phone shows its first line.
    """
    return [item for item in at_once(declaration.receivers, "low") if item.read or isinstance(item, SnsReceiver)]
