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
  - When the run is cut off, the next one goes on. Mistakes in the options are reported all at once, before anything
    is changed.
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
    description:
      - The administrator, C(email), C(password), C(first_name) and C(last_name). Metabase's first account is made of
        it. When the declared password changes, it is set.
    type: dict
    required: true
  site:
    description: C(name) and C(locale) for the first set-up. O(settings) keep them right later (C(site-name)).
    type: dict
    default: {}
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
      - People, each with C(email), C(first_name), C(last_name), C(groups) out of O(groups) and C(admin), a boolean.
        Metabase invites a new one by e-mail when its e-mail is set up. A deactivated one is activated.
      - Membership in groups that are not declared stays.
    type: list
    elements: dict
    default: []
  databases:
    description:
      - PostgreSQL databases, each with C(name), C(host), C(port), C(dbname), C(user), C(password) and C(ssl).
      - One in Metabase with that name but another user is not ours; another one is made beside it.
    type: list
    elements: dict
    default: []
  collections:
    description: Each has C(key), C(name), C(description) and C(parent), the key of the collection it is in.
    type: list
    elements: dict
    default: []
  questions:
    description:
      - Each has C(key), C(collection), C(database), C(name), C(description), C(sql), C(display) (V(table), V(line),
        V(bar), V(scalar) and so on) and C(visualization), Metabase's C(visualization_settings).
      - C(filters) are by the name of a C({{tag}}) in the SQL. Each has C(type) (V(date) or V(text)) and C(field),
        C(schema.table.column), and becomes a field filter. Write C([[AND {{tag}}]]) to make it optional, and in a
        playbook keep Ansible from reading the tag, by C(raw) as below or by C(!unsafe).
    type: list
    elements: dict
    default: []
  dashboards:
    description:
      - Each has C(key), C(collection), C(name), C(description) and C(width) (V(fixed) or V(full)).
      - C(filters) is a list of C(tag), C(name), C(type) and C(default). It filters every card whose question has that
        tag.
      - C(cards) is a list of C(question), C(row), C(col), C(width) and C(height) in a grid of 24 columns. Cards that
        people added stay.
    type: list
    elements: dict
    default: []
  subscriptions:
    description:
      - Each has C(key), C(dashboard), C(name), either C(emails) or a Slack C(channel), C(every) (V(hour), V(day),
        V(week) or V(month)), C(at), the hour, C(weekday) (V(mon) to V(sun)) and C(skip_if_empty).
    type: list
    elements: dict
    default: []
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

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import MetabaseError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.run import Run, secrets

OBJECTS = {"type": "list", "elements": "dict", "default": []}
ARGUMENT_SPEC = {
    "url": {"type": "str", "default": "http://127.0.0.1:3002"},
    "timeout": {"type": "int", "default": 300},
    "key_file": {"type": "path", "required": True, "no_log": False},
    "admin": {"type": "dict", "required": True, "no_log": True},
    "site": {"type": "dict", "default": {}},
    "settings": {"type": "dict", "default": {}, "no_log": True},
    "groups": {"type": "list", "elements": "str", "default": []},
    "users": OBJECTS,
    "databases": {**OBJECTS, "no_log": True},
    "collections": OBJECTS,
    "questions": OBJECTS,
    "dashboards": OBJECTS,
    "subscriptions": OBJECTS,
}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    # Ansible would black out every name and number of a database wherever it appears; only the secrets are.
    module.no_log_values = secrets(module.params)
    try:
        result = Run(module.params, module.check_mode).result()
    except MetabaseError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
