# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""alertmanager.yml and its secret files as pure functions of the declaration. The texts of messages are in messages.py.

Secrets are never in alertmanager.yml: each is a file of its own that the configuration names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.slack import POST_MESSAGE
from ansible_collections.crowsnest.core.plugins.module_utils.verify.alerts import (
    HEARTBEAT_ALERT,
    NOTICE_ALERT,
    REPORT_ALERT,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import (
    SEVERITIES,
    DiscordReceiver,
    EmailReceiver,
    Receiver,
    Severity,
    SlackReceiver,
    SnsReceiver,
    WebhookReceiver,
    receiver_name,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import days_of, duration_seconds
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.maintenance import (
    muted,
    time_intervals,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.messages import buttons, text, title
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
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
_PROMISES: dict[Severity, dict[str, str]] = {
    "critical": {"group_wait": "10s", "group_interval": "15s", "repeat_interval": "10m"},
    "high": {"group_wait": "1m", "group_interval": "5m", "repeat_interval": "1h"},
    "medium": {"group_wait": "5m", "group_interval": "15m", "repeat_interval": "4h"},
    "low": {"group_wait": "5m", "group_interval": "30m", "repeat_interval": "24h"},
}


def alertmanager_config(context: Context) -> dict[str, Any]:
    """alertmanager.yml: https://prometheus.io/docs/alerting/latest/configuration/

    The server can never be down while it alerts, so HostDown of the server only means that its node exporter is down,
    and silences nothing.
    """
    declaration, language = context.declaration, context.declaration.language
    return {
        "global": {"resolve_timeout": "5m"},
        "templates": [f"{CONFIG_IN_CONTAINER}/templates/*.tmpl"],
        "route": _route(declaration),
        "inhibit_rules": _inhibit_rules(context.server),
        "time_intervals": [
            _office_hours(declaration),
            *time_intervals(declaration.maintenance, declaration.timezone),
        ],
        "receivers": [
            *(
                {"name": severity, **_integrations(_wanting(declaration, severity), language)}
                for severity in SEVERITIES
            ),
            {"name": "heartbeat", **_heartbeat(context)},
            {"name": "notice", **_integrations(_told_of_successes(declaration), language, ends=False)},
            {"name": "report", **_integrations(told_weekly(declaration), language, brief=True, ends=False)},
        ],
    }


def alertmanager_secrets(context: Context) -> dict[str, str]:
    """{"secrets/slack_webhook_url": …}: every secret of the receivers as a file below the configuration."""
    declaration = context.declaration
    files = {
        _secret_file(receiver, field): value.get_secret_value()
        for receiver in declaration.receivers
        if not isinstance(receiver, SnsReceiver)
        for field in receiver.secrets
        if (value := getattr(receiver, field)) is not None
    }
    if declaration.heartbeat_url:
        files["secrets/heartbeat"] = declaration.heartbeat_url.get_secret_value()
    if "uptime_kuma" in context.services:
        files["secrets/heartbeat_uptime_kuma"] = push_url(context, HEARTBEAT_KEY)
    profiles = [_aws_profile(receiver) for receiver in declaration.receivers if isinstance(receiver, SnsReceiver)]
    if any(profiles):
        files["secrets/aws_credentials"] = "".join(profiles)
    return files


def deliveries(declaration: Declaration) -> dict[str, dict[str, int]]:
    """{severity: {integration: receivers that get it}}, such as {"critical": {"slack": 1, "email": 1}}."""
    return {
        severity: dict(Counter(item.type for item in declaration.receivers if severity in item.severities))
        for severity in SEVERITIES
    }


def receivers_by_integration(declaration: Declaration) -> dict[str, list[str]]:
    """{integration of Alertmanager: names of the receivers that use it}."""
    names: dict[str, list[str]] = {}
    for receiver in declaration.receivers:
        names.setdefault(receiver.type, []).append(receiver_name(receiver))
    return names


def slack_bots(declaration: Declaration) -> dict[str, str]:
    """{receiver: file with the token of its bot}."""
    bots = [item for item in declaration.receivers if isinstance(item, SlackReceiver) and item.bot_token]
    return {receiver_name(bot): _secret_file(bot, "bot_token") for bot in bots}


def _route(declaration: Declaration) -> dict[str, Any]:
    """A team's own alerts without a known severity are routed as `high`: nothing gets lost."""
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
                "routes": [{"matchers": [f'severity="{name}"'], "receiver": name} for name in SEVERITIES],
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
            *(_severity_route(severity, declaration) for severity in SEVERITIES),
            *([{"receiver": "high", **_muted("high", declaration)}] if declaration.maintenance else []),
        ],
    }


def _severity_route(severity: Severity, declaration: Declaration) -> dict[str, Any]:
    route = {"matchers": [f'severity="{severity}"'], "receiver": severity, **_promise(severity, declaration)}
    return {**route, **_hours(severity), **_muted(severity, declaration)}


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
    promise = _PROMISES[severity]
    return promise | {
        "repeat_interval": max(promise["repeat_interval"], declaration.repeat_after, key=duration_seconds)
    }


# What Prometheus gives to crowsnest's own alerts only.
_OWN = f'{OWN_LABEL}="{OWN_VALUE}"'
# Every label that tells one thing from another on `stepped_alerts`. One that neither of two alerts has counts as equal.
_THING = (
    *("alertname", "environment", "app", "host", "instance", "job"),
    *("database", "device", "fstype", "mountpoint", "monitor_name", "monitor_type"),
)


def _inhibit_rules(server: str) -> list[dict[str, Any]]:
    """Which alerts are silent while others fire. Only crowsnest's own alerts silence others; Prometheus marks them.

    A source must have the label that has to be equal: where both lack it, everything would be the same thing.
    """
    own, stepped = _OWN, f'alertname=~"{"|".join(stepped_alerts())}"'
    return [
        # A host that is down silences what runs on it.
        {
            "source_matchers": [own, 'alertname="HostDown"', 'host!=""', f'host!="{server}"'],
            "target_matchers": ['alertname!="HostDown"'],
            "equal": ["host"],
        },
        # An app whose metrics cannot be read silences what is known from them. Not its probes and monitors: metrics may
        # be unreadable for days while users notice nothing, and then the app stops.
        {
            "source_matchers": [own, 'alertname="AppDown"', 'app!=""'],
            "target_matchers": [own, 'alertname=~"App.+"', 'alertname!="AppDown"'],
            "equal": ["app"],
        },
        # The alert on the killed container says more than the one on the host.
        {
            "source_matchers": [own, 'alertname="ContainerOutOfMemory"', 'host!=""'],
            "target_matchers": [own, 'alertname="HostOutOfMemoryKill"'],
            "equal": ["host"],
        },
        *_backup_inhibit_rules(),
        # The same alert on the same thing at a higher severity: the lower condition holds whenever the higher one does.
        *(
            {
                "source_matchers": [own, stepped, f'severity="{severity}"'],
                "target_matchers": [own, stepped, f'severity=~"{"|".join(SEVERITIES[rank + 1 :])}"'],
                "equal": list(_THING),
            }
            for rank, severity in enumerate(SEVERITIES[:-1])
        ),
    ]


def _backup_inhibit_rules() -> list[dict[str, Any]]:
    """Each fault of a backup is told once: by the alert that names its cause. HOST and APP must be those of both."""
    late, high, critical = 'alertname="BackupLate"', 'severity="high"', 'severity="critical"'
    job, host = ["host", "app"], ["host"]
    pairs: list[tuple[list[str], list[str], list[str]]] = [
        (['alertname="BackupFailed"'], [late, high], job),
        (
            ['alertname="BackupNotRunning"'],
            ['alertname=~"BackupLate|BackupDrillOverdue"', 'severity!="critical"'],
            host,
        ),
        ([late, critical], ['alertname="BackupFailed"'], job),
        ([late, critical], ['alertname="BackupNotRunning"'], host),
        (['alertname="BackupCorrupt"'], ['alertname="BackupDrillFailed"'], job),
    ]
    return [
        {
            "source_matchers": [_OWN, *source, *(f'{label}!=""' for label in equal)],
            "target_matchers": [_OWN, *target],
            "equal": equal,
        }
        for source, target, equal in pairs
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


def _wanting(declaration: Declaration, severity: Severity) -> list[Receiver]:
    return [receiver for receiver in declaration.receivers if severity in receiver.severities]


def _told_of_successes(declaration: Declaration) -> list[Receiver]:
    """Those that get even alerts of severity low, and that people read when they like.

    Not SNS, which may ring a phone at night, and not a webhook, behind which a pager may open an incident.
    """
    read = (SlackReceiver, DiscordReceiver, EmailReceiver)
    return [receiver for receiver in _wanting(declaration, "low") if isinstance(receiver, read)]


def told_weekly(declaration: Declaration) -> list[Receiver]:
    """Those that get the weekly message: those that are told of successes, and SNS if it gets alerts of severity low.

    When it comes is declared, and a phone shows its first line.
    """
    told = _told_of_successes(declaration)
    return [item for item in _wanting(declaration, "low") if item in told or isinstance(item, SnsReceiver)]


def _integrations(
    receivers: Iterable[Receiver], language: str, brief: bool = False, ends: bool = True
) -> dict[str, list[dict[str, Any]]]:
    """{"slack_configs": […], …} of the receivers. `brief`: SNS gets the title alone. Without `ends` it is news, each a
    message of its own that is never over.
    """
    integrations: dict[str, list[dict[str, Any]]] = {}
    for receiver in receivers:
        integration = _integration(receiver, language, brief, ends) | ({} if ends else {"send_resolved": False})
        integrations.setdefault(f"{receiver.type}_configs", []).append(integration)
    return integrations


def _integration(receiver: Receiver, language: str, brief: bool, ends: bool) -> dict[str, Any]:
    plain, body = title("plain"), text("plain")
    match receiver:
        case SlackReceiver():
            return _slack(receiver, language, ends)
        case DiscordReceiver():
            webhook = _secret_path(receiver, "webhook_url")
            texts = {"title": title("discord"), "message": text("discord")}
            return {"webhook_url_file": webhook, "send_resolved": True, **texts}
        case WebhookReceiver():
            return {"url_file": _secret_path(receiver, "url"), "send_resolved": True}
        case SnsReceiver():
            region = receiver.topic_arn.split(":")[3]
            profile = {"profile": receiver_name(receiver)} if receiver.access_key else {}
            return {
                "topic_arn": receiver.topic_arn,
                "sigv4": {"region": region, **profile},
                "subject": title("ascii"),
                "message": plain if brief else f"{plain}\n{body}",
            }
        case EmailReceiver():
            return _email(receiver, plain, body)


def _slack(receiver: SlackReceiver, language: str, ends: bool) -> dict[str, Any]:
    """A bot's messages are edited. Alertmanager does that with this address alone, and panics over `app_token` or a
    global `slack_api_url`: https://github.com/prometheus/alertmanager/issues/5164
    """
    if receiver.bot_token:
        credentials = {"credentials_file": _secret_path(receiver, "bot_token")}
        way = {"api_url": POST_MESSAGE, "http_config": {"authorization": credentials}, "update_message": ends}
    else:
        way = {"api_url_file": _secret_path(receiver, "webhook_url"), "username": receiver.username}
    return {
        **way,
        **({"channel": receiver.channel} if receiver.channel else {}),
        "send_resolved": True,
        "color": '{{ template "crowsnest.color" . }}',
        "title": title("slack"),
        "title_link": '{{ template "crowsnest.link" . }}',
        "text": text("buttons" if receiver.shows_buttons else "slack"),
        "fallback": title("slack"),
        **({"actions": buttons(language, ends)} if receiver.shows_buttons else {}),
    }


def _email(receiver: EmailReceiver, subject: str, body: str) -> dict[str, Any]:
    login: dict[str, Any] = {"auth_username": receiver.username} if receiver.username else {}
    if receiver.password:
        login["auth_password_file"] = _secret_path(receiver, "password")
    return {
        "to": ", ".join(receiver.to),
        "from": receiver.sender,
        "smarthost": receiver.smarthost,
        **login,
        "require_tls": receiver.require_tls,
        "send_resolved": True,
        "headers": {"Subject": subject},
        "html": "",
        "text": body,
    }


def _secret_file(receiver: Receiver, field: str) -> str:
    return f"secrets/{receiver_name(receiver)}_{field}"


def _secret_path(receiver: Receiver, field: str) -> str:
    return f"{CONFIG_IN_CONTAINER}/{_secret_file(receiver, field)}"


def _aws_profile(receiver: SnsReceiver) -> str:
    """SNS takes no key files of its own, so AWS's shared credentials file has one profile per receiver."""
    if not (receiver.access_key and receiver.secret_key):
        return ""
    key, secret = receiver.access_key, receiver.secret_key.get_secret_value()
    return f"[{receiver_name(receiver)}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
