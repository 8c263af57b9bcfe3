# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Grafana lets people in, reaches its data and has the dashboards and plugins. Python 3.9, standard library.

API: https://grafana.com/docs/grafana/latest/developers/http_api/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.http import (
    NoAnswerError,
    ServiceError,
    fetch,
    parsed,
)
from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import (
    FAIL,
    PASS,
    RUN_SITE,
    Check,
    logs_of,
    some,
)

# {uid of the data source: a request that only a working one answers}
DATASOURCES = {"prometheus": "api/v1/query?query=1", "alertmanager": "api/v2/status"}
_PROXY_ERRORS = {
    400: "it refuses Grafana's login",  # Grafana hides a 401 of the data source behind this status
    401: "the user may not query it",
    403: "the user may not query it",
    404: "it does not exist",
    502: "Grafana cannot reach it",
}

# path → (status, text)
Ask = Callable[[str], tuple[int, str]]


def grafana_checks(
    url: str, user: str, password: str, dashboards: Mapping[str, str], plugins: Mapping[str, str]
) -> list[Check]:
    """All checks of Grafana; `dashboards` is {uid: title}, `plugins` {id: version}."""

    if not password:
        detail = f"the password of {user} is not on this machine, so Grafana was not checked"
        return [
            Check(
                FAIL, "grafana", detail, "Declare crowsnest_grafana_admin_password, or copy the inventory's secrets/."
            )
        ]

    def ask(path: str) -> tuple[int, str]:
        return fetch(url + path, 10, user, password)

    try:
        status, text = ask("/api/user")
        if status == 401:  # the answer is the same whether the password is wrong or the user is locked
            reasons = "it was changed by hand or declared since, or the user is locked"
            detail = f"Grafana refuses the password of {user}: {reasons}"
            blocked = (
                "`sudo docker logs --since 5m crowsnest-grafana-1` shows `temporarily blocked` if the user is locked"
            )
            return [Check(FAIL, "grafana", detail, f"{blocked}; then wait 5 minutes. Otherwise: {RUN_SITE}")]
        if status != 200:
            detail = f"a login as {user} fails with HTTP {status}: {' '.join(text.split())[:200]}"
            return [Check(FAIL, "grafana", detail, logs_of("grafana"))]
        return [
            Check(PASS, "grafana", f"{user} can log in with the declared password"),
            *datasource_checks(ask),
            *answered(ask, "dashboards", dashboards, dashboard_checks),
            *answered(ask, "plugins", plugins, plugin_checks),
        ]
    except NoAnswerError as error:
        detail = f"Grafana does not answer at {url} ({error}); its data sources and dashboards were not checked"
        return [Check(FAIL, "grafana", detail, logs_of("grafana"), soon=True)]


def datasource_checks(ask: Ask) -> list[Check]:
    """Each data source answers through Grafana, the way a panel queries it."""
    checks = []
    for uid, question in DATASOURCES.items():
        status, text = ask(f"/api/datasources/proxy/uid/{uid}/{question}")
        if status != 200:
            reason = _PROXY_ERRORS.get(status, "it answers with an error")
            detail = f"data source {uid}: HTTP {status}, {reason}: {' '.join(text.split())[:200]}"
            advice = RUN_SITE if status == 404 else f"{logs_of('grafana')} {RUN_SITE}"
            checks.append(Check(FAIL, "grafana", detail, advice, soon=True))
    return checks or [Check(PASS, "grafana", f"data sources {' and '.join(DATASOURCES)} answer")]


def answered(
    ask: Ask, what: str, wanted: Mapping[str, str], checks: Callable[[Ask, Mapping[str, str]], list[Check]]
) -> list[Check]:
    """`checks`, or one line that reports what Grafana answered instead."""
    try:
        return checks(ask, wanted)
    except NoAnswerError:
        raise
    except ServiceError as error:
        return [Check(FAIL, "grafana", f"the {what} cannot be listed: {error}", logs_of("grafana"))]


def plugin_checks(ask: Ask, wanted: Mapping[str, str]) -> list[Check]:
    """Every declared plugin is installed in its version. Grafana fetches them once, in the background, at start."""
    if not wanted:
        return []
    found = {row["id"]: row["info"]["version"] for row in parsed(*ask("/api/plugins"))}
    missing = [
        f"{name} {version}" + (f" (found {found[name]})" if name in found else "")
        for name, version in wanted.items()
        if found.get(name) != version
    ]
    if not missing:
        return [Check(PASS, "grafana", f"{len(wanted)} of {len(wanted)} declared plugins are installed")]
    advice = (
        "Grafana fetches them from grafana.com when it starts: `sudo docker logs crowsnest-grafana-1 2>&1 | grep -i "
        "plugin` on the server shows why it could not. Fix that (can the server reach https://grafana.com? does this "
        "version exist?), then `sudo docker restart crowsnest-grafana-1`."
    )
    return [Check(FAIL, "grafana", f"declared plugins are missing: {some(missing)}", advice, soon=True)]


def dashboard_checks(ask: Ask, wanted: Mapping[str, str]) -> list[Check]:
    """Every generated dashboard is there, and each of its panels queries a data source that exists."""
    found = {row["uid"] for row in parsed(*ask("/api/search?type=dash-db&limit=5000"))}
    known = {row["uid"] for row in parsed(*ask("/api/datasources"))}
    missing = [f"{title} ({uid})" for uid, title in wanted.items() if uid not in found]
    checks = []
    if missing:
        advice = f"{logs_of('grafana')} {RUN_SITE}"
        checks.append(Check(FAIL, "grafana", f"dashboards are missing: {some(missing)}", advice, soon=True))
    for uid in (uid for uid in wanted if uid in found):
        content = parsed(*ask(f"/api/dashboards/uid/{uid}"))["dashboard"]
        lost = sorted(set(datasources_in(content)) - known)
        if lost:
            detail = f"dashboard {uid} queries data sources that do not exist: {some(lost)}"
            kind = "dashboards query data sources that do not exist"
            checks.append(Check(FAIL, "grafana", detail, RUN_SITE, kind=kind, name=uid))
    return checks or [Check(PASS, "grafana", f"{len(wanted)} of {len(wanted)} dashboards are there")]


def datasources_in(content: Any) -> Iterator[str]:
    """Uids of data sources that a dashboard's JSON names; not variables, nor Grafana's own such as `-- Mixed --`."""
    if isinstance(content, list):
        for item in content:
            yield from datasources_in(item)
    elif isinstance(content, dict):
        source = content.get("datasource")
        uid = source.get("uid", "") if isinstance(source, dict) else source if isinstance(source, str) else ""
        if uid and uid != "grafana" and not uid.startswith(("-- ", "$")):
            yield uid
        for item in content.values():
            yield from datasources_in(item)
