#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: metabase
short_description: Make Metabase have exactly the declared databases, collections, questions, dashboards and people
description:
  - Sets a new Metabase up, compares all that is declared with all that is there, and writes only what differs. One call
    for everything.
  - Objects made by this module are known again whatever people rename or move. What is no longer declared is archived,
    never deleted; what was edited by hand is put right; what people made themselves is never touched, also when it has
    the same name. People, groups and databases are only made and changed; taking them away is the administrator's act.
  - When the run is cut off, the next one goes on. An option of another shape than below is refused at once, all other
    mistakes are reported together; nothing is changed then.
  - A database that cannot be connected and a question whose SQL fails do not stop the rest. They are warnings and in
    RV(failed_databases) and RV(failed_questions), at each run until they work. So is in RV(failed_changes) what
    Metabase refuses of a person, a dashboard or a subscription.
  - Knows Metabase 0.58 and later, and the Enterprise edition of these.
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
      - File on the host, with mode 0600, for the API key that is made once, and for digests of the passwords that
        Metabase never gives back.
      - Without it, or when Metabase refuses the key, the module logs in with O(admin) and makes a new key.
    type: path
    required: true
  admin:
    description: The administrator. Metabase's first account is made of it.
    type: dict
    required: true
    suboptions:
      email: {type: str, required: true, description: "Its address, by which it logs in."}
      password: {type: str, required: true, description: "Its password. When it changes, it is set."}
      first_name: {type: str, description: First name.}
      last_name: {type: str, description: Last name.}
  site:
    description: For the first set-up. O(settings) keep both right later.
    type: dict
    suboptions:
      name: {type: str, description: "Name, as C(site-name) of the settings."}
      locale: {type: str, description: "Language, such as V(en), as C(site-locale)."}
  settings:
    description:
      - Settings by Metabase's own names, such as C(site-url). Others stay as they are.
      - One that the container's environment fixes stays, with a warning when it differs.
    type: dict
    default: {}
  groups:
    description: Names of groups of people.
    type: list
    elements: str
    default: []
  users:
    description:
      - Metabase invites a new one by e-mail when its e-mail is set up. A deactivated one is activated.
      - Membership in groups that are not declared stays.
    type: list
    elements: dict
    default: []
    suboptions:
      email: {type: str, required: true, description: "Address, by which a person is known."}
      first_name: {type: str, description: First name.}
      last_name: {type: str, description: Last name.}
      groups: {type: list, elements: str, description: Names in O(groups).}
      admin: {type: bool, description: Whether an administrator.}
  databases:
    description:
      - PostgreSQL databases. One in Metabase with that name but another user is not ours; another one is made then.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: "What people read, each name once."}
      host: {type: str, required: true, description: Where PostgreSQL answers.}
      dbname: {type: str, required: true, description: Name of the database in PostgreSQL.}
      user: {type: str, required: true, description: Role that reads.}
      port: {type: int, description: "Port, by default 5432."}
      password: {type: str, required: true, description: Its password.}
      ssl:
        description: Whether only TLS will do. Without it Metabase tries TLS first and keeps what worked.
        type: bool
  collections:
    description: Folders of questions and dashboards.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: By which it is found again whatever its name is.}
      name: {type: str, required: true, description: What people read.}
      description: {type: str, description: Text below its name.}
      parent: {type: str, description: Key of the collection it is in.}
  questions:
    description: What is asked in SQL, and how its result is shown.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: By which it is found again whatever its name is.}
      name: {type: str, required: true, description: What people read.}
      collection: {type: str, required: true, description: Key of the collection it is in.}
      database: {type: str, required: true, description: Name in O(databases).}
      description: {type: str, description: Text below its name.}
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
          - By the name of a C({{tag}}) in the SQL. Each has C(type) (V(date) or V(text)) and C(field),
            C(schema.table.column), and becomes a field filter.
          - Write C([[AND {{tag}}]]) to make it optional, and in a playbook keep Ansible from reading the tag, by
            C(raw) as below or by C(!unsafe).
        type: dict
  dashboards:
    description: Pages of questions.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: By which it is found again whatever its name is.}
      name: {type: str, required: true, description: What people read.}
      collection: {type: str, required: true, description: Key of the collection it is in.}
      description: {type: str, description: Text below its name.}
      width: {type: str, choices: [full, fixed, null], description: "Of the page, by default V(fixed)."}
      filters:
        description: Each filters every card whose question has its tag.
        type: list
        elements: dict
        suboptions:
          name: {type: str, required: true, description: What people read.}
          type: {type: str, required: true, choices: [date, text], description: As in the questions.}
          tag: {type: str, required: true, description: Tag in the SQL of questions.}
          default: {type: str, description: "Value at first, such as V(past30days)."}
      cards:
        description: In a grid of 24 columns. Cards that people added stay.
        type: list
        elements: dict
        suboptions:
          question: {type: str, required: true, description: Key of a question.}
          row: {type: int, required: true, description: "Row of its upper end, from 0."}
          col: {type: int, required: true, description: "Column of its left end, from 0."}
          width: {type: int, required: true, description: Columns.}
          height: {type: int, required: true, description: Rows.}
  subscriptions:
    description: Dashboards that are sent, to addresses or to a channel.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: By which it is found again whatever its name is.}
      name: {type: str, required: true, description: What people read.}
      dashboard: {type: str, required: true, description: Key of the dashboard that is sent.}
      emails: {type: list, elements: str, description: "Addresses that get it, or else a channel."}
      channel: {type: str, description: Channel of Slack that gets it.}
      every: {type: str, required: true, choices: [hour, day, week, month], description: How often.}
      at: {type: int, description: "Hour of the day, from 0 to 23."}
      weekday:
        description: Day of V(week); of V(month) the first such day.
        type: str
        choices: [mon, tue, wed, thu, fri, sat, sun, null]
      skip_if_empty: {type: bool, description: Whether nothing is sent when no question has a result.}
attributes:
  check_mode:
    description: Says exactly what would be done and writes nothing.
    details: Works before the set-up and before Metabase runs; then everything would be created.
    support: full
  diff_mode:
    description: Text before and after of what changes, field by field, with secrets masked.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Business numbers of a shop
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
  description: What was done, or would be done in check mode, in this order.
  type: list
  elements: str
  returned: success
  sample: ["create question Revenue per day", "change dashboard Shop: cards"]
version:
  description: Version of Metabase, empty when it was not seen.
  type: str
  returned: success
  sample: 0.61.2
failed_databases:
  description: Databases that Metabase cannot connect to, with its words.
  type: list
  elements: dict
  returned: success
  sample: [{database: Shop, message: "HTTP 400: Connection refused"}]
failed_questions:
  description:
    - Questions whose SQL fails, with PostgreSQL's words, and those that could not be made.
    - The SQL is run after a question was made or changed, and again until it works.
  type: list
  elements: dict
  returned: success
  sample: [{question: shop/revenue, message: "ERROR: relation \"orders\" does not exist"}]
failed_changes:
  description: What Metabase refused to do for a person, a dashboard or a subscription, with its words.
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
