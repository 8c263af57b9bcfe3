# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A real Uptime Kuma out of the laboratory's image, and what people do in it by hand.

Its data is a folder of this machine, so a prepared one can be copied, and its SQLite database is read and changed here.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import uptime_kuma_api
from lab import tools
from programs import free_port, until

PASSWORD = "a-Long-Secret-1"
CLIENT = uptime_kuma_api.UptimeKumaApi
# Kuma takes 20 logins a minute, and each run is one. The limit holds only while there is a file `limited`.
MANY_LOGINS = """
const fs = require("fs");
const { RateLimiter } = require("/app/node_modules/limiter");
const limited = RateLimiter.prototype.removeTokens;
RateLimiter.prototype.removeTokens = function (count) {
    return fs.existsSync(process.env.DATA_DIR + "limited") ? limited.call(this, count) : Promise.resolve(1);
};
"""
# How a thing is deleted, by its table: Kuma's event and the column that it wants.
DELETIONS = {
    "monitor": ("deleteMonitor", "id"),
    "maintenance": ("deleteMaintenance", "id"),
    "status_page": ("deleteStatusPage", "slug"),
    "notification": ("deleteNotification", "id"),
    "docker_host": ("deleteDockerHost", "id"),
    "api_key": ("deleteAPIKey", "id"),
    "tag": ("deleteTag", "id"),
}
_numbers = itertools.count(1)


class Kuma:
    """A running one, with the rights of its administrator."""

    def __init__(self, folder: Path, container: str, port: int) -> None:
        self.folder, self.container, self.url = folder, container, f"http://127.0.0.1:{port}"
        self.database = sqlite3.connect(folder / "kuma.db", timeout=30, isolation_level=None)
        self.database.row_factory = sqlite3.Row

    # --- its database ---

    def rows(self, table: str, **equal: Any) -> list[dict[str, Any]]:
        """The rows of a table with these values, by their number."""
        where = " AND ".join(["1", *(f"{name} = :{name}" for name in equal)])
        return [dict(row) for row in self.database.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY id", equal)]  # noqa: S608

    def one(self, table: str, **equal: Any) -> dict[str, Any]:
        (row,) = self.rows(table, **equal)
        return row

    def add(self, table: str, **fields: Any) -> None:
        """A row of these fields."""
        names = ", ".join(f"`{name}`" for name in fields)
        values = ", ".join(f":{name}" for name in fields)
        self.database.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", fields)  # noqa: S608

    def copy(self, table: str, row: dict[str, Any], **different: Any) -> None:
        """The same once more, with something different."""
        self.add(table, **{name: value for name, value in row.items() if name != "id"} | different)

    def edit(self, table: str, number: int, **fields: Any) -> None:
        setters = ", ".join(f"`{name}` = :{name}" for name in fields)
        self.database.execute(f"UPDATE {table} SET {setters} WHERE id = :id", {**fields, "id": number})  # noqa: S608

    # --- its pages ---

    @contextmanager
    def hands(self) -> Iterator[uptime_kuma_api.UptimeKumaApi]:
        """A client that is logged in."""
        client = CLIENT(self.url, timeout=30)
        try:
            client.login("admin", PASSWORD)
            yield client
        finally:
            client.disconnect()

    def incidents(self, slug: str) -> list[str]:
        """Titles of what is pinned on a status page."""
        page = self.one("status_page", slug=slug)["id"]
        return [row["title"] for row in self.rows("incident", status_page_id=page, pin=1)]

    def empty(self) -> None:
        """Nothing but the account, and the settings as on the first day."""
        with self.hands() as client:
            for table, (event, column) in DELETIONS.items():
                for row in self.rows(table):
                    client.sio.call(event, row[column], timeout=30)
            client.sio.call("setSettings", ({"entryPage": "dashboard", "keepDataPeriodDays": 180}, ""), timeout=30)

    def limit_logins(self, limited: bool) -> None:
        """By Kuma's own limit, or not at all."""
        flag = self.folder / "limited"
        flag.touch() if limited else flag.unlink(missing_ok=True)


def prepared(source: Kuma, folder: Path) -> Path:
    """A copy of its data as it is now, in a new folder, for `running`."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "kuma.db")) as target:
        source.database.backup(target)
    shutil.copy(source.folder / "db-config.json", folder)
    return folder


@contextmanager
def running(folder: Path) -> Iterator[Kuma]:
    """One with its data in this folder, which may be empty."""
    port, name = free_port(), f"crowsnest-test-kuma-{os.getpid()}-{next(_numbers)}"
    (folder / "many-logins.js").write_text(MANY_LOGINS)
    variables = {"DATA_DIR": f"{folder}/", "UPTIME_KUMA_PORT": port, "UPTIME_KUMA_HOST": "127.0.0.1"}
    variables |= {"UPTIME_KUMA_DB_TYPE": "sqlite", "NODE_OPTIONS": f"--require={folder}/many-logins.js"}
    url = f"http://127.0.0.1:{port}/api/entry-page"
    options = [f"--env={key}={value}" for key, value in variables.items()]
    options += [
        f"--user={os.getuid()}:{os.getgid()}",
        f"--volume={folder}:{folder}",
        "--network=host",
        "--stop-timeout=1",
    ]
    _docker("run", "--detach", "--name", name, *options, tools.service_image("uptime_kuma"))

    def answers() -> bool:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return "type" in json.load(answer)

    try:
        until(answers, 120)
        kuma = Kuma(folder, name, port)
        with closing(kuma.database):
            yield kuma
    finally:
        _docker("rm", "--force", name)


def _docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=True)
