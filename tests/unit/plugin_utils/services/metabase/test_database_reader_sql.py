"""Sentences about databases in which the reader is not as declared."""

from __future__ import annotations

from typing import Any

import pytest
from contexts import declaration_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.metabase.database_reader import (
    READERS,
    SHOWN,
    answered_names,
    databases,
    error,
    questions,
    reader_outcome,
    unready,
)

DATABASE = {
    "name": "shop",
    "app": "shop",
    "host": "127.0.0.1",
    "port": 5432,
    "dbname": "shop_production",
    "admin_user": "postgres",
    "admin_password": "hush",
    "reader": "crowsnest_ro",
    "schemas": ["public"],
    "memberships": [],
}
MONITORED = {**DATABASE, "reader": "crowsnest_monitor", "schemas": [], "memberships": ["pg_monitor"]}
LOGIN = 'unable to connect to database: connection failed: connection to server at "127.0.0.1", port 5432 failed: '
NOT_ASKED = {"item": "shop", "skipped": True}
REFUSED = {"item": "shop", "msg": LOGIN + 'FATAL:  password authentication failed for user "crowsnest_ro"'}
READY = {"item": "shop", "query_result": {}}
MADE = {"item": "shop", "queries": []}
GRANTED = {"item": "shop", "query_result": [{"changed": "true", "refused": ""}]}


def row(kind: str, sentence: str, repair: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "sentence": sentence, "repair": repair}


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"item": "shop", "query_result": list(rows)}


UNREADY = {
    "not asked": (NOT_ASKED, True),
    "refused": (REFUSED, True),
    "something is missing": (answer(row("wrong", "it owns table t")), True),
    "only a note": (answer(row("note", "every role may CREATE on schema public", "REVOKE")), False),
    "nothing": (READY, False),
}


@pytest.mark.parametrize(("result", "work"), UNREADY.values(), ids=UNREADY)
def test_a_database_needs_work_unless_its_reader_finds_nothing_wrong(result: dict[str, Any], work: bool) -> None:
    assert unready([result]) == (["shop"] if work else [])


def test_an_app_answered_when_its_task_worked() -> None:
    results = [{"item": "a", "queries": []}, {"item": "b", "msg": "no"}, {"item": "c", "skipped": True}]
    assert answered_names([*results, {"item": "d", "query_result": {}}]) == ["a", "d"]


ERRORS = {
    "login": (REFUSED["msg"], 'password authentication failed for user "crowsnest_ro"'),
    "nothing listens": (
        LOGIN + "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
        "Connection refused",
    ),
    "socket": (
        'unable to connect to database: connection failed: connection to server on socket "/run/.s.PGSQL.5432"'
        ' failed: FATAL:  Peer authentication failed for user "postgres"',
        'Peer authentication failed for user "postgres"',
    ),
    "module stopped": (
        "Task failed: Module failed: permission denied to alter role\nDETAIL:  Only roles with it may.",
        "permission denied to alter role. Only roles with it may",
    ),
    "sql": (
        "Cannot execute SQL 'SELECT 1' {'a': 'x'}: canceling statement due to statement timeout, query list: ['S']",
        "canceling statement due to statement timeout",
    ),
}


@pytest.mark.parametrize(("message", "said"), ERRORS.values(), ids=ERRORS)
def test_postgresql_s_own_words_are_told(message: str, said: str) -> None:
    assert error({"msg": message}) == said


NO_ANSWER = "Module result deserialization failed: No start of json char found"
PROMPT = "[sudo via ansible, key=asmyrgtnzdptbfpvniqpduzcrzvondcb] password:"
NO_ACL = (
    "Task failed: Failed to set permissions on the temporary files Ansible needs to create when becoming an "
    "unprivileged user (rc: 1, err: chmod: invalid mode: 'A+user:postgres:rx:allow'\n"
    "Try 'chmod --help' for more information.\n}). For information on working around this, see https://docs.ansible.com/ansible-core/2.19/playbook_guide/"
    "playbooks_privilege_escalation.html#risks-of-becoming-an-unprivileged-user"
)
NO_OWNER = (
    "Task failed: Failed to change ownership of the temporary files Ansible (via chmod nor setfacl) needs to create "
    "despite connecting as a privileged user. Unprivileged become user would be unable to read the file."
)
SOCKET = (
    'unable to connect to database: connection failed: connection to server on socket "/run/postgresql/.s.PGSQL.5432" '
    "failed: "
)


