# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of projects that an account has made: of this account only, and nothing of a damaged file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import KEPT, kept
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings

DSN = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"
ROW = {"name": "shop", "slug": "shop", "id": "1", "dsn": DSN, "dsn_digest": "0a", "alerts": "slack"}
FILE = {"url": "https://sentry.io", "organization": "acme", "projects": [ROW, {**ROW, "name": "gone"}]}


def found(folder: Path, text: str, **sentry: Any) -> dict[str, Any]:
    (folder / KEPT).write_text(text)
    apps = [{"name": "shop", "env_file": "/srv/.env", "sentry": sentry}]
    account = {"organization": "acme", "token": "sntryu_0"}
    return dict(kept(folder, settings.read({"crowsnest_apps": apps, "crowsnest_sentry": account})))


def test_a_project_of_an_app_that_has_no_dsn_of_its_own(tmp_path: Path) -> None:
    assert found(tmp_path, json.dumps(FILE)) == {"shop": ROW}
    assert found(tmp_path, json.dumps(FILE), dsn=f"{DSN}2") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[1",
        json.dumps({**FILE, "organization": "other"}),
        json.dumps({**FILE, "url": "https://de.sentry.io"}),
        json.dumps({**FILE, "projects": [{"name": "shop"}]}),
        json.dumps({**FILE, "projects": [{**ROW, "dsn": "none"}]}),
        json.dumps({**FILE, "projects": ["shop"]}),
        json.dumps({**FILE, "projects": None}),
    ],
)
def test_a_damaged_file_or_another_account_is_as_a_first_run(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == {}
