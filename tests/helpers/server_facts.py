"""What the module host_facts says of a made-up host; each test says only in what its own differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts, Listener

# Of somebody who listens: the fact `listeners` has such rows.
LISTENER: Listener = {
    "address": "127.0.0.1",
    "pid": 812,
    "program": "/usr/bin/other",
    "unit": "",
    "container": "",
    "contained": False,
    "service": "",
}


def host_facts(
    total_mib: int = 1950,
    used_mib: int = 200,
    disk_mib: int = 59_000,
    free_mib: int = 50_000,
    data_mib: int = 0,
    own: Mapping[str, int] | None = None,
    docker: str | None = None,
    compose: str | None = None,
    node_exporter: bool = False,
    ports: Mapping[str, Sequence[str]] | None = None,
    listeners: Mapping[str, Mapping[str, Any]] | None = None,
    address: str = "172.26.3.4",
    files: Mapping[str, str] | None = None,
    backups: Mapping[str, Sequence[int]] | None = None,
    exported: Mapping[str, Mapping[str, bool]] | None = None,
) -> HostFacts:
    """What module host_facts says of a host. `own` is {service of ours that runs: its MiB}.

    `ports` is {port: addresses}; `listeners` is what is known of who listens there, {port: row}.
    """
    own = own or {}
    taken = {port: list(addresses) for port, addresses in (ports or {"22": ["0.0.0.0", "::"]}).items()}
    available = total_mib - used_mib - sum(own.values())
    return {
        "address": address,
        "os": {"id": "debian", "version": "13", "codename": "trixie"},
        "memory": {"total_mib": total_mib, "available_mib": available, "own_mib": sum(own.values())},
        "architecture": "x86_64",
        "controllers": ["cpu", "memory", "pids"],
        "read_only": [],
        "sudo": True,
        "service_manager": "systemd",
        "disk": {"path": "/var/lib", "device": 1, "total_mib": disk_mib, "free_mib": free_mib, "own_mib": data_mib},
        "images_disk": {"path": "/var/lib", "device": 1, "total_mib": disk_mib, "free_mib": free_mib},
        "docker": {
            "version": docker,
            "compose": compose,
            "kind": "docker",
            "endpoint": "",
            "masked": False,
            "own": sorted(own),
            "images": [],
            "daemon": {},
            "bridge": "172.17.0.1" if docker else "",
            "python_client": True,
            "from_docker": False,
            "running": [],
        },
        "node_exporter": {"installed": node_exporter, "flags": None, "masked": False, "own_start": ""},
        "ports": taken,
        "listeners": {
            port: [
                cast("Listener", {**LISTENER, "address": address, **(listeners or {}).get(port, {})})
                for address in addresses
            ]
            for port, addresses in taken.items()
        },
        "published": [],
        "data": {},
        "configurations": {},
        "python": {"version": "3.13", "ensurepip": True},
        "toolbox": "",
        "ping_groups": [0, 2147483647],
        "firewall": {"rules": "", "there": False, "interfaces": ["eth0"]},
        "login": {"source": "203.0.113.7", "port": 22},
        "units": {},
        "files": dict(files or {}),
        "cron": True,
        "backups": {name: list(sizes) for name, sizes in (backups or {}).items()},
        "env_files": {},
        "google_tags": {},
        "releases": {},
        "traffic": {},
        "exported": {name: dict(series) for name, series in (exported or {}).items()},
    }


# Of a server on which everything but Metabase fits.
FACTS = host_facts(total_mib=4000, used_mib=500, ports={})
