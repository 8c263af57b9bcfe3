# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How Sentry itself is watched: blackbox exporter asks, for each app that reports there, whether its errors are taken.

Probe `events` sends what an SDK sends, through the app's DSN. Probe `quota` asks Sentry's API whether errors of the
app's project were dropped; it needs an account, and a server with Sentry's whole API.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import Dsn, parse
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.envelope import CONTENT_TYPE, authorization
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import dsn_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import Probe
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

EVENTS, QUOTA = "events", "quota"
# A report of an SDK that it dropped nothing, of which nothing is kept and which counts for no quota:
# https://develop.sentry.dev/sdk/telemetry/client-reports/. An envelope without any item would not do: Sentry's Relay
# answers it with 200 before it looks at the key (handle_envelope in
# https://github.com/getsentry/relay/blob/master/relay-server/src/endpoints/common.rs).
_NOTHING_DROPPED = '{}\n{"type":"client_report"}\n{"discarded_events":[]}\n'
# https://docs.sentry.io/api/organizations/retrieve-event-counts-for-an-organization-v2/ with its
# shortest period. What Sentry drops because of a quota, a rate limit or its spike protection is `rate_limited`.
_COUNT = "sum(quantity)"
_DROPPED = {"field": _COUNT, "groupBy": "outcome", "category": "error", "outcome": "rate_limited"}
_LAST_HOUR = {"statsPeriod": "1h", "interval": "1h"}
_NONE_DROPPED = f"body.groups.all(group, group.totals['{_COUNT}'] == 0.0)"
_TOKEN = "secrets/sentry/token"  # noqa: S105 - where it lies


def sentry_probes(context: Context) -> Iterator[tuple[App, Probe]]:
    """All of them, each with its app. Neither follows a redirect: key and token would be sent on."""
    account = context.declaration.sentry
    for app, dsn in _asked(context):
        yield app, Probe(EVENTS, f"{app.name}/sentry_{EVENTS}", dsn.envelope, _events(app))
        project = context.sentry.get(app.name)
        if account and project and project["alerts"] != "none":
            query = urlencode({**_DROPPED, **_LAST_HOUR, "project": project["id"]})
            url = f"{account.url}/api/0/organizations/{account.organization}/stats_v2/?{query}"
            yield app, Probe(QUOTA, f"sentry_{QUOTA}", url, _quota())


def sentry_secrets(context: Context) -> dict[str, str]:
    """{"secrets/shop/sentry_auth": …}: what blackbox exporter reads for these probes."""
    account = context.declaration.sentry
    keys = {_key_file(app): authorization(dsn) for app, dsn in _asked(context)}
    token = {_TOKEN: account.token.get_secret_value()} if account and _with_quota(context) else {}
    return {**keys, **token}


def told_by_sentry(context: Context) -> list[str]:
    """Names of the apps whose exceptions Sentry tells in Slack, as long as both probes say that it does."""
    return [app.name for app in _with_quota(context) if context.sentry[app.name]["alerts"] == "slack"]


def _with_quota(context: Context) -> list[App]:
    """The apps that have both probes."""
    return [app for app, probe in sentry_probes(context) if probe.name == QUOTA]


def _asked(context: Context) -> Iterator[tuple[App, Dsn]]:
    """The apps whose DSN has a meaning on the server, too.

    Loopback has one on the app's own host, a name without a dot in the network of the app's containers.
    """
    if "blackbox" not in context.services:
        return
    for app in context.declaration.apps:
        if text := dsn_of(app, context.sentry):
            dsn = parse(text)
            loopback = dsn.host == "localhost" or dsn.host.startswith("127.")
            if context.plan.host_of(app) == context.server if loopback else "." in dsn.host:
                yield app, dsn


def _events(app: App) -> dict[str, object]:
    return {
        "method": "POST",
        "body": _NOTHING_DROPPED,
        "headers": {"Content-Type": CONTENT_TYPE},
        "http_headers": {"X-Sentry-Auth": {"files": [f"{CONFIG_IN_CONTAINER}/{_key_file(app)}"]}},
        "valid_status_codes": [200],
        "follow_redirects": False,
    }


def _quota() -> dict[str, object]:
    return {
        "authorization": {"credentials_file": f"{CONFIG_IN_CONTAINER}/{_TOKEN}"},
        "fail_if_body_json_not_matches_cel": _NONE_DROPPED,
        "follow_redirects": False,
    }


def _key_file(app: App) -> str:
    return f"secrets/{app.name}/sentry_auth"
