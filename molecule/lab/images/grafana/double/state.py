# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What outlives a restart, in grafana.db: users, failed logins, data sources, dashboards that people made.

Every call opens the file anew, so that `grafana cli` can change it beside the running server.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# pkg/services/loginattempt/loginattemptimpl/login_attempt.go of Grafana.
ATTEMPTS, WINDOW_SECONDS = 5, 300
_TABLES = {
    "user": "id INTEGER PRIMARY KEY, login TEXT UNIQUE, salt TEXT, password TEXT",
    "login_attempt": "username TEXT, created REAL",
    "data_source": "id INTEGER PRIMARY KEY, uid TEXT UNIQUE, name TEXT UNIQUE, body TEXT",
    "dashboard": "uid TEXT PRIMARY KEY, body TEXT",
}


@dataclass
class State:
    """The database in the folder `data`."""

    data: str

    def _run(self, query: str, *values: object) -> tuple[int, list[Any]]:
        """(number of changed rows, found rows)."""
        with closing(sqlite3.connect(Path(self.data) / "grafana.db", timeout=5)) as database, database:
            done = database.execute(query, values)
            return done.rowcount, done.fetchall()

    def create(self, login: str, password: str) -> None:
        """Make the tables and, in a new database only, the administrator."""
        Path(self.data).mkdir(parents=True, exist_ok=True)
        for name, columns in _TABLES.items():
            self._run(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
        if not self._run("SELECT 1 FROM user")[1]:
            self.add_user(login, password)

    def add_user(self, login: str, password: str) -> None:
        """LookupError when there is one of this login."""
        try:
            self._run("INSERT INTO user (login, salt, password) VALUES (?, ?, ?)", login, *_salted(password))
        except sqlite3.IntegrityError:
            raise LookupError from None

    def user_id(self, login: str) -> int:
        """Of somebody who is logged in; the administrator's is 1."""
        ((number,),) = self._run("SELECT id FROM user WHERE lower(login) = ?", login.lower())[1]
        return int(number)

    def login(self, login: str, password: str) -> str:
        """Empty when the password is right, else why not, in the words of Grafana's log."""
        name, since = login.lower(), time.time() - WINDOW_SECONDS
        tries = self._run("SELECT 1 FROM login_attempt WHERE username = ? AND created > ?", name, since)[1]
        if len(tries) >= ATTEMPTS:
            return "too many consecutive incorrect login attempts for user - login for user temporarily blocked"
        found = self._run("SELECT salt, password FROM user WHERE lower(login) = ?", name)[1]
        if found and hmac.compare_digest(_hash(password, found[0][0]), found[0][1]):
            return ""
        self._run("INSERT INTO login_attempt VALUES (?, ?)", name, time.time())
        return "[password-auth.invalid] invalid password" if found else "[identity.not-found] no user found"

    def has_admin(self) -> bool:
        return bool(self._run("SELECT 1 FROM user WHERE id = 1")[1])

    def change_admin_password(self, password: str) -> None:
        """There must be an administrator."""
        self._run("UPDATE user SET salt = ?, password = ? WHERE id = 1", *_salted(password))

    def data_sources(self) -> dict[str, dict[str, Any]]:
        """All data sources by name, each with its id."""
        rows = self._run("SELECT id, name, body FROM data_source ORDER BY name")[1]
        return {name: {**json.loads(body), "id": number} for number, name, body in rows}

    def save_data_source(self, source: dict[str, Any]) -> None:
        """Insert it, or replace the one of this name. LookupError when another one has its uid."""
        query = "INSERT INTO data_source (uid, name, body) VALUES (?, ?, ?) "
        query += "ON CONFLICT (name) DO UPDATE SET body = excluded.body"
        try:
            self._run(query, source["uid"], source["name"], json.dumps(source))
        except sqlite3.IntegrityError:
            raise LookupError from None

    def delete_data_source(self, name: str) -> None:
        """Nothing happens when there is none of this name."""
        self._run("DELETE FROM data_source WHERE name = ?", name)

    def own_dashboards(self) -> list[dict[str, Any]]:
        """The models of those that people made."""
        return [json.loads(body) for (body,) in self._run("SELECT body FROM dashboard ORDER BY rowid")[1]]

    def save_own_dashboard(self, model: dict[str, Any]) -> None:
        """Insert it, or replace the one with its uid."""
        self._run("INSERT OR REPLACE INTO dashboard VALUES (?, ?)", model["uid"], json.dumps(model))


def _salted(password: str) -> tuple[str, str]:
    """(salt, hash)."""
    salt = secrets.token_hex(5)
    return salt, _hash(password, salt)


def _hash(password: str, salt: str) -> str:
    """PBKDF2 as Grafana's util.EncodePassword does it."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 10_000, 50).hex()
