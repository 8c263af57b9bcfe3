# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
import yaml
from contexts import variables_of
from server_facts import LISTENER, host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.filters import found
from ansible_collections.crowsnest.core.plugins.plugin_utils.mistakes.declaration import declaration_mistakes

WEB = {"name": "blog-web-1", "project": "blog", "image": "registry.example.com/blog:7"}
WORKER = {"name": "blog-worker-1", "project": "blog", "image": "registry.example.com/blog:7"}
DATABASE = {"name": "blog-db-1", "project": "blog", "image": "postgres:17", "database": "posts", "user": "writer"}
REDIS = {"name": "blog-redis-1", "project": "blog", "image": "valkey/valkey:8"}
PORTS = {"blog-web-1": ("0.0.0.0", 8080), "blog-db-1": ("127.0.0.1", 5432), "blog-redis-1": ("127.0.0.1", 6379)}

PASSWORD = "{{ lookup('ansible.builtin.file', inventory_dir ~ '/secrets/blog_database_password') | trim }}"


def host(
    *running: Mapping[str, str],
    ports: Mapping[str, tuple[str, int]] | None = None,
    programs: Sequence[Any] = (),
    address: str = "172.26.3.4",
    listens: str = "127.0.0.1",
) -> HostFacts:
    """A host with these containers; `programs` are (port, path) of what else listens there, on `listens`."""
    facts = host_facts(
        address=address,
        ports={port: [listens] for port, _ in programs},
        listeners={port: {**LISTENER, "address": listens, "program": program} for port, program in programs},
    )
    facts["docker"]["running"] = cast("Any", [{"database": "", "user": "", **each} for each in running])
    facts["published"] = [
        {"container": name, "address": address, "port": port}
        for name, (address, port) in (PORTS if ports is None else ports).items()
    ]
    return facts


def told(declared: Mapping[str, Any], **hosts: HostFacts | None) -> str:
    """What is printed of these hosts; web1 is the server, None did not answer."""
    hostvars = {name: {"preflight_look": {"host": facts} if facts else {}} for name, facts in hosts.items()}
    return "\n".join(found(variables_of(declared), "web1", list(hosts), hostvars))


def apps(text: str) -> list[dict[str, Any]]:
    """The block, read as YAML below `crowsnest_apps`."""
    block = [line for line in text.splitlines()[2:] if line.startswith("  ")]
    return list(yaml.safe_load("\n".join(["crowsnest_apps:", *block]))["crowsnest_apps"])


def keys(text: str) -> dict[str, Any]:
    """Keys that are printed to stand below an app."""
    block = re.findall(r"(?m)^    .*$", text)
    return dict(yaml.safe_load("\n".join(block)))


