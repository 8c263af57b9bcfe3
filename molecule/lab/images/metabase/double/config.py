# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The environment, the log, and the settings that the double knows.

https://www.metabase.com/docs/latest/configuring-metabase/environment-variables and `defsetting` in Metabase's sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

VERSION = "0.61.2"
TRUE = ("true", "t", "yes", "y", "1")


class StartError(Exception):
    """Metabase does not start with this; the message is the one it logs."""


def log(level: str, source: str, message: str) -> None:
    """Print a line as Metabase's log4j2 does."""
    moment = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    print(f"{moment} {level} {source} :: {message}", flush=True)


@dataclass(frozen=True)
class Setting:
    """`seen` is who may read it: public, authenticated or admin; `kind` string, boolean, integer or json."""

    default: Any = None
    kind: str = "string"
    seen: str = "admin"
    secret: bool = False


SETTINGS = {
    "admin-email": Setting(seen="authenticated"),
    "anon-tracking-enabled": Setting(True, "boolean", "public"),
    "application-name": Setting("Metabase", seen="public"),
    "check-for-updates": Setting(True, "boolean"),
    "custom-formatting": Setting({}, "json", "public"),
    "custom-homepage": Setting(False, "boolean"),
    "custom-homepage-dashboard": Setting(None, "integer"),
    "email-from-address": Setting("notifications@metabase.com"),
    "email-from-name": Setting(),
    "email-reply-to": Setting(None, "json"),
    "email-smtp-host": Setting(),
    "email-smtp-password": Setting(secret=True),
    "email-smtp-port": Setting(None, "integer"),
    "email-smtp-security": Setting("none"),
    "email-smtp-username": Setting(),
    "enable-public-sharing": Setting(True, "boolean", "authenticated"),
    "enable-xrays": Setting(True, "boolean", "authenticated"),
    "help-link": Setting("metabase", seen="authenticated"),
    "landing-page": Setting("", seen="public"),
    "report-timezone": Setting(seen="authenticated"),
    "show-homepage-data": Setting(True, "boolean", "authenticated"),
    "show-homepage-xrays": Setting(True, "boolean", "authenticated"),
    "site-locale": Setting("en", seen="public"),
    "site-name": Setting("Metabase", seen="public"),
    "site-url": Setting(seen="public"),
    "slack-app-token": Setting(secret=True),
    "slack-bug-report-channel": Setting("metabase-bugs"),
    "start-of-week": Setting("sunday", seen="public"),
    "subscription-allowed-domains": Setting(seen="public"),
    "update-channel": Setting("latest"),
}


def parsed(name: str, value: Any) -> Any:
    """A text as its setting's type. ValueError for a number that is none."""
    kind = SETTINGS[name].kind
    if not isinstance(value, str) or kind == "string":
        return value
    return value.lower() in TRUE if kind == "boolean" else int(value) if kind == "integer" else json.loads(value)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"MB_{name.replace('-', '_').upper()}"


@dataclass(frozen=True)
class Environment:
    """What the process was started with; an empty variable is as good as none."""

    values: Mapping[str, str]

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name) or default

    def application_database(self) -> dict[str, Any]:
        """Arguments for a connection. StartError for what the laboratory does not have."""
        uri = self.get("MB_DB_CONNECTION_URI").removeprefix("jdbc:")
        kind = "postgres" if uri.startswith("postgres") else self.get("MB_DB_TYPE", "h2")
        if kind != "postgres":
            words = "the contract double keeps its data in PostgreSQL only: set MB_DB_TYPE=postgres"
            raise StartError(f"Application database of type {kind} refused, {words}")
        names = {"host": "MB_DB_HOST", "dbname": "MB_DB_DBNAME", "user": "MB_DB_USER", "password": "MB_DB_PASS"}
        found = {key: self.get(name) for key, name in names.items()}
        if uri:
            return {"conninfo": uri, **{key: found[key] for key in ("user", "password") if found[key]}}
        return {**found, "host": found["host"] or "localhost", "port": int(self.get("MB_DB_PORT", "5432"))}

    def setting(self, name: str) -> Any:
        """The value that the environment fixes; None when it does not."""
        text = self.get(variable(name))
        return parsed(name, text) if text else None

    def heap(self) -> str:
        """What -Xmx of JAVA_OPTS says, in the words of the log's first lines."""
        found = re.search(r"-Xmx(\d+)([kmgKMG]?)", self.get("JAVA_OPTS"))
        size = int(found[1]) * {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}[found[2].lower()] if found else 2**30
        return f"{size / 2**20:.1f} MB" if size < 2**30 else f"{size / 2**30:.1f} GB"
