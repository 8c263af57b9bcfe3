# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""All state, in the application database: every object is a JSON document with a kind and a number of its own."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import psycopg
from psycopg.types.json import Json

from double.config import SETTINGS, StartError, log
from double.secrets import Cipher, WrongKeyError

Object = dict[str, Any]
_TABLES = """
CREATE TABLE IF NOT EXISTS double_object (kind text, id bigint, body json NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS double_counter (kind text PRIMARY KEY, last bigint NOT NULL);
CREATE TABLE IF NOT EXISTS setting (key text PRIMARY KEY, value text NOT NULL);
"""
_OTHER_KEY = "Database was encrypted with a different key than the MB_ENCRYPTION_SECRET_KEY environment contains"
_NO_KEY = "Database is encrypted but the MB_ENCRYPTION_SECRET_KEY environment variable was NOT set"


class Store:
    """Objects by kind and id. Every method is one transaction; `lock` makes several into one step."""

    def __init__(self, arguments: dict[str, Any], cipher: Cipher) -> None:
        """StartError when the database cannot be reached or was encrypted with another key."""
        self.arguments, self.cipher, self.lock = arguments, cipher, threading.RLock()
        log("INFO", "app-db.setup", "Verifying postgres Database Connection ...")
        try:
            self._connection = self._connect()
        except psycopg.Error as error:
            log("ERROR", "app-db.setup", f"Caused by: {str(error).strip()}")
            raise StartError("Unable to connect to Metabase postgres DB.") from None
        log("INFO", "app-db.setup", "Successfully verified PostgreSQL application database connection. ✅")
        log("INFO", "app-db.setup", "Running Database Migrations...")
        self._run(_TABLES)
        log("INFO", "app-db.setup", "Database Migrations Current ...  ✅")
        self._check_encryption()

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            **self.arguments, autocommit=True, connect_timeout=10, application_name="Metabase double"
        )

    def _run(self, query: str, *values: Any) -> list[Any]:
        with self.lock:
            if self._connection.closed or self._connection.broken:
                self._connection = self._connect()
            done = self._connection.execute(query, values or None)
            return done.fetchall() if done.description else []

    def alive(self) -> bool:
        """Whether the application database answers."""
        try:
            return self._run("SELECT 1") == [(1,)]
        except psycopg.Error:
            return False

    def _check_encryption(self) -> None:
        """src/metabase/app_db/setup.clj, check-encryption."""
        raw = self.setting("encryption-check")
        if raw in (None, "unencrypted"):
            if raw and self.cipher.key:
                log(
                    "INFO",
                    "app-db.setup",
                    "New MB_ENCRYPTION_SECRET_KEY environment variable set. Encrypting database...",
                )
            self._encrypt_everything()
            check = self.cipher.encrypt(str(uuid.uuid4())) if self.cipher.key else "unencrypted"
            return self.set_setting("encryption-check", check)
        if not self.cipher.key:
            raise StartError(_NO_KEY)
        try:
            uuid.UUID(self.cipher.decrypt(raw))
        except (WrongKeyError, ValueError):
            raise StartError(_OTHER_KEY) from None
        return None

    def _encrypt_everything(self) -> None:
        """What was stored without a key, when there is one now."""
        if self.cipher.key:
            for each in self.all("database"):
                self.save("database", {**each, "details": self.cipher.encrypt(each["details"])})
            for name in (name for name, each in SETTINGS.items() if each.secret and self.setting(name)):
                self.set_setting(name, self.cipher.encrypt(self.setting(name) or ""))

    def setting(self, name: str) -> str | None:
        """The stored text of a setting."""
        found = self._run("SELECT value FROM setting WHERE key = %s", name)
        return found[0][0] if found else None

    def set_setting(self, name: str, value: str | None) -> None:
        """None removes it."""
        self._run("DELETE FROM setting WHERE key = %s", name)
        if value is not None:
            self._run("INSERT INTO setting VALUES (%s, %s)", name, value)

    def all(self, kind: str, **equal: Any) -> list[Object]:
        """The objects of a kind whose top level has these values, by id."""
        query = "SELECT id, body FROM double_object WHERE kind = %s"
        values: list[Any] = [kind]
        for name, value in equal.items():
            query += " AND body->>%s::text IS NOT DISTINCT FROM %s::text"
            values += [name, value if isinstance(value, str) or value is None else json.dumps(value)]
        return [{**body, "id": number} for number, body in self._run(query + " ORDER BY id", *values)]

    def get(self, kind: str, number: Any) -> Object | None:
        found = self._run("SELECT body FROM double_object WHERE kind = %s AND id = %s", kind, int(number))
        return {**found[0][0], "id": int(number)} if found else None

    def next_id(self, kind: str) -> int:
        query = "INSERT INTO double_counter VALUES (%s, 1) ON CONFLICT (kind) DO UPDATE SET last = "
        return int(self._run(query + "double_counter.last + 1 RETURNING last", kind)[0][0])

    def add(self, kind: str, body: Object) -> Object:
        """Give it the next id of its kind, never one that was used before."""
        number = self.next_id(kind)
        body = {key: value for key, value in body.items() if key != "id"}
        self._run("INSERT INTO double_object VALUES (%s, %s, %s)", kind, number, Json(body))
        return {**body, "id": number}

    def save(self, kind: str, body: Object) -> Object:
        """Replace the object with this id."""
        rest = {key: value for key, value in body.items() if key != "id"}
        self._run("UPDATE double_object SET body = %s WHERE kind = %s AND id = %s", Json(rest), kind, body["id"])
        return body

    def delete(self, kind: str, number: int) -> None:
        self._run("DELETE FROM double_object WHERE kind = %s AND id = %s", kind, number)