def accepted(declared: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a run would take these apps; web1 is the server, db1 another host."""
    groups = {"server": ["web1"], "monitored": ["web1", "db1"]}
    assert declaration_mistakes(variables_of({"apps": [*declared]}), groups, ".") == []
    return True


BLOG = {
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


def test_a_compose_project_becomes_one_app_that_can_be_declared_as_it_is() -> None:
    text = told({}, web1=host(WORKER, WEB, DATABASE, REDIS))
    assert apps(text) == [BLOG]
    assert "blog-worker-1 (registry.example.com/blog:7)" in text
    assert "# Before the next run, write the password of writer into secrets/blog_database_password of" in text
    assert accepted(apps(text))
    assert told({"apps": apps(text)}, web1=host(WORKER, WEB, DATABASE, REDIS)) == ""


@pytest.mark.parametrize("published", ["0.0.0.0", "10.0.0.5"])
def test_what_runs_on_another_host_is_declared_as_the_server_reaches_it(published: str) -> None:
    ports = {name: (published, port) for name, (_, port) in PORTS.items()}
    db1 = host(WEB, DATABASE, REDIS, ports=ports, address="10.0.0.5")
    (app,) = declared = apps(told({}, web1=host(), db1=db1))
    assert app["host"] == "db1"
    assert app["url"] == "http://10.0.0.5:8080/"
    assert app["database"] == {**cast("dict[str, str]", BLOG["database"]), "address": "10.0.0.5:5432"}
    assert app["redis"] == {"address": "10.0.0.5:6379"}
    assert accepted(declared)
    assert told({"apps": declared}, web1=host(), db1=db1) == ""


def test_an_ipv6_address_stands_in_brackets() -> None:
    ports = {"blog-web-1": ("2001:db8::5", 8080), "blog-redis-1": ("::", 6379)}
    db1 = host(WEB, REDIS, ports=ports, address="2001:db8::5")
    (app,) = declared = apps(told({}, web1=host(), db1=db1))
    assert app["url"] == "http://[2001:db8::5]:8080/"
    assert app["redis"] == {"address": "[2001:db8::5]:6379"}
    assert accepted(declared)
    assert told({"apps": declared}, web1=host(), db1=db1) == ""


def test_the_loopback_of_another_host_is_not_declared() -> None:
    ports = {name: ("127.0.0.1", port) for name, (_, port) in PORTS.items()}
    text = told({}, web1=host(), db1=host(WEB, DATABASE, REDIS, ports=ports, address="10.0.0.5"))
    assert apps(text) == [{"name": "blog", "host": "db1", "container": "blog-web-1"}]
    assert "# blog-web-1 has port 8080 only where the server cannot reach it: add `url`" in text
    assert '# blog-db-1 is a PostgreSQL that the server cannot reach: add `ports: ["10.0.0.5:5432:5432"]`' in text
    assert accepted(apps(text))


@pytest.mark.parametrize("address", ["10.0.0.5", "db1", "db1.internal", "10.9.9.9"])
def test_a_database_that_an_app_on_another_host_declares_is_not_found_again(address: str) -> None:
    database = {"address": f"{address}:5432", "name": "posts", "admin_user": "writer", "admin_password": "x"}
    variables = variables_of({"apps": [{"name": "shop", "database": database}]})
    look = {"host": host(DATABASE, ports={"blog-db-1": ("0.0.0.0", 5432)}, address="10.0.0.5")}
    if address == "10.9.9.9":
        look["host"]["published"][0]["address"] = address
    known = {"ansible_host": "db1.internal", **({"private_address": address} if address == "10.9.9.9" else {})}
    hostvars: dict[str, Any] = {"web1": {"preflight_look": {"host": host()}}, "db1": {"preflight_look": look, **known}}
    assert found(variables, "web1", ["web1", "db1"], hostvars) == []
    assert found({}, "web1", ["web1", "db1"], hostvars) != []


def test_a_host_that_did_not_answer_is_named() -> None:
    missed = "Not looked at, as they did not answer or --limit left them out: "
    assert told({}, web1=None) == f"{missed}web1."
    text = told({}, web1=host(WEB), db1=None, db2=None)
    assert text.splitlines()[-1] == f"{missed}db1, db2."
    assert apps(text)[0]["name"] == "blog"


def test_each_container_without_compose_is_an_app_on_its_host() -> None:
    lonely = [{"name": name, "project": "", "image": "x:1"} for name in ("Blog_API", "9lives")]
    db1 = host(*lonely, ports={"9lives": ("0.0.0.0", 9000)})
    declared = apps(told({"apps": [{"name": "blog-api"}]}, db1=db1))
    assert declared == [
        {"name": "blog-api-2", "host": "db1", "container": "Blog_API"},
        {"name": "app-9lives", "host": "db1", "container": "9lives", "url": "http://172.26.3.4:9000/"},
    ]
    assert accepted(declared)


DECLARED = [
    {"container": "blog-web-1"},
    {"metrics": ["127.0.0.1:8080/metrics"]},
    {"url": "http://localhost:8080/"},
    {"url": "http://web1:8080/"},
    {"health": {"basic": "http://172.26.3.4:8080/health"}},
    {"tcp": {"web": "127.0.0.1:8080"}},
]


@pytest.mark.parametrize("keys", DECLARED, ids=str)
def test_an_app_that_names_a_container_or_its_port_has_all_of_its_project(keys: dict[str, Any]) -> None:
    assert told({"apps": [{"name": "shop", **keys}]}, web1=host(WEB, WORKER)) == ""


def test_a_database_beside_a_declared_app_is_not_forgotten() -> None:
    shop = {"name": "shop", "container": "blog-web-1"}
    text = told({"apps": [shop]}, web1=host(WEB, DATABASE, REDIS))
    assert "blog-db-1 (postgres:17), blog-redis-1 (valkey/valkey:8), which app shop does not declare. Below it:" in text
    assert keys(text) == {
        "database": {
            **cast("dict[str, str]", BLOG["database"]),
            "admin_password": PASSWORD.replace("blog_", "shop_"),
        },
        "redis": BLOG["redis"],
    }
    assert accepted([shop | keys(text)])
    assert told({"apps": [shop | keys(text)]}, web1=host(WEB, DATABASE, REDIS)) == ""


def test_a_project_with_the_name_of_an_app_is_that_app() -> None:
    blog = {"name": "blog", "url": "https://blog.example.com/"}
    text = told({"apps": [blog]}, web1=host(WORKER, WEB, DATABASE, REDIS))
    assert "which app blog does not declare. Below it:" in text
    assert keys(text) == {key: BLOG[key] for key in ("container", "database", "redis")}
    assert accepted([blog | keys(text)])
    assert told({"apps": [blog | keys(text)]}, web1=host(WORKER, WEB, DATABASE, REDIS)) == ""


def test_a_second_database_of_a_project_is_named() -> None:
    other = {**DATABASE, "name": "blog-events-1"}
    ports = {**PORTS, "blog-events-1": ("127.0.0.1", 5433)}
    second = "# blog-events-1 at 127.0.0.1:5433 is one more PostgreSQL: an app has one. Declare it in another app."
    text = told({}, web1=host(WEB, DATABASE, other, ports=ports))
    assert second in text
    assert apps(text)[0]["database"] == BLOG["database"]
    text = told({"apps": apps(text)}, web1=host(WEB, DATABASE, other, ports=ports))
    assert second in text
    elsewhere = {"address": "rds.example.com:5432", "name": "posts", "admin_user": "writer", "admin_password": "x"}
    assert (
        told({"apps": [{"name": "blog", "container": "blog-web-1", "database": elsewhere}]}, web1=host(WEB, DATABASE))
        == ""
    )


@pytest.mark.parametrize(
    "image", ["mysql:8", "rabbitmq:4-management", "docker.io/library/mongo", "prom/redis-exporter:1"]
)
def test_what_answers_programs_is_no_web_page(image: str) -> None:
    other = {"name": "blog-aaa-1", "project": "blog", "image": image}
    text = told({}, web1=host(other, WEB, ports={"blog-web-1": ("0.0.0.0", 8080), "blog-aaa-1": ("0.0.0.0", 80)}))
    assert apps(text) == [{"name": "blog", "container": "blog-web-1", "url": "http://127.0.0.1:8080/"}]
    text = told({}, web1=host(other, ports={"blog-aaa-1": ("0.0.0.0", 80)}))
    assert apps(text) == [{"name": "blog", "container": "blog-aaa-1"}]


def test_nobody_guesses_which_of_two_pages_people_open() -> None:
    ports = {"blog-web-1": ("0.0.0.0", 8080), "blog-worker-1": ("127.0.0.1", 8000)}
    text = told({}, web1=host(WEB, WORKER, ports=ports))
    choice = "http://127.0.0.1:8080/ of blog-web-1, http://127.0.0.1:8000/ of blog-worker-1"
    assert f"# Add `url`, the one that people open: {choice}" in text
    assert apps(text) == [{"name": "blog", "container": "blog-worker-1"}]


KINDS = [
    ("postgres", "database"),
    ("registry.example.com:5000/team/postgis:17-3.5@sha256:0", "database"),
    ("timescale/timescaledb-ha:pg17", "database"),
    ("redis/redis-stack-server:7", "redis"),
    ("eqalpha/keydb", "redis"),
    ("postgrest/postgrest:v12", ""),
    ("prodrigestivill/postgres-backup-local:17", ""),
    ("supabase/postgres-meta", ""),
    ("rediscommander/redis-commander", ""),
    ("redis/redisinsight:2", ""),
    ("oliver006/redis_exporter", ""),
]


@pytest.mark.parametrize(("image", "kind"), KINDS)
def test_a_database_is_known_by_the_whole_name_of_its_image(image: str, kind: str) -> None:
    container = {"name": "it", "project": "", "image": image}
    (app,) = apps(told({}, web1=host(container, ports={"it": ("127.0.0.1", 5000)})))
    assert {"database", "redis"} & set(app) == ({kind} if kind else set())


@pytest.mark.parametrize("text", ["{{ lookup('pipe', 'id') }}", "a b", "{% raw %}", "x" * 64])
def test_text_of_a_container_that_is_no_plain_name_is_not_printed(text: str) -> None:
    for part, key in {"database": "name", "user": "admin_user"}.items():
        shown = told({}, web1=host(WEB, {**DATABASE, part: text}))
        assert text not in shown
        assert apps(shown)[0]["database"][key] == "NAME"
        assert (
            f"# Instead of NAME, write what blog-db-1 has in POSTGRES_{'DB' if part == 'database' else 'USER'}."
            in shown
        )


def test_a_database_that_the_server_cannot_reach_is_named_with_the_way_out() -> None:
    text = told({}, web1=host(WEB, DATABASE, ports={}))
    assert '# blog-db-1 is a PostgreSQL that the server cannot reach: add `ports: ["127.0.0.1:5432:5432"]`' in text
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


def test_a_database_of_another_host_itself_needs_a_login_from_the_server() -> None:
    programs = [("5432", "/usr/lib/postgresql/17/bin/postgres"), ("6379", "/usr/bin/redis-server")]
    text = told({}, db1=host(programs=programs, address="10.0.0.5", listens="0.0.0.0"))
    assert keys(text) == {
        "database": {
            "address": "10.0.0.5:5432",
            "name": "NAME",
            "admin_user": "postgres",
            "admin_password": PASSWORD.replace("blog_", "NAME_"),
        },
        "redis": {"address": "10.0.0.5:6379"},
    }
    assert "# Before the next run, write the password of postgres into secrets/NAME_database_password" in text
    assert accepted([{"name": "shop", "host": "db1", **keys(text)}])
    assert told({"apps": [{"name": "shop", **keys(text)}]}, db1=host(programs=programs, address="10.0.0.5")) == ""
    text = told({}, db1=host(programs=programs, address="10.0.0.5"))
    assert "# On db1: postgres on port 5432, which the server cannot reach: let it listen on 10.0.0.5, then" in text
    assert "127.0.0.1" not in text


IGNORED = [["blog-web-1", "blog-worker-1"], ["blog-w*"], ["blog-web-?", "blog-work[de]r-1"], ["bl?g"], ["blog"]]


@pytest.mark.parametrize("patterns", IGNORED, ids=str)
def test_nothing_is_told_of_what_a_team_does_not_want_to_watch(patterns: list[str]) -> None:
    assert told({"ignored_containers": patterns}, web1=host(WEB, WORKER)) == ""
    assert told({"ignored_containers": ["web", "Blog*"]}, web1=host(WEB, WORKER)) != ""
    assert told({}, web1=host()) == ""
