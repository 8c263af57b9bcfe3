# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The portal, on the domain itself: what fires, all pages, the apps and backups, the runbooks. Pure, but for files/.

Its pages are templates of Caddy (files/portal), filled in at each visit from data.json, which is made here, and from
the APIs of Prometheus and Alertmanager: so it needs no program of its own, and is right without JavaScript.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES, later
from ansible_collections.crowsnest.core.plugins.plugin_utils.language import translated
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.backups import backup_jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import FILES, ROOT
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context, Files
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.host import cpu_percent
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import RATE
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.alertmanagers import ESCALATION_LABEL

FOLDER = "portal"
_PAGES = FILES / "portal"
# The texts of the templates: {{ index $t "…" }}, and the severities, which they take from a list.
_TEXT = re.compile(r'index \$(?:t|d\.texts) "([^"]+)"')
_NODE = 'job="node"'
Json = dict[str, Any]
# {what a row is: (title, label by which its series are found, [(title of a column, unit, PromQL)])}
TABLES: dict[str, tuple[str, str, tuple[tuple[str, str, str], ...]]] = {
    "app": (
        "Apps",
        "app",
        (
            ("Reachable", "up", 'min by (app) (probe_success{job="probe"} or up{job="app"})'),
            ("Requests per second", "number", "sum by (app) (app:requests:rate5m)"),
            ("Errors", "share", "max by (app) (app:errors:ratio5m)"),
            ("Response time p95", "seconds", "max by (app) (app:latency_p95:seconds)"),
            ("Exceptions in 5 minutes", "count", "sum by (app) (app:exceptions:increase5m)"),
        ),
    ),
    "host": (
        "Hosts",
        "host",
        (
            ("Answers", "up", f"max by (host) (up{{{_NODE}}})"),
            ("CPU busy", "share", f"{cpu_percent(_NODE).replace(RATE, '5m')} / 100"),
            ("Memory", "share", "max by (host) (host:memory_used:percent) / 100"),
            ("Fullest disk", "share", "max by (host) (host:filesystem_used:percent) / 100"),
        ),
    ),
    "backup": (
        "Backups",
        "app",
        (
            ("Last run", "well", "min by (app) (crowsnest_backup_ok)"),
            ("Last good one", "ago", "time() - max by (app) (crowsnest_backup_last_success_timestamp_seconds)"),
            (
                "Last restored for proof",
                "ago",
                "time() - max by (app) (crowsnest_backup_drill_last_success_timestamp_seconds)",
            ),
        ),
    ),
}


def portal_files(context: Context) -> Files:
    """{path: text} of all its files."""
    pages = {f"{FOLDER}/{name}": text for name, text in _templates().items()}
    runbooks = _runbooks(context.declaration.language)
    texts = {f"{FOLDER}/runbooks/{name}.md": text for name, text in runbooks.items()}
    data = json.dumps(portal_data(context, runbooks), indent=1, ensure_ascii=False, sort_keys=True)
    return {**pages, **texts, f"{FOLDER}/data.json": f"{data}\n"}


def portal_data(context: Context, runbooks: Mapping[str, str]) -> Json:
    """What the templates need to know of the plan."""
    declaration = context.declaration
    asked = [("silenced", "true"), ("inhibited", "false"), ("filter", f'{ESCALATION_LABEL}!="true"')]
    return {
        "language": declaration.language,
        "environment": declaration.environment,
        "timezone": declaration.timezone,
        "texts": {text: _said(context, text) for text in portal_texts()},
        "alerts": f"/live/alerts?{urlencode(asked)}",
        "escalated": [severity for severity in SEVERITIES if later(declaration.receivers, severity)],
        "pages": _links(context),
        "tables": list(_tables(context)),
        "runbooks": [{"name": name, "about": _about(text)} for name, text in runbooks.items()],
    }


@cache
def portal_texts() -> list[str]:
    """The texts of crowsnest's own that its pages show."""
    return sorted({*SEVERITIES, *(text for page in _templates().values() for text in _TEXT.findall(page))})


def _said(context: Context, text: str) -> str:
    return translated(text, context.declaration.language, "portal")


def _links(context: Context) -> list[Json]:
    found = [(page.rank, name, page.about) for name in context.services if (page := context.definition(name).page)]
    return [
        {
            "title": name.replace("_", " ").title(),
            "about": translated(about, context.declaration.language, "panels"),
            "url": context.services[name].external_url,
            "user": login.user(context.declaration) if (login := context.definition(name).login) else "",
        }
        for _, name, about in sorted(found)
    ]


def _tables(context: Context) -> Iterator[Json]:
    """Those that have a row: each cell is the value of its column's series for the row."""
    rows = {
        "app": [{"name": app.name, "url": app.url or ""} for app in context.declaration.apps],
        "host": [{"name": name, "url": ""} for name in sorted(context.plan.hosts)],
        "backup": [{"name": job.name, "url": ""} for job in backup_jobs(context.declaration, context.server)],
    }
    for kind, (title, label, columns) in TABLES.items():
        if rows[kind]:
            yield {
                "title": _said(context, title),
                "label": label,
                "rows": rows[kind],
                "columns": [
                    {"title": _said(context, column), "unit": unit, "query": query} for column, unit, query in columns
                ],
            }


@cache
def _templates() -> Mapping[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_PAGES.iterdir())}


@cache
def _runbooks(language: str) -> Mapping[str, str]:
    folder = ROOT / "docs/runbooks" / Path("ko" if language == "ko" else ".")
    return {
        path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md")) if path.stem != "README"
    }


def _about(runbook: str) -> str:
    """The first sentences of its meaning, as text."""
    paragraph = runbook.partition("\n## ")[2].partition("\n\n")[2].partition("\n\n")[0]
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split())).replace("`", "")
