# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Deploys: when the image of one of an app's containers changed last, and what an alert on the app says of it. Pure.

An app's containers are the one that it declares and all others of the same compose project. A restart changes no image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import Language, recorded

# Unix times: what container_metrics.py exports of each container, and what is recorded of it for each app, with the
# labels `part` (the service of compose, else the name of the container) and `image`.
CHANGED, DEPLOYED = "container_image_changed_time_seconds", "app:deployed:time_seconds"
# An alert names a deploy of the hour before it began. Most faults of a release show within minutes; with longer, many a
# fault of a team that deploys daily would come with a deploy that has nothing to do with it.
_BEFORE_SECONDS = 3600
# And one shortly after, as the old container often stops before the new one is made. Nobody mends a fault that fast.
_AFTER_SECONDS = 120
# A deploy is known so much later: two minutes as above, and the time that the program, the scrape and the rule take.
_KNOWN_SECONDS = 180
_TEXTS: Mapping[Language, str] = {
    "en": 'image of {{ $part }} changed {{ if eq $minutes "0" }}about when the fault began'
    "{{ else }}{{ $minutes }} min before the fault began{{ end }}",
    "ko": '{{ $part }} 이미지 변경({{ if eq $minutes "0" }}이상 시작과 거의 동시'
    "{{ else }}이상 시작 {{ $minutes }}분 전{{ end }})",
}


def has_deploys(context: Context, app: App) -> bool:
    """Whether its containers are known: only the server has container_metrics.py."""
    return app.container is not None and context.plan.host_of(app) == context.server


def changed(series: str) -> str:
    """PromQL: when images changed last, by `host`, `part` and `image`; `series` of CHANGED, all that are wanted."""
    part = f'label_replace({series}, "part", "$1", "container", "(.+)")'
    return f'max by (host, environment, part, image) (label_replace({part}, "part", "$1", "service", "(.+)"))'


def deploy_series(context: Context) -> dict[str, Any]:
    """The group of rules that record the deploys of each app."""
    apps = [app for app in context.declaration.apps if has_deploys(context, app)]
    rules = [recorded(DEPLOYED, _of_app(app, context.plan.host_of(app)), app=app.name) for app in apps]
    return {"name": "container_deploys", "rules": rules}


def _of_app(app: App, host: str) -> str:
    """While a deploy replaces the declared container there is none: what was within the hour tells the project."""
    own = f'host="{host}", container="{app.container}"'
    project = f'group by (project) (last_over_time(container_running{{{own}, project!=""}}[1h]))'
    return changed(f'{CHANGED}{{host="{host}"}} and on (project) {project} or {CHANGED}{{{own}}}')


def deployed(rule: Mapping[str, Any], language: Language) -> str:
    """A Prometheus template, an alert's annotation: the last deploy of its app before it began, else nothing.

    Prometheus keeps when an alert began in ALERTS_FOR_STATE, from its second evaluation on; at its first it begins. A
    deploy is looked up as it was known then and shortly after, so a later one, which mends the fault, changes nothing.
    https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
    """
    own = {"alertname": rule["alert"], **rule["labels"]}
    fixed = ", ".join(f"{name}='{value}'" for name, value in own.items() if "{{" not in value)
    began = f'query (printf "min(ALERTS_FOR_STATE{{{fixed}%s}}) or vector(time())" $others) | first | value'
    deploys = f"{DEPLOYED}{{app=%[1]q}} @ %[2]s"
    known = f"{deploys} offset -{_KNOWN_SECONDS}s <= %[2]s + {_AFTER_SECONDS} or {deploys}"
    last = f"topk(1, ({known}) > %[2]s - {_BEFORE_SECONDS})"
    minutes = f'query (printf "floor(clamp_min(%[2]s - {last}, 0) / 60)" $labels.app $began)'
    return (
        '{{ if $labels.app }}{{ $others := "" }}{{ range $name, $value := $labels }}'
        f'{{{{ if not (match "^({"|".join(["__name__", *own])})$" $name) }}}}'
        '{{ $others = printf "%s, %s=%q" $others $name $value }}{{ end }}{{ end }}'
        f'{{{{ $began := {began} | printf "%.0f" }}}}{{{{ range {minutes} }}}}'
        '{{ $part := label "part" . }}{{ $minutes := value . | printf "%.0f" }}'
        f"{_TEXTS[language]}{{{{ end }}}}{{{{ end }}}}"
    )
