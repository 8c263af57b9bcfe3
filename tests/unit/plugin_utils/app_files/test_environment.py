# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which keys each env file gets, and which files are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.memory import Key, Memory, remember
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.settled import settled
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files import environment
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files.projects import Project
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings

DSN = "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1"
FRONTEND = f"{DSN}2"
SHOP = {"name": "shop", "env_file": "/srv/shop/.env", "compose": "/srv/shop/compose.yaml"}


ACCOUNT = {"crowsnest_sentry": {"organization": "acme", "token": "sntryu_0"}}


def left(*apps: dict[str, Any], host: str = "web1", dsns: dict[str, str] | None = None, **facts: Any) -> dict[str, Any]:
    """`dsns` are those that an account has made; without it there is no account."""
    account = {} if dsns is None else ACCOUNT
    declared = settings.read({"crowsnest_environment": "staging", "crowsnest_apps": list(apps), **account})
    made = {
        name: Project(name=name, slug=name, id="1", dsn=dsn, dsn_digest="", alerts="none")
        for name, dsn in (dsns or {}).items()
    }
    return environment.left(declared, host, "web1", {**host_facts(), **facts}, made)  # type: ignore[typeddict-item]


def test_all_keys_of_an_app_are_in_one_call() -> None:
    sentry = {"dsn": DSN, "frontend_dsn": FRONTEND, "release": "git", "restart": ["web", "worker"]}
    app = {**SHOP, "sentry": sentry, "analytics": {"measurement_id": "G-ABCDE12345", "env": "VITE_GA_ID"}}
    assert left(app, releases={"shop": "4f1c9e2"}) == {
        "/srv/shop/.env": {
            "values": {
                "SENTRY_ENVIRONMENT": "staging",
                "SENTRY_TRACES_SAMPLE_RATE": "0.05",
                "SENTRY_RELEASE": "4f1c9e2",
                "VITE_GA_ID": "G-ABCDE12345",
            },
            "secrets": {"SENTRY_DSN": DSN, "REACT_APP_SENTRY_DSN": FRONTEND},
            "keep": [],
            "rebuild_keys": ["VITE_GA_ID", "REACT_APP_SENTRY_DSN"],
            "compose": "/srv/shop/compose.yaml",
            "recreate": ["web", "worker"],
        }
    }


def test_names_and_values_as_declared() -> None:
    names = {"dsn": "BUGS", "frontend_dsn": "FRONT", "release": "VERSION"}
    sentry = {"dsn": DSN, "frontend_dsn": FRONTEND, "release": "1.2", "traces_sample_rate": 1, "names": names}
    (options,) = left({**SHOP, "sentry": sentry}).values()
    assert options["values"] == {"SENTRY_ENVIRONMENT": "staging", "SENTRY_TRACES_SAMPLE_RATE": "1", "VERSION": "1.2"}
    assert options["secrets"] == {"BUGS": DSN, "FRONT": FRONTEND}
    assert options["rebuild_keys"] == ["FRONT"]
    assert (options["compose"], options["recreate"]) == (None, [])


def test_a_release_that_cannot_be_told_stays_as_it_is() -> None:
    (options,) = left({**SHOP, "sentry": {"dsn": DSN, "release": "git"}}).values()
    assert "SENTRY_RELEASE" not in options["values"]
    assert options["keep"] == ["SENTRY_RELEASE"]


def test_a_dsn_that_was_made_and_one_that_is_not_known_yet() -> None:
    app = {**SHOP, "sentry": {}}
    (options,) = left(app, dsns={"shop": DSN}).values()
    assert options["secrets"] == {"SENTRY_DSN": DSN}
    assert left(app, dsns={}, env_files={"/srv/shop/.env": "of another day"}) == {}


def test_a_dsn_that_is_not_known_yet_is_not_taken_away_beside_that_of_a_frontend() -> None:
    app = {**SHOP, "sentry": {"frontend_dsn": FRONTEND, "restart": ["web"]}}
    assert left(app, dsns={}, env_files={"/srv/shop/.env": "with a DSN of the backend"}) == {}
    (options,) = left(app).values()
    assert options["secrets"] == {"REACT_APP_SENTRY_DSN": FRONTEND}


def test_two_apps_of_one_compose_file_have_releases_of_their_own() -> None:
    apps = [
        {"name": name, "env_file": f"/srv/{name}/.env", "compose": "/srv/compose.yaml",
         "sentry": {"dsn": f"{DSN}{number}", "release": release, "restart": [name]}}
        for number, (name, release) in enumerate((("shop", "git"), ("api", "image")))
    ]  # fmt: skip
    found = left(*apps, releases={"shop": "4f1c9e2", "api": "1.2"})
    assert [options["values"]["SENTRY_RELEASE"] for options in found.values()] == ["4f1c9e2", "1.2"]


def test_each_host_has_its_own_apps() -> None:
    apps = {**SHOP, "sentry": {"dsn": DSN}}, {"name": "far", "host": "web2", "env_file": "/srv/far/.env"}
    assert list(left(*apps)) == ["/srv/shop/.env"]
    assert left(*apps, host="web2") == {}


def test_what_is_no_longer_declared_loses_our_keys() -> None:
    found = {"/srv/shop/.env": "a", "/srv/gone/.env": "", "/srv/old/.env": "b"}
    wanted = left(SHOP, env_files=found)
    assert [options["values"] | options["secrets"] for options in wanted.values()] == [{}, {}, {}]
    assert set(wanted) == set(found)


def test_what_is_removed_comes_first_as_it_may_be_the_same_file() -> None:
    wanted = left({**SHOP, "sentry": {"dsn": DSN}}, env_files={"/srv/link/.env": "a"})
    assert list(wanted) == ["/srv/link/.env", "/srv/shop/.env"]


def test_a_file_that_holds_all_of_it_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    app = {**SHOP, "env_file": str(path), "sentry": {"dsn": DSN, "release": "1.2"}}
    (options,) = left(app).values()
    keys = {**options["values"], **options["secrets"]}
    path.write_text("A=b\n" + "".join(f"{key}={value}\n" for key, value in keys.items()))
    remember(tmp_path, path, Memory({key: Key(secret=False, rebuild=False) for key in keys}))
    assert left(app, env_files=settled(tmp_path)) == {}

    for change in (("SENTRY_RELEASE=1.2", "SENTRY_RELEASE=1.3"), ("SENTRY_RELEASE=1.2\n", ""), ("SENTRY_DSN", "DSN")):
        whole = path.read_text()
        path.write_text(whole.replace(*change))
        assert list(left(app, env_files=settled(tmp_path))) == [str(path)], change
        path.write_text(whole.replace("A=b", "A=c"))
        assert left(app, env_files=settled(tmp_path)) == {}
    remember(tmp_path, path, Memory({key: Key(secret=False, rebuild=False) for key in keys}, ("web",)))
    assert list(left(app, env_files=settled(tmp_path))) == [str(path)]
    path.unlink()
    assert settled(tmp_path) == {str(path): ""}
