# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
import yaml
from contexts import declaration_of
from server_facts import LISTENER, host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import read
from ansible_collections.crowsnest.core.plugins.plugin_utils.report.found import found_lines

WEB = {"name": "blog-web-1", "project": "blog", "image": "registry.example.com/blog:7"}
WORKER = {"name": "blog-worker-1", "project": "blog", "image": "registry.example.com/blog:7"}
DATABASE = {"name": "blog-db-1", "project": "blog", "image": "postgres:17", "database": "posts", "user": "writer"}
REDIS = {"name": "blog-redis-1", "project": "blog", "image": "valkey/valkey:8"}
PORTS = {"blog-web-1": ("0.0.0.0", 8080), "blog-db-1": ("127.0.0.1", 5432), "blog-redis-1": ("127.0.0.1", 6379)}

PASSWORD = "{{ lookup('ansible.builtin.file', inventory_dir ~ '/secrets/blog_database_password') | trim }}"


def host(
    *running: Mapping[str, str], ports: Mapping[str, tuple[str, int]] | None = None, programs: Sequence[Any] = ()
) -> HostFacts:
    """A host with these containers; `programs` are (port, path) of what else listens there."""
    facts = host_facts(
        ports={port: ["127.0.0.1"] for port, _ in programs},
        listeners={port: {**LISTENER, "program": program} for port, program in programs},
    )
    facts["docker"]["running"] = cast("Any", [{"database": "", "user": "", **each} for each in running])
    facts["published"] = [
        {"container": name, "address": address, "port": port}
        for name, (address, port) in (PORTS if ports is None else ports).items()
    ]
    return facts


def told(declared: Mapping[str, Any], **hosts: HostFacts) -> str:
    return "\n".join(found_lines(declaration_of(declared), "web1", hosts))


def apps(text: str) -> list[dict[str, Any]]:
    """The block, read as YAML below `crowsnest_apps`."""
    block = [line for line in text.splitlines()[2:] if line.startswith("  ")]
    return list(yaml.safe_load("\n".join(["crowsnest_apps:", *block]))["crowsnest_apps"])


def test_a_compose_project_becomes_one_app_that_can_be_declared_as_it_is() -> None:
    text = told({}, web1=host(WORKER, WEB, DATABASE, REDIS))
    (app,) = found = apps(text)
    assert app == {
        "name": "blog",
        "container": "blog-web-1",
        "url": "http://127.0.0.1:8080/",
        "database": {
            "address": "127.0.0.1:5432",
            "name": "posts",
            "container": "blog-db-1",
            "admin_user": "writer",
            "admin_password": PASSWORD,
        },
        "redis": {"address": "127.0.0.1:6379"},
    }
    assert "blog-worker-1 (registry.example.com/blog:7)" in text
    read({"crowsnest_apps": found})
    assert told({"apps": found}, web1=host(WORKER, WEB, DATABASE, REDIS)) == ""


def test_each_container_without_compose_is_an_app_on_its_host() -> None:
    lonely = [{"name": name, "project": "", "image": "x:1"} for name in ("Blog_API", "9lives")]
    found = apps(told({"apps": [{"name": "blog-api"}]}, db1=host(*lonely, ports={"9lives": ("127.0.0.1", 9000)})))
    assert found == [
        {"name": "blog-api-2", "host": "db1", "container": "Blog_API"},
        {"name": "app-9lives", "host": "db1", "container": "9lives", "url": "http://127.0.0.1:9000/"},
    ]
    read({"crowsnest_apps": [{**app, "host": None} for app in found]})


DECLARED = [
    {"container": "blog-web-1"},
    {"metrics": ["127.0.0.1:8080/metrics"]},
    {"url": "http://localhost:8080/"},
    {"health": {"basic": "http://172.26.3.4:8080/health"}},
    {"tcp": {"web": "127.0.0.1:8080"}},
]


@pytest.mark.parametrize("keys", DECLARED, ids=str)
def test_an_app_that_names_a_container_or_its_port_has_all_of_its_project(keys: dict[str, Any]) -> None:
    assert told({"apps": [{"name": "shop", **keys}]}, web1=host(WEB, WORKER)) == ""


def test_a_database_beside_a_declared_app_is_not_forgotten() -> None:
    text = told({"apps": [{"name": "shop", "container": "blog-web-1"}]}, web1=host(WEB, DATABASE, REDIS))
    assert "blog-db-1 (postgres:17), which app shop does not declare. Below it:" in text
    assert "    database: {address: '127.0.0.1:5432', name: posts, container: blog-db-1" in text
    assert "    redis: {address: '127.0.0.1:6379'}" in text
    address = {"address": "127.0.0.1:6379"}
    text = told({"apps": [{"name": "shop", "container": "blog-web-1", "redis": address}]}, web1=host(WEB, REDIS))
    assert text == ""


def test_a_database_that_its_host_cannot_reach_is_named_with_the_way_out() -> None:
    text = told({}, web1=host(WEB, DATABASE, ports={}))
    assert '# blog-db-1 is a PostgreSQL that its host cannot reach: add `ports: ["127.0.0.1:5432:5432"]`' in text
    assert apps(text) == [{"name": "blog", "container": "blog-web-1"}]


def test_a_database_of_the_host_itself_is_told_once() -> None:
    programs = [
        ("5432", "/usr/lib/postgresql/17/bin/postgres"),
        ("6379", "/usr/bin/redis-server"),
        ("80", "/usr/sbin/nginx"),
    ]
    text = told({}, web1=host(programs=programs))
    assert "    database: {address: '127.0.0.1:5432', name: NAME}" in text
    assert "    redis: {address: '127.0.0.1:6379'}" in text
    assert "nginx" not in text
    declared = {"name": "shop", "redis": {"address": "127.0.0.1:6379"}, "tcp": {"database": "127.0.0.1:5432"}}
    assert told({"apps": [declared]}, web1=host(programs=programs)) == ""


def test_nothing_is_told_of_what_a_team_does_not_want_to_watch() -> None:
    names = ["blog-web-1", "blog-worker-1"]
    assert told({"ignored_containers": names}, web1=host(WEB, WORKER)) == ""
    assert told({}, web1=host()) == ""
