#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: Read what the plan needs to know of a host
description:
  - Memory, disk, ports in use, the operating system, Python, the Docker engine and the configurations in force, in one
    call and without changing anything.
options:
  data_path:
    description: Where the stack's data will be stored. It need not exist yet.
    type: path
    default: /var/lib/crowsnest
  files:
    description: Files whose content is returned, so that a task that writes one can be skipped when it is right.
    type: list
    elements: path
    default: []
  units:
    description: systemd units whose state is returned, so that a task that starts one can be skipped when it runs.
    type: list
    elements: str
    default: []
  released_apps:
    description:
      - Apps whose release is returned, each with C(compose), its compose file, and C(service), the service whose image
        tells it; empty for the commit of the file's folder.
    type: dict
    default: {}
  prometheus_url:
    description:
      - Where Prometheus listens on this host. It is asked for O(measured_apps) and O(declared_series); that it does not
        answer is no error.
    type: str
    default: ""
  measured_apps:
    description: Apps whose requests and errors are returned, as far as Prometheus has measured them.
    type: list
    elements: str
    default: []
  declared_series:
    description:
      - Names of series that apps are said to export, by app. Returned is whether each was there within a day, as far as
        Prometheus can tell.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Reads only, so it does the same in check mode.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Inspect the host
  crowsnest.core.host_facts:
  register: preflight_look
"""

RETURN = r"""
host:
  description: The facts. Sizes are in MiB.
  type: dict
  returned: success
  sample:
    os: {id: debian, version: "13", codename: trixie}
    address: 172.26.3.4
    architecture: x86_64
    controllers: [cpu, memory, pids]
    read_only: []
    sudo: true
    service_manager: systemd
    memory: {total_mib: 1974, available_mib: 1500, own_mib: 120}
    disk: {path: /var/lib, device: 65024, total_mib: 60000, free_mib: 41000, own_mib: 300}
    images_disk: {path: /var/lib/docker, device: 65024, total_mib: 60000, free_mib: 41000}
    docker:
      version: 26.1.5
      compose: 2.26.1
      kind: docker
      endpoint: unix:///var/run/docker.sock
      masked: false
      own: [alertmanager, prometheus]
      images: ["registry.example.com/shop:1"]
      daemon: {live-restore: true}
      bridge: 172.17.0.1
      python_client: true
      from_docker: false
      running: [{name: shop-db-1, project: shop, image: "registry.example.com/database:17", database: shop, user: shop}]
    node_exporter:
      installed: true
      flags: ["--web.listen-address=127.0.0.1:9100"]
      masked: false
      own_start: ""
    ports: {"22": ["0.0.0.0", "::"]}
    listeners:
      "22":
        - {address: 0.0.0.0, pid: 431, program: /usr/sbin/sshd, unit: ssh.service, container: "", contained: false,
           service: ""}
    published: [{container: shop-web-1, address: 127.0.0.1, port: 8000}]
    data: {/var/lib/crowsnest: "0:0:0755", /var/lib/crowsnest/prometheus: "21090:21090:0750"}
    configurations: {/opt/crowsnest/prometheus: 5f2b6c0d9e8a7f41, /opt/crowsnest/grafana: 0c1d2e3f4a5b6c7d dashboards}
    python: {version: "3.13", ensurepip: true}
    toolbox: 3.13-0123456789ab
    ping_groups: [0, 2147483647]
    firewall: {rules: "", there: false, interfaces: [ens5]}
    login: {source: 203.0.113.7, port: 22}
    units: {crowsnest-container-metrics.timer: {active: true, enabled: true, stale: false}}
    files: {/etc/default/prometheus-node-exporter: ARGS=""}
    cron: true
    backups: {production/shop: [4180213, 4183007]}
    env_files: {/srv/shop/.env: 5f2b6c0d9e8a7f41}
    google_tags: {/srv/shop/templates/base.html: 0c1d2e3f4a5b6c7d}
    releases: {shop: 4f1c9e2}
    traffic: {shop: {requests: 2.4, errors: 0.0007}}
    exported: {shop: {shop_campaigns: true, shop_campains: false}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.host.facts import DaemonJsonError, host_facts
from ansible_collections.crowsnest.core.plugins.module_utils.paths import DATA_ROOT


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "data_path": {"type": "path", "default": DATA_ROOT},
            "files": {"type": "list", "elements": "path", "default": []},
            "units": {"type": "list", "elements": "str", "default": []},
            "released_apps": {"type": "dict", "default": {}},
            "prometheus_url": {"type": "str", "default": ""},
            "measured_apps": {"type": "list", "elements": "str", "default": []},
            "declared_series": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    names = ("data_path", "files", "units", "released_apps", "prometheus_url", "measured_apps", "declared_series")
    try:
        facts = host_facts(*(module.params[name] for name in names))
    except DaemonJsonError as error:
        module.fail_json(
            msg=f"/etc/docker/daemon.json cannot be read: {error}. Repair or remove the file, then run again."
        )
    module.exit_json(changed=False, host=facts)


if __name__ == "__main__":
    main()
