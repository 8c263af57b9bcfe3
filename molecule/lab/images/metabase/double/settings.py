# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""/api/setting and /api/session/properties: src/metabase/settings/models/setting.clj of Metabase.

A value that the environment fixes wins over the stored one; writing it is not refused, it just has no effect.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from double.config import SETTINGS, VERSION, Environment, log, parsed, variable
from double.people import People
from double.store import Store
from double.web import ANY, Object, Request, crashed, forbidden


class Settings:
    """Reads the environment first, then the application database, then the default."""

    def __init__(self, store: Store, environment: Environment, people: People) -> None:
        self.store, self.environment, self.people = store, environment, people

    def value(self, name: str) -> Any:
        """What is in force."""
        fixed = self.environment.setting(name)
        if fixed is not None:
            return fixed
        stored = self.store.setting(name)
        if stored is None:
            return SETTINGS[name].default
        return parsed(name, self.store.cipher.decrypt(stored) if SETTINGS[name].secret else stored)

    def zone(self) -> str:
        """The report time zone; without one Metabase takes that of its own process."""
        return self.value("report-timezone") or self.environment.get("JAVA_TIMEZONE", "UTC")

    def _shown(self, name: str) -> Any:
        """As /api/setting gives it: nothing for a default or a value from the environment."""
        value = self.value(name)
        if value == SETTINGS[name].default or self.environment.setting(name) is not None:
            return None
        return "**********" + str(value)[-2:] if SETTINGS[name].secret else value

    def listing(self, request: Request) -> list[Object]:
        rows = []
        for name in sorted(SETTINGS):
            fixed, env = self.environment.setting(name) is not None, variable(name)
            row = {"key": name, "value": self._shown(name), "is_env_setting": fixed, "env_name": env}
            default = f"Using value of env var ${env}" if fixed else SETTINGS[name].default
            rows.append({**row, "description": name.replace("-", " ").capitalize(), "default": default})
        return rows

    def get(self, request: Request, key: str) -> Any:
        name = self._known(key)
        if SETTINGS[name].seen == "admin" and not request.user["is_superuser"]:
            raise forbidden()
        return self._shown(name)

    def _known(self, key: str) -> str:
        name = key.replace("_", "-")
        if name not in SETTINGS:
            raise crashed(f"Unknown setting: :{name}")
        return name

    def set(self, request: Request, key: str) -> None:
        self._store(self._known(key), request.take(value=ANY).get("value"))

    def set_many(self, request: Request) -> None:
        for key, value in request.body().items():
            if key.replace("_", "-") in SETTINGS:
                self._store(self._known(key), value)
            else:
                log("INFO", "models.setting", f"Skipping unregistered setting: {key}")

    def _store(self, name: str, value: Any) -> None:
        """Null and an empty text remove it; a secret as it is shown changes nothing."""
        setting = SETTINGS[name]
        if setting.secret and str(value).startswith("**********"):
            return
        if value is None or value == "":
            return self.store.set_setting(name, None)
        text = _normalized(name, value if isinstance(value, str) else json.dumps(value))
        try:
            parsed(name, text)
        except ValueError:
            raise crashed(f"Assert failed: {name} is not of type {setting.kind}") from None
        self.store.set_setting(name, self.store.cipher.encrypt(text) if setting.secret else text)
        return None

    def properties(self, request: Request) -> Object:
        """What the asking person may read, under the settings' names."""
        seen = {"public", *(["authenticated"] if request.user else [])}
        seen |= {"admin"} if request.user and request.user["is_superuser"] else set()
        found = {name: self.value(name) for name, each in SETTINGS.items() if each.seen in seen and not each.secret}
        version: Object = {"tag": f"v{VERSION}", "hash": "double", "date": "2026-01-01", "src_hash": "double"}
        more: Object = {
            "version": version,
            "setup-token": self.people.setup_token,
            "has-user-setup": self.people.has_user(),
        }
        more |= {"available-locales": [["en", "English"]], "engines": {"postgres": {"driver-name": "PostgreSQL"}}}
        more |= {"available-timezones": [self.zone()], "token-features": {}, "contract-double": True}
        more |= {"report-timezone-short": self.zone(), "system-timezone": "UTC", "hide-embed-branding?": False}
        return {**found, **more}


def _normalized(name: str, text: str) -> str:
    """What the setters of these two make of a value (system/settings.clj and appearance/settings.clj)."""
    if name == "site-url":
        return text.removesuffix("/") if text.startswith("http") else f"http://{text.removesuffix('/')}"
    if name == "landing-page" and not text.startswith("/"):
        url = urlsplit(text)
        return url.path if url.scheme else f"/{text}"
    return text