def unstarted(stderr: str = "", stdout: str = "") -> dict[str, str]:
    """What Ansible keeps of a module that could not be started."""
    return {"msg": NO_ANSWER, "module_stderr": stderr, "module_stdout": stdout}


DECLARE = "declare `admin_user` and `admin_password`, for a container those of its POSTGRES_USER and POSTGRES_PASSWORD"
PEER = "Let the system user postgres log in over the socket without a password (`peer` in pg_hba.conf)"
SUDO = "Let sudo run programs as postgres for your login, and give the password that it asks for (--ask-become-pass)"

# What the task gave, as Ansible keeps it, when the system user postgres was to log in: the words that are told, and
# what to do beside declaring an administrator.
BY_SOCKET: dict[str, tuple[dict[str, str], str, str]] = {
    "no such user, by sudo": (
        unstarted("sudo: unknown user postgres\nsudo: error initializing audit plugin sudoers_audit"),
        "sudo: unknown user postgres; sudo: error initializing audit plugin sudoers_audit",
        "",
    ),
    "no such user, by su": (
        unstarted("su: user postgres does not exist or the user entry does not contain all the required fields"),
        "su: user postgres does not exist or the user entry does not contain all the required fields",
        "",
    ),
    "no such user, and files for it": ({"msg": NO_OWNER}, NO_OWNER.removeprefix("Task failed: ").rstrip("."), ""),
    "no sudo": (
        unstarted("/bin/sh: 1: sudo: not found\n"),
        "/bin/sh: 1: sudo: not found",
        "Install sudo on this host, or log in to it as root",
    ),
    "no doas, by bash": (
        unstarted("bash: line 1: doas: command not found"),
        "bash: line 1: doas: command not found",
        "Install sudo on this host, or log in to it as root",
    ),
    "sudo wants a password": (unstarted("sudo: a password is required\n"), "sudo: a password is required", SUDO),
    "sudo does not take the password": (
        unstarted(f"Sorry, try again.\n{PROMPT}Sorry, try again.\n{PROMPT}sudo: 3 incorrect password attempts"),
        "Sorry, try again.; sudo: 3 incorrect password attempts",
        SUDO,
    ),
    "sudo does not let postgres": (
        unstarted("Sorry, user kim is not allowed to execute '/bin/sh -c x' as postgres on web1."),
        "Sorry, user kim is not allowed to execute '/bin/sh -c x' as postgres on web1",
        SUDO,
    ),
    "no shell": (
        unstarted(stdout="This account is currently not available.\n"),
        "This account is currently not available",
        "Give the system user postgres a shell, or install sudo on this host",
    ),
    "no acl": ({"msg": NO_ACL}, "", "Install the package acl on this host"),
    "peer is not let in": (
        {"msg": SOCKET + 'FATAL:  Peer authentication failed for user "postgres"'},
        'Peer authentication failed for user "postgres"',
        PEER,
    ),
    "the socket wants a password": (
        {"msg": SOCKET + "fe_sendauth: no password supplied"},
        "fe_sendauth: no password supplied",
        PEER,
    ),
    "no such role": (
        {"msg": SOCKET + 'FATAL:  role "postgres" does not exist'},
        'role "postgres" does not exist',
        "",
    ),
    "no server": (
        {"msg": SOCKET + "No such file or directory\n\tIs the server running locally and accepting connections?"},
        "No such file or directory",
        "Start the server, or give its right address",
    ),
    "nothing known": (unstarted(), NO_ANSWER, "Put this right"),
}


