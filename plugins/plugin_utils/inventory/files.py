# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The files of a new inventory: the text of `inventories/example` with a few values replaced, comments kept.

`answers` are the texts of `questions.QUESTIONS` by key; all keys are present, without an answer as an empty text.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory.questions import REMOTE, SSH_PORT

LOCAL = ("localhost", "127.0.0.1", "::1")
_SYSTEM_PYTHON = Path("/usr/bin/python3")


def declared(answers: Mapping[str, str]) -> dict[str, Any]:
    """The variables `crowsnest_*` that these answers mean, secrets included."""
    variables: dict[str, Any] = {
        f"crowsnest_{key}": answers[key] for key in ("environment", "timezone", "language") if answers[key]
    }
    app = {"name": answers["app_name"], "framework": answers["framework"], "url": answers["app_url"]}
    metrics = [target.strip() for target in answers["metrics"].split(",") if target.strip()]
    variables["crowsnest_apps"] = []
    if answers["app_name"]:
        own = {key: value for key, value in app.items() if value} | {"metrics": metrics}
        variables["crowsnest_apps"] = [own | _database(answers) | _reports(answers)]
    variables["crowsnest_receivers"] = []
    keys = {"webhook_url": answers["slack_webhook"], "bot_token": answers["slack_bot_token"]}
    if way := {key: secret for key, secret in keys.items() if secret}:
        variables["crowsnest_receivers"] = [{"type": "slack", **way, "channel": answers["slack_channel"]}]
    if answers["backup_bucket"]:
        variables["crowsnest_backup_remotes"] = {REMOTE: _remote(answers)}
        variables["crowsnest_backup_stack"] = {"remote": REMOTE}
    return variables | _door(answers)


def _door(answers: Mapping[str, str]) -> dict[str, str]:
    """The variables of the pages' domain; what is the default with it is left out."""
    if not answers["domain"]:
        return {}
    others = {key: answers[key] for key in ("proxy", "certificates") if answers[key] not in ("own", "letsencrypt")}
    return {f"crowsnest_{key}": value for key, value in {"domain": answers["domain"], **others}.items()}


def _database(answers: Mapping[str, str]) -> dict[str, Any]:
    """The keys `database` and `backup` of the app, or nothing."""
    if not answers["database"]:
        return {}
    keys = {"name": answers["database"], "container": answers["database_container"]}
    database = {"database": {key: value for key, value in keys.items() if value}}
    return {**database, "backup": {"remote": REMOTE}} if answers["backup_bucket"] else database


def _reports(answers: Mapping[str, str]) -> dict[str, Any]:
    """The keys of the app for Sentry and Analytics, or nothing."""
    templates = [answers["analytics_template"]] if answers["analytics_template"] else []
    keys = {
        "env_file": answers["env_file"],
        "sentry": {"dsn": answers["sentry_dsn"]} if answers["sentry_dsn"] else {},
        "analytics": {"measurement_id": answers["measurement_id"], "templates": templates}
        if answers["measurement_id"]
        else {},
    }
    return {key: value for key, value in keys.items() if value}


def _remote(answers: Mapping[str, str]) -> dict[str, Any]:
    """Where backups are copied to."""
    keys = {key: answers[f"backup_{key}"] for key in ("bucket", "region", "access_key", "secret_key")}
    recipients = [answers["backup_encrypt_to"]] if answers["backup_encrypt_to"] else []
    return {key: value for key, value in {**keys, "encrypt_to": recipients}.items() if value}


