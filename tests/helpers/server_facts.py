"""What the module host_facts says of a server on which everything fits."""

from typing import Any

FACTS: dict[str, Any] = {
    "address": "172.26.3.4",
    "os": {"id": "debian", "version": "13", "codename": "trixie"},
    "memory": {"total_mib": 4000, "available_mib": 3500, "own_mib": 0},
    "disk": {"path": "/var/lib", "total_mib": 80_000, "free_mib": 70_000, "own_mib": 0},
    "docker": {"version": None, "compose": None, "own": []},
    "node_exporter": {"installed": False, "flags": None},
    "ports": {},
    "files": {},
}