@pytest.mark.parametrize("case", BY_SOCKET)
def test_each_cause_is_told_once_with_the_way_around_it(case: str) -> None:
    result, said, todo = BY_SOCKET[case]
    database = {**DATABASE, "admin_password": ""}
    (failed,) = reader_outcome([database], [REFUSED], [{"item": "shop", **result}], [], [])["failed"]
    advice = f"{todo}; or {DECLARE}" if todo else "D" + DECLARE[1:]
    assert failed["message"].endswith(f". {advice}, then run again.")
    assert f"The answer to postgres: {said}" in failed["message"]
    assert failed["message"].count("declare `admin_user`") + failed["message"].count("Declare `admin_user`") == 1
    assert "key=" not in failed["message"]


# The same for an administrator with a password.
BY_PASSWORD = {
    'no pg_hba.conf entry for host "10.0.0.1"': (
        "Let postgres log in from this host, by a line in the server's pg_hba.conf"
    ),
    'password authentication failed for user "postgres"': "Give the right password of postgres",
    'Ident authentication failed for user "x"': "Let postgres log in with a password, in the server's pg_hba.conf",
    'role "postgres" does not exist': "Give the name of an administrator that exists",
    'database "my user x" does not exist': "Make this database, or give the name of one that exists",
    "permission denied to create role": "Give an administrator who may make and change this role",
    "connection timeout expired": "Start the server, or give its right address",
    "something new": "Put this right",
}


@pytest.mark.parametrize(("said", "advice"), BY_PASSWORD.items(), ids=BY_PASSWORD)
def test_what_to_do_is_told(said: str, advice: str) -> None:
    report = reader_outcome([DATABASE], [REFUSED], [{"item": "shop", "msg": said}], [], [])
    (failed,) = report["failed"]
    assert failed["message"].endswith(f"The answer to postgres: {said}. {advice}, then run again.")


def test_a_reader_that_still_cannot_log_in_is_told() -> None:
    full = {"item": "shop", "msg": LOGIN + 'FATAL:  too many connections for role "crowsnest_ro"'}
    (failed,) = reader_outcome([DATABASE], [full], [MADE], [GRANTED], [full])["failed"]
    assert failed["message"] == (
        "crowsnest_ro cannot read all that is declared in database shop_production at 127.0.0.1:5432. The "
        'answer to crowsnest_ro: too many connections for role "crowsnest_ro". Close connections of crowsnest_ro, or '
        "let their programs open fewer, then run again."
    )


def test_the_role_of_exporters_reads_statistics_and_no_table() -> None:
    (failed,) = reader_outcome([MONITORED], [REFUSED], [{"item": "shop", "msg": "Connection refused"}])["failed"]
    assert failed["message"].startswith(
        "crowsnest_monitor cannot read statistics of database shop_production at 127.0.0.1:5432. The answer to postgres"
    )


@pytest.mark.parametrize("said", ['permission denied to grant role "pg_monitor"', 'must have admin option on role "x"'])
def test_an_administrator_that_may_not_grant_is_told_what_it_needs(said: str) -> None:
    left = answer(row("wrong", "it is no member of pg_monitor", "GRANT pg_monitor TO crowsnest_monitor"))
    granted = {"item": "shop", "query_result": [{"changed": "false", "refused": said}]}
    (failed,) = reader_outcome([MONITORED], [left], [MADE], [granted], [left])["failed"]
    assert failed["message"].endswith(
        f": it is no member of pg_monitor. PostgreSQL answered postgres: {said}. postgres must be a superuser, or have "
        "the admin option on pg_monitor. Run as a superuser, or as the owner: GRANT pg_monitor TO crowsnest_monitor;"
    )


@pytest.mark.parametrize(("ssl", "mode"), [(True, "require"), (False, "prefer")])
def test_readers_are_asked_as_their_services_connect(ssl: bool, mode: str) -> None:
    app = {"name": "shop", "database": {"name": "shop", "ssl": ssl}}
    (question,) = questions(databases(declaration_of({"apps": [app]})), {})
    assert question["sslmode"] == mode


def test_what_remains_is_told_and_no_more_than_a_person_reads() -> None:
    rows = [row("wrong", f"table t{number} cannot be read", f"GRANT {number}") for number in range(SHOWN + 2)]
    (failed,) = reader_outcome([DATABASE], [REFUSED], [MADE], [GRANTED], [answer(*rows)])["failed"]
    assert failed["message"].count("cannot be read") == SHOWN
    assert failed["message"].endswith(
        "Run as a superuser, or as the owner: GRANT 0; GRANT 1; GRANT 2; GRANT 3; GRANT 4; and 2 more"
    )


