# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where crowsnest's files lie on a host. Python 3.9, standard library."""

from __future__ import annotations

# Configuration and data of each service: one folder each, named as the service.
CONFIG_ROOT = "/opt/crowsnest"
DATA_ROOT = "/var/lib/crowsnest"
COMPOSE_FILE = f"{CONFIG_ROOT}/compose.yaml"
# What the last run put into force; see `in_force` in plugin_utils/plan/plan.py.
PLAN_FILE = f"{CONFIG_ROOT}/plan.json"
# Keys that a service gives out while it runs, for Prometheus: a file named as the service.
KEYS_DIRECTORY = f"{DATA_ROOT}/prometheus_keys"
# The flags of node exporter's service, as its package in Debian and Ubuntu reads them.
NODE_EXPORTER_DEFAULTS = "/etc/default/prometheus-node-exporter"
