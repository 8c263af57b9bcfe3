# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The module metabase as Ansible runs it, in-process, and a declaration for it with one thing of each kind."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_module import outcome
from metabase_in_process import Double

from ansible_collections.crowsnest.core.plugins.modules import metabase as module

PASSWORD, DB_PASSWORD = "a-Long-Secret-1", "a-Database-Secret-2"
Row = dict[str, Any]
SQL = "SELECT created_at::date, sum(total) FROM orders WHERE true [[AND {{period}}]] [[AND {{city}}]] GROUP BY 1"
DECLARED: Row = {
    "admin": {"email": "admin@example.com", "password": PASSWORD, "first_name": "Ada", "last_name": "Admin"},
    "site": {"name": "Example"},
    "settings": {"site-name": "Example", "site-url": "https://bi.example.com/", "email-smtp-password": "smtp-Secret-3"},
    "groups": ["Sales"],
    "users": [{"email": "Ann@example.com", "first_name": "Ann", "last_name": "A", "groups": ["Sales"]}],
    "databases": [
        {
            "name": "Shop",
            "host": "127.0.0.1",
            "dbname": "shop",
            "user": "crowsnest_ro",
            "password": DB_PASSWORD,
            "ssl": False,
        }
    ],
    "collections": [
        {"key": "shop/sales", "name": "Sales", "parent": "shop"},
        {"key": "shop", "name": "Shop", "description": "All of it"},
    ],
    "questions": [
        {
            "key": "shop/revenue",
            "collection": "shop/sales",
            "database": "Shop",
            "name": "Revenue per day",
            "sql": SQL,
            "display": "line",
            "visualization": {"graph.metrics": ["sum"]},
            "filters": {
                "period": {"type": "date", "field": "public.orders.created_at"},
                "city": {"type": "text", "field": "public.orders.city"},
            },
        },
        {
            "key": "shop/orders",
            "collection": "shop",
            "database": "Shop",
            "name": "Orders",
            "description": "How many",
            "sql": "SELECT count(*) FROM orders",
            "display": "scalar",
        },
    ],
    "dashboards": [
        {
            "key": "shop",
            "collection": "shop",
            "name": "The shop",
            "width": "full",
            "filters": [
                {"tag": "period", "name": "Period", "type": "date", "default": "past30days"},
                {"tag": "city", "name": "City", "type": "text", "default": None},
            ],
            "cards": [
                {"question": "shop/revenue", "row": 0, "col": 0, "width": 18, "height": 8},
                {"question": "shop/orders", "row": 0, "col": 18, "width": 6, "height": 4},
            ],
        }
    ],
    "subscriptions": [
        {
            "key": "weekly",
            "dashboard": "shop",
            "name": "Shop weekly",
            "emails": ["boss@example.com"],
            "every": "week",
            "at": 8,
            "weekday": "mon",
            "skip_if_empty": True,
        }
    ],
}
FIRST = [
    "create account admin@example.com",
    "create API key crowsnest in {file}",
    "change settings: site-url, email-smtp-password",
    "create group Sales",
    "create user Ann@example.com",
    "create database Shop",
    "create collection Shop",
    "create collection Sales",
    "create question Revenue per day",
    "create question Orders",
    "create dashboard The shop",
    "create subscription Shop weekly",
]


class Runner:
    """Runs the module with one key file; the databases of a declaration are on the server of this port."""

    def __init__(self, url: str, port: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.port, self.file, self.capsys = url, port, folder / "api-key.json", capsys
        self.output = ""

    def __call__(self, declared: Row = DECLARED, *, check: bool = False, **more: Any) -> Row:
        databases = [{"port": self.port, **each} for each in declared["databases"]]
        options = {"url": self.url, "key_file": str(self.file), **declared, "databases": databases, **more}
        result, self.output = outcome(module, self.capsys, options, check)
        result["warnings"] = [each["event"]["msg"] for each in result.get("warnings", [])]
        shown = json.dumps({name: value for name, value in result.items() if name != "invocation"})
        for secret in (PASSWORD, DB_PASSWORD, "smtp-Secret-3", self.key or PASSWORD):
            assert secret not in self.output, shown
        return result

    @property
    def key(self) -> str:
        """The API key in the file."""
        return str(json.loads(self.file.read_text()).get("key", "")) if self.file.exists() else ""

    @property
    def first(self) -> list[str]:
        return [line.replace("{file}", str(self.file)) for line in FIRST]


def changed(**more: Any) -> Row:
    """The declaration with something else: `questions_1={…}` changes the second question."""
    declared = copy.deepcopy(DECLARED)
    for name, value in more.items():
        option, _, index = name.partition("_")
        if index:
            declared[option][int(index)].update(value)
        else:
            declared[option] = value
    return declared


def set_up_by_hand(metabase: Double, **different: str) -> None:
    """The first account is made on Metabase's own page: the declared one, unless something is different."""
    person = {**DECLARED["admin"], **different}
    token = metabase.ask("GET", "session/properties")["setup-token"]
    metabase.ask("POST", "setup", {"token": token, "user": person, "prefs": {"site_name": "By hand"}})


def settled(run: Runner, metabase: Double, declared: Row = DECLARED) -> None:
    """The next run finds nothing to do and writes nothing."""
    metabase.requests.clear()
    result = run(declared)
    assert (result["changed"], result["changes"], result["diff"]) == (False, [], {"before": "", "after": ""})
    assert metabase.writes == []
