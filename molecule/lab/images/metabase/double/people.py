# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Set-up, logins, people, groups and API keys.

src/metabase/{setup_rest,session,users_rest,permissions_rest,api_keys}/api.clj of Metabase.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from double.secrets import fingerprint, hashed, matches
from double.store import Store
from double.web import (
    BOOLEAN,
    EMAIL,
    LIST,
    MAP,
    PASSWORD,
    STRING,
    TEXT,
    Answer,
    ApiError,
    Check,
    Object,
    Request,
    checked,
    forbidden,
    invalid,
    not_found,
    some,
)

COOKIE = "metabase.SESSION"
EVERYBODY, ADMINISTRATORS = 1, 2
_SESSION_SECONDS = 14 * 24 * 3600
# The library `throttle`: after 10 wrong passwords 15 seconds, then 1.5 times as long with every further one.
_ATTEMPTS, _DELAY, _GROWTH, _MEMORY = 10, 15, 1.5, 3600
_WRONG = {"errors": {"password": "did not match stored password"}}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class People:
    """Everything about who may do what."""

    def __init__(self, store: Store, environment: Any) -> None:
        self.store = store
        self.throttled = environment.get("MB_DISABLE_SESSION_THROTTLE") != "true"
        self.attempts: dict[str, list[float]] = defaultdict(list)
        self._known: dict[str, int] = {}
        self.setup_token = store.setting("setup-token")
        if not store.all("group"):
            store.add("group", {"name": "All Users", "magic_group_type": "all-internal-users"})
            store.add("group", {"name": "Administrators", "magic_group_type": "admin"})
        if not self.has_user() and not self.setup_token:
            self.setup_token = str(uuid.uuid4())
            store.set_setting("setup-token", self.setup_token)

    def has_user(self) -> bool:
        return any(user["type"] == "personal" for user in self.store.all("user"))

    # --- who asks ---------------------------------------------------------------------------------------------------

    def identify(self, request: Request, cookie: str) -> None:
        """Fill in who asks; nobody when a key or a session is wrong."""
        request.session = request.headers.get("X-Metabase-Session") or cookie
        if key := request.headers.get("x-api-key"):
            request.user = self._by_key(key)
        elif request.session:
            found = self.store.all("session", key_hashed=fingerprint(request.session))
            if found and time.time() - found[0]["created"] < _SESSION_SECONDS:
                request.user = self._active(found[0]["user_id"])

    def _by_key(self, key: str) -> Object | None:
        for row in self.store.all("api_key", key_prefix=key[:7]):
            mark = fingerprint(key + row["key"])
            if mark in self._known or matches(key, row["key"]):
                self._known[mark] = row["id"]
                return self._active(row["user_id"])
        return None

    def _active(self, number: int) -> Object | None:
        user = self.store.get("user", number)
        return user if user and user["is_active"] else None

    # --- set-up and sessions ------------------------------------------------------------------------------------------

    def setup(self, request: Request) -> Answer:
        token = Check(lambda value: bool(value) and value == self.setup_token, "Token does not match the setup token.")
        if self.has_user():
            words = "The /api/setup route can only be used to create the first user, however a user currently exists."
            checked(request.body(), {"token": TEXT})
            raise ApiError(403, words)
        given = request.take(token=token, user=MAP, prefs=MAP)
        schema = {"email": EMAIL, "password": PASSWORD, "first_name": TEXT.maybe(), "last_name": TEXT.maybe()}
        user = checked(given["user"], schema)
        prefs = checked(given["prefs"], {"site_name": TEXT, "site_locale": TEXT.maybe()})
        row = self.add(user, [ADMINISTRATORS], password=user["password"])
        self.store.set_setting("site-name", prefs["site_name"])
        self.store.set_setting("admin-email", user["email"])
        if prefs.get("site_locale"):
            self.store.set_setting("site-locale", prefs["site_locale"])
        self.store.set_setting("setup-token", None)
        self.setup_token = None
        return self._session(row)

    def _session(self, user: Object) -> Answer:
        token = str(uuid.uuid4())
        self.store.add("session", {"user_id": user["id"], "key_hashed": fingerprint(token), "created": time.time()})
        self.store.save("user", {**user, "last_login": now()})
        cookie = f"{COOKIE}={token}; Path=/; Max-Age={_SESSION_SECONDS}; HttpOnly; SameSite=Lax"
        return Answer({"id": token}, headers={"Set-Cookie": cookie})

    def log_in(self, request: Request) -> Answer:
        given = request.take(username=TEXT, password=TEXT)
        name = given["username"].lower()
        self._throttle(name)
        for user in self.store.all("user", email=name):
            if user["type"] == "personal" and matches(given["password"], user["password"]):
                if not user["is_active"]:
                    raise ApiError(401, {"errors": {"_error": "Your account is disabled."}})
                self.attempts.pop(name, None)
                return self._session(user)
        self.attempts[name].append(time.time())
        raise ApiError(401, _WRONG)

    def _throttle(self, name: str) -> None:
        tries = self.attempts[name] = [each for each in self.attempts[name] if time.time() - each < _MEMORY]
        if self.throttled and len(tries) >= _ATTEMPTS:
            left = tries[-1] + _DELAY * _GROWTH ** (len(tries) - _ATTEMPTS) - time.time()
            if left > 0:
                words = f"Too many attempts! You must wait {max(1, round(left))} seconds before trying again."
                raise ApiError(401, {"errors": {"username": words}})

    def log_out(self, request: Request) -> None:
        found = self.store.all("session", key_hashed=fingerprint(request.session)) if request.session else []
        if not found:
            raise not_found()
        self.store.delete("session", found[0]["id"])

    # --- people -------------------------------------------------------------------------------------------------------

    def add(self, given: Object, groups: list[int], kind: str = "personal", password: str = "") -> Object:
        fields = {"first_name": given.get("first_name"), "last_name": given.get("last_name"), "locale": None}
        fields |= {"email": given["email"].lower(), "type": kind, "is_active": True, "is_qbnewb": True}
        fields |= {"date_joined": now(), "last_login": None, "updated_at": now(), "login_attributes": None}
        fields |= {"password": hashed(password or secrets.token_urlsafe(32)), "sso_source": None, "tenant_id": None}
        fields["group_ids"] = sorted({EVERYBODY, *groups})
        return self.store.add("user", {**fields, "is_superuser": ADMINISTRATORS in fields["group_ids"]})

    def shown(self, user: Object) -> Object:
        """A person as the API gives it: never the password."""
        names = [user["first_name"] or "", user["last_name"] or ""]
        shown = {key: value for key, value in user.items() if key not in ("password", "type")}
        return {**shown, "common_name": " ".join(each for each in names if each) or user["email"]}

    def with_groups(self, user: Object) -> Object:
        memberships = [{"id": group, "is_group_manager": False} for group in user["group_ids"]]
        return {**self.shown(user), "user_group_memberships": memberships}

    def current(self, request: Request) -> Object:
        user = some(request.user)
        installer = user["id"] == min(each["id"] for each in self.store.all("user"))
        more = {"is_installer": installer, "personal_collection_id": None, "has_question_and_dashboard": True}
        permissions = {"can_create_queries": True, "can_create_native_queries": True}
        return {**self.shown(user), **more, "permissions": permissions, "can_write_any_collection": True}

    def listing(self, request: Request) -> Object:
        status = "all" if request.flag("include_deactivated") else request.one("status", "active")
        found = [user for user in self.store.all("user") if user["type"] == "personal"]
        if status != "all":
            found = [user for user in found if user["is_active"] == (status != "deactivated")]
        words = request.one("query").lower()
        found = [self.shown(user) for user in found]
        found = [user for user in found if words in f"{user['common_name']} {user['email']}".lower()]
        return {"data": found, "total": len(found), "limit": None, "offset": None}

    def get(self, request: Request, number: str) -> Object:
        if not request.user["is_superuser"] and request.user["id"] != int(number):
            raise forbidden()
        return self.with_groups(some(self.store.get("user", number)))

    def create(self, request: Request) -> Object:
        maybe = {"first_name": TEXT.maybe(), "last_name": TEXT.maybe(), "user_group_memberships": LIST.maybe()}
        given = request.take(email=EMAIL, **maybe)
        if self.store.all("user", email=given["email"].lower()):
            raise invalid("email", "Email address already in use.")
        return self.with_groups(self.add(given, self._groups(given)))

    def _groups(self, given: Object) -> list[int]:
        numbers = [each["id"] for each in given.get("user_group_memberships") or []]
        for number in numbers:
            some(self.store.get("group", number))
        return numbers

    def update(self, request: Request, number: str) -> Object:
        user = self.get(request, number) and some(self.store.get("user", number))
        if not user["is_active"]:
            raise not_found()
        names = {"first_name": TEXT.maybe(), "last_name": TEXT.maybe(), "email": EMAIL.maybe(), "locale": TEXT.maybe()}
        groups = {
            "user_group_memberships": LIST.maybe(),
            "is_superuser": BOOLEAN.maybe(),
            "login_attributes": MAP.maybe(),
        }
        given = request.take(**names, **groups)
        if given.get("email") and any(
            each["id"] != user["id"] for each in self.store.all("user", email=given["email"].lower())
        ):
            raise invalid("email", "Email address already associated to another user.")
        user |= {key: given[key] for key in ("first_name", "last_name", "locale") if key in given}
        user |= {"email": given["email"].lower()} if given.get("email") else {}
        if request.user["is_superuser"]:
            self._regroup(user, given)
        return self.with_groups(self.store.save("user", {**user, "updated_at": now()}))

    def _regroup(self, user: Object, given: Object) -> None:
        admin, groups = given.get("is_superuser"), set(user["group_ids"])
        if given.get("user_group_memberships") is not None:
            groups = {EVERYBODY, *self._groups(given)}
            if admin is not None and admin != (ADMINISTRATORS in groups):
                words = "Value of is_superuser must correspond to presence of Admin group ID in group_ids."
                raise invalid("is_superuser", words)
        elif admin is not None:
            groups = groups | {ADMINISTRATORS} if admin else groups - {ADMINISTRATORS}
        user |= {"group_ids": sorted(groups), "is_superuser": ADMINISTRATORS in groups}

    def reactivate(self, request: Request, number: str) -> Object:
        user = some(self.store.get("user", number))
        if user["is_active"]:
            raise ApiError(400, {"message": "Not able to reactivate an active user"})
        groups = [group for group in user["group_ids"] if group != ADMINISTRATORS]
        changes = {"is_active": True, "is_superuser": False, "group_ids": groups}
        return self.shown(self.store.save("user", {**user, **changes}))

    def deactivate(self, request: Request, number: str) -> Object:
        self.store.save("user", {**some(self.store.get("user", number)), "is_active": False})
        return {"success": True}

    def change_password(self, request: Request, number: str) -> Answer | None:
        self.get(request, number)
        given = request.take(password=PASSWORD, old_password=STRING.maybe())
        user = some(self._active(int(number)))
        if not request.user["is_superuser"] and not matches(given.get("old_password") or "", user["password"]):
            raise invalid("old_password", "Invalid password")
        self.store.save("user", {**user, "password": hashed(given["password"])})
        if user["id"] != request.user["id"]:
            return None
        session = self._session(some(self.store.get("user", number)))
        return Answer({"success": True, "session_id": session.body["id"]}, headers=session.headers)
