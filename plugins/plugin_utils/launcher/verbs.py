# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""All verbs: the table of those with something of their own, and the playbooks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.questions import QUESTIONS
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher import demo
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.processes import program, wait_for
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Call, Option, Verb, Word

ROOT = Path(__file__).resolve().parents[3]


def _new(call: Call) -> int:
    """Imported only for this verb: it needs pydantic, which takes longer to load than everything else here."""
    from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory import firewall, new

    status = new.main(call.variables)
    if status or not new.may_look(call.variables):
        return status
    with TemporaryDirectory(prefix="crowsnest-") as folder:
        facts = Path(folder, "facts")
        words = ["-i", f"inventories/{call.variables['name']}", "--extra-vars", json.dumps({"found_facts": str(facts)})]
        status = wait_for(["ansible-playbook", "playbooks/found.yml", *words])
        return firewall.offer(call.variables, json.loads(facts.read_text()) if facts.exists() else None) or status


def _scan(text: str) -> int:
    """Imported only for this verb, as that of `new`."""
    from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher import scan

    return scan.main(text)


def _answers_of_new() -> Iterator[Option]:
    """A flag for every question. That of a secret exists only to be refused with the reason."""
    for question in QUESTIONS:
        default = f" [{question.default}]" if question.default else ""
        text = "" if question.variable else question.text + default
        yield Option(question.flag, question.key, text, "VALUE")
        if question.variable:
            text = f"{question.text.partition(' (')[0]}, in a file; or set {question.variable}"
            yield Option(question.file_flag, question.file_key, text, "FILE")
    yield Option("--yes", "yes", "ask nothing; without a flag an answer gets its default")
    yield Option("--look", "look", "afterwards look over SSH for apps and open ports of the server, as `found` does")


TRY = "Try it on this machine (nothing outside a throw-away container is changed):"
WATCH = "Watch your own hosts:"
WORK = "Work on crowsnest itself:"

VERBS = (
    Verb(
        "demo",
        "Starts a small shop on a throw-away host and everything that watches it.",
        options=(
            Option("--status", "status", "what is running"),
            Option("--destroy", "destroy", "remove every trace of it"),
        ),
        run=demo.main,
        section=TRY,
        examples=(
            ("demo", "start a small shop and everything that watches it; prints the pages to open"),
            ("demo --status", "what is running"),
            ("demo --destroy", "remove every trace of it"),
        ),
    ),
    Verb(
        "new",
        "Makes inventories/NAME. Asks for what no flag sets.",
        words=(Word("NAME", "name", "such as production; lower-case letters, digits, - and _"),),
        options=tuple(_answers_of_new()),
        run=_new,
        section=WATCH,
        examples=(
            ("new production", "make inventories/production from a few questions (new --help: without questions)"),
        ),
    ),
    Verb(
        "site",
        section=WATCH,
        examples=(
            ("site -i inventories/production --check", "show what would be done"),
            ("site -i inventories/production", "do it; repeat it after every change"),
        ),
    ),
    Verb("verify", options=(Option("--json", "verify_json", "print only the report, as JSON", report=True),)),
    Verb(
        "backup",
        words=(Word("APP", "backup_app", "name of an app, or stack (default: everything)", required=False),),
        options=(
            Option("--list", "backup_list", "show the backups there are"),
            Option("--from", "backup_from", "with --list: name of a remote (default: those on the host)", "WHERE"),
        ),
        section=WATCH,
        examples=(("backup --list -i inventories/production", "what can be restored"),),
    ),
    Verb(
        "restore",
        words=(Word("APP", "restore_app", "name of an app, or stack for the state of the stack", required=False),),
        options=(
            Option("--stack", "restore_stack", "the same as stack"),
            Option("--backup", "restore_backup", "which one, as backup --list names it (default: the newest)", "NAME"),
            Option("--from", "restore_from", "local, or name of a remote (default: local where one is left)", "WHERE"),
            Option("--identity", "restore_identity", "file here with the secret key of an encrypted backup", "FILE"),
            Option("--as", "restore_as", "restore into a new database of this name, and ask nothing", "NAME"),
            Option("--swap", "restore_swap", "put it in the place of the live one (default; asks before)"),
            Option("--create-roles", "restore_create_roles", "create the roles that the server lacks"),
            Option("--yes", "restore_yes", "do not ask"),
        ),
        section=WATCH,
        examples=(
            ("restore shop -i inventories/production", "restore the newest backup of shop, and ask before it is used"),
        ),
    ),
    Verb(
        "drill",
        words=(Word("APP", "drill_app", "name of an app (default: every database)", required=False),),
        options=(Option("--evidence", "drill_evidence", "write a page that proves it, on this machine", "FILE"),),
    ),
    Verb(
        "alert-drill",
        words=(Word("APP", "alert_drill_app", "name of an app whose container is stopped, too", required=False),),
        options=(Option("--yes", "alert_drill_yes", "also where crowsnest_environment is production"),),
    ),
    Verb(
        "sentry-test",
        words=(Word("APP", "sentry_app", "name of an app (default: every app with `sentry`)", required=False),),
    ),
    Verb(
        "scan",
        options=(
            Option("--ports", "scan_ports", "such as 1-1024,8080 (default: all, 6 minutes for each address)", "PORTS"),
            Option("--rate", "scan_rate", "connections a second, at most 250 (default: 200)", "NUMBER"),
        ),
        then=_scan,
        section=WATCH,
        examples=(
            ("scan -i inventories/production", "see from here which ports strangers reach; --limit web1: one host"),
        ),
    ),
    Verb(
        "test",
        "Runs the tests of crowsnest.",
        words=(Word("GROUP", "groups", "lint, unit, rules, molecule or all (default)", required=False, many=True),),
        run=program("tests/steps.py"),
        section=WORK,
        examples=(
            ("test", "run all tests"),
            ("test lint unit", "only some of: lint unit rules molecule"),
        ),
    ),
    Verb(
        "bench",
        run=program("bench"),
        section=WORK,
        examples=(("bench", "measure it on a throw-away host of its own (bench --help: parts and number of runs)"),),
    ),
)


def verbs(playbooks: Path = ROOT / "playbooks", table: Iterable[Verb] = VERBS) -> dict[str, Verb]:
    """{name: verb} of the table's programs and of all playbooks, including those that the table does not list."""
    listed = {verb.name: verb for verb in table}
    found = {name: verb for name, verb in listed.items() if verb.run}
    for file in sorted(playbooks.glob("*.yml")):
        name = file.stem.replace("_", "-")
        found[name] = replace(listed.get(name, Verb(name)), help=first_comment(file))
    return found


def first_comment(file: Path) -> str:
    """The first line that is a comment, without its sign; empty when there is none."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((line[2:] for line in lines if line.startswith("# ")), "")
