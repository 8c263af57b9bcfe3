# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The services of the stack, each a room of its own; this is the only list of them."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.alertmanager.service import ALERTMANAGER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.blackbox.service import BLACKBOX
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Service
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.service import GRAFANA
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.service import (
    METABASE,
    METABASE_DATABASE,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.postgres_exporter.service import (
    POSTGRES_EXPORTER,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.service import PROMETHEUS
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.config import STATUS
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.proxy.service import PROXY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.pushgateway.service import PUSHGATEWAY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.query_exporter.service import QUERY_EXPORTER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.redis_exporter.service import REDIS_EXPORTER
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.uptime_kuma.service import UPTIME_KUMA

# When memory runs short the last ones are switched off first.
REGISTRY: Mapping[str, Service] = {
    service.name: service
    for service in (
        PROMETHEUS,
        ALERTMANAGER,
        BLACKBOX,
        PROXY,
        GRAFANA,
        UPTIME_KUMA,
        POSTGRES_EXPORTER,
        REDIS_EXPORTER,
        QUERY_EXPORTER,
        PUSHGATEWAY,
        METABASE,
        METABASE_DATABASE,
    )
}


def subdomains() -> list[str]:
    """The names that pages may have below the domain, that of the public status page last."""
    return [*(service.subdomain for service in REGISTRY.values() if service.subdomain), STATUS]
