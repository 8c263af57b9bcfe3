# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The way into Metabase: waiting, first set-up, login, the API key for all later runs. Python 3.9, standard library.

Sources: src/metabase/setup_rest/api.clj, session/api.clj, api_keys/api.clj and users_rest/api.clj in
https://github.com/metabase/metabase
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import (
    Metabase,
    MetabaseError,
    NotThereError,
    RefusedError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.key_file import KeyFile
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import ADMINISTRATORS, Rows
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.plan import ACCOUNT, KEY
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.read import GROUPS
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.report import Report
from ansible_collections.crowsnest.core.plugins.module_utils.paths import COMPOSE_COMMAND
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import CHANGE, CREATE, Change

NAME = "crowsnest"  # of the API key
THROTTLED_SECONDS = 60  # the longest wait for the next login
_WAIT = re.compile(r"wait (\d+) second", re.IGNORECASE)

Options = Mapping[str, Any]


class Session:
    """What all parts of a run share: the options, the connection, the file on the host, what was done so far."""

    def __init__(self, declared: Options, check_mode: bool) -> None:
        self.declared, self.check_mode = declared, check_mode
        self.metabase = Metabase(declared["url"])
        self.key_file = KeyFile(declared["key_file"], keep=not check_mode)
        self.report = Report()

    def did(self, change: Change) -> None:
        """Remembers a change, done or predicted."""
        self.report.done.append(change)
        self.metabase.last = str(change)


class Entered(NamedTuple):
    """What Metabase tells on the way in."""

    properties: Mapping[str, Any]
    groups: Rows | None = None  # None when they were not read
    is_empty: bool = False  # so that there is nothing to read, in check mode


def enter(session: Session) -> Entered:
    """Waits, sets up, logs in. Raises MetabaseError."""
    metabase, declared, report = session.metabase, session.declared, session.report
    try:
        metabase.wait_until_ready(0 if session.check_mode else declared["timeout"])
    except NotThereError as error:
        if not session.check_mode:
            raise
        report.note = f"Predicted as for an empty Metabase: {error}"
        return _predicted(session, {})
    properties = metabase.properties()
    report.version = metabase.version(properties)
    if properties["has-user-setup"]:
        return Entered(properties, _log_in_or_use_key(session))
    if session.check_mode:
        return _predicted(session, properties)
    _set_up(metabase, declared, properties.get("setup-token"))
    session.did(Change(CREATE, ACCOUNT, declared["admin"]["email"]))
    _new_key(session)
    return Entered(properties)


def _predicted(session: Session, properties: Mapping[str, Any]) -> Entered:
    """The account and the key would be made; the set-up would make some settings."""
    session.did(Change(CREATE, ACCOUNT, session.declared["admin"]["email"]))
    _new_key(session)
    return Entered({**properties, **_site_settings(session.declared)}, is_empty=True)


def _new_key(session: Session) -> None:
    if not session.check_mode:
        _make_key(session.metabase, session.declared, session.key_file)
    session.did(Change(CREATE, KEY, f"{NAME} in {session.declared['key_file']}"))


def _log_in_or_use_key(session: Session) -> Rows | None:
    """With the key of the file, which also gives the groups, else with the declared password and then a new key."""
    groups = _use_key(session.metabase, session.key_file)
    if groups is None:
        _log_in(session.metabase, session.declared)
        _new_key(session)
    else:
        _put_account_right(session)
    return groups


def _put_account_right(session: Session) -> None:
    """The rights of the file, and e-mail and password of the first account."""
    admin, key_file = session.declared["admin"], session.key_file
    if key_file.is_open():
        key_file.save()
        session.did(Change(CHANGE, KEY, f"{NAME}: rights of {session.declared['key_file']}"))
    if key_file.content.get("email") != admin["email"]:
        if not session.check_mode:
            _set_email(session.metabase, session.declared, key_file)
        session.did(Change(CHANGE, ACCOUNT, f"{admin['email']}: e-mail"))
    if key_file.content.get("password") != key_file.digest(admin["password"]):
        if not session.check_mode:
            _set_password(session.metabase, session.declared, key_file)
        session.did(Change(CHANGE, ACCOUNT, f"{admin['email']}: password"))


# --- one step each ---


def _site_settings(declared: Options) -> dict[str, str]:
    """The settings that the set-up makes."""
    site = declared["site"]
    return {"site-name": site.get("name") or "Metabase", "site-locale": site.get("locale") or "en"}


def _set_up(metabase: Metabase, declared: Options, token: Any) -> None:
    """Makes the first account; from then on this connection is logged in. Raises MetabaseError."""
    admin, site = declared["admin"], _site_settings(declared)
    user = {name: admin[name] for name in ("email", "password", "first_name", "last_name") if admin.get(name)}
    prefs = {"site_name": site["site-name"], "site_locale": site["site-locale"]}
    try:
        session = metabase.call("POST", "/api/setup", {"token": token, "user": user, "prefs": prefs})["id"]
    except RefusedError as error:
        raise MetabaseError(
            f"Metabase at {metabase.url} does not create its first account {admin['email']}: {error}. Correct admin or "
            "site (a password needs 6 characters with a digit, unless MB_PASSWORD_COMPLEXITY says otherwise)."
        ) from None
    metabase.headers = {"X-Metabase-Session": session}


def _log_in(metabase: Metabase, declared: Options) -> None:
    """One login by password; a second one only after Metabase asked to wait. Raises MetabaseError."""
    admin = declared["admin"]
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
                    f"Metabase at {metabase.url} refuses all logins of {admin['email']} for now, after too many failed "
                    f"ones ({error}). Wait {wait} seconds and run again."
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
        f"Metabase at {url} refuses the login of {email} ({error}). It was set up before, with another password or "
        "another account. Declare the account that exists there (crowsnest_metabase_admin_email, "
        "crowsnest_metabase_admin_password or the file in the inventory's secrets folder), or get a token for a new "
        f"password by `{COMPOSE_COMMAND} run --rm metabase reset-password "
        f"{email}` and set the declared one on its page /auth/reset_password/TOKEN. It was tried once."
    )


