# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Caddy as a service of the stack."""

from __future__ import annotations

import json

from ansible_collections.crowsnest.core.plugins.module_utils.verify.expected import OfServices
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.plan.planned import Planned
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.container import CONFIG_IN_CONTAINER, Container
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import (
    Context,
    Files,
    GeneratedSecret,
    Service,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import (
    SOCKET,
    caddy_config,
    host_names,
    is_internal,
    password_files,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.in_front import FOLDER, blocks
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.portal import portal_files

_CONFIG = "caddy.json"
# Where Caddy keeps the certificate of its own authority: https://caddyserver.com/docs/automatic-https#local-https
AUTHORITY = "pki/authorities/local/root.crt"


def _container(_context: Context, _planned: Planned) -> Container:
    return Container(
        go=True,
        command=["caddy", "run", "--config", f"{CONFIG_IN_CONTAINER}/{_CONFIG}"],
        capabilities={"NET_BIND_SERVICE": "to listen on 80 and 443"},
    )


def _files(context: Context, planned: Planned) -> Files:
    config = json.dumps(caddy_config(context, planned), indent=1, ensure_ascii=False)
    behind = blocks(context) if context.declaration.proxy_mode == "behind" else {}
    return {
        _CONFIG: f"{config}\n",
        **portal_files(context),
        **{f"{FOLDER}/{file}": block for file, block in behind.items()},
    }


def _secret_files(context: Context, _planned: Planned) -> Files:
    return password_files(context)


def _expected(context: Context) -> OfServices:
    data = context.services["proxy"].data_directory
    return {
        "door": {
            "names": host_names(context),
            "behind": context.declaration.proxy_mode == "behind",
            "authority": f"{data}/{AUTHORITY}" if is_internal(context) else "",
        }
    }


def _of_people(declaration: Declaration) -> list[GeneratedSecret]:
    return [GeneratedSecret(f"proxy_password_{user.name}", replaceable=True) for user in declaration.users]


PROXY = Service(
    name="proxy",
    port=8088,
    need_mib=40,
    limit_mib=96,
    needed=True,
    wanted=lambda declaration: declaration.proxy_mode != "none",
    # As another user it needs a file capability of the image that upstream means to drop, and has to do without
    # no-new-privileges: https://github.com/caddyserver/caddy-docker/issues/466
    root="to listen on 80 and 443 with no-new-privileges; all capabilities but that are dropped",
    data=True,
    container=_container,
    files=_files,
    secret_files=_secret_files,
    admin_socket=(SOCKET, _CONFIG),
    validate=("caddy", f"validate --config {CONFIG_IN_CONTAINER}/{_CONFIG}"),
    generated_secrets=(GeneratedSecret("proxy_key", replaceable=True),),
    secrets_of_people=_of_people,
    expected=_expected,
)
