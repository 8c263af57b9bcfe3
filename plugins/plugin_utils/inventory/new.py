# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`./crowsnest new NAME`: a new inventory from a few questions, each with a flag.

The text comes from `inventories/example`, so its comments exist once; the rules for values are those of the model.
A secret is typed without echo, or read from a file or the environment: the process list shows command lines.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.files import (
    declared,
    is_here,
    write,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.questions import (
    FIREWALL,
    QUESTIONS,
    Question,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.records import records
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.raw import HIDDEN, shown

INVENTORIES = Path(__file__).resolve().parents[3] / "inventories"

Answers = dict[str, str]


# Also of a directory: kim@corp.example.com, CORP\kim.
_LOGIN = r"[A-Za-z0-9_][A-Za-z0-9._@+$\\-]*"
_HOP = rf"(ssh://)?({_LOGIN}@)?[A-Za-z0-9_\[][A-Za-z0-9._:\[\]%-]*"
_STAND_INS = {
    "app_name": "app",
    "env_file": "/.env",
    "measurement_id": "G-ABCDE12345",
    "analytics_template": "/base.html",
    "slack_webhook": "https://hooks.slack.com/",
    "backup_bucket": "bucket",
    "backup_access_key": "key",
    "backup_secret_key": "secret",
    "domain": "crowsnest.example.com",
}


class UserError(Exception):
    """A mistake of the person at the keyboard; the text says what, what is allowed and how to fix it."""


def main(flags: Mapping[str, Any]) -> int:
    """The program. `flags` has `name`, and the values of flags by key. Returns the exit status: 0 made, 2 refused."""
    name, ask_nothing = flags["name"], flags.get("yes", False)
    try:
        check_name(name)
        # The environment usually has the inventory's name.
        questions = [replace(q, default=name.replace("_", "-")) if q.key == "environment" else q for q in QUESTIONS]
        answers = _from_flags(flags)
        if not ask_nothing:
            answers = _ask([q for q in questions if q.asked and q.key not in answers], answers)
        answers = _with_defaults(questions, answers)
        while wrong := refusals(answers):
            _print_refusals(wrong)
            again = [q for q in questions if q.key in wrong and _can_be_asked(q, answers)]
            if ask_nothing or not sys.stdin.isatty() or len(again) < len(wrong):
                return 2
            answers = _with_defaults(questions, _ask(again, answers))
        write(INVENTORIES, name, answers)
    except UserError as mistake:
        print(f"crowsnest new: {mistake}", file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        print("\ncrowsnest new: stopped, nothing was written. Without questions: --yes and the flags.", file=sys.stderr)
        return 2
    print(farewell(name, answers), flush=True)
    return 0


def may_look(flags: Mapping[str, Any]) -> bool:
    """Whether the server may be asked now what runs on it; no where the person ends the input."""
    wanted = bool(flags.get("look") or wants_firewall(flags))
    if wanted or flags.get("yes") or not sys.stdin.isatty():
        return wanted
    with suppress(EOFError, KeyboardInterrupt):
        answer = input("\nLook now, over SSH, for apps and open ports of the server? [yes]: ")
        return not answer.strip().lower().startswith("n")
    return False


def wants_firewall(flags: Mapping[str, Any]) -> bool:
    """Whether the command line asks for it."""
    return further_ports(flags.get(FIREWALL.key) or FIREWALL.default) is not None


def further_ports(answer: str) -> list[int] | None:
    """Ports that stay open as well, or None for no firewall. Raises UserError."""
    if answer.lower() in ("yes", "y", "no", "n"):
        return [] if answer.lower().startswith("y") else None
    ports = re.split(r"[ ,]+", answer)
    if not all(map(_is_port, ports)):
        raise UserError(f"{shown(answer)} does not fit. Allowed: yes, no, or ports of 1 to 65535 such as 5432,8000.")
    return [int(port) for port in ports]


def check_name(name: str, folder: Path = INVENTORIES) -> None:
    """Refuses, by UserError, a name that is not a plain word, or an inventory that exists."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
        raise UserError(
            f"{shown(name)} is not a valid name. Allowed: lower-case letters, digits, - and _, starting with a letter."
        )
    if (folder / name).exists():
        raise UserError(f"inventories/{name} already exists and is left alone. Edit its files, or choose another name.")


def _from_flags(flags: Mapping[str, Any]) -> Answers:
    answers = {question.key: flags[question.key] for question in QUESTIONS if question.key in flags}
    secrets = {question.key: _given_secret(question, flags) for question in QUESTIONS if question.variable}
    return answers | {key: value for key, value in secrets.items() if value}


def _given_secret(question: Question, flags: Mapping[str, Any]) -> str:
    """The secret of a file or of the environment; empty where none is given. Raises UserError."""
    if question.key in flags:
        raise UserError(
            "a secret on the command line shows in the process list and in the shell's history. "
            f"Use {question.file_flag} FILE, the variable {question.variable}, or wait for the question."
        )
    if file := flags.get(question.file_key):
        try:
            return Path(file).expanduser().read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "it is not text"
            raise UserError(
                f"{question.file_flag}: {shown(file)} cannot be read: {why}. Give a readable file that holds it."
            ) from None
    return os.environ.get(question.variable, "").strip()


def _ask(questions: Sequence[Question], answers: Answers) -> Answers:
    result = dict(answers)
    for question in questions:
        if not _can_be_asked(question, result):
            continue
        if question.before:
            print(question.before)
        read: Callable[[str], str] = input
        if question.variable and sys.stdin.isatty():
            read = getpass.getpass
        default = f" [{question.default}]" if question.default else ""
        result[question.key] = read(f"{question.text}{default}: ").strip() or question.default
    return result


def _can_be_asked(question: Question, answers: Answers) -> bool:
    """Whether an answer would count, with the other answers as they are now. One on the firewall comes later."""
    if question.key == FIREWALL.key:
        return False
    if question.key in ("user", "port"):
        return not is_here(answers)
    return _applies(question, answers) and not answers.get(question.unless)


def _applies(question: Question, answers: Mapping[str, str]) -> bool:
    return not question.needs or any(answers.get(key) for key in question.needs.split())


def _with_defaults(questions: Sequence[Question], answers: Answers) -> Answers:
    """An empty flag means the default, like an empty line."""
    return {question.key: answers.get(question.key) or question.default for question in questions}


def refusals(answers: Mapping[str, str]) -> dict[str, str]:
    """{question key: what is wrong and how to fix it} of all answers at once."""
    found = _connection_refusals(answers)
    for question in QUESTIONS:
        if answers[question.key] != question.default and not _applies(question, answers):
            needed = [flag_of(other) for other in QUESTIONS if other.key in question.needs.split()]
            found[question.key] = f"has nothing to apply to. Give {' or '.join(needed)} too."
    if answers["backup_access_key"] and not answers["backup_secret_key"]:
        found |= {"backup_secret_key": "is missing. Give the secret of the access key, or no access key."}
    if answers["measurement_id"] and not answers["analytics_template"]:
        found |= {"analytics_template": "is missing. Give a template that gets the tag, or no measurement id."}
    try:
        further_ports(answers[FIREWALL.key])
    except UserError as mistake:
        found[FIREWALL.key] = str(mistake)
    # Answers that have nothing to apply to are checked too, so that all mistakes come at once.
    complete = {key: value or _STAND_INS.get(key, "") for key, value in answers.items()}
    complete["slack_webhook"] = answers["slack_webhook"] if answers["slack_bot_token"] else complete["slack_webhook"]
    for sentence in declaration_mistakes(declared(complete), {"server": ["web1"], "monitored": ["web1"]}, ""):
        # The name in the path may have a colon in it.
        path, _, text = sentence.replace(f" ({complete['app_name']})", "", 1).partition(": ")
        plain = re.sub(r"\[\d+\]( \([^)]*\))?", "", path)
        key = next((q.key for q in QUESTIONS if q.path and q.path == plain), plain)
        found[key] = f"{found[key]} And {text}" if key in found else text
    return found


def _connection_refusals(answers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    host, user, port, jump_host = (answers[key] for key in ("host", "user", "port", "jump_host"))
    if not host:
        found["host"] = "is missing. Give the name or IP address of the server, or localhost."
    elif not _is_address(host):
        found["host"] = (
            f"{shown(host)} does not fit. Allowed: a host name or an IP address, without brackets or path. A user goes "
            "to --user, a port to --port."
        )
    if not is_here(answers) and not re.fullmatch(_LOGIN, user):
        found_user = HIDDEN if ":" in user else shown(user)
        found["user"] = f"{found_user} does not fit. Allowed: a login name such as ubuntu or admin."
    if not _is_port(port):
        found["port"] = f"{shown(port)} does not fit. Allowed: 1 to 65535."
    if jump_host and not all(re.fullmatch(_HOP, hop) for hop in jump_host.split(",")):
        found["jump_host"] = (
            f"{shown(jump_host)} does not fit. Allowed: as `ssh -J` takes it, such as admin@bastion.example.com:2222."
        )
    return found


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 1 <= int(text) <= 65535


def _is_address(host: str) -> bool:
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?", host):
        return True
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def flag_of(question: Question) -> str:
    """How the user names the question: its flag, or for a secret what replaces a flag."""
    return f"{question.file_flag} or {question.variable}" if question.variable else question.flag


def _print_refusals(wrong: Mapping[str, str]) -> None:
    flags = {question.key: flag_of(question) for question in QUESTIONS}
    print("crowsnest new: nothing was written:", file=sys.stderr)
    for key, text in wrong.items():
        print(f"  {flags.get(key, key)}: {text}", file=sys.stderr)


def farewell(name: str, answers: Mapping[str, str]) -> str:
    """What was made and the next commands."""
    lines = [f"inventories/{name} is ready: hosts.yml and group_vars/all/*.yml are yours to edit."]
    if not (answers["slack_webhook"] or answers["slack_bot_token"]):
        lines.append(f"Alerts go nowhere yet: add a receiver in inventories/{name}/group_vars/all/alerting.yml.")
    if not answers["backup_bucket"]:
        lines.append("Backups stay on the server and are lost with it, until you declare a remote: docs/backup.md.")
    lines += [
        *records(answers),
        "Next:",
        f"  ./crowsnest found -i inventories/{name}           # shows what runs there and is not declared",
        f"  ./crowsnest site -i inventories/{name} --check    # shows what would be done",
        f"  ./crowsnest site -i inventories/{name}            # does it",
    ]
    return "\n".join(lines)
