"""What the sample shop promises in its files; its code is tested inside its image (molecule/lab/shop/README.md)."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

SHOP = Path(__file__).parents[3] / "molecule/lab/shop"
COMPOSE: dict[str, Any] = yaml.safe_load((SHOP / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mebibytes(limit: str) -> int:
    assert limit.endswith("m")
    return int(limit[:-1])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_restarts_is_limited_and_checked(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert mebibytes(service["mem_limit"]) <= 256
    assert service["healthcheck"]["test"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


def test_ports_are_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == [f"127.0.0.1:{port}:{port}" for port in (8000, 8001, 5432, 6379)]


@pytest.mark.parametrize("name", ["web", "worker", "traffic"])
def test_the_app_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "USER 20100:20100" in (SHOP / "Dockerfile").read_text(encoding="utf-8")


def test_database_and_app_agree_on_the_password() -> None:
    assert SERVICES["web"]["environment"]["SHOP_DB_PASSWORD"] == SERVICES["db"]["environment"]["POSTGRES_PASSWORD"]


def test_every_dependency_is_pinned_with_hashes() -> None:
    blocks = re.split(r"\n(?=[a-z])", (SHOP / "requirements.txt").read_text(encoding="utf-8").strip())
    assert len(blocks) > 20
    assert [block for block in blocks if not re.match(r"[\w.-]+==[\w.]+", block) or "--hash=sha256:" not in block] == []
