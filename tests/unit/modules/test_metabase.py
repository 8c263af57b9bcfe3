# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""metabase as Ansible runs it, in-process, against a small Metabase that keeps what it is told."""

from __future__ import annotations

import copy
import json
import re
import stat
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crowsnest.core.plugins.module_utils.metabase import client as metabase_client
from ansible_collections.crowsnest.core.plugins.module_utils.metabase import read as metabase_read
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import caveats, entity_id
from ansible_collections.crowsnest.core.plugins.modules import metabase as module

PASSWORD, DB_PASSWORD = "a-Long-Secret-1", "a-Database-Secret-2"
OBSCURED = "**MetabasePass**"
Row = dict[str, Any]


class Metabase:
    """Metabase's pages as far as the module uses them. It drops what it does not know, as the real one does.

    `refuse` and `die_at` ({"METHOD /path": …}) make it fail; `unreachable` are hosts without a PostgreSQL.
    """

    def __init__(self) -> None:
        self.password, self.email, self.tag, self.up = PASSWORD, "admin@example.com", "v0.61.2", True
        self.is_set_up, self.number, self.starting = False, 100, 0
        self.keys: dict[int, Row] = {}
        self.tables: dict[str, dict[int, Row]] = {
            name: {} for name in ("group", "user", "database", "collection", "card", "dashboard", "pulse")
        }
        self.tables["group"] = {1: {"id": 1, "name": "All Users"}, 2: {"id": 2, "name": "Administrators"}}
        self.settings: dict[str, Row] = {
            name: {"key": name, "value": None, "default": default, "is_env_setting": False}
            for name, default in (
                *(("site-name", "Metabase"), ("site-url", None), ("email-smtp-password", None)),
                ("landing-page", ""),
            )
        }
        self.columns = {11: "public.orders.created_at", 12: "public.orders.city", 13: "public.orders.extra"}
        self.synced_after, self.broken_sql = 0, ""
        self.requests: list[str] = []
        self.refuse: dict[str, tuple[int, Any]] = {}
        self.die_at, self.unreachable, self.environment = "", set(), {}
        self.lose: dict[int, str] = {}  # the n-th write is lost: before Metabase sees it, or only its answer
        self.throttled = 0

    @property
    def writes(self) -> list[str]:
        """What may change something: no logins, no questions that are run."""
        quiet = re.compile(r"GET |\w+ /api/session|POST /api/card/\d+/query")
        return [request for request in self.requests if not quiet.match(request)]

    def new(self, table: str, row: Row) -> Row:
        self.number += 1
        made = {"id": self.number, "entity_id": f"metabase-{self.number:012d}"[:21], "archived": False, **row}
        self.tables[table][self.number] = made
        return made

    def exchange(self, method: str, path: str, body: Any, headers: Row) -> tuple[int, Any]:
        parts = urlsplit(path)
        self.requests.append(f"{method} {path}")
        where = f"{method} {re.sub(r'[0-9]+', 'N', parts.path)}"
        if not self.up or self.die_at == where:
            self.die_at = ""
            raise ConnectionResetError("Connection reset by peer")
        if where in self.refuse:
            return self.refuse[where]
        lost = self.lose.get(len(self.writes)) if self.writes and self.writes[-1] == self.requests[-1] else None
        if lost:
            self.lose = {}
        if lost == "request":
            raise ConnectionResetError("Connection reset by peer")
        answer = self.routed(method, parts, body, headers)
        if lost == "answer":
            raise ConnectionResetError("Connection reset by peer")
        return answer

    def routed(self, method: str, parts: Any, body: Any, headers: Row) -> tuple[int, Any]:
        if parts.path == "/api/health":
            self.starting -= 1 if self.starting else 0
            return (503, {"status": "initializing", "progress": 0.5}) if self.starting else (200, {"status": "ok"})
        if parts.path == "/api/session/properties":
            token = None if self.is_set_up else "a token"
            version = {"tag": self.tag}
            public = {"site-name": self.environment.get("site-name", self.settings["site-name"]["value"])}
            return 200, {"version": version, "has-user-setup": self.is_set_up, "setup-token": token, **public}
        if parts.path in ("/api/setup", "/api/session"):
            return getattr(self, f"{method.lower()}_{parts.path.split('/')[-1]}")(body)
        known = headers.get("X-Metabase-Session") == "a session"
        if not known and headers.get("x-api-key") not in [key["clear"] for key in self.keys.values()]:
            return 401, "Unauthenticated"
        return self.answer(method, parts.path.split("/")[2:], parse_qs(parts.query), body)

    def answer(self, method: str, steps: list[str], query: Any, body: Any) -> tuple[int, Any]:
        number = next((int(step) for step in steps if step.isdigit()), 0)
        name = "_".join([method.lower(), *(("x" if step.isdigit() else step).replace("-", "_") for step in steps)])
        if method == "PUT" and number and number not in {**self.tables[steps[0]], **self.keys}:
            return 404, "Not found."
        given = [argument for argument in (number, body if method in ("POST", "PUT") else None) if argument]
        return getattr(self, name)(*given, **({"archived": True} if {"f", "archived"} & set(query) else {}))

    # --- set-up, login, key ---

    def post_setup(self, body: Row) -> tuple[int, Any]:
        if body["token"] != "a token" or self.is_set_up:
            return 400, {"errors": {"token": "Token does not match the setup token."}}
        if len(body["user"]["password"]) < 6:
            return 400, {"errors": {"password": "password is too common."}, "specific-errors": {"x": [body]}}
        self.is_set_up, self.password, self.email = True, body["user"]["password"], body["user"]["email"]
        self.settings["site-name"]["value"] = body["prefs"]["site_name"]
        self.new("user", {"email": self.email, "is_active": True, "is_superuser": True, "group_ids": [1, 2]})
        return 200, {"id": "a session"}

    def post_session(self, body: Row) -> tuple[int, Any]:
        if self.throttled:
            self.throttled -= 1
            return 401, {"errors": {"username": "Too many attempts! You must wait 15 seconds before trying again."}}
        if (body["username"], body["password"]) != (self.email, self.password):
            return 401, {"errors": {"password": "did not match stored password"}}
        return 200, {"id": "a session"}

    def delete_session(self, _: Any) -> tuple[int, Any]:
        return 204, None

    def get_api_key(self) -> tuple[int, Any]:
        return 200, [{"id": key["id"], "name": key["name"]} for key in self.keys.values()]

    def post_api_key(self, body: Row) -> tuple[int, Any]:
        assert body["group_id"] == 2 and body["name"] not in [key["name"] for key in self.keys.values()]
        self.number += 1
        self.keys[self.number] = {"id": self.number, "name": body["name"], "clear": f"mb_clear_{self.number}"}
        return 200, {"id": self.number, "unmasked_key": self.keys[self.number]["clear"]}

    def delete_api_key_x(self, number: int) -> tuple[int, Any]:
        del self.keys[number]
        return 204, None

    # --- settings, people, databases ---

    def get_setting(self) -> tuple[int, Any]:
        rows = copy.deepcopy(list(self.settings.values()))
        for row in rows:
            if row["key"] in self.environment:
                row.update(value=None, default="Using value of env var $MB_SITE_NAME", is_env_setting=True)
                row["env_name"] = "MB_SITE_NAME"
            elif row["value"] and "password" in row["key"]:
                row["value"] = "**********" + row["value"][-2:]
        return 200, rows

    def put_setting(self, body: Row) -> tuple[int, Any]:
        for name, value in body.items():
            known = {"site-url": value.rstrip("/"), "landing-page": "/" + value.lstrip("/")}
            self.settings[name]["value"] = known.get(name, value)
        return 204, None

    def get_permissions_group(self) -> tuple[int, Any]:
        return 200, list(self.tables["group"].values())

    def post_permissions_group(self, body: Row) -> tuple[int, Any]:
        return 200, self.new("group", {"name": body["name"]})

    def get_user(self) -> tuple[int, Any]:
        return 200, {"data": list(self.tables["user"].values())}

    def memberships(self, body: Row) -> Row:
        ids = sorted({1, *(each["id"] for each in body["user_group_memberships"])})
        return {"group_ids": ids, "is_superuser": 2 in ids}

    def post_user(self, body: Row) -> tuple[int, Any]:
        names = {name: body.get(name) for name in ("email", "first_name", "last_name")}
        return 200, self.new("user", {**names, "is_active": True, **self.memberships(body)})

    def put_user_x(self, number: int, body: Row) -> tuple[int, Any]:
        user = self.tables["user"][number]
        if not user["is_active"]:
            return 404, "Not found."
        if user["email"] == self.email:
            self.email = body.get("email", self.email)
        user.update({name: body[name] for name in ("first_name", "last_name", "email") if name in body})
        if "user_group_memberships" in body:
            assert body["is_superuser"] == (2 in [each["id"] for each in body["user_group_memberships"]])
            user.update(self.memberships(body))
        return 200, user

    def put_user_x_reactivate(self, number: int) -> tuple[int, Any]:
        self.tables["user"][number].update(is_active=True, is_superuser=False)
        return 200, self.tables["user"][number]

    def put_user_x_password(self, number: int, body: Row) -> tuple[int, Any]:
        assert self.tables["user"][number]["email"] == self.email
        self.password = body["password"]
        return 204, None

    def get_database(self) -> tuple[int, Any]:
        rows = copy.deepcopy(list(self.tables["database"].values()))
        for row in rows:
            row["details"]["password"] = OBSCURED
        return 200, {"data": rows, "total": len(rows)}

    def get_database_x(self, number: int) -> tuple[int, Any]:
        self.synced_after -= 1
        return 200, {"initial_sync_status": "incomplete" if self.synced_after > 0 else "complete"}

    def connection(self, details: Row) -> tuple[int, Any] | None:
        if details["host"] in self.unreachable:
            words = f"Connection to {details['host']}:5432 refused. Check that the hostname and port are correct"
            return 400, {"message": words, "errors": {"host": "check your host settings"}}
        if details["password"] == "wrong":
            return 400, {"message": 'FATAL: password authentication failed for user "crowsnest_ro"'}
        return None

    def post_database(self, body: Row) -> tuple[int, Any]:
        assert body["engine"] == "postgres"
        details = {**body["details"], "ssl": True}  # it tries TLS first and keeps what worked
        failed = self.connection(details)
        return failed or (200, self.new("database", {**body, "details": details}))

    def put_database_x(self, number: int, body: Row) -> tuple[int, Any]:
        row = self.tables["database"][number]
        details = {**row["details"], **{k: v for k, v in body["details"].items() if v != OBSCURED}}
        failed = self.connection(details)
        if not failed:
            row["details"] = details
        return failed or (200, row)

    def post_database_x_sync_schema(self, _: int) -> tuple[int, Any]:
        return 200, {"status": "ok"}

    def get_database_x_metadata(self, _: int) -> tuple[int, Any]:
        tables: dict[str, Row] = {}
        for number, column in self.columns.items() if self.synced_after <= 0 else ():
            schema, table, field = column.split(".")
            row = tables.setdefault(table, {"id": 1, "name": table, "schema": schema, "fields": []})
            row["fields"].append({"id": number, "name": field, "base_type": "type/Text"})
        return 200, {"tables": list(tables.values())}

    # --- content ---

    def rows(self, table: str, archived: bool) -> tuple[int, Any]:
        return 200, [row for row in self.tables[table].values() if bool(row["archived"]) is archived]

    def get_collection(self, archived: bool = False) -> tuple[int, Any]:
        status, rows = self.rows("collection", archived)
        return status, [{"id": "root", "name": "Our analytics"}, *rows]

    def location(self, parent: Any) -> str:
        return f"{self.tables['collection'][parent]['location']}{parent}/" if parent else "/"

    def post_collection(self, body: Row) -> tuple[int, Any]:
        assert body.get("description") != ""
        known = {name: body.get(name) for name in ("name", "description")}
        return 200, self.new("collection", {**known, "location": self.location(body.get("parent_id"))})

    def put_collection_x(self, number: int, body: Row) -> tuple[int, Any]:
        row = self.tables["collection"][number]
        row.update({name: body[name] for name in ("name", "description") if name in body})
        archived = body.get("archived", False)
        if "parent_id" in body:
            row["location"] = self.location(body["parent_id"])
        if archived != row["archived"]:
            row["archived"] = archived
            for table in ("card", "dashboard"):
                for each in self.tables[table].values():
                    if each["collection_id"] == number:
                        each["archived"] = archived
        return 200, row

    def get_card(self, archived: bool = False) -> tuple[int, Any]:
        return self.rows("card", archived)

    @staticmethod
    def kept_query(query: Row) -> Row:
        """In today's form, with what Metabase adds itself."""
        assert query["lib/type"] == "mbql/query" and len(query["stages"]) == 1
        return {"lib/metadata": None, **query}

    def post_card(self, body: Row) -> tuple[int, Any]:
        assert isinstance(body["visualization_settings"], dict) and body["description"] != ""
        if body["dataset_query"]["stages"][0]["native"].startswith("REFUSED"):
            return 400, {"message": "no such thing"}
        names = ("name", "description", "collection_id", "entity_id", "type", "display", "visualization_settings")
        row = {**{name: body.get(name) for name in names}, "dataset_query": self.kept_query(body["dataset_query"])}
        assert row["entity_id"] not in [each["entity_id"] for each in self.tables["card"].values()]
        return 200, self.new("card", {**row, "dashboard_id": None, "enable_embedding": False})

    def put_card_x(self, number: int, body: Row) -> tuple[int, Any]:
        row = self.tables["card"][number]
        names = ("name", "description", "collection_id", "type", "display", "visualization_settings", "archived")
        row.update({name: body[name] for name in (*names, "dashboard_id") if name in body})
        if "dataset_query" in body:
            row["dataset_query"] = self.kept_query(body["dataset_query"])
        return 200, row

    def post_card_x_query(self, number: int, _: Row) -> tuple[int, Any]:
        sql = self.tables["card"][number]["dataset_query"]["stages"][0]["native"]
        if self.broken_sql and self.broken_sql in sql:
            return 202, {"status": "failed", "error": 'ERROR: relation "orders" does not exist\n  Position: 15'}
        return 202, {"status": "completed", "data": {"rows": []}}

    def get_dashboard(self, archived: bool = False) -> tuple[int, Any]:
        status, rows = self.rows("dashboard", archived)
        return status, [{k: v for k, v in row.items() if k not in ("dashcards", "tabs")} for row in rows]

    def get_dashboard_x(self, number: int) -> tuple[int, Any]:
        return 200, self.shown(self.tables["dashboard"][number])

    def hidden(self, row: Row) -> list[Row]:
        return [each for each in row["dashcards"] if self.tables["card"].get(each["card_id"], {}).get("archived")]

    def shown(self, row: Row) -> Row:
        """Cards whose question is in the trash are neither shown nor lost."""
        hidden = self.hidden(row)
        return {**row, "dashcards": [each for each in row["dashcards"] if each not in hidden]}

    def post_dashboard(self, body: Row) -> tuple[int, Any]:
        known = {name: body.get(name) for name in ("name", "description", "collection_id")}
        empty = {"parameters": [], "dashcards": [], "tabs": [], "caveats": None, "width": "fixed"}
        return 200, self.new("dashboard", {**known, **empty})

    def put_dashboard_x(self, number: int, body: Row) -> tuple[int, Any]:
        row = self.tables["dashboard"][number]
        if "dashcards" in body:
            assert not row["archived"] and isinstance(body["tabs"], list)
            row["dashcards"] = [self.dashcard(each, row) for each in body["dashcards"]] + self.hidden(row)
            row["tabs"] = body["tabs"]
        names = ("name", "description", "collection_id", "width", "caveats", "parameters", "archived")
        row.update({name: body[name] for name in names if name in body})
        return 200, self.shown(row)

    def dashcard(self, body: Row, dashboard: Row) -> Row:
        assert body["col"] + body["size_x"] <= 24
        known = {each["id"]: each for each in dashboard["dashcards"]}
        if body["id"] not in known:
            assert body["id"] < 0
            self.number += 1
            body = {**body, "id": self.number}
        return {"parameter_mappings": [], "visualization_settings": {}, "dashboard_tab_id": None, **body}

    def get_pulse(self, archived: bool = False) -> tuple[int, Any]:
        status, rows = self.rows("pulse", archived)
        return status, [row for row in rows if not self.tables["dashboard"][row["dashboard_id"]]["archived"]]

    def post_pulse(self, body: Row) -> tuple[int, Any]:
        assert body["cards"] and all(card["dashboard_card_id"] for card in body["cards"])
        row = {name: body[name] for name in ("name", "dashboard_id", "cards", "skip_if_empty")}
        return 200, self.new("pulse", {**row, "channels": self.channels(body)})

    def channels(self, body: Row) -> list[Row]:
        return [{"id": 1, **channel} for channel in body["channels"]]

    def put_pulse_x(self, number: int, body: Row) -> tuple[int, Any]:
        row = self.tables["pulse"][number]
        row.update({name: body[name] for name in ("name", "cards") if name in body})
        row.update(archived=body.get("archived", False), skip_if_empty=body.get("skip_if_empty", False))
        if "channels" in body:
            row["channels"] = self.channels(body)
        return 200, row

    # --- for the tests ---

    def one(self, table: str, name: str) -> Row:
        (found,) = [row for row in self.tables[table].values() if row["name"].startswith(name)]
        return found


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
            "host": "10.0.0.5",
            "port": 5432,
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