def _use_key(metabase: Metabase, key_file: KeyFile) -> Rows | None:
    """The groups, which only an administrator sees, if Metabase takes the key of the file. Raises MetabaseError."""
    if not key_file.key:
        return None
    metabase.headers = {"x-api-key": key_file.key}
    try:
        return metabase.rows(GROUPS)
    except RefusedError as error:
        if error.status not in (401, 403):
            raise
    metabase.headers = {}
    return None


def _make_key(metabase: Metabase, declared: Options, key_file: KeyFile) -> None:
    """A new key in place of one of that name, in the file before anything else; then this connection uses it.

    Who is logged in here knows the declared password: its digest is kept with the key. Raises MetabaseError.
    """
    try:
        for key in metabase.rows("/api/api-key"):
            if key["name"] == NAME:
                metabase.call("DELETE", f"/api/api-key/{key['id']}")
        new = metabase.call("POST", "/api/api-key", {"name": NAME, "group_id": ADMINISTRATORS})
    except RefusedError as error:
        raise MetabaseError(
            f"Metabase at {metabase.url} does not create an API key for {declared['admin']['email']}: {error}. This "
            "account must be an administrator."
        ) from None
    admin = declared["admin"]
    key_file.set(key=new["unmasked_key"], password=key_file.digest(admin["password"]), email=admin["email"])
    with contextlib.suppress(OSError, HTTPException):  # else the login ends by itself, in time
        metabase.exchange("DELETE", "/api/session")
    metabase.headers = {"x-api-key": key_file.key}


def _set_email(metabase: Metabase, declared: Options, key_file: KeyFile) -> None:
    """Gives the first account another address, when it had one that the file knows. Raises MetabaseError."""
    old, new = str(key_file.content.get("email", "")).lower(), declared["admin"]["email"]
    numbers = {(user.get("email") or "").lower(): user["id"] for user in metabase.rows("/api/user?status=all")}
    try:
        if old in numbers and new.lower() not in numbers:
            metabase.call("PUT", f"/api/user/{numbers[old]}", {"email": new})
    except RefusedError as error:
        raise MetabaseError(f"Metabase at {metabase.url} does not accept {new} instead of {old}: {error}") from None
    key_file.set(email=new)


def _set_password(metabase: Metabase, declared: Options, key_file: KeyFile) -> None:
    """Gives the declared password to the declared account. Raises MetabaseError."""
    email = declared["admin"]["email"]
    found = [
        user for user in metabase.rows("/api/user?status=all") if (user.get("email") or "").lower() == email.lower()
    ]
    if not found:
        raise MetabaseError(
            f"Metabase at {metabase.url} has no account {email}, so its password cannot be set. Declare the "
            "administrator that exists there, or create this one there."
        )
    try:
        metabase.call("PUT", f"/api/user/{found[0]['id']}/password", {"password": declared["admin"]["password"]})
    except RefusedError as error:
        raise MetabaseError(f"Metabase at {metabase.url} does not accept the password of {email}: {error}") from None
    key_file.set(password=key_file.digest(declared["admin"]["password"]))
