#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Ask the running services whether everything is as declared
description:
  - Compares containers, files and what the services have loaded with what the declaration makes of them, and asks
    Prometheus, Alertmanager and Grafana on loopback for targets, rules, panels, deliveries, certificates and hosts.
  - Changes nothing and never fails by itself; the caller decides by the number of failed checks.
options:
  expected:
    description: What must be, made by the filter P(crowsnest.core.expectations#filter).
    type: dict
    required: true
  secrets:
    description: Secret files of the services - service to relative path to the SHA-256 digest of the content.
    type: dict
    default: {}
  grafana_password:
    description: Password of Grafana's user C(admin).
    type: str
    default: ""
  wait:
    description: How long to ask again while something is amiss that may be right in a moment, in seconds.
    type: int
    default: 0
attributes:
  check_mode:
    description: Reads only, so it does the same in check mode; on a host without the stack there is nothing to ask.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Check that everything runs as declared
  crowsnest.core.verify:
    expected: "{{ plan | crowsnest.core.expectations(declaration, secrets, hostvars, inventory_dir) }}"
  register: verification
"""

RETURN = r"""
report:
  description:
    - The checks, those that failed first, and how many there are of each status.
    - C(kind) and C(name) are there where many lines can be alike, so that a report can make one of them.
  type: dict
  returned: always
  sample:
    host: web1
    time: "2026-11-21T12:00:00Z"
    seconds: 1.9
    passed: 14
    warnings: 0
    failed: 1
    checks:
      - status: FAIL
        area: targets
        detail: "node web1 127.0.0.1:9100 is down: connection refused"
        advice: "On that host: `systemctl status prometheus-node-exporter`. See the runbook HostDown."
        kind: targets of job node are down
        name: "node web1 127.0.0.1:9100 (connection refused)"
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.verify.run import report


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "expected": {"type": "dict", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "grafana_password": {"type": "str", "default": "", "no_log": True},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode and not Path(given["expected"]["compose"]["path"]).exists():
        module.exit_json(changed=False, report={})
    found = report(given["expected"], given["secrets"], given["grafana_password"], given["wait"])
    module.exit_json(changed=False, report=found)


if __name__ == "__main__":
    main()
