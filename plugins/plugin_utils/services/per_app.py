# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What services share that run once for each app that declares something, such as an exporter for each database."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context

# The file with the variables that tell such a container its login.
LOGIN_FILE = "secrets/environment"


def instance(service: str, app: App) -> str:
    """Name of the container of this service for this app."""
    return f"{service}_{app.name}"


def app_of(context: Context, planned: Planned) -> App:
    """The app that a container is for."""
    (app,) = (app for app in context.declaration.apps if instance(planned.service, app) == planned.name)
    return app


def app_labels(context: Context, planned: Planned) -> Mapping[str, str]:
    """Labels of its series: they belong to the app, and a host that is down silences them."""
    app = app_of(context, planned)
    return {"app": app.name, "host": context.plan.host_of(app)}
