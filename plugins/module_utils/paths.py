# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where crowsnest's own files lie on a host, the only place that says so. Python 3.9, standard library.

YAML has the root from playbooks/vars/crowsnest.yml; a test compares the two.
"""

from __future__ import annotations

# A service has a folder named after it in both: its configuration, which a run can make anew, and its data.
CONFIG_ROOT = "/opt/crowsnest"
DATA_ROOT = "/var/lib/crowsnest"

# The compose project that includes the fragments of all services, and how a person speaks to it.
COMPOSE_FILE = f"{CONFIG_ROOT}/compose.yaml"
COMPOSE_COMMAND = f"sudo docker compose -f {COMPOSE_FILE}"
# What the last run put into force, as data for the next plan; readable by root only.
PLAN_FILE = f"{CONFIG_ROOT}/plan.json"
# The Python environment of the role toolbox, and its interpreter.
TOOLBOX = f"{CONFIG_ROOT}/toolbox"
TOOLBOX_PYTHON = f"{TOOLBOX}/current/bin/python"
# Keys that a service gives out while it runs, for Prometheus: a file named after the service.
KEYS_DIRECTORY = f"{DATA_ROOT}/prometheus_keys"

# The flags of node exporter's service, as its package in Debian and Ubuntu reads them.
NODE_EXPORTER_DEFAULTS = "/etc/default/prometheus-node-exporter"
# Where the Docker engine listens; the plan refuses an engine that is elsewhere.
DOCKER_SOCKET = "/var/run/docker.sock"


def config_directory(name: str) -> str:
    """The folder of a service's configuration, or of a native program."""
    return f"{CONFIG_ROOT}/{name}"


def data_directory(name: str) -> str:
    """The folder of a service's data."""
    return f"{DATA_ROOT}/{name}"


def logs_command(service: str) -> str:
    """Where a service itself says what is wrong, for a person."""
    return f"{COMPOSE_COMMAND} logs --tail 50 {service}"
