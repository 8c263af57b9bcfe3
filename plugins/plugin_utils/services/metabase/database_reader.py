# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the role database_reader asks of PostgreSQL and makes of the answers: who needs work, and sentences for people.

Results are those of the module postgresql_ask and of looped tasks of community.postgresql, one per reader: `item` is
its name among `databases`, and then either `query_result` (a list of rows, or {} without any) or `msg`, the error.
Rows are those of files/postgresql/reader_missing.sql: {kind: wrong|note, sentence, repair: SQL or None}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.apps import App
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.business import Database
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import LOOPBACK, host_and_port
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.objects import READER, READER_CONNECTIONS

Result = Mapping[str, Any]
# An entry of `databases`.
Place = Mapping[str, Any]

# More than this does not help a person.
SHOWN = 5

# The other way for an administrator who would log in over the socket.
DECLARE = "declare `admin_user` and `admin_password`, for a container those of its POSTGRES_USER and POSTGRES_PASSWORD"
_PEER = "let the system user postgres log in over the socket without a password (`peer` in pg_hba.conf)"


@dataclass(frozen=True)
class Advice:
    """What to do when the answer matches `pattern`.

    `socket` is what to do instead when the system user postgres had to log in over the socket; DECLARE is added to it,
    and stands alone when it is empty.
    """

    pattern: str
    text: str
    socket: str | None = None


# What sudo, su, PostgreSQL and its client library say. The first ones concern becoming the system user postgres.
ADVICE = (
    Advice(
        "unknown user|su: user .* does not exist|despite connecting as a privileged user",
        "make the system user postgres on this host",
        "",
    ),
    Advice("(sudo|su|doas): (command )?not found", "install sudo on this host, or log in to it as root"),
    Advice(
        "password is required|incorrect password|[Tt]ry again|not allowed to execute|not in the sudoers|"
        "Authentication failure",
        "let sudo run programs as postgres for your login, and give the password that it asks for (--ask-become-pass)",
    ),
    Advice("account is currently not available", "give the system user postgres a shell, or install sudo on this host"),
    Advice("permissions on the temporary files", "install the package acl on this host"),
    Advice("password authentication failed|no password supplied", "give the right password of {user}", _PEER),
    Advice(
        "(Peer|Ident) authentication failed", "let {user} log in with a password, in the server's pg_hba.conf", _PEER
    ),
    Advice("no pg_hba.conf entry", "let {user} log in from this host, by a line in the server's pg_hba.conf"),
    Advice('database ".*" does not exist', "make this database, or give the name of one that exists"),
    Advice('role ".*" does not exist', "give the name of an administrator that exists", ""),
    Advice("permission denied to (create|alter) role", "give an administrator who may make and change this role", ""),
    Advice("too many connections for role", "close connections of {user}, or let their programs open fewer"),
    Advice("too many clients|remaining connection slots", "let programs open fewer connections to this server"),
    Advice("failed to resolve|could not translate", "give an address that this host can look up"),
    Advice(
        "Connection refused|timeout|timed out|No such file|[Nn]o route|unreachable|closed the connection",
        "start the server, or give its right address",
    ),
)


# The answer to GRANT of a role: until PostgreSQL 15, and later, when CREATEROLE alone is not enough.
_NOT_ITS_TO_GRANT = re.compile("must have admin option|permission denied to grant role")

# The role by which exporters read statistics of the server, and nothing of the apps' tables.
MONITOR = "crowsnest_monitor"
# The role that asks for the KPIs of an app.
KPI_READER = "crowsnest_kpi"


@dataclass(frozen=True)
class Reader:
    """A role in PostgreSQL. `secret` is the generated one that is its password.

    `memberships` are PostgreSQL's own roles that it is a member of. `of_tables`: it reads tables of declared schemas.
    `connections` are those it may have at once, together or, with `for_each_app`, for each app that it is for; these
    are the apps with a database of which `serves` is true.
    """

    role: str
    secret: str
    memberships: tuple[str, ...] = ()
    of_tables: bool = False
    connections: int = READER_CONNECTIONS
    for_each_app: bool = False
    serves: Callable[[App], bool] = lambda app: app.database is not None

    def connections_of(self, apps: int) -> int:
        """How many connections it may have at once, where it is for so many apps."""
        return self.connections * (apps if self.for_each_app else 1)


