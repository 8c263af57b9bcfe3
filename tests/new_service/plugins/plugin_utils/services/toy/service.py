# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The toy as a service of the stack."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import yaml_text
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER, Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    GeneratedSecret,
    Page,
    Service,
)


def _container(_context: Context, planned: Planned) -> Container:
    return Container(
        go=True,
        command=[
            f"--config={CONFIG_IN_CONTAINER}/toy.yml",
            f"--listen=127.0.0.1:{planned.port}",
            f"--key-file={CONFIG_IN_CONTAINER}/secrets/key",
        ],
    )


def _files(context: Context, _planned: Planned) -> Files:
    return {"toy.yml": yaml_text({"apps": [app.name for app in context.declaration.apps]})}


def _secret_files(context: Context, _planned: Planned) -> Files:
    return {"secrets/key": context.secret("toy_key")}


TOY = Service(
    name="toy",
    port=9777,
    need_mib=20,
    limit_mib=64,
    data=True,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    generated_secrets=(GeneratedSecret("toy_key", replaceable=True),),
    page=Page(9, "play"),
)