def test_what_no_statement_repairs_is_left_to_a_person() -> None:
    left = answer(row("wrong", "there is no schema reports"))
    (failed,) = reader_outcome([DATABASE], [left], [MADE], [GRANTED], [left])["failed"]
    assert failed["message"] == (
        "crowsnest_ro is not as declared in database shop_production at 127.0.0.1:5432: there is no schema reports. "
        "Put this right in the database or in the declaration, then run again."
    )


def test_a_note_is_told_without_being_a_failure() -> None:
    noted = answer(row("note", "every role may CREATE on schema public", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    assert reader_outcome([DATABASE], [noted])["notes"] == [
        {
            "app": "shop",
            "message": "In database shop_production at 127.0.0.1:5432 every role may CREATE on schema public. If "
            "no app relies on it: REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        }
    ]


def test_what_was_repaired_is_not_told() -> None:
    outcome = reader_outcome([DATABASE], [REFUSED], [MADE], [GRANTED], [READY])
    assert (outcome["failed"], outcome["notes"]) == ([], [])
    assert (outcome["unready"], outcome["made"], outcome["granted"]) == (["shop"], ["shop"], ["shop"])


def test_an_app_s_database_is_read_as_declared() -> None:
    declared = {"name": "shop", "address": "[::1]:5433", "admin_user": "keeper", "admin_password": "hush"}
    apps = [{"name": "shop", "database": declared}, {"name": "site"}]
    assert databases(declaration_of({"apps": apps})) == [
        {
            "name": "crowsnest_ro for shop",
            "app": "shop",
            "host": "::1",
            "port": 5433,
            "dbname": "shop",
            "schemas": ["public"],
            "admin_user": "keeper",
            "admin_password": "hush",
            "reader": "crowsnest_ro",
            "password": "",
            "memberships": [],
            "sslmode": "prefer",
            "connections": 10,
        }
    ]


# Each app has an exporter of its own, and all of them are one role.
def test_exporters_of_many_apps_find_free_connections() -> None:
    apps = [{"name": f"shop{number}", "database": {"name": f"shop{number}"}} for number in range(4)]
    found = databases(declaration_of({"apps": [*apps, {"name": "site"}]}), READERS["postgres_exporter"])
    assert {entry["connections"] for entry in found} == {20}


def test_only_databases_of_apps_with_kpis_have_the_role_that_asks_for_them() -> None:
    kpis = [{"name": "orders", "sql": "SELECT 1 AS value", "description": "Orders"}]
    apps = [{"name": name, "database": {"name": name}} for name in ("shop", "till", "idle")]
    declared = declaration_of({"apps": [{**app, "kpis": kpis} for app in apps[:2]] + apps[2:]})
    found = databases(declared, READERS["query_exporter"])
    assert [(each["reader"], each["dbname"], each["connections"]) for each in found] == [
        ("crowsnest_kpi", "shop", 4),
        ("crowsnest_kpi", "till", 4),
    ]
    assert {tuple(each["schemas"]) for each in found} == {("public",)}


# Each app on its own would take away what the other one needs.
def test_two_apps_in_one_database_share_its_reader_and_its_schemas() -> None:
    apps = [{"name": name, "database": {"name": "shop", "schemas": ["public", name]}} for name in ("web", "till")]
    (found,) = databases(declaration_of({"apps": apps}))
    assert (found["app"], found["schemas"]) == ("web", ["public", "web", "till"])
    assert (found["admin_user"], found["admin_password"]) == ("postgres", "")


# They would take away each other's schemas in turn.
def test_the_names_of_loopback_are_one_server() -> None:
    addresses = {"web": "127.0.0.1:5432", "till": "localhost:5432", "depot": "[::1]:5432"}
    apps = [
        {"name": name, "database": {"address": address, "name": "shop", "schemas": [name]}}
        for name, address in addresses.items()
    ]
    (found,) = databases(declaration_of({"apps": apps}))
    assert found["schemas"] == ["web", "till", "depot"]
