#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: sentry
short_description: Give Sentry the declared projects with their alerts, and return their DSNs
description:
  - Finds or creates the team, the project and a client key of each declared project, and two alerts. Critical issues
    (of high priority) are told at once, all others at most once an hour per issue, in Slack where the organization has
    its integration, else by e-mail.
  - What was edited by hand is corrected. Nothing is ever removed, also when a project is no longer declared, and other
    alerts, keys and teams are never touched. Each change is read back.
  - Also works with a Sentry that a team runs itself, with other regions of Sentry, and with Bugsink. Bugsink's alerts
    have no API, so there only teams and projects are made.
  - A server that does not answer, or takes no more requests now, is a warning and RV(projects) is empty.
  - Several objects where only one can be meant are refused with their ids, and nothing is changed.
options:
  url:
    description: Where Sentry's API answers, without C(/api/). Of an organization in the EU V(https://de.sentry.io).
    type: str
    default: https://sentry.io
  organization:
    description: Slug of the organization. Bugsink has none.
    type: str
  token:
    description:
      - Token of an internal integration with Organization Read, Team Write, Project Write and Alerts Write, or of a
        user with the scopes C(org:read), C(team:write), C(project:write) and C(alerts:write).
      - An organization token (C(sntrys_)) cannot do it. Of Bugsink, a token of its page Tokens.
    type: str
    required: true
  timeout:
    description: How long to wait for each answer, in seconds.
    type: int
    default: 30
  dsns:
    description: Whether RV(projects[].dsn) is returned. It has the key; give such a task C(no_log).
    type: bool
    default: false
  projects:
    description: Projects that must be there.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {type: str, required: true, description: "Its name, and its slug. Bugsink makes its own slug."}
      platform: {type: str, description: "Platform of a new one, such as V(python-django), for Sentry's pages."}
      team:
        description: Slug of its team, in Bugsink the name. A project that exists stays in its teams.
        type: str
        required: true
      environment:
        description:
          - Its alerts hold for this environment only, by default for all. Sentry knows an environment from its first
            event on; until then they hold for all, with a warning.
        type: str
      slack_channel:
        description:
          - Channel that its alerts tell, such as V(#errors); by default the members of its teams by e-mail. Without
            Slack in the organization it is e-mail, with a warning.
        type: str
      monitors:
        description:
          - Cron monitors, of what checks in. One that Sentry has disabled, as no seat is left, is a warning.
          - Bugsink has none, which is a warning as well.
        type: list
        elements: dict
        suboptions:
          slug: {type: str, required: true, description: Identifies it in the organization.}
          name: {type: str, required: true, description: Name that people see.}
          crontab: {type: str, description: "When it runs; needs this or O(projects[].monitors[].every_minutes)."}
          every_minutes: {type: int, description: How often it runs.}
          timezone: {type: str, description: Of the crontab. Without it C(UTC).}
          margin_minutes: {type: int, required: true, description: How late a check-in may be.}
attributes:
  check_mode:
    description: Reports what would be done and writes nothing. A new project has no DSN yet.
    support: full
  diff_mode:
    description: Text before and after each change, field by field.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Make the projects of the shop
  crowsnest.core.sentry:
    organization: acme
    token: "{{ vault_sentry_token }}"
    projects:
      - name: shop
        platform: python-django
        team: backend
        environment: production
        slack_channel: "#errors"
      - {name: shop-frontend, platform: javascript-react, team: frontend}
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, in this order.
  type: list
  elements: str
  returned: success
  sample: ["create project shop", "change alert crowsnest shop critical: to"]
projects:
  description: The declared projects. Of one that does not exist yet, number, DSN and digest are empty.
  type: list
  elements: dict
  returned: success
  contains:
    name: {type: str, description: As it is declared.}
    slug: {type: str, description: As the server has it.}
    id: {type: str, description: Number of the project.}
    dsn: {type: str, description: "Where its apps send events; with O(dsns=true) only."}
    dsn_digest: {type: str, description: SHA-256 of the DSN, by which a new one shows.}
    alerts: {type: str, description: "Where its alerts go: V(slack), V(email) or V(none)."}
  sample: [{name: shop, slug: shop, id: "42", dsn_digest: 0ee6d5…, alerts: slack}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import run_module
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.options import ARGUMENT_SPEC, secrets
from ansible_collections.crowsnest.core.plugins.module_utils.sentry.run import run


def main() -> None:
    """Entry point of the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), secrets, run)


if __name__ == "__main__":
    main()
