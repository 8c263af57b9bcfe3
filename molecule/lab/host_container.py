# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One lab host: a container with systemd as PID 1 that behaves like a fresh server."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from lab import pip_settings, ports, state
from lab.engine import Client, labels
from lab.progress import LabError, wait_until

DEPLOY_ID = 1000
# What systemd and an engine inside need where the machine does not allow --privileged.
_CAPABILITIES = ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"]


@dataclass(frozen=True)
class Host:
    """What distinguishes one lab host from another."""

    lab: str
    index: int
    suite: str
    engine: str  # "none" or "existing"
    offset: int
    memory_mib: int

    @property
    def name(self) -> str:
        """Host name, also the one for inventories."""
        return f"lab{self.index + 1}"

    @property
    def container(self) -> str:
        """Name of the container on the engine of this machine; its volume has the same name."""
        return f"{state.PREFIX}-{self.lab}-{self.name}"

    def describe(self) -> dict[str, Any]:
        """The host's part of lab.json."""
        published = ports.host_ports(self.offset, self.index)
        return {
            "name": self.name, "suite": self.suite, "engine": self.engine, "container": self.container,
            "address": ports.host_address(self.offset, self.index), "ssh_port": published["ssh"], "ports": published,
        }  # fmt: skip


def host_config(host: Host, cgroups: str) -> dict[str, Any]:
    """HostConfig of the engine's API. `cgroups`: "mixed" (both versions mounted), "v2" or "v2-privileged"."""
    published = ports.host_ports(host.offset, host.index)
    bindings = {
        f"{ports.container_port(service)}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
        for service, port in published.items()
    }
    binds = [f"{host.container}:/var/lib/docker"]
    special: dict[str, Any] = {
        "CapAdd": _CAPABILITIES,
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [], "ReadonlyPaths": [],  # what the docker program calls systempaths=unconfined
        "CgroupnsMode": "host",
    }  # fmt: skip
    if cgroups == "v2-privileged":
        special = {"Privileged": True, "CgroupnsMode": "private"}
    elif cgroups == "mixed":
        binds += ["/sys/fs/cgroup/unified:/sys/fs/cgroup:rw", "/sys/fs/cgroup:/cgv1:rw"]
    else:
        binds += ["/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    limit = host.memory_mib * 1024 * 1024
    return special | {
        "Binds": binds, "PortBindings": bindings, "Memory": limit, "MemorySwap": limit,
        "Tmpfs": {"/run": "", "/run/lock": ""}, "RestartPolicy": {"Name": "unless-stopped"},
        "ExtraHosts": ["slack.com:127.0.0.3"] if host.index == 0 else [],  # the catcher; containers inside copy it
    }  # fmt: skip


def cgroup_mode(client: Client, image: str) -> str:
    """How this engine's control groups reach a container, see host_config."""
    if client.info().get("CgroupVersion", "1") != "2":
        if not Path("/sys/fs/cgroup/unified").is_dir():
            raise LabError(
                "This machine has control groups of version 1 only, which systemd of Debian 13 refuses: "
                "boot with systemd.unified_cgroup_hierarchy=1, or use another machine."
            )
        return "mixed"
    try:
        client.containers.run(image, ["true"], privileged=True, remove=True)
    except APIError:
        return "v2"
    return "v2-privileged"


def archive(files: dict[str, tuple[str, int]], owner: int = 0) -> bytes:
    """A tar of {path: (text, mode)}, all owned by the numeric id `owner`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (text, mode) in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(text.encode()), mode, owner, owner
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def ensure(client: Client, host: Host, image: str, network: str, cgroups: str) -> Client:
    """The container of the host, created where it is missing; not started yet."""
    try:
        return client.containers.get(host.container)
    except NotFound:
        pass
    client.volumes.create(host.container, labels=labels(host.lab))
    endpoint = {"IPAMConfig": {"IPv4Address": ports.host_address(host.offset, host.index)}}
    published = [(ports.container_port(service), "tcp") for service in ports.host_ports(host.offset, host.index)]
    made = client.api.create_container(
        image, name=host.container, hostname=host.name, labels=labels(host.lab), ports=published,
        host_config=host_config(host, cgroups), networking_config={"EndpointsConfig": {network: endpoint}},
    )  # fmt: skip
    return client.containers.get(made["Id"])


def prepare(container: Client, host: Host, public_key: str, resolver: str, mirror: str) -> None:
    """Write what differs from host to host into the container, before its first start."""
    address = ports.host_address(host.offset, host.index)
    files = {
        "etc/crowsnest-lab/resolv.conf": (resolver, 0o644),
        "etc/systemd/system/lab-page@.socket.d/address.conf": (f"[Socket]\nListenStream={address}:%i\n", 0o644),
    }
    if host.engine == "existing":
        # The second mirror is never asked; with two there is an order that a run has to keep.
        own_settings = {"max-concurrent-downloads": 2, "registry-mirrors": [mirror, "http://127.0.0.1:5999"]}
        files["etc/docker/daemon.json"] = (json.dumps(own_settings, indent=2) + "\n", 0o644)
    files |= pip_settings.host_files()
    container.put_archive("/", archive(files))
    container.put_archive("/", archive({"home/deploy/.ssh/authorized_keys": (public_key, 0o600)}, owner=DEPLOY_ID))


def start(container: Client) -> None:
    """Start the container. LabError when one of its ports is taken."""
    try:
        container.start()
    except APIError as error:
        reason = str(error.explanation)
        if "port is already allocated" in reason or "address already in use" in reason:
            raise LabError(
                f"A port of the lab has been taken by another program since the lab was made: end that program, or "
                f"remove the lab and start it again, which takes other ports ({reason})"
            ) from None
        raise LabError(f"{container.name} can't be started: {reason}") from None


def output(container: Client, command: list[str]) -> tuple[int, str]:
    """(exit code, output) of a command inside the host, as root."""
    try:
        code, text = container.exec_run(command)
    except APIError as error:
        return 255, str(error.explanation)
    return int(code), text.decode(errors="replace").strip()


def meminfo_mib(container: Client) -> int:
    """MemTotal in the host's /proc/meminfo in MiB: the machine's memory, whatever the limit of the container is."""
    return int(output(container, ["cat", "/proc/meminfo"])[1].split()[1]) // 1024


def wait_for_systemd(container: Client, seconds: float = 90) -> str:
    """The state systemd ends in: "running" or "degraded: unit, unit". LabError when it takes too long."""

    def booted() -> str:
        said = output(container, ["systemctl", "is-system-running"])[1]
        return said if said in {"running", "degraded"} else ""

    words = f"systemd in {container.name} does not come up: see `docker logs {container.name}`"
    if wait_until(words, booted, seconds) == "running":
        return "running"
    failed = output(container, ["systemctl", "--failed", "--plain", "--no-legend", "--no-pager"])[1]
    return "degraded: " + ", ".join(line.split()[0] for line in failed.splitlines())