# {service that reads: as whom}
READERS = {
    "metabase": Reader(READER, "database_reader_password", of_tables=True),
    # https://www.postgresql.org/docs/current/predefined-roles.html#PREDEFINED-ROLE-PG-MONITOR
    "postgres_exporter": Reader(
        MONITOR, "database_monitor_password", ("pg_monitor",), connections=5, for_each_app=True
    ),
    # One for the exporter, one for a run that asks whether the role is as it should be.
    "query_exporter": Reader(
        KPI_READER,
        "database_kpi_password",
        of_tables=True,
        connections=2,
        for_each_app=True,
        serves=lambda app: bool(app.kpis),
    ),
}


def databases(declared: Declaration, reader: Reader = READERS["metabase"], password: str = "") -> list[dict[str, Any]]:
    """Entries of `database_reader_databases` for one reader: each database once.

    Apps that share a database share its reader and its schemas.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    apps = [app for app in declared.apps if reader.serves(app)]
    connections = reader.connections_of(len(apps))
    for app in apps:
        if database := app.database:
            address = LOOPBACK.sub("127.0.0.1", database.address)  # its names all mean this host
            entry = found.setdefault(
                (address, database.name),
                {**_database(app.name, database, reader), "password": password, "connections": connections},
            )
            wanted = database.schemas if reader.of_tables else []
            entry["schemas"] += [schema for schema in wanted if schema not in entry["schemas"]]
    return list(found.values())


def _database(app: str, database: Database, reader: Reader) -> dict[str, Any]:
    """Without an administrator the system user postgres logs in over the socket."""
    host, port = host_and_port(database.address)
    return {
        "name": f"{reader.role} for {app}",
        "app": app,
        "host": host,
        "port": port,
        "dbname": database.name,
        "schemas": [],
        "admin_user": database.admin_user or "postgres",
        "admin_password": database.admin_password.get_secret_value() if database.admin_password else "",
        "reader": reader.role,
        "memberships": list(reader.memberships),
        "sslmode": "require" if database.ssl else "prefer",
    }


def questions(databases: Iterable[Place], settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """Option `databases` of the module postgresql_ask: as each reader, with the parameters of reader_missing.sql.

    `settings` are the defaults that a reader's sessions must have. Lists are passed as JSON.
    """
    return [
        {
            **{name: database[name] for name in ("name", "host", "port", "dbname", "password", "sslmode")},
            "user": database["reader"],
            "parameters": {
                "reader": database["reader"],
                "admin": database["admin_user"],
                "connections": database["connections"],
                **{name: json.dumps(database[name]) for name in ("schemas", "memberships")},
                "settings": json.dumps(dict(settings)),
            },
        }
        for database in databases
    ]


def rows(result: Result, kind: str) -> list[Mapping[str, Any]]:
    """The rows of this kind in an answer."""
    return [row for row in result.get("query_result") or [] if row["kind"] == kind]


def answered(result: Result) -> bool:
    """Whether the task ran and PostgreSQL did what the task requested."""
    return "query_result" in result or "queries" in result


def unready(asked: Iterable[Result]) -> list[str]:
    """Names of readers that could not log in, or are not as declared, or that were not queried."""
    return [result["item"] for result in asked if not answered(result) or rows(result, "wrong")]


def answered_names(results: Iterable[Result]) -> list[str]:
    """Names of readers for which the database did what the task requested."""
    return [result["item"] for result in results if answered(result)]


def reader_outcome(
    databases: Sequence[Place],
    asked: Sequence[Result],
    made: Sequence[Result] = (),
    granted: Sequence[Result] = (),
    asked_again: Sequence[Result] = (),
) -> dict[str, Any]:
    """The outcome of the role's tasks, from their results in order, as far as they ran.

    {"unready": names of readers that are not ready at first, "logged_in", "made", "granted": those for which that step
    did what it was to do, "failed", "notes": [{"app", "message"}]}: where the reader is not as declared and why, and
    what every role may do in a database, which crowsnest does not change.
    """
    steps = [{result["item"]: result for result in results} for results in (asked, made, granted, asked_again)]
    failed, notes = [], []
    for database in databases:
        first, *repaired = [step.get(database["name"], {}) for step in steps]
        last = repaired[-1] if answered(repaired[-1]) else first
        if unready([{"item": database["name"], **last}]):
            failed.append({"app": database["app"], "message": failure(database, *repaired)})
        if found := rows(last, "note"):
            notes.append({"app": database["app"], "message": note(database, found)})
    return {
        "unready": unready({"item": database["name"], **steps[0].get(database["name"], {})} for database in databases),
        "logged_in": answered_names(asked),
        "made": answered_names(made),
        "granted": answered_names(granted),
        "failed": failed,
        "notes": notes,
    }


def place(database: Place) -> str:
    """A database's name and address, for a person."""
    return f"database {database['dbname']} at {database['host']}:{database['port']}"


