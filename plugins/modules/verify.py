#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Check whether the running services are as declared
description:
  - Compares containers, files and what the services have loaded with what is generated from the declaration, and
    queries Prometheus, Alertmanager and Grafana on loopback for targets, rules, panels, deliveries, certificates and
    hosts.
  - Changes nothing and never fails because of a failed check; the caller decides by their number.
options:
  expected:
    description: The expected state, made by the filter P(crowsnest.core.expectations#filter).
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
  page_headers:
    description:
      - Headers with which the pages of apps are requested, as JSON - app to name to value.
      - It is one text because Ansible would mask each value wherever it stands in the report, also a short one.
    type: str
    default: ""
  wait:
    description: How long to check again while something is wrong that may be right in a moment, in seconds.
    type: int
    default: 0
attributes:
  check_mode:
    description: Reads only, so it does the same in check mode; on a host without the stack there is nothing to check.
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
    - The checks, failed ones first, and the number of each status.
    - C(kind) and C(name) are set where many lines can be alike, so that a report can join them into one.
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

import json
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
            "page_headers": {"type": "str", "default": "", "no_log": True},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode and not Path(params["expected"]["compose"]["path"]).exists():
        module.exit_json(changed=False, report={})
    headers = json.loads(params["page_headers"] or "{}")
    found = report(params["expected"], params["secrets"], params["grafana_password"], headers, params["wait"])
    module.exit_json(changed=False, report=found)


if __name__ == "__main__":
    main()
