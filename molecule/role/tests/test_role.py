# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What one role made of a host, when nothing else of the project is there."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import requests

ROLE = os.environ.get("CROWSNEST_ROLE") or "grafana"
# The command that asks a role's work whether it is there, and what its answer must contain.
CHECKS = {
    "alertmanager": ("curl -fsS http://127.0.0.1:9093/-/ready", "OK"),
    "backup": ("sudo crowsnest-backup list", "stack: 0 backups"),
    "blackbox": ("curl -fsS http://127.0.0.1:9115/-/healthy", "Healthy"),
    "container_metrics": ("cat /etc/systemd/system/crowsnest-container-metrics.timer", "[Timer]"),
    "docker": ("docker version", "Server"),
    "firewall": ("sudo nft list table inet crowsnest", "dport 443 accept"),
    "grafana": ("curl -fsS http://127.0.0.1:3000/api/health", '"ok"'),
    "metabase": ("curl -fsS http://127.0.0.1:3002/api/health", '"ok"'),
    "node_exporter": ("curl -fsS http://127.0.0.1:9100/metrics", "node_uname_info"),
    "prometheus": ("curl -fsS http://127.0.0.1:9090/-/ready", "Ready"),
    "proxy": ("curl -fsSk https://watch.localhost/.well-known/crowsnest", "crowsnest"),
    "pushgateway": ("curl -fsS http://127.0.0.1:9091/-/ready", "OK"),
    "toolbox": ("ls /opt/crowsnest/toolbox/current/bin", "python"),
    "uptime_kuma": ("curl -fsSL http://127.0.0.1:3001/", "Uptime Kuma"),
}


def test_it_is_there(server: Any, eventually: Any) -> None:
    command, words = CHECKS[ROLE]
    eventually(lambda: words in server.run(command).stdout, 60)


def test_nothing_else_of_the_project_runs(server: Any) -> None:
    ours = server.check_output("docker ps --filter label=com.docker.compose.project=crowsnest --format json")
    names = [json.loads(line)["Names"] for line in ours.splitlines()]
    assert all(name.startswith(f"crowsnest-{ROLE}") for name in names), names


def test_grafana_knows_its_password_and_nobody_else_s(lab: Any, server: Any) -> None:
    if ROLE != "grafana":
        pytest.skip("about Grafana")
    page = f"{lab.url('grafana')}/api/datasources"
    password = server.file("/opt/crowsnest/grafana/current/secrets/admin_password").content_string.strip()
    assert requests.get(page, auth=("admin", password), timeout=10).status_code == 200
    assert requests.get(page, auth=("admin", "admin"), timeout=10).status_code == 401
