# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The templates of alert messages. files/messages/crowsnest.tmpl is their layout, words.yml next to it their texts.

This file makes what depends on the declaration: the texts in its language, its time zone, and which dashboard an alert
leads to. Functions of templates: https://prometheus.io/docs/alerting/latest/notifications/#functions
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.receivers import SEVERITIES, later
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import static_rules
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.words import MESSAGES, words_of
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.jobs import JOB_ALERTS, jobs
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.ranks import CAUSES

Markup = Literal["slack", "discord", "teams", "plain", "phone", "ascii", "button"]
_BUTTONS = ("runbook", "dashboard", "acknowledge")
# Words that begin a line. Teams makes one line of two, unless an empty one is between them.
_BEGINNINGS = ("why", "where", "since", "deployed", "until", "value")
# {dashboard: rule files} whose alerts lead to it whatever their labels are: rules that aggregate keep few labels.
_PAGES_OF_RULES = {
    "stack": ("stack.yml", "metabase.yml", "proxy.yml"),
    "probes": ("probes.yml",),
    "backups": ("backup.yml",),
    "postgresql": ("postgres_exporter.yml",),
    "redis": ("redis_exporter.yml",),
    "business": ("query_exporter.yml",),
}
# {cause: dashboard} of those whose rules are made for each app.
_PAGES_OF_CAUSES = {"database": "postgresql", "redis": "redis", "worker": "redis"}


def title(markup: Markup) -> str:
    """The template that gives a receiver the title."""
    return f'{{{{ template "crowsnest.title.{markup}" . }}}}'


def text(markup: Markup | Literal["buttons"]) -> str:
    """The template that gives a receiver everything below the title; `buttons` is that of Slack beside them."""
    return f'{{{{ template "crowsnest.text.{markup}" . }}}}'


def buttons(language: str, of_fault: bool) -> list[dict[str, str]]:
    """Buttons of Slack, which are links: opening one changes nothing. News has no runbook and nothing to acknowledge.

    They are fields of attachments, which Slack calls legacy and shows all the same, those of incoming webhooks too:
    https://github.com/prometheus/alertmanager/issues/2344. It has newer ones, but Alertmanager cannot send those.
    """
    words = words_of(language)["message"]
    return [
        {
            "type": "button",
            "text": words[name],
            "url": f'{{{{ template "crowsnest.button.{name}" . }}}}',
        }
        for name in (_BUTTONS if of_fault else ("dashboard",))
    ]


def message_templates(context: Context) -> dict[str, str]:
    """{file name: template}."""
    return {
        "crowsnest.tmpl": (MESSAGES / "crowsnest.tmpl").read_text(),
        "language.tmpl": _named(context.declaration),
        "dashboard.tmpl": _dashboard(context),
    }


def texts_of_test_alerts(language: str) -> dict[str, dict[str, str]]:
    """{severity: annotations} of the alerts that the module `alertmanager_test_alerts` sends."""
    texts = words_of(language)["test_alert"]
    return {severity: {**texts, "summary": texts["summary"][severity]} for severity in SEVERITIES}


def units(language: str) -> Mapping[str, str]:
    """Words for the units of a duration: {"h": "시간", …}."""
    return dict(words_of(language)["message"]["units"])


def words_of_report(language: str) -> dict[str, Any]:
    """Those of the weekly message; its numbers go where {names} are."""
    words = words_of(language)
    return {**words["weekly_report"], "severity": words["message"]["severity"]}


def _named(declaration: Declaration) -> str:
    """A template for each part of a message in each markup. The subject of SNS is ASCII, and so in English."""
    own: dict[Markup, str] = dict.fromkeys(("slack", "discord", "teams", "plain", "phone"), declaration.language)
    parts: list[tuple[str, str, Markup, str]] = []
    parts += [("title", markup, markup, language) for markup, language in (own | {"ascii": "en"}).items()]
    parts += [("text", markup, markup, language) for markup, language in own.items()]
    parts += [("text", "buttons", "slack", declaration.language)]
    parts += [("button", name, "button", declaration.language) for name in _BUTTONS]
    return "".join(
        f'{{{{ define "crowsnest.{part}.{name}" }}}}{_sorted()}{{{{ template "crowsnest.message.{part}" (dict '
        f'"data" . "alerts" $alerts "name" "{name}" "markup" "{markup}" '
        f'"words" {_mapping(_of_message(declaration, markup, language))}) }}}}{{{{ end }}}}\n'
        for part, name, markup, language in parts
    )


