# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How the pages are watched from outside: blackbox exporter opens each at its public name."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.module_utils.caddy import MARK, MARK_PATH
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.config import Probe
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import host_names, is_internal

PAGES = "pages"
_OURS = {"fail_if_body_not_matches_regexp": [f"^{MARK}"], "follow_redirects": False}


def page_probes(context: Context) -> list[Probe]:
    """A probe for each name. Of names that only our own authority knows, the first one stands for all: the server may
    not find them in the DNS, and does not know their certificates, which last for hours only.
    """
    if "proxy" not in context.services:
        return []
    names = list(host_names(context))
    if is_internal(context):
        known = {"server_name": names[0], "insecure_skip_verify": True}
        asked = {"headers": {"Host": names[0]}, "tls_config": known, **_OURS}
        return [Probe(PAGES, PAGES, f"https://127.0.0.1{MARK_PATH}", asked)]
    return [Probe(PAGES, PAGES, f"https://{name}{MARK_PATH}", _OURS) for name in names]