def failure(database: Place, made: Result, granted: Result, asked_again: Result) -> str:
    """Why the reader is not ready, with what to do."""
    read = "all that is declared in" if database["schemas"] else "statistics of"
    start = f"{database['reader']} cannot read {read} {place(database)}"
    for result, user in ((made, "admin_user"), (granted, "admin_user"), (asked_again, "reader")):
        if not answered(result):
            message = error(result)
            by_socket = user == "admin_user" and not database["admin_password"]
            todo = _todo(message, database[user], by_socket)
            return f"{start}. The answer to {database[user]}: {message}. {todo}, then run again."
    wrong = rows(asked_again, "wrong")
    refused = sorted({line for line in granted["query_result"][0]["refused"].splitlines() if line})
    sentences = some([row["sentence"] for row in wrong])
    return " ".join(
        [
            f"{database['reader']} is not as declared in {place(database)}: {sentences}.",
            *([f"PostgreSQL answered {database['admin_user']}: {some(refused)}."] if refused else []),
            *([_to_grant(database)] if any(_NOT_ITS_TO_GRANT.search(line) for line in refused) else []),
            remedy([row["repair"] for row in wrong if row["repair"]]),
        ]
    )


def _to_grant(database: Place) -> str:
    """What an administrator needs to make the reader a member of PostgreSQL's own roles."""
    return f"{database['admin_user']} must be a superuser, or have the admin option on {some(database['memberships'])}."


def _todo(message: str, user: str, by_socket: bool) -> str:
    """What to do about an answer, as the beginning of a sentence."""
    found = next((advice for advice in ADVICE if re.search(advice.pattern, message)), Advice("", "put this right"))
    text = found.text if not by_socket or found.socket is None else found.socket
    ways = [text.format(user=user), *([DECLARE] if by_socket else [])]
    todo = "; or ".join(way for way in ways if way)
    return todo[0].upper() + todo[1:]


def remedy(statements: list[str]) -> str:
    """What a person can do about rows that remain."""
    if not statements:
        return "Put this right in the database or in the declaration, then run again."
    return f"Run as a superuser, or as the owner: {some([f'{statement};' for statement in statements], ' ')}"


def note(database: Place, found: list[Mapping[str, Any]]) -> str:
    """What every role may do, and how to end it."""
    statements = some([f"{row['repair']};" for row in found], " ")
    sentences = some([row["sentence"] for row in found])
    return f"In {place(database)} {sentences}. If no app relies on it: {statements}"


def some(texts: list[str], between: str = "; ") -> str:
    """The first texts, and how many more there are."""
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return between.join([*texts[:SHOWN], *more])


def error(result: Result) -> str:
    """The message of the program that refused, on one line and without a final period.

    It is PostgreSQL's: the modules put the whole SQL before it, and libpq where it connected, which the sentence names
    already. Where the module could not start, it is that of sudo or su; Ansible itself only reports no answer.
    """
    message = str(result.get("msg", "the task did not run"))
    if "deserialization failed" in message:
        message = _first_lines(result) or message
    message = message.rpartition(", query list: ")[0].rpartition("}: ")[2] or message
    message = re.sub("^(Task failed: |Module failed: |unable to connect to database: )+", "", " ".join(message.split()))
    message = re.sub("^connection failed: connection to server (at|on socket) .*? failed: ", "", message)
    message = message.partition(" Is the server running ")[0]
    return message.removeprefix("FATAL: ").replace(" DETAIL: ", ". ").strip().rstrip(".")


def _first_lines(result: Result) -> str:
    """What a program printed in place of the module's answer, without the prompt that Ansible gives sudo."""
    for stream in ("module_stderr", "module_stdout"):
        text = re.sub(r"\[sudo via ansible, key=\w+\] password:", "\n", str(result.get(stream, "")))
        if lines := list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())):
            return "; ".join(lines[:2])
    return ""