def _sorted() -> str:
    """Sets `$alerts`: what fires, then what is over.

    Prometheus repeats the end of an alert for 15 minutes; what ended before the present fault began is left out.
    """
    return (
        "{{ $alerts := list }}{{ range .Alerts.Firing }}{{ $alerts = append $alerts . }}{{ end }}"
        "{{ range .Alerts.Resolved }}{{ $over := . }}{{ $present := not $.Alerts.Firing }}"
        "{{ range $.Alerts.Firing }}{{ if .StartsAt.Before $over.EndsAt }}{{ $present = true }}{{ end }}{{ end }}"
        "{{ if $present }}{{ $alerts = append $alerts $over }}{{ end }}{{ end }}"
    )


def _of_message(declaration: Declaration, markup: Markup, language: str) -> dict[str, Any]:
    """The words, and what else depends on the declaration; `escalated`: severities that somebody gets later."""
    words = words_of(language)["message"]
    lines = {key: f"\n{words[key]}" for key in _BEGINNINGS} if markup == "teams" else {}
    escalated = "|".join(severity for severity in SEVERITIES if later(declaration.receivers, severity))
    return {**words, **lines, "timezone": declaration.timezone, **({"escalated": escalated} if escalated else {})}


def _mapping(words: Mapping[str, Any]) -> str:
    """`{"since": "Since: "}` → `(dict "since" "Since: ")`."""
    pairs = (
        f"{_quoted(key)} {_mapping(text) if isinstance(text, dict) else _quoted(text)}" for key, text in words.items()
    )
    return f"(dict {' '.join(pairs)})"


def _dashboard(context: Context) -> str:
    """The link from an alert to its dashboard; nothing without Grafana, which a button calls "-"."""
    link = '{{ if eq .markup "button" }}-{{ end }}'
    if "grafana" in context.services:
        base = f"{context.services['grafana'].external_url.rstrip('/')}/d/"
        found = "{{ else ".join(f"if {holds} }}}}{{{{ $page = {page} }}}}" for holds, page in _pages(context).items())
        link = (
            f'{{{{ $page := "overview" }}}}{{{{ with .alert }}}}{{{{ {found}{{{{ end }}}}{{{{ end }}}}'
            f'{{{{ template "crowsnest.anchor" (dict "url" (printf "%s%s" {_quoted(base)} $page) '
            '"word" .words.dashboard "markup" .markup "button" .button) }}'
        )
    return f'{{{{ define "crowsnest.dashboard" }}}}{link}{{{{ end }}}}\n'


def _pages(context: Context) -> dict[str, str]:
    """{condition on an alert: template of its dashboard's address below /d/}; the first one that holds counts.

    Jobs come first, as their rules are in the files of what reports them.
    """
    apps = [app.name for app in context.declaration.apps if app.metrics]
    of_rules = {_is_one_of("alertname", _alerts(files)): f'"{page}"' for page, files in _PAGES_OF_RULES.items()}
    of_causes = {_is_one_of("alertname", CAUSES[cause]): f'"{page}"' for cause, page in _PAGES_OF_CAUSES.items()}
    of_containers = _is_one_of("alertname", _alerts(["containers.yml"]))
    return {
        **({_is_one_of("alertname", JOB_ALERTS): '"batch-jobs"'} if jobs(context) else {}),
        **of_rules,
        **of_causes,
        **({".Labels.monitor_name": '"uptime"'} if "uptime_kuma" in context.services else {}),
        _is_one_of("job", (service.name for service in context.running)): '"stack"',
        'eq .Labels.project "crowsnest"': '"stack"',
        of_containers: 'printf "containers?var-host=%s" (urlquery .Labels.host)',
        ".Labels.probe": '"probes"',
        'eq .Labels.alertname "KpiOutOfRange"': '"business"',
        **({_is_one_of("app", apps): 'printf "app-%s" .Labels.app'} if apps else {}),
        ".Labels.host": 'printf "host?var-host=%s" (urlquery .Labels.host)',
    }


def _is_one_of(label: str, values: Iterable[str]) -> str:
    pattern = f"^({'|'.join(values)})$"
    return f"match {_quoted(pattern)} .Labels.{label}"


def _quoted(text: str) -> str:
    """As a constant in a template: https://pkg.go.dev/text/template#hdr-Arguments"""
    return json.dumps(text, ensure_ascii=False)


def _alerts(files: Iterable[str]) -> list[str]:
    rules = [rule for name in files for group in static_rules()[name]["groups"] for rule in group["rules"]]
    return list(dict.fromkeys(rule["alert"] for rule in rules if "alert" in rule))
