# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where crowsnest's own files are on a host, the only place that sets it. Python 3.9, standard library.

YAML takes the root from playbooks/vars/crowsnest.yml; a test compares the two.
"""

from __future__ import annotations

# A service has a folder named after it in both: its configuration, which a run can regenerate, and its data.
CONFIG_ROOT = "/opt/crowsnest"
DATA_ROOT = "/var/lib/crowsnest"

# The compose project that includes the fragments of all services, and the command that people use for it.
COMPOSE_FILE = f"{CONFIG_ROOT}/compose.yaml"
COMPOSE_COMMAND = f"sudo docker compose -f {COMPOSE_FILE}"
# What the last run put into force, as data for the next plan; readable by root only.
PLAN_FILE = f"{CONFIG_ROOT}/plan.json"
# The Python environment of the role toolbox, and its interpreter.
TOOLBOX = f"{CONFIG_ROOT}/toolbox"
TOOLBOX_PYTHON = f"{TOOLBOX}/current/bin/python"
# Keys that a running service issues for Prometheus: a file named after the service.
KEYS_DIRECTORY = f"{DATA_ROOT}/prometheus_keys"

# Backups, in a folder for each environment; the command that makes and restores them.
BACKUPS = "/var/backups/crowsnest"
BACKUP_COMMAND = "/usr/local/bin/crowsnest-backup"

# The file from which the package of Debian and Ubuntu reads node exporter's flags.
NODE_EXPORTER_DEFAULTS = "/etc/default/prometheus-node-exporter"
# Where the Docker engine listens; the plan refuses an engine that is elsewhere.
DOCKER_SOCKET = "/var/run/docker.sock"


def config_directory(name: str) -> str:
    """The folder of a service's configuration, or of a native program."""
    return f"{CONFIG_ROOT}/{name}"


def data_directory(name: str) -> str:
    """The folder of a service's data."""
    return f"{DATA_ROOT}/{name}"


# What is remembered of apps' files: which keys, and which templates, are ours.
ENV_FILES = data_directory("env_files")
GOOGLE_TAGS = data_directory("google_tags")


def logs_command(service: str) -> str:
    """The command that shows what a service itself reports."""
    return f"{COMPOSE_COMMAND} logs --tail 50 {service}"