@pytest.fixture
def metabase(monkeypatch: pytest.MonkeyPatch) -> Metabase:
    double = Metabase()

    def exchange(self: Any, method: str, path: str, body: Any = None, seconds: float = 0) -> tuple[int, Any]:
        status, content = double.exchange(method, path, json.loads(json.dumps(body)), dict(self.headers))
        return status, json.loads(json.dumps(content))

    monkeypatch.setattr(metabase_client.Metabase, "exchange", exchange)
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    return double


class Runner:
    """Runs the module with one key file."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file, self.capsys = folder / "api-key.json", capsys
        self.output = ""

    def __call__(self, declared: Row = DECLARED, *, check: bool = False, **more: Any) -> Row:
        arguments = {
            "key_file": str(self.file),
            **declared,
            **more,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        warnings._global_warnings.clear()  # of the runs before, in this process
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        captured = self.capsys.readouterr()
        self.output = captured.out + captured.err
        result: Row = json.loads(captured.out)
        result["warnings"] = [each["event"]["msg"] for each in result.get("warnings", [])]
        shown = json.dumps({name: value for name, value in result.items() if name != "invocation"})
        for secret in (PASSWORD, DB_PASSWORD, "smtp-Secret-3", "mb_clear"):
            assert secret not in self.output, shown
        return result

    @property
    def first(self) -> list[str]:
        return [line.replace("{file}", str(self.file)) for line in FIRST]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(tmp_path, capsys)


@pytest.fixture
def ready(metabase: Metabase, run: Runner) -> Metabase:
    """After a first run."""
    assert run()["changes"] == run.first
    metabase.requests.clear()
    return metabase


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


def settled(run: Runner, metabase: Metabase, declared: Row = DECLARED) -> None:
    """The next run finds nothing to do and writes nothing."""
    metabase.requests.clear()
    result = run(declared)
    assert (result["changed"], result["changes"], result["diff"]) == (False, [], {"before": "", "after": ""})
    assert metabase.writes == []


# --- one run after the other ---


def test_the_first_run_makes_everything_and_the_second_nothing(metabase: Metabase, run: Runner) -> None:
    result = run()
    assert (result["changed"], result["changes"], result["version"]) == (True, run.first, "0.61.2")
    assert (result["failed_questions"], result["failed_databases"]) == ([], [])
    assert stat.S_IMODE(run.file.stat().st_mode) == 0o600
    settled(run, metabase)
    assert not any("archived" in request for request in metabase.requests)
    assert metabase.requests.count("GET /api/health") == 1
    assert len(metabase.requests) == len(set(metabase.requests)) == 12


def test_what_it_makes_is_as_declared(ready: Metabase) -> None:
    card = ready.one("card", "Revenue")
    assert card["entity_id"] == entity_id("question", "shop/revenue") and len(card["entity_id"]) == 21
    assert card["collection_id"] == ready.one("collection", "Sales")["id"]
    tags = card["dataset_query"]["stages"][0]["template-tags"]
    assert (tags["period"]["widget-type"], tags["city"]["widget-type"]) == ("date/all-options", "string/=")
    assert [tags["period"]["dimension"][index] for index in (0, 2)] == ["field", 11]
    dashboard = ready.one("dashboard", "The shop")
    assert (dashboard["width"], dashboard["description"], dashboard["caveats"]) == ("full", None, caveats("shop"))
    assert [(it["slug"], it["type"], it.get("default")) for it in dashboard["parameters"]] == [
        ("period", "date/all-options", "past30days"),
        ("city", "string/=", None),
    ]
    mappings = {it["card_id"]: it["parameter_mappings"] for it in dashboard["dashcards"]}
    assert {it["target"][1][1] for it in mappings[card["id"]]} == {"period", "city"}
    assert mappings[ready.one("card", "Orders")["id"]] == []
    pulse = ready.one("pulse", "Shop weekly")
    assert pulse["channels"][0]["recipients"] == [{"email": "boss@example.com"}]
    assert (pulse["channels"][0]["schedule_type"], pulse["channels"][0]["schedule_day"]) == ("weekly", "mon")
    user = ready.tables["user"]
    assert [row["group_ids"] for row in user.values() if row["email"] == "Ann@example.com"] == [
        [1, ready.one("group", "Sales")["id"]]
    ]
    assert ready.one("collection", "Shop")["description"].startswith("All of it\n\nManaged by crowsnest (shop)")


@pytest.mark.parametrize("set_up", [False, True], ids=["new", "there"])
def test_check_mode_writes_nothing_and_predicts_the_run(metabase: Metabase, run: Runner, set_up: bool) -> None:
    if set_up:
        run(changed(questions=[], dashboards=[], subscriptions=[]))
        metabase.requests.clear()
    predicted = run(check=True)
    assert metabase.writes == []
    assert run.file.exists() is set_up
    result = run()
    assert predicted["changes"] == result["changes"] and len(result["changes"]) > 3


def test_check_mode_of_a_metabase_that_does_not_run_yet(metabase: Metabase, run: Runner) -> None:
    metabase.up = False
    result = run(check=True)
    assert result["changes"][-1] == run.first[-1] and "empty Metabase" in result["msg"]
    assert not run.file.exists()


def test_check_mode_with_the_password_makes_no_key(ready: Metabase, run: Runner) -> None:
    run.file.unlink()
    result = run(check=True)
    assert result["changes"][0] == f"create API key crowsnest in {run.file}"
    assert ready.writes == [] and not run.file.exists()


# --- what people do ---


def by_hand(table: str, which: str, **fields: Any) -> Any:
    def edit(metabase: Metabase) -> None:
        metabase.one(table, which).update(fields)

    return edit


def removed(table: str, name: str) -> Any:
    def edit(metabase: Metabase) -> None:
        del metabase.tables[table][metabase.one(table, name)["id"]]

    return edit


def sql_by_hand(metabase: Metabase) -> None:
    metabase.one("card", "Orders")["dataset_query"]["stages"][0]["native"] = "SELECT 1"


def moved_card(metabase: Metabase) -> None:
    metabase.one("dashboard", "The shop")["dashcards"][0]["row"] = 9


def unmapped(metabase: Metabase) -> None:
    metabase.one("dashboard", "The shop")["dashcards"][0]["parameter_mappings"] = []


def card_removed(metabase: Metabase) -> None:
    metabase.one("dashboard", "The shop")["dashcards"].pop()


def card_twice(metabase: Metabase) -> None:
    cards = metabase.one("dashboard", "The shop")["dashcards"]
    cards.append({**cards[0], "id": 9999, "row": 20})


def other_recipient(metabase: Metabase) -> None:
    metabase.one("pulse", "Shop weekly")["channels"][0]["recipients"].append({"id": 4, "email": "spy@example.com"})


def other_column(metabase: Metabase) -> None:
    tags = metabase.one("card", "Revenue")["dataset_query"]["stages"][0]["template-tags"]
    tags["city"]["dimension"] = ["field", 13, None]


def deactivated(metabase: Metabase) -> None:
    for user in metabase.tables["user"].values():
        if user["email"].startswith("Ann"):
            user.update(is_active=False, group_ids=[1])


EDITS: dict[str, tuple[Any, str]] = {
    "a question renamed": (by_hand("card", "Orders", name="Mine"), "change question Orders: name"),
    "its display": (by_hand("card", "Orders", display="table"), "change question Orders: display"),
    "its SQL": (sql_by_hand, "change question Orders: sql"),
    "its settings": (
        by_hand("card", "Revenue", visualization_settings={}),
        "change question Revenue per day: visualization",
    ),
    "its collection": (by_hand("card", "Orders", collection_id=None), "change question Orders: collection"),
    "made a model": (by_hand("card", "Orders", type="model"), "change question Orders: type"),
    "put into a dashboard": (by_hand("card", "Orders", dashboard_id=7), "change question Orders: dashboard"),
    "a filter on another column": (other_column, "change question Revenue per day: tags"),
    "a question archived": (by_hand("card", "Orders", archived=True), "unarchive question Orders"),
    "a question deleted": (removed("card", "Orders"), "create question Orders"),
    "a dashboard renamed": (by_hand("dashboard", "The shop", name="Mine"), "change dashboard The shop: name"),
    "its width": (by_hand("dashboard", "The shop", width="fixed"), "change dashboard The shop: width"),
    "its mark": (by_hand("dashboard", "The shop", caveats="mine"), "change dashboard The shop: mark"),
    "its filters": (by_hand("dashboard", "The shop", parameters=[]), "change dashboard The shop: filters"),
    "a card moved": (moved_card, "change dashboard The shop: cards"),
    "a card without its filters": (unmapped, "change dashboard The shop: cards"),
    "a card removed": (card_removed, "change dashboard The shop: cards"),
    "a card twice": (card_twice, "change dashboard The shop: cards"),
    "a dashboard archived": (by_hand("dashboard", "The shop", archived=True), "unarchive dashboard The shop"),
    "a collection renamed": (by_hand("collection", "Sales", name="Mine"), "change collection Sales: name"),
    "its description": (by_hand("collection", "Shop", description="Mine"), "change collection Shop: description"),
    "its place": (by_hand("collection", "Sales", location="/"), "change collection Sales: parent"),
    "another recipient": (other_recipient, "change subscription Shop weekly: emails"),
    "not skipped": (by_hand("pulse", "Shop", skip_if_empty=False), "change subscription Shop weekly: skip_if_empty"),
    "a subscription ended": (by_hand("pulse", "Shop", archived=True), "unarchive subscription Shop weekly"),
    "a person deactivated": (deactivated, "change user Ann@example.com: groups, active"),
}


@pytest.mark.parametrize("case", EDITS)
def test_what_was_changed_by_hand_is_put_back(ready: Metabase, run: Runner, case: str) -> None:
    edit, expected = EDITS[case]
    edit(ready)
    predicted = run(check=True)["changes"]
    assert ready.writes == []
    result = run()
    assert result["changes"] == predicted
    assert expected in predicted and len([it for it in predicted if "dashboard" not in it]) <= 1
    settled(run, ready)


def test_a_card_comes_back_once_with_its_question(ready: Metabase, run: Runner) -> None:
    dashboard = ready.one("dashboard", "The shop")
    before = copy.deepcopy(dashboard["dashcards"])
    ready.one("card", "Orders")["archived"] = True
    assert run()["changes"] == ["unarchive question Orders", "change dashboard The shop: cards"]
    assert sorted(dashboard["dashcards"], key=str) == sorted(before, key=str)


def test_a_dashboard_deleted_for_good_is_made_again(ready: Metabase, run: Runner) -> None:
    removed("pulse", "Shop weekly")(ready)  # Metabase deletes it with its dashboard
    removed("dashboard", "The shop")(ready)
    assert run()["changes"] == ["create dashboard The shop", "create subscription Shop weekly"]
    settled(run, ready)


def test_what_is_not_declared_any_more_is_archived_and_comes_back(ready: Metabase, run: Runner) -> None:
    fewer = changed(
        questions=[{**DECLARED["questions"][1]}],
        collections=[DECLARED["collections"][1]],
        dashboards=[],
        subscriptions=[],
    )
    lines = ["subscription Shop weekly [crowsnest weekly]", "dashboard The shop", "question Revenue per day"]
    lines = ["subscription Shop weekly", *lines[1:], "collection Sales"]
    assert run(fewer, check=True)["changes"] == [f"archive {line}" for line in lines]
    assert run(fewer)["changes"] == [f"archive {line}" for line in lines]
    assert ready.one("card", "Revenue")["archived"] and ready.one("collection", "Sales")["archived"]
    settled(run, ready, fewer)
    back = run()["changes"]
    assert back == [
        "unarchive collection Sales",
        "unarchive question Revenue per day",
        "unarchive dashboard The shop",
        "create subscription Shop weekly",  # the archived one is not listed while its dashboard is in the trash
    ]
    settled(run, ready)


def mine(metabase: Metabase) -> Row:
    """A question of a person, of the same name, on our dashboard with a filter and a heading of their own."""
    card = metabase.new("card", {**metabase.one("card", "Orders"), "name": "Orders of mine"})
    card.update(id=metabase.number, entity_id="a-question-of-people1", name="Orders")
    dashboard = metabase.one("dashboard", "The shop")
    mapping = {"parameter_id": "mine0001", "card_id": card["id"], "target": ["dimension", ["template-tag", "x"]]}
    place = {"row": 30, "col": 0, "size_x": 4, "size_y": 4, "visualization_settings": {"a": 1}}
    dashboard["dashcards"] += [
        {"id": 5001, "card_id": card["id"], "parameter_mappings": [mapping], **place},
        {"id": 5002, "card_id": None, "parameter_mappings": [], **{**place, "row": 40}},
    ]
    dashboard["parameters"].append({"id": "mine0001", "name": "Mine", "slug": "mine", "type": "category"})
    return card


def test_what_people_made_stays(ready: Metabase, run: Runner) -> None:
    card = copy.deepcopy(mine(ready))
    settled(run, ready)
    moved_card(ready)
    assert run()["changes"] == ["change dashboard The shop: cards"]
    dashboard = ready.one("dashboard", "The shop")
    kept = {it["id"]: it for it in dashboard["dashcards"]}
    assert kept[5001]["visualization_settings"] == {"a": 1} and kept[5002]["row"] == 40
    assert dashboard["parameters"][-1]["id"] == "mine0001"
    assert ready.tables["card"][card["id"]] == card
    settled(run, ready)


def test_tabs_that_people_made_stay(ready: Metabase, run: Runner) -> None:
    dashboard = ready.one("dashboard", "The shop")
    dashboard["tabs"] = [{"id": 71, "name": "Ours", "position": 0}, {"id": 72, "name": "Mine", "position": 1}]
    for each in dashboard["dashcards"]:
        each["dashboard_tab_id"] = 71
    card_removed(ready)
    run()
    assert dashboard["tabs"] == [{"id": 71, "name": "Ours"}, {"id": 72, "name": "Mine"}]
    assert {it["dashboard_tab_id"] for it in dashboard["dashcards"]} == {71}


def test_a_collection_with_work_of_people_is_not_archived(ready: Metabase, run: Runner) -> None:
    card = mine(ready)
    card["collection_id"] = ready.one("collection", "Sales")["id"]
    none = changed(collections=[], questions=[], dashboards=[], subscriptions=[])
    result = run(none)
    assert "archive collection Sales" not in result["changes"] and "archive collection Shop" not in result["changes"]
    assert "holds what people made there (Orders)" in json.dumps(result["warnings"])
    assert not card["archived"]
    settled(run, ready, none)


def test_objects_of_the_same_name_are_left_alone(metabase: Metabase, run: Runner) -> None:
    foreign = [
        metabase.new("collection", {"name": "Shop", "description": None, "location": "/"}),
        metabase.new("database", {"name": "Shop", "engine": "postgres", "details": {"user": "postgres", "host": "x"}}),
        metabase.new("dashboard", {"name": "The shop", "description": "x", "collection_id": None, "caveats": "x"}),
    ]
    before = copy.deepcopy(foreign)
    assert run()["changes"] == run.first
    assert foreign == before
    settled(run, metabase)


def test_a_lost_key_file_makes_a_new_key_and_no_copies(ready: Metabase, run: Runner) -> None:
    run.file.unlink()
    lines = run()["changes"]
    assert lines == [
        f"create API key crowsnest in {run.file}",
        "change settings: email-smtp-password",
        "change database Shop: password",
    ]
    assert len(ready.keys) == 1
    settled(run, ready)


def test_a_key_that_metabase_refuses_is_replaced(ready: Metabase, run: Runner) -> None:
    ready.keys.clear()
    assert run()["changes"] == [f"create API key crowsnest in {run.file}"]
    settled(run, ready)


def test_rights_of_the_key_file_are_put_right(ready: Metabase, run: Runner) -> None:
    run.file.chmod(0o644)
    assert run()["changes"] == [f"change API key crowsnest: rights of {run.file}"]
    assert stat.S_IMODE(run.file.stat().st_mode) == 0o600
    settled(run, ready)


def test_the_first_account_gets_another_address_and_keeps_its_login(ready: Metabase, run: Runner) -> None:
    declared = copy.deepcopy(DECLARED)
    declared["admin"]["email"] = "ops@example.com"
    assert run(declared, check=True)["changes"] == ["change account ops@example.com: e-mail"]
    assert run(declared)["changes"] == ["change account ops@example.com: e-mail"]
    assert ready.email == "ops@example.com"
    assert not run(declared)["changed"]
    assert run()["changes"] == ["change account admin@example.com: e-mail"]


def test_new_passwords_are_set(ready: Metabase, run: Runner) -> None:
    declared = changed()
    declared["admin"]["password"], declared["databases"][0]["password"] = "another-Secret-4", "another-Secret-5"
    result = run(declared)
    assert result["changes"] == ["change account admin@example.com: password", "change database Shop: password"]
    assert (ready.password, ready.one("database", "Shop")["details"]["password"]) == (
        "another-Secret-4",
        "another-Secret-5",
    )
    assert ready.one("database", "Shop")["details"]["ssl"] is True  # which Metabase found out itself
    assert "(secret, changed)" in result["diff"]["after"] and "another-Secret" not in run.output
    settled(run, ready, declared)


def test_half_made_collections_and_dashboards_are_found_again(metabase: Metabase, run: Runner) -> None:
    metabase.die_at = "PUT /api/dashboard/N"
    result = run()
    assert "lost after: create question Orders" in result["msg"]
    content = json.loads(run.file.read_text())
    run.file.write_text(json.dumps({**content, "objects": {}}))  # the run was killed before it could note them
    assert run()["changes"] == [
        "change dashboard The shop: description, width, mark, filters, cards",
        "create subscription Shop weekly",
    ]
    assert len(metabase.tables["dashboard"]) == 1 and len(metabase.tables["collection"]) == 2
    settled(run, metabase)


@pytest.mark.parametrize("where", ["POST /api/collection", "POST /api/card", "PUT /api/setting", "POST /api/database"])
def test_the_next_run_goes_on_after_a_lost_connection(metabase: Metabase, run: Runner, where: str) -> None:
    metabase.die_at = where
    result = run()
    assert result["failed"] and "was lost after: create" in result["msg"] and "run it again" in result["msg"]
    rest = run()["changes"]
    assert rest == run.first[-len(rest) :]
    settled(run, metabase)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_whenever_the_connection_breaks_the_next_run_repairs_it(metabase: Metabase, run: Runner, lost: str) -> None:
    run()
    count = len(metabase.writes)
    assert count > 12
    for number in range(1, count + 1):
        run.file.unlink(missing_ok=True)
        metabase.__init__()  # type: ignore[misc]
        metabase.lose = {number: lost}
        assert "was lost" in run()["msg"], number
        assert run()["changed"] or (number, lost) == (count, "answer")
        tables = {name: len(rows) for name, rows in metabase.tables.items()}
        assert tables == {"group": 3, "user": 2, "database": 1, "collection": 2, "card": 2, "dashboard": 1, "pulse": 1}
        assert len(metabase.keys) == 1
        settled(run, metabase)


def test_the_key_is_written_before_anything_else(metabase: Metabase, run: Runner) -> None:
    metabase.die_at = "GET /api/setting"
    run()
    assert json.loads(run.file.read_text())["key"].startswith("mb_clear_")
    metabase.requests.clear()
    run()
    assert "POST /api/session" not in metabase.requests


# --- faults ---


def test_it_waits_until_metabase_is_ready(metabase: Metabase, run: Runner) -> None:
    metabase.starting = 30
    assert run()["changes"] == run.first


def test_a_metabase_that_never_gets_ready(metabase: Metabase, run: Runner) -> None:
    metabase.starting = 10_000
    result = run(timeout=60)
    assert "is not ready after 60 seconds, its last state: HTTP 503" in result["msg"] and "0.5" in result["msg"]


@pytest.mark.parametrize("tag, good", [("v0.58.0", True), ("v1.61.2", True), ("v0.57.9", False), ("vUNKNOWN", False)])
def test_versions(metabase: Metabase, run: Runner, tag: str, good: bool) -> None:
    metabase.tag = tag
    result = run()
    assert result.get("version") == (tag[1:] if good else None)
    assert good or f"is version {tag}; this module knows 0.58 and later" in result["msg"]


@pytest.mark.parametrize("field", ["email", "password"])
def test_an_account_made_by_hand(metabase: Metabase, run: Runner, field: str) -> None:
    metabase.is_set_up = True
    setattr(metabase, field, "other")
    message = run()["msg"]
    assert "refuses the login of admin@example.com" in message and "crowsnest_metabase_admin_password" in message
    assert "reset-password admin@example.com" in message
    assert metabase.requests.count("POST /api/session") == 1


def test_a_throttled_login_waits_once(ready: Metabase, run: Runner) -> None:
    run.file.unlink()
    ready.throttled = 1
    assert run()["changed"]
    run.file.unlink()
    ready.throttled = 5
    assert "refuses all logins of admin@example.com for now" in run()["msg"]
    assert ready.throttled == 3


def test_a_password_that_metabase_does_not_take(metabase: Metabase, run: Runner) -> None:
    declared = changed()
    declared["admin"]["password"] = "Pw1-x"
    message = run(declared)["msg"]
    assert "does not make its first account admin@example.com: HTTP 400: password: password is too common" in message
    assert "Pw1-x" not in run.output


def test_an_unreachable_database_does_not_stop_the_rest(metabase: Metabase, run: Runner) -> None:
    declared = changed()
    declared["databases"].append({**declared["databases"][0], "name": "Old", "host": "10.9.9.9"})
    declared["questions"][1]["database"] = "Old"
    metabase.unreachable.add("10.9.9.9")
    result = run(declared)
    lines = [line for line in run.first if line != "create question Orders"]
    assert result["changes"] == lines
    assert result["failed_databases"] == [
        {
            "database": "Old",
            "message": "HTTP 400: Connection to 10.9.9.9:5432 refused. Check that the hostname and port are correct; "
            "host: check your host settings",
        }
    ]
    (question,) = result["failed_questions"]
    assert question["question"] == "shop/orders" and "Old is missing in Metabase (HTTP 400" in question["message"]
    assert any("cannot connect to the database Old as declared" in warning for warning in result["warnings"])
    again = run(declared)
    assert (again["changed"], len(again["failed_databases"]), len(again["failed_questions"])) == (False, 1, 1)
    metabase.unreachable.clear()
    assert run(declared)["changes"] == [
        "create database Old",
        "create question Orders",
        "change dashboard The shop: cards",
    ]
    settled(run, metabase, declared)


def test_a_new_password_that_the_database_refuses(ready: Metabase, run: Runner) -> None:
    declared = changed(databases_0={"password": "wrong"})
    result = run(declared)
    assert not result["changed"] and "password authentication failed" in result["failed_databases"][0]["message"]
    settled(run, ready)


def test_a_question_whose_sql_fails_is_made_and_reported_until_it_works(metabase: Metabase, run: Runner) -> None:
    metabase.broken_sql = "count(*)"
    result = run()
    assert result["changes"] == run.first
    assert result["failed_questions"] == [
        {"question": "shop/orders", "message": 'ERROR: relation "orders" does not exist\n  Position: 15'}
    ]
    again = run()
    assert not again["changed"] and again["failed_questions"] == result["failed_questions"]
    metabase.broken_sql = ""
    assert run()["failed_questions"] == []
    metabase.requests.clear()
    assert run()["failed_questions"] == [] and not any("query" in request for request in metabase.requests)


def test_new_sql_is_run(metabase: Metabase, run: Runner) -> None:
    run()
    numbers = sorted(metabase.tables["card"])
    assert [request for request in metabase.requests if "/query" in request] == [
        f"POST /api/card/{number}/query" for number in numbers
    ]


def test_groups_made_by_hand_keep_their_people(ready: Metabase, run: Runner) -> None:
    by_hand = ready.new("group", {"name": "By hand"})["id"]
    (ann,) = [row for row in ready.tables["user"].values() if row["email"].startswith("Ann")]
    ann["group_ids"].append(by_hand)
    assert run(changed(users_0={"last_name": "B", "groups": []}))["changes"] == [
        "change user Ann@example.com: last_name, groups"
    ]
    assert (ann["last_name"], ann["group_ids"]) == ("B", [1, by_hand])


def test_inner_collections_are_archived_before_outer_ones(ready: Metabase, run: Runner) -> None:
    lines = run(changed(collections=[], questions=[], dashboards=[], subscriptions=[]))["changes"]
    assert lines[-2:] == ["archive collection Sales", "archive collection Shop"]


def test_only_changed_sql_is_run(ready: Metabase, run: Runner) -> None:
    run(changed(questions_1={"sql": "SELECT 2", "display": "table"}, questions_0={"name": "Takings"}))
    number = ready.one("card", "Orders")["id"]
    assert [request for request in ready.requests if "query" in request] == [f"POST /api/card/{number}/query"]


def test_a_column_that_is_not_there(metabase: Metabase, run: Runner) -> None:
    filters = {
        "period": {"type": "date", "field": "public.orders.gone"},
        "city": DECLARED["questions"][0]["filters"]["city"],
    }
    declared = changed(questions_0={"filters": filters})
    result = run(declared)
    assert "create question Revenue per day" not in result["changes"] and "create question Orders" in result["changes"]
    assert result["failed_questions"] == [
        {
            "question": "shop/revenue",
            "message": "there is no column public.orders.gone in the database Shop (schema.table.column), as far as "
            "Metabase sees it",
        }
    ]
    assert len(metabase.one("dashboard", "The shop")["dashcards"]) == 1
    again = run(declared)
    assert not again["changed"] and len(again["failed_questions"]) == 1
    assert run()["changes"] == ["create question Revenue per day", "change dashboard The shop: cards"]
    settled(run, metabase)


def test_a_column_that_went_leaves_its_question_as_it_is(ready: Metabase, run: Runner) -> None:
    del ready.columns[12]
    result = run()
    assert not result["changed"] and result["failed_questions"][0]["question"] == "shop/revenue"
    assert not ready.one("card", "Revenue")["archived"]
    assert len(ready.one("dashboard", "The shop")["dashcards"]) == 2


def test_it_waits_for_the_columns_of_a_new_database(metabase: Metabase, run: Runner) -> None:
    metabase.synced_after = 20
    assert run()["failed_questions"] == []
    assert metabase_read.NEW_SECONDS > 20


def test_a_question_that_metabase_refuses_does_not_stop_the_rest(metabase: Metabase, run: Runner) -> None:
    declared = changed(questions_1={"sql": "REFUSED"})
    result = run(declared)
    assert result["changes"] == [line for line in run.first if line != "create question Orders"]
    assert result["failed_questions"] == [{"question": "shop/orders", "message": "HTTP 400: no such thing"}]
    assert not run(declared)["changed"]
    assert run()["changes"] == ["create question Orders", "change dashboard The shop: cards"]


def test_a_dashboard_that_metabase_refuses_is_a_warning(metabase: Metabase, run: Runner) -> None:
    metabase.refuse["POST /api/pulse"] = (400, {"errors": {"channels": "Slack is not set up"}})
    result = run()
    assert result["changes"] == run.first[:-1]
    assert any("cannot create subscription Shop weekly" in warning for warning in result["warnings"])
    assert result["failed_changes"][0]["change"] == "create subscription Shop weekly"


def test_anything_else_refused_stops_the_run(metabase: Metabase, run: Runner) -> None:
    metabase.refuse["POST /api/permissions/group"] = (402, "Not allowed")
    assert "refuses to create group Sales: HTTP 402: Not allowed" in run()["msg"]
    metabase.refuse.clear()
    assert run()["changes"] == run.first[3:]


def test_a_setting_of_the_environment_is_a_warning(ready: Metabase, run: Runner) -> None:
    ready.environment["site-name"] = "Fixed"
    result = run()
    assert not result["changed"]
    assert any("site-name of Metabase is fixed by MB_SITE_NAME" in warning for warning in result["warnings"])
    ready.environment["site-name"] = "Example"
    assert run()["warnings"] == []


def test_an_unknown_setting_is_a_mistake(ready: Metabase, run: Runner) -> None:
    message = run(changed(settings={"site-nmae": "x"}))["msg"]
    assert message.endswith("nothing was changed, 1 mistake: settings.site-nmae: Metabase 0.61.2 has no such setting")
    assert ready.writes == []


def test_another_form_than_was_sent_is_told_once_and_then_known(metabase: Metabase, run: Runner) -> None:
    declared = changed(settings={"landing-page": "dashboard/1"})
    result = run(declared)
    assert result["warnings"] == ["Metabase keeps landing-page of settings in another form than declared."]
    settled(run, metabase, declared)
    metabase.settings["landing-page"]["value"] = "/by-hand"
    assert run(declared)["changes"] == ["change settings: landing-page"]
    settled(run, metabase, declared)
    assert run(changed(settings={"landing-page": "dashboard/2"}))["changes"] == ["change settings: landing-page"]


def test_the_diff_shows_what_changes_and_no_secret(ready: Metabase, run: Runner) -> None:
    sql_by_hand(ready)
    result = run(changed(questions_1={"sql": "SELECT count(*)\nFROM orders"}))
    assert result["diff"] == {
        "before": "question Orders:\n  sql: SELECT 1\n",
        "after": "question Orders:\n  sql: |\n    SELECT count(*)\n    FROM orders\n",
    }
    moved_card(ready)
    lines = run(check=True)["diff"]["before"].splitlines()
    assert lines[lines.index("  cards:") + 1].startswith('    - {"row": 0, "col": 18,')


def test_mistakes_come_before_anything_is_asked(metabase: Metabase, run: Runner) -> None:
    message = run(changed(questions_0={"collection": "x", "database": ""}))["msg"]
    assert "nothing was changed, 2 mistakes: questions[0] (shop/revenue).database: is missing; " in message
    message = run(changed(questions_0={"display": "chart"}))["msg"]
    assert message.startswith("value of display must be one of: table, ") and "got: chart found in quest" in message
    assert metabase.requests == []
