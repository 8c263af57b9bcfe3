#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: metabase
short_description: Give Metabase exactly the declared databases, collections, questions, dashboards and people
description:
  - Sets a new Metabase up, compares all that is declared with all that is there, and writes only what differs. One call
    for everything.
  - The module recognises its own objects whatever people rename or move. What is no longer declared is archived, never
    deleted. What was edited by hand is corrected. What people created themselves is never touched, even if it has the
    same name. People, groups and databases are only created and changed; only an administrator removes them.
  - When a run is interrupted, the next one continues. An option of the wrong shape is refused at once, all other
    mistakes are reported together; in both cases nothing is changed.
  - A database that cannot be connected and a question whose SQL fails do not stop the rest. Each run reports them as
    warnings and in RV(failed_databases) and RV(failed_questions) until they work, and in RV(failed_changes) what
    Metabase refuses for a person, a dashboard or a subscription.
  - Supports Metabase 0.58 and later, and the Enterprise edition of these.
options:
  url:
    description: Where Metabase answers on the host.
    type: str
    default: http://127.0.0.1:3002
  timeout:
    description: How long to wait until Metabase is ready, in seconds. Its first start takes minutes on a small host.
    type: int
    default: 300
  key_file:
    description:
      - File on the host, with mode 0600, for the API key that is created once, and for digests of the passwords that
        Metabase never returns.
      - Without it, or when Metabase refuses the key, the module logs in with O(admin) and creates a new key.
    type: path
    required: true
  admin:
    description: The administrator, for whom Metabase's first account is created.
    type: dict
    required: true
    suboptions:
      email: {type: str, required: true, description: "E-mail address, used to log in."}
      password: {type: str, required: true, description: "Password. When it changes, it is set."}
      first_name: {type: str, description: First name.}
      last_name: {type: str, description: Last name.}
  site:
    description: Used at the first set-up. Later, O(settings) keeps both up to date.
    type: dict
    suboptions:
      name: {type: str, description: "Name, like C(site-name) of the settings."}
      locale: {type: str, description: "Language such as V(en), like C(site-locale)."}
  settings:
    description:
      - Settings, under Metabase's own names such as C(site-url). Others stay as they are.
      - A setting that the container's environment fixes stays as it is, with a warning if it differs.
    type: dict
    default: {}
  groups:
    description: Names of groups of people.
    type: list
    elements: str
    default: []
  users:
    description:
      - Metabase invites new users by e-mail if its e-mail is set up. A deactivated user is activated.
      - Membership in groups that are not declared is kept.
    type: list
    elements: dict
    default: []
    suboptions:
      email: {type: str, required: true, description: "E-mail address, which identifies the person."}
      first_name: {type: str, description: First name.}
      last_name: {type: str, description: Last name.}
      groups: {type: list, elements: str, description: Names in O(groups).}
      admin: {type: bool, description: Whether the person is an administrator.}
  databases:
    description:
      - PostgreSQL databases. One in Metabase with that name but a different user is not this module's; then another one
        is created.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: "Name that people see, unique."}
      host: {type: str, required: true, description: Where PostgreSQL answers.}
      dbname: {type: str, required: true, description: Name of the database in PostgreSQL.}
      user: {type: str, required: true, description: Role with read access.}
      port: {type: int, description: "Port, by default 5432."}
      password: {type: str, required: true, description: Its password.}
      ssl:
        description: Whether TLS is required. Without it Metabase tries TLS first and keeps what worked.
        type: bool
  collections:
    description: Folders of questions and dashboards.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: Identifies it whatever its name is.}
      name: {type: str, required: true, description: Name that people see.}
      description: {type: str, description: Text below the name.}
      parent: {type: str, description: Key of the collection it is in.}
  questions:
    description: SQL queries, and how their results are shown.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: Identifies it whatever its name is.}
      name: {type: str, required: true, description: Name that people see.}
      collection: {type: str, required: true, description: Key of the collection it is in.}
      database: {type: str, required: true, description: Name in O(databases).}
      description: {type: str, description: Text below the name.}
      sql: {type: str, required: true, description: The query.}
      display:
        description: How it is shown.
        type: str
        required: true
        choices:
          [table, line, bar, area, combo, row, pie, scalar, smartscalar, gauge, progress, funnel, waterfall, scatter,
           map, object, sankey, boxplot]
      visualization: {type: dict, description: Metabase's C(visualization_settings).}
      filters:
        description:
          - Maps the name of a C({{tag}}) in the SQL to C(type) (V(date) or V(text)) and C(field)
            (C(schema.table.column)), and C(name) if people should read another one than the tag. Each becomes a field
            filter.
          - Write C([[AND {{tag}}]]) to make it optional. In a playbook, keep Ansible from evaluating the tag, with
            C(raw) as below or with C(!unsafe).
        type: dict
  dashboards:
    description: Pages of questions.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: Identifies it whatever its name is.}
      name: {type: str, required: true, description: Name that people see.}
      collection: {type: str, required: true, description: Key of the collection it is in.}
      description: {type: str, description: Text below the name.}
      width: {type: str, choices: [full, fixed, null], description: "Width of the page, by default V(fixed)."}
      filters:
        description: Filters, each for every card whose question has its tag.
        type: list
        elements: dict
        suboptions:
          name: {type: str, required: true, description: Name that people see.}
          type: {type: str, required: true, choices: [date, text], description: As in the questions.}
          tag: {type: str, required: true, description: Tag in the SQL of questions.}
          default: {type: str, description: "Initial value, such as V(past30days)."}
      cards:
        description: Cards in a grid of 24 columns. Cards that people added stay.
        type: list
        elements: dict
        suboptions:
          question: {type: str, required: true, description: Key of a question.}
          row: {type: int, required: true, description: "Row of its top edge, from 0."}
          col: {type: int, required: true, description: "Column of its left edge, from 0."}
          width: {type: int, required: true, description: Width in columns.}
          height: {type: int, required: true, description: Height in rows.}
  subscriptions:
    description: Dashboards that Metabase sends to e-mail addresses or to a channel.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: Identifies it whatever its name is.}
      name: {type: str, required: true, description: Name that people see.}
      dashboard: {type: str, required: true, description: Key of the dashboard that is sent.}
      emails: {type: list, elements: str, description: "E-mail addresses that get it, or else a channel."}
      channel: {type: str, description: Slack channel that gets it.}
      every: {type: str, required: true, choices: [hour, day, week, month], description: How often.}
      at: {type: int, description: "Hour of the day, from 0 to 23."}
      weekday:
        description: Day of the week for V(week); for V(month), the first such day.
        type: str
        choices: [mon, tue, wed, thu, fri, sat, sun, null]
      skip_if_empty: {type: bool, description: Whether to send nothing when no question has a result.}
