#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_ask
short_description: Ask many databases of PostgreSQL the same question at once
description:
  - Connects to each database, runs one query that only reads, and returns its rows. All are asked side by side, so many
    take as long as the slowest.
  - A database that does not answer is no failure. Its error is returned in place of its rows.
  - Needs psycopg 3 on the host.
options:
  databases:
    description: Where to ask, and as whom.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What tells its answer from others.
        type: str
        required: true
      host:
        description: Address of the server.
        type: str
        required: true
      port:
        description: Port of the server.
        type: int
        required: true
      dbname:
        description: Name of the database.
        type: str
        required: true
      user:
        description: Who asks.
        type: str
        required: true
      password:
        description: Its password.
        type: str
        required: true
      sslmode:
        description: Whether the connection is encrypted with TLS, as libpq knows it.
        type: str
        choices: [disable, prefer, require]
        default: prefer
      parameters:
        description: Values of the parameters C(%(name\)s) of the query, by name.
        type: dict
        default: {}
  query:
    description: The query.
    type: str
    required: true
  timeout:
    description: How long a server may take to accept a connection, in seconds.
    type: int
    default: 10
attributes:
  check_mode:
    description: Reads only, so it does the same in check mode.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Ask two databases for their sizes
  crowsnest.core.postgresql_ask:
    databases:
      - {name: shop, host: 127.0.0.1, port: 5432, dbname: shop, user: reader, password: "{{ vault_reader }}"}
      - {name: blog, host: 127.0.0.1, port: 5432, dbname: blog, user: reader, password: "{{ vault_reader }}"}
    query: SELECT pg_database_size(current_database()) AS bytes
"""

RETURN = r"""
results:
  description: For each database C(item), its name, and C(query_result), its rows, or C(msg), why there are none.
  type: list
  elements: dict
  returned: success
  sample:
    - {item: shop, query_result: [{bytes: 8123456}]}
    - {item: blog, msg: "connection failed: FATAL:  role \"reader\" does not exist"}
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:
    psycopg = None  # type: ignore[assignment]

# Connections at a time; a server has a hundred, and apps need them.
_AT_ONCE = 8
_TEXT = {"type": "str", "required": True}


def ask(database: dict[str, Any], query: str, seconds: int) -> dict[str, Any]:
    """The answer of one database, as an entry of `results`."""
    login = {name: database[name] for name in ("host", "port", "dbname", "user", "password", "sslmode")}
    try:
        with psycopg.connect(
            **login, connect_timeout=seconds, cursor_factory=psycopg.ClientCursor, row_factory=dict_row
        ) as connection:
            rows = connection.execute(query, database["parameters"]).fetchall()
        return {"item": database["name"], "query_result": rows}
    except psycopg.Error as error:
        return {"item": database["name"], "msg": str(error)}


def main() -> None:
    """Run the module."""
    place = {
        **dict.fromkeys(("name", "host", "dbname", "user"), _TEXT),
        "port": {"type": "int", "required": True},
        "password": {**_TEXT, "no_log": True},
        "sslmode": {"type": "str", "choices": ["disable", "prefer", "require"], "default": "prefer"},
        "parameters": {"type": "dict", "default": {}},
    }
    module = AnsibleModule(
        argument_spec={
            "databases": {"type": "list", "elements": "dict", "required": True, "options": place},
            "query": _TEXT,
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    if psycopg is None:
        module.fail_json(msg=missing_required_lib("psycopg"))
    query, seconds = module.params["query"], module.params["timeout"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = pool.map(lambda database: ask(database, query, seconds), module.params["databases"])
        module.exit_json(changed=False, results=list(results))


if __name__ == "__main__":
    main()
