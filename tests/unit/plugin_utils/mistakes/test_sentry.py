# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What apps say of Sentry, alone and of each other: each mistake as one line, without a key or a token."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes

GROUPS = {"server": ["web1"], "monitored": ["web1"]}
KEY = "0123456789abcdef0123456789abcdef"
DSN, OTHER = (f"https://{KEY}@o1.ingest.sentry.io/{project}" for project in (1, 2))
ACCOUNT = {"organization": "acme", "token": f"sntryu_{KEY}"}
FILES = {"env_file": "/srv/shop/.env", "compose": "/srv/shop/compose.yaml"}


def app(name: str = "shop", **sentry: Any) -> dict[str, Any]:
    return {"name": name, "url": f"https://{name}.example.com/", **FILES, "sentry": {"dsn": DSN, **sentry}}


def found(*apps: dict[str, Any], **declared: Any) -> list[str]:
    whole = {"apps": list(apps), **declared}
    return declaration_mistakes({f"crowsnest_{name}": value for name, value in whole.items()}, GROUPS, "")


@pytest.mark.parametrize(
    "apps",
    [
        [app()],
        [app(frontend_dsn=DSN, release="git", restart=["web", "worker"], traces_sample_rate=0)],
        [app(frontend_dsn=OTHER, release="shop@1.2.3+4", names={"frontend_dsn": "VITE_SENTRY_DSN"})],
        [app(), {**app("blog", dsn=OTHER), "env_file": "/srv/blog/.env"}],
    ],
)
def test_what_is_right(apps: list[dict[str, Any]]) -> None:
    assert found(*apps) == []


@pytest.mark.parametrize("host", ["sentry.io", "de.sentry.io", "errors.example.com:8443", "http://127.0.0.1:8000/"])
def test_an_account_makes_the_dsn(host: str) -> None:
    assert found({**app(), "sentry": {}}, sentry={**ACCOUNT, "host": host}) == []


@pytest.mark.parametrize(
    ("apps", "told"),
    [
        ([{**app(), "sentry": {}}], ".sentry: there is no DSN. Needs `dsn`, or `crowsnest_sentry`"),
        ([app(dsn=f"sntrys_{KEY}")], "(not shown: it may hold a secret) is a token of Sentry's API"),
        ([app(release="v1/2")], ".sentry.release: 'v1/2' does not fit. Allowed: git, image, or at most 200"),
        ([app(traces_sample_rate=5)], ".sentry.traces_sample_rate: 5 does not fit. Allowed: "),
        ([app(names={"dsn": "SENTRY-DSN"})], ".sentry.names.dsn: 'SENTRY-DSN' does not fit."),
        ([app(names={"release": "SENTRY_DSN"})], ".sentry.names.release: `sentry.names.dsn` has this name as well."),
        ([{**app(), "env_file": None}], "`sentry` and `analytics.env` need `env_file`"),
        ([{**app(restart=["web"]), "compose": None}], "need `compose`"),
        ([{**app(release="image"), "compose": None}], "need `compose`"),
        ([app(release="image")], "needs `restart`"),
        ([{**app(), "env_file": "srv/.env"}], ".env_file: 'srv/.env' does not fit. Allowed: an absolute path"),
        ([{**app(), "env_file": "/srv/../.env"}], "Allowed: an absolute path"),
        ([{**app(), "env_file": "/srv/./.env"}], "Allowed: an absolute path"),
        ([app(), app("blog", dsn=OTHER)], "(blog).env_file: crowsnest_apps[0] (shop).env_file is this file as well."),
        ([app(), {**app("blog"), "env_file": "/b"}], "(blog).sentry.dsn: it is of the project of crowsnest_apps[0]"),
    ],
)
def test_what_is_wrong(apps: list[dict[str, Any]], told: str) -> None:
    (line,) = found(*apps)
    assert told in line
    assert KEY not in line


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ({**ACCOUNT, "token": f"sntrys_{KEY}"}, "(not shown: it may hold a secret) is an organization token"),
        ({**ACCOUNT, "token": DSN}, "(not shown: it may hold a secret) is an address, perhaps a DSN, and no token"),
        ({**ACCOUNT, "team": "1234"}, "crowsnest_sentry.team: '1234' does not fit."),
        ({**ACCOUNT, "host": "https://sentry.io/?a=b"}, "crowsnest_sentry.host: "),
        ({**ACCOUNT, "organization": "Acme Inc"}, "crowsnest_sentry.organization: 'Acme Inc' does not fit."),
    ],
)
def test_a_wrong_account(account: dict[str, Any], told: str) -> None:
    (line,) = found(app(), sentry=account)
    assert told in line
    assert KEY not in line
