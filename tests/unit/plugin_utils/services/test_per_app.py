"""A service with a container for each app: each holds what it needs of its own app, and nothing of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contexts import context_of

from ansible_collections.crowsnest.core.plugins.plugin_utils.services import REGISTRY
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.compose import service_files

PORTS = {"shop": 7001, "blog": 7002}
APPS: list[dict[str, Any]] = [
    {
        "name": name,
        "redis": {"address": f"127.0.0.1:{port}", "password": f"hush-{name}", "queues": [f"queue-{name}"]},
        "database": {"address": f"127.0.0.1:{port}", "name": f"base-{name}"},
    }
    for name, port in PORTS.items()
]
# {app: what only the other one has}
OTHER = {"shop": ("blog", "7002"), "blog": ("shop", "7001")}


@pytest.mark.parametrize("app", OTHER)
@pytest.mark.parametrize("service", ["redis_exporter", "postgres_exporter"])
def test_an_exporter_holds_the_login_of_its_own_app_alone(service: str, app: str) -> None:
    context, container = context_of({"apps": APPS}, registry=REGISTRY), f"{service}_{app}"
    (login,) = context.secret_files(container).values()
    assert f"127.0.0.1:{PORTS[app]}" in login
    texts = [login, *service_files(context, container).values()]
    assert [word for word in OTHER[app] if any(word in text for text in texts)] == []


def test_another_authority_is_read_by_a_new_container(tmp_path: Path) -> None:
    app = {"name": "shop", "redis": {"tls": True, "ca_file": "ca.pem"}}
    context, labels = context_of({"apps": [app]}, folder=tmp_path, registry=REGISTRY), []
    for text in ("one", "another"):
        (tmp_path / "ca.pem").write_text(text)
        planned = context.services["redis_exporter_shop"]
        labels.append(context.definition(planned.name).container(context, planned).labels)
    assert labels[0] != labels[1]


def test_a_script_counts_the_queues_of_its_own_app() -> None:
    files = service_files(context_of({"apps": APPS}, registry=REGISTRY), "redis_exporter_blog")
    assert "queue-blog" in files["queues.lua"]
