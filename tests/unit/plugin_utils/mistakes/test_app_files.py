# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One file, or one key of it, that is declared twice is refused before anything is written."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes

GROUPS = {"server": ["web1"], "monitored": ["web1", "web2"]}
DSN = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"
SHOP = {"name": "shop", "env_file": "/srv/.env", "sentry": {"dsn": DSN}}
PAGE = {"measurement_id": "G-ABCDE12345", "templates": ["/srv/base.html"]}


def found(*apps: dict[str, Any]) -> list[str]:
    return declaration_mistakes({"crowsnest_apps": list(apps)}, GROUPS, "")


def counted(name: str, **analytics: Any) -> dict[str, Any]:
    return {"name": name, "env_file": f"/srv/{name}/.env", "analytics": {**PAGE, **analytics}}


@pytest.mark.parametrize(
    ("apps", "told"),
    [
        # Also without a key of ours: what a call of the module does not name, it removes.
        ([SHOP, {"name": "api", "env_file": "/srv/.env"}], "(api).env_file: crowsnest_apps[0] (shop).env_file is this"),
        ([SHOP, {"name": "api", "env_file": "/srv/.env", "host": "web1"}], "(api).env_file: crowsnest_apps[0] (shop)"),
        ([counted("shop"), counted("api")], "(api).analytics.templates[0]: crowsnest_apps[0] (shop).analytics.templat"),
        (
            [{**SHOP, "analytics": {"measurement_id": "G-ABCDE12345", "env": "SENTRY_DSN"}}],
            "(shop).analytics.env: `sentry.names.dsn` has this name as well. Needs another name.",
        ),
        (
            [{**SHOP, "analytics": {"measurement_id": "G-ABCDE12345", "env": "SENTRY_ENVIRONMENT"}}],
            "(shop).analytics.env: `sentry.names.environment` has this name as well.",
        ),
    ],
)
def test_what_is_declared_twice_is_refused(apps: list[dict[str, Any]], told: str) -> None:
    (line,) = found(*apps)
    assert told in line


def test_the_same_path_on_another_host_is_another_file() -> None:
    assert found(SHOP, {"name": "api", "env_file": "/srv/.env", "host": "web2"}) == []
