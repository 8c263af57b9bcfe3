# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The way into Metabase: first set-up, login, the API key for all later runs. Python 3.9, standard library.

Sources: src/metabase/setup_rest/api.clj, session/api.clj, api_keys/api.clj and users_rest/api.clj in
https://github.com/metabase/metabase
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import (
    Metabase,
    MetabaseError,
    RefusedError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.record import Record
from ansible_collections.crowsnest.core.plugins.module_utils.paths import COMPOSE_COMMAND

NAME = "crowsnest"  # of the API key
ADMINISTRATORS = 2  # number of that group in every Metabase
GROUPS = "/api/permissions/group"
THROTTLED_SECONDS = 60  # the longest wait for the next login
_WAIT = re.compile(r"wait (\d+) second", re.IGNORECASE)

Given = Mapping[str, Any]


def site_settings(given: Given) -> dict[str, str]:
    """The settings that the set-up makes."""
    site = given["site"]
    return {"site-name": site.get("name") or "Metabase", "site-locale": site.get("locale") or "en"}


def set_up(metabase: Metabase, given: Given, token: Any) -> None:
    """Makes the first account; from then on this connection is logged in. Raises MetabaseError."""
    admin, site = given["admin"], site_settings(given)
    user = {name: admin[name] for name in ("email", "password", "first_name", "last_name") if admin.get(name)}
    prefs = {"site_name": site["site-name"], "site_locale": site["site-locale"]}
    try:
        session = metabase.call("POST", "/api/setup", {"token": token, "user": user, "prefs": prefs})["id"]
    except RefusedError as error:
        raise MetabaseError(
            f"Metabase at {metabase.url} does not make its first account {admin['email']}: {error}. Correct admin or "
            "site (a password needs 6 characters with a digit, unless MB_PASSWORD_COMPLEXITY says otherwise)."
        ) from None
    metabase.headers = {"X-Metabase-Session": session}


def log_in(metabase: Metabase, given: Given) -> None:
    """One login by password; a second one only after Metabase asked to wait. Raises MetabaseError."""
    admin = given["admin"]
    for again in (True, False):
        try:
            body = {"username": admin["email"], "password": admin["password"]}
            session = metabase.call("POST", "/api/session", body)["id"]
        except RefusedError as error:
            wait = _throttled(error)
            if wait is None:
                raise MetabaseError(_refused(metabase.url, admin["email"], error)) from None
            if not again or wait > THROTTLED_SECONDS:
                raise MetabaseError(
                    f"Metabase at {metabase.url} refuses all logins of {admin['email']} for now, after too many wrong "
                    f"ones ({error}). Wait {wait} seconds and run it again."
                ) from None
            time.sleep(wait + 1)
        else:
            metabase.headers = {"X-Metabase-Session": session}
            return


def _throttled(error: RefusedError) -> int | None:
    """Seconds to wait, when that is why."""
    found = _WAIT.search(str(error))
    return int(found[1]) if found and "attempts" in str(error).lower() else None


def _refused(url: str, email: str, error: RefusedError) -> str:
    return (
        f"Metabase at {url} refuses the login of {email} ({error}). It was set up already, with another password or "
        "another account. Declare the account that it has (crowsnest_metabase_admin_email, "
        "crowsnest_metabase_admin_password or the file in the inventory's secrets folder), or get a token for a new "
        f"password by `{COMPOSE_COMMAND} run --rm metabase reset-password "
        f"{email}` and set the declared one on its page /auth/reset_password/TOKEN. It was tried once."
    )


def use_key(metabase: Metabase, record: Record) -> list[dict[str, Any]] | None:
    """The groups, which only an administrator sees, if Metabase takes the key of the file. Raises MetabaseError."""
    if not record.key:
        return None
    metabase.headers = {"x-api-key": record.key}
    try:
        return metabase.rows(GROUPS)
    except RefusedError as error:
        if error.status not in (401, 403):
            raise
    metabase.headers = {}
    return None


def make_key(metabase: Metabase, given: Given, record: Record) -> None:
    """A new key in place of one of that name, in the file before anything else; then this connection uses it.

    Who is logged in here knows the declared password: its digest is kept with the key. Raises MetabaseError.
    """
    try:
        for each in metabase.rows("/api/api-key"):
            if each["name"] == NAME:
                metabase.call("DELETE", f"/api/api-key/{each['id']}")
        made = metabase.call("POST", "/api/api-key", {"name": NAME, "group_id": ADMINISTRATORS})
    except RefusedError as error:
        raise MetabaseError(
            f"Metabase at {metabase.url} does not make an API key for {given['admin']['email']}: {error}. This account "
            "must be an administrator."
        ) from None
    admin = given["admin"]
    record.set(key=made["unmasked_key"], password=record.digest(admin["password"]), email=admin["email"])
    with contextlib.suppress(OSError, HTTPException):  # else the login ends by itself, in time
        metabase.exchange("DELETE", "/api/session")
    metabase.headers = {"x-api-key": record.key}


def set_email(metabase: Metabase, given: Given, record: Record) -> None:
    """Gives the first account another address, when it had one that the file knows. Raises MetabaseError."""
    old, new = str(record.content.get("email", "")).lower(), given["admin"]["email"]
    numbers = {(each.get("email") or "").lower(): each["id"] for each in metabase.rows("/api/user?status=all")}
    try:
        if old in numbers and new.lower() not in numbers:
            metabase.call("PUT", f"/api/user/{numbers[old]}", {"email": new})
    except RefusedError as error:
        raise MetabaseError(f"Metabase at {metabase.url} does not take {new} for {old}: {error}") from None
    record.set(email=new)


def set_password(metabase: Metabase, given: Given, record: Record) -> None:
    """Gives the declared password to the declared account. Raises MetabaseError."""
    email = given["admin"]["email"]
    found = [
        each for each in metabase.rows("/api/user?status=all") if (each.get("email") or "").lower() == email.lower()
    ]
    if not found:
        raise MetabaseError(
            f"Metabase at {metabase.url} has no account {email}, so its password cannot be set. Declare the "
            "administrator that it has, or make this one there."
        )
    try:
        metabase.call("PUT", f"/api/user/{found[0]['id']}/password", {"password": given["admin"]["password"]})
    except RefusedError as error:
        raise MetabaseError(f"Metabase at {metabase.url} does not take the password of {email}: {error}") from None
    record.set(password=record.digest(given["admin"]["password"]))