def write(folder: Path, name: str, answers: Mapping[str, str]) -> None:
    """Writes `folder/name` as a whole or not at all, from `folder/example`."""
    partial = folder / f".{name}.new"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder / "example", partial, ignore=shutil.ignore_patterns("secrets"))
    try:
        _edit(partial / "hosts.yml", lambda text: hosts_text(text, answers))
        _edit(partial / "group_vars/all/settings.yml", lambda text: settings_text(text, answers))
        _edit(partial / "group_vars/all/apps.yml", lambda text: apps_text(text, answers))
        _edit(partial / "group_vars/all/alerting.yml", lambda text: alerting_text(text, answers))
        (partial / "secrets").mkdir(mode=0o700)
        if answers["slack_webhook"]:
            _write_secret(partial / "secrets/slack_webhook_url", answers["slack_webhook"])
        if answers["slack_bot_token"]:
            _write_secret(partial / "secrets/slack_bot_token", answers["slack_bot_token"])
        if answers["sentry_dsn"]:
            _write_secret(partial / "secrets/sentry_dsn", answers["sentry_dsn"])
        if answers["backup_secret_key"]:
            _write_secret(partial / f"secrets/{REMOTE}_secret_key", answers["backup_secret_key"])
        partial.rename(folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def _write_secret(path: Path, value: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value + "\n")


def is_here(answers: Mapping[str, str]) -> bool:
    """Whether the server is this machine. Another port of localhost leads to another machine, such as a virtual one."""
    return answers.get("host") in LOCAL and answers.get("port", SSH_PORT) == SSH_PORT and not answers.get("jump_host")


def hosts_text(text: str, answers: Mapping[str, str]) -> str:
    """hosts.yml with how the server is reached; this machine itself is managed without SSH."""
    if is_here(answers):
        text = _without(text, "ansible_user")
        # A search could find what a team's tools put first in PATH, such as the shims of pyenv.
        python = _SYSTEM_PYTHON if _SYSTEM_PYTHON.exists() else Path(sys.executable)
        local = f"ansible_connection: local\n      ansible_python_interpreter: {_scalar(str(python))}"
        return re.sub(r"(?m)^( +)ansible_host: .*$", lambda found: f"{found[1]}{local}", text, count=1)
    text = _set(_set(text, "ansible_host", answers["host"]), "ansible_user", answers["user"])
    if answers["port"] != SSH_PORT:
        text = _uncommented(text, "ansible_port", int(answers["port"]))
    if answers["jump_host"]:
        text = _uncommented(text, "ansible_ssh_common_args", f"-J {shlex.quote(answers['jump_host'])}")
    return text


def settings_text(text: str, answers: Mapping[str, str]) -> str:
    """settings.yml with what these answers set; the door, and the remote for backups, else stay comments."""
    for key in ("environment", "timezone", "language"):
        text = _set(text, f"crowsnest_{key}", answers[key])
    for key, value in _door(answers).items():
        text = _uncommented(text, key, value)
    text = _set(text, "crowsnest_open_ports", [int(answers["port"]), 80, 443])
    return _with_remote(text, _remote(answers)) if answers["backup_bucket"] else text


def firewall_text(text: str, ports: Sequence[int]) -> str:
    """settings.yml with the firewall, which leaves these ports open."""
    return _set(_set(text, "crowsnest_firewall", True), "crowsnest_open_ports", list(ports))


def _with_remote(text: str, remote: Mapping[str, Any]) -> str:
    """The commented remote at the end becomes this one; its secret key stays in a file."""
    head, begin, rest = text.partition("# crowsnest_backup_remotes:\n")
    text = head + re.sub(r"(?m)^# ", "", begin + rest)
    for key in ("bucket", "region", "access_key", "encrypt_to"):
        text = _set(text, key, remote[key]) if key in remote else _without(text, key)
    return text if "secret_key" in remote else _without(text, "secret_key")


def apps_text(text: str, answers: Mapping[str, str]) -> str:
    """apps.yml with the one app, or with the example's app as a comment."""
    apps = declared(answers)["crowsnest_apps"]
    if not apps:
        return _commented_out(text, "crowsnest_apps")
    for key in ("name", "framework", "url", "metrics"):
        text = _set(text, key, apps[0][key]) if apps[0].get(key) else _without(text, key)
    for key, value in apps[0].get("database", {}).items():
        text = _below(text, "database", key, value)
    for key in ("backup", "env_file", "analytics"):
        text = _uncommented(text, key, apps[0][key]) if key in apps[0] else text
    return re.sub(r"(?m)^( *)# (sentry:\n *)# (  dsn: .*)$", r"\1\2\3", text) if "sentry" in apps[0] else text


def alerting_text(text: str, answers: Mapping[str, str]) -> str:
    """alerting.yml with the channel, or with the receiver as a comment."""
    if answers["slack_bot_token"]:
        text = re.sub(r"(?m)^( *)# (bot_token: .*)$", r"\1\2", _without(text, "webhook_url"))
    elif not answers["slack_webhook"]:
        return _commented_out(text, "crowsnest_receivers")
    return _set(text, "channel", answers["slack_channel"])


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000).removesuffix("...\n").strip()


def _set(text: str, key: str, value: Any) -> str:
    """The first `key: …` that is not a comment gets another value."""
    return re.sub(rf"(?m)^([ -]*{key}:) .*$", lambda found: f"{found[1]} {_scalar(value)}", text, count=1)


def _uncommented(text: str, key: str, value: Any) -> str:
    """The first `# key: …` becomes a setting with this value."""
    return re.sub(rf"(?m)^( *)# {key}: .*$", lambda found: f"{found[1]}{key}: {_scalar(value)}", text, count=1)


def _below(text: str, parent: str, key: str, value: Any) -> str:
    """The commented `parent:` with its commented `key: …` become a mapping with this value."""
    text = re.sub(rf"(?m)^( *)# {parent}:$", rf"\1{parent}:", text, count=1)
    return re.sub(rf"(?m)^( *)#   {key}: .*$", lambda found: f"{found[1]}  {key}: {_scalar(value)}", text, count=1)


def _without(text: str, key: str) -> str:
    """The first `key: …` and the comment above it are removed."""
    return re.sub(rf"(?m)^( *#.*\n)? *{key}: .*\n", "", text, count=1)


def _commented_out(text: str, key: str) -> str:
    """A list becomes empty, with what it held as a comment below: `key: []`."""
    head, _, rest = text.partition(f"{key}:\n")
    block, gap, tail = rest.partition("\n\n")
    lines = [f"# {line}" for line in block.rstrip("\n").split("\n")]
    return "\n".join([f"{head}{key}: []", f"# {key}:", *lines]) + (gap + tail if gap else "\n")
