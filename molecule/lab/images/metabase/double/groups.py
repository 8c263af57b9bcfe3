# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Groups with their members, and API keys.

src/metabase/permissions_rest/api.clj and src/metabase/api_keys/{api,models/api_key}.clj of Metabase.
"""

from __future__ import annotations

import base64
import secrets
import uuid

from double.people import ADMINISTRATORS, EVERYBODY, People, now
from double.secrets import hashed
from double.web import POSITIVE, TEXT, ApiError, Object, Request, crashed, invalid, some


class Groups:
    """A membership has no row of its own: its id is made of the group and the user."""

    def __init__(self, people: People) -> None:
        self.people, self.store = people, people.store

    def _members(self, group: int) -> list[Object]:
        return [user for user in self.store.all("user") if group in user["group_ids"] and user["is_active"]]

    def listing(self, request: Request) -> list[Object]:
        groups = sorted(self.store.all("group"), key=lambda group: group["name"].lower())
        counts = {
            group["id"]: sum(user["type"] == "personal" for user in self._members(group["id"])) for group in groups
        }
        return [{**group, "member_count": counts[group["id"]]} for group in groups]

    def _listed(self, group: int) -> list[Object]:
        keys = ("email", "first_name", "last_name", "is_superuser")
        users = [user for user in self._members(group) if user["type"] == "personal"]
        return [{**{key: user[key] for key in keys}, **_membership(group, user["id"])} for user in users]

    def get(self, request: Request, number: str) -> Object:
        group = some(self.store.get("group", number))
        return {**group, "members": self._listed(group["id"])}

    def create(self, request: Request) -> Object:
        name = request.take(name=TEXT)["name"]
        if any(group["name"].lower() == name.lower() for group in self.store.all("group")):
            raise invalid("name", "A group with that name already exists.")
        return self.store.add("group", {"name": name, "magic_group_type": None, "is_tenant_group": False})

    def update(self, request: Request, number: str) -> Object:
        group = some(self.store.get("group", number))
        if group["magic_group_type"]:
            raise ApiError(400, "You cannot edit or delete this permissions group!")
        return self.store.save("group", {**group, "name": request.take(name=TEXT)["name"]})

    def delete(self, request: Request, number: str) -> None:
        group = some(self.store.get("group", number))
        if group["magic_group_type"]:
            raise crashed("You cannot edit or delete this permissions group!")
        for user in self._members(group["id"]):
            self._set(user, [each for each in user["group_ids"] if each != group["id"]])
        self.store.delete("group", group["id"])

    def _set(self, user: Object, groups: list[int]) -> None:
        groups = sorted({EVERYBODY, *groups})
        self.store.save("user", {**user, "group_ids": groups, "is_superuser": ADMINISTRATORS in groups})

    def memberships(self, request: Request) -> Object:
        users = [user for user in self.store.all("user") if user["type"] == "personal"]
        return {str(user["id"]): [_membership(group, user["id"]) for group in user["group_ids"]] for user in users}

    def add_member(self, request: Request) -> list[Object]:
        given = request.take(group_id=POSITIVE, user_id=POSITIVE)
        user, group = some(self.store.get("user", given["user_id"])), some(self.store.get("group", given["group_id"]))
        self._set(user, [*user["group_ids"], group["id"]])
        return self._listed(group["id"])

    def remove_member(self, request: Request, number: str) -> None:
        user, group = some(self.store.get("user", int(number) // 1000)), int(number) % 1000
        if group not in user["group_ids"]:
            some(None)
        if group == EVERYBODY:
            raise ApiError(400, "You cannot add or remove users to/from the 'All Users' group.")
        if group == ADMINISTRATORS and len(self._members(group)) == 1:
            raise ApiError(400, "You cannot remove the last member of the 'Admin' group!")
        self._set(user, [each for each in user["group_ids"] if each != group])

    # --- API keys -----------------------------------------------------------------------------------------------------

    def _key(self, row: Object, unmasked: str = "") -> Object:
        group = some(self.store.get("group", row["group_id"]))
        shown = {key: row[key] for key in ("id", "name", "created_at", "updated_at", "updated_by", "masked_key")}
        shown["group"] = {"id": group["id"], "name": group["name"]}
        return {**shown, "unmasked_key": unmasked} if unmasked else shown

    def keys(self, request: Request) -> list[Object]:
        return [self._key(row) for row in self.store.all("api_key")]

    def create_key(self, request: Request) -> Object:
        given = request.take(group_id=POSITIVE, name=TEXT)
        if self.store.all("api_key", name=given["name"]):
            raise invalid("name", "An API key with this name already exists.")
        some(self.store.get("group", given["group_id"]))
        user = {"email": f"api-key-user-{uuid.uuid4()}@api-key.invalid", "first_name": given["name"], "last_name": ""}
        row = {**given, "user_id": self.people.add(user, [given["group_id"]], "api-key")["id"], "created_at": now()}
        return self._issue(row, request)

    def _issue(self, row: Object, request: Request) -> Object:
        """A new key for a row, shown this once."""
        key = "mb_" + base64.b64encode(secrets.token_bytes(32)).decode()
        masks = {"key": hashed(key), "key_prefix": key[:7], "masked_key": key[:7] + "*" * 40}
        user = self.people.shown(some(request.user))
        row = {**row, **masks, "updated_at": now(), "updated_by": {key: user[key] for key in ("id", "common_name")}}
        row = self.store.save("api_key", row) if "id" in row else self.store.add("api_key", row)
        return self._key(row, key)

    def regenerate_key(self, request: Request, number: str) -> Object:
        return self._issue(some(self.store.get("api_key", number)), request)

    def update_key(self, request: Request, number: str) -> Object:
        row = some(self.store.get("api_key", number))
        given = {
            key: value for key, value in request.take(group_id=POSITIVE.maybe(), name=TEXT.maybe()).items() if value
        }
        user = some(self.store.get("user", row["user_id"]))
        self._set({**user, "first_name": given.get("name", row["name"])}, [given.get("group_id", row["group_id"])])
        return self._key(self.store.save("api_key", {**row, **given, "updated_at": now()}))

    def delete_key(self, request: Request, number: str) -> None:
        row = some(self.store.get("api_key", number))
        self.store.delete("api_key", row["id"])
        self.store.save("user", {**some(self.store.get("user", row["user_id"])), "is_active": False})


def _membership(group: int, user: int) -> Object:
    return {"membership_id": user * 1000 + group, "group_id": group, "user_id": user, "is_group_manager": False}
