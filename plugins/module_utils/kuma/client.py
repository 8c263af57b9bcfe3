# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A connection to Uptime Kuma: first set-up, login, reading all there is. Python 3.9, library uptime_kuma_api.

The library (https://github.com/pbarone/uptime-kuma-api2) connects, logs in and keeps the lists that Kuma sends at a
login. What is written goes through `Kuma.call`, in the words of Kuma's own pages: the library's methods for writing
refuse some fields (pushToken of a new monitor, our mark in a notification) and read whole lists again at each call,
and they would wait out their timeout when Kuma dies.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import re
import time
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.http import NoAnswerError, fetch
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.canonical import (
    Version,
)
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.marks import Live, page_is_ours, window_key
from ansible_collections.crowsnest.core.plugins.module_utils.paths import TOOLBOX, logs_command
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import ReconcileError

ANSWER_SECONDS = 60  # for one call; Kuma checks monitors in the same process and may be busy
LOGIN_SECONDS = 70  # Kuma takes 20 logins a minute
LOGS = f"See `{logs_command('uptime_kuma')}` on the host."


class KumaError(ReconcileError):
    """Kuma does not do what it should; the text says what to do."""


class NotThereError(KumaError):
    """Nothing answers."""


class LostError(KumaError):
    """The connection broke off."""


class RefusedError(KumaError):
    """Kuma answers that it will not; the text is its own."""


def library() -> Any:
    """The module uptime_kuma_api. Raises KumaError."""
    try:
        return importlib.import_module("uptime_kuma_api")  # only when it is needed: other tests have no such library
    except ImportError as error:
        raise KumaError(
            f"The Python library uptime_kuma_api is missing for the Python that runs this module ({error}). "
            f"On a crowsnest server it is in {TOOLBOX}/current; elsewhere: pip install uptime-kuma-api2."
        ) from None


def providers() -> dict[str, set[str]]:
    """The types of notifications, each with the options that it needs."""
    return {
        kind.value: {name for name, option in options.items() if option["required"]}
        for kind, options in library().notification_provider_options.items()
    }


class Kuma:
    """One connection."""

    def __init__(self, url: str) -> None:
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"  # it is on this host, whatever the environment says
        self.url, self.token, self.shown_version, self.last = url, "", "", "the login"
        self.connect()

    def connect(self) -> None:
        """Connects. Raises NotThereError."""
        library_ = library()
        try:
            self.api = library_.UptimeKumaApi(self.url, timeout=10, wait_events=0)
        except library_.UptimeKumaException as error:
            raise NotThereError(f"Uptime Kuma does not answer at {self.url}: {error}. {LOGS}") from None
        self.api.sio.reconnection = False  # a new connection would not be logged in

    def close(self) -> None:
        """Also after the connection broke."""
        with contextlib.suppress(Exception):
            self.api.disconnect()

    def call(self, event: str, *arguments: Any, seconds: float = ANSWER_SECONDS, then: Any = None) -> Any:
        """Kuma's answer, or what `then` returns at the very moment of the answer. Raises LostError or RefusedError."""
        answers: queue.Queue[Any] = queue.Queue()
        deadline = time.monotonic() + seconds
        try:
            self.api.sio.emit(event, arguments, callback=lambda *answer: answers.put((*answer, None, then and then())))
        except Exception as error:  # noqa: BLE001 - the socket's library has many
            raise self.lost(error) from None
        while True:
            try:
                answer, *_, after = answers.get(timeout=0.1)
            except queue.Empty:
                if not self.api.sio.connected or time.monotonic() > deadline:
                    raise self.lost(f"no answer to {event}") from None
                continue
            if isinstance(answer, dict) and answer.get("ok") is False:
                raise RefusedError(_words(answer.get("msg")))
            return after if then else answer

    def lost(self, error: object) -> LostError:
        """What to say when the connection breaks off."""
        return LostError(
            f"The connection to Uptime Kuma at {self.url} was lost after {self.last} ({error}). What was done is kept; "
            f"run it again, it goes on from there. {LOGS}"
        )

    def needs_setup(self) -> bool:
        """Whether there is no account yet.

        Kuma registers what it answers to a moment after the connection: what comes before is lost, so ask again.
        """
        for _ in range(200):
            try:
                return bool(self.call("needSetup", seconds=0.1))
            except LostError:
                if not self.api.sio.connected:
                    break
        raise NotThereError(f"Uptime Kuma at {self.url} takes connections but does not answer. {LOGS}")

    def make_account(self, username: str, password: str) -> None:
        """Raises KumaError."""
        try:
            self.call("setup", username, password)
        except RefusedError as error:
            raise KumaError(
                f"Uptime Kuma at {self.url} does not take the password for the new account {username}: {error}. "
                "It wants upper and lower case letters, digits and at least 6 characters."
            ) from None

    def log_in(self, username: str, password: str, container: str) -> None:
        """One login by password, repeated only while Kuma refuses any. Raises KumaError."""
        deadline = time.monotonic() + LOGIN_SECONDS
        while True:
            try:
                answer = self.call("login", {"username": username, "password": password, "token": ""}) or {}
                break
            except RefusedError as error:
                if "frequently" not in str(error):
                    raise KumaError(_refused(self.url, username, container, str(error))) from None
                if time.monotonic() > deadline:
                    raise KumaError(
                        f"Uptime Kuma at {self.url} refuses all logins for now: more than 20 within a minute. "
                        "Something else logs in over and over; stop it, wait a minute, and run this again."
                    ) from None
            time.sleep(5)
        if answer.get("tokenRequired"):
            raise KumaError(
                f"The account {username} of Uptime Kuma at {self.url} has two-factor authentication, which a program "
                f"cannot pass. Turn it off by `{_in_container(container)} node extra/remove-2fa.js` or in its settings."
            )
        self.token = answer["token"]

    def reconnect(self, timeout_seconds: float) -> None:
        """After a restart, without using up a login. Raises KumaError."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                self.connect()
                self.needs_setup()
                break
            except NotThereError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)
        try:
            self.call("loginByToken", self.token)
        except RefusedError as error:
            raise KumaError(
                f"Uptime Kuma at {self.url} does not know its own token after the restart: {error}"
            ) from None

    def version(self) -> Version:
        """Raises KumaError for a version whose words we do not know."""
        self.shown_version = str(self._list(self.api.info)["version"])
        found = re.match(r"(\d+)\.(\d+)", self.shown_version)
        version = tuple(int(part) for part in found.groups()) if found else (0,)
        if version != (1, 23) and version[0] != 2:
            raise KumaError(
                f"Uptime Kuma at {self.url} is version {self.shown_version}; this module knows 1.23 and 2.x. "
                "Nothing was changed."
            )
        return version

    def _list(self, get: Any) -> Any:
        """What Kuma sends by itself after a login; the library waits for it. 1.23 sends it after its answer."""
        try:
            return _plain(get())
        except library().UptimeKumaException as error:
            raise KumaError(
                f"Uptime Kuma at {self.url} does not send all its lists ({error}), perhaps because of a maintenance "
                f"window with an unknown time zone. Nothing was changed. {LOGS}"
            ) from None

    def read(self) -> Live:
        """All there is."""
        version = self.version()
        # These two lists Kuma, above all 1.23, also sends some time after the end of an earlier session: older ones.
        monitors = _plain(self.call("getMonitorList", then=self.api.get_monitors))
        maintenances = _plain(self.call("getMaintenanceList", then=self.api.get_maintenances))
        for window in maintenances:
            if window_key(window):
                window["monitors"] = [row["id"] for row in self.call("getMonitorMaintenance", window["id"])["monitors"]]
                pages = self.call("getMaintenanceStatusPage", window["id"])["statusPages"]
                window["statusPages"] = [row["id"] for row in pages]
        return Live(
            version=version,
            settings=self.call("getSettings")["data"],
            notifications=self._list(self.api.get_notifications),
            docker_hosts=self._list(self.api.get_docker_hosts),
            tags=self.call("getTags")["tags"],
            monitors=monitors,
            maintenances=maintenances,
            status_pages=[
                {**page, **self.public_page(page["slug"])} if page_is_ours(page) else page
                for page in self._list(self.api.get_status_pages)
            ],
        )

    def public_page(self, slug: str) -> dict[str, Any]:
        """What only the public page says: groups and pinned incidents."""
        address = f"{self.url}/api/status-page/{slug}?at={time.time()}"  # Kuma keeps its answers for five minutes
        try:
            status, text = fetch(address, ANSWER_SECONDS)
            page = json.loads(text)
        except (NoAnswerError, ValueError) as error:
            raise self.lost(error) from None
        if status != 200:
            raise KumaError(f"Uptime Kuma answers {address} with status {status}: {text[:200]} {LOGS}")
        incidents = page["incidents"] if "incidents" in page else [page.get("incident")]  # 2.1 allows many
        return {
            "publicGroupList": page["publicGroupList"],
            "incidents": [incident for incident in incidents if incident],
        }


def connected(url: str, timeout_seconds: float) -> Kuma:
    """A connection, as soon as there is one. Raises NotThereError after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return Kuma(url)
        except NotThereError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.5)


def _plain(value: Any) -> Any:
    """Without the library's enumerations."""
    return json.loads(json.dumps(value))


def _words(message: object) -> str:
    """Kuma's words, without an SQL statement, which holds all values: `insert into … - SQLITE_ERROR: no column x`."""
    words = str(message)
    if re.match(r"\s*(insert|update|select|delete)\b", words, re.IGNORECASE):
        words = "SQL error " + words.rpartition(" - ")[2] if " - " in words else "SQL error"
    return words[:300]


def _in_container(container: str) -> str:
    return f"sudo docker exec -it {container or 'CONTAINER'}"


def _refused(url: str, username: str, container: str, words: str) -> str:
    return (
        f"Uptime Kuma at {url} refuses the login of {username} ({words}). Set the declared password by "
        f"`{_in_container(container)} node extra/reset-password.js`, or declare the one that it has. It was tried once."
    )