attributes:
  check_mode:
    description: Reports exactly what would be done and writes nothing.
    details: Also works before the set-up and before Metabase runs; then everything is reported as created.
    support: full
  diff_mode:
    description: Text before and after each change, field by field, with secrets masked.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Set up the business numbers of a shop
  crowsnest.core.metabase:
    key_file: /opt/crowsnest/metabase/api-key.json
    admin: {email: admin@example.com, password: "{{ vault_metabase_admin_password }}"}
    site: {name: Example}
    settings: {site-url: https://metabase.example.com}
    databases:
      - {name: Shop, host: 10.0.0.5, dbname: shop, user: crowsnest_ro, password: "{{ vault_shop_password }}"}
    collections:
      - {key: shop, name: Shop}
    questions:
      - key: shop/revenue
        collection: shop
        database: Shop
        name: Revenue per day
        sql: |
          {% raw %}
          SELECT created_at::date AS day, sum(total) AS revenue
          FROM orders
          WHERE true [[AND {{period}}]]
          GROUP BY 1
          {% endraw %}
        display: line
        visualization: {graph.dimensions: [day], graph.metrics: [revenue]}
        filters: {period: {type: date, field: public.orders.created_at}}
    dashboards:
      - key: shop
        collection: shop
        name: Shop
        filters: [{tag: period, name: Period, type: date, default: past30days}]
        cards: [{question: shop/revenue, row: 0, col: 0, width: 24, height: 8}]
    subscriptions:
      - {key: shop, dashboard: shop, name: Shop, emails: [boss@example.com], every: week, weekday: mon, at: 8}
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, in this order.
  type: list
  elements: str
  returned: success
  sample: ["create question Revenue per day", "change dashboard Shop: cards"]
version:
  description: Version of Metabase, empty if it did not answer.
  type: str
  returned: success
  sample: 0.61.2
failed_databases:
  description: Databases that Metabase cannot connect to, with its error message.
  type: list
  elements: dict
  returned: success
  sample: [{database: Shop, message: "HTTP 400: Connection refused"}]
failed_questions:
  description:
    - Questions whose SQL fails, with PostgreSQL's error message, and those that could not be created.
    - The SQL runs after a question was created or changed, and in each later run until it works.
  type: list
  elements: dict
  returned: success
  sample: [{question: shop/revenue, message: "ERROR: relation \"orders\" does not exist"}]
failed_changes:
  description: What Metabase refused to do for a person, a dashboard or a subscription, with its error message.
  type: list
  elements: dict
  returned: success
  sample: [{change: create subscription Shop, message: "HTTP 400: its dashboard shop has no question"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.options import ARGUMENT_SPEC, secrets
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.reconcile import run
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import run_module


def main() -> None:
    """Entry point of the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), secrets, run)


if __name__ == "__main__":
    main()
