# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A whole lab: brought up, described, removed."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool

from lab import (
    base_image,
    bugsink,
    catcher,
    debian_versions,
    engine,
    host_container,
    image_build,
    ports,
    registry,
    shell,
    ssh_access,
    state,
    storage,
)
from lab.bugsink import BUGSINK
from lab.catcher import POSTING
from lab.engine import NAME_LABEL, Client
from lab.host_container import Host
from lab.progress import LabError, step, wait_until
from lab.storage import STORAGE

BUILDS_AT_ONCE = 3
# Services of which no package exists: small servers that keep to the contract stand in for them.
DOUBLES = ["grafana", "metabase"]
USERS_CONTAINER = "redis-of-the-user"


@dataclass(frozen=True)
class Wish:
    """What a person asks for; `suites` has one entry per host, the first is the server."""

    name: str
    suites: Sequence[str]
    engine: str
    memory_mib: int
    app: bool

    def hosts(self, offset: int) -> list[Host]:
        """The hosts of the lab with these ports; only the first may have an engine already."""
        return [
            Host(self.name, index, suite, self.engine if index == 0 else "none", offset, self.memory_mib)
            for index, suite in enumerate(self.suites)
        ]


def up(wish: Wish) -> dict[str, Any]:
    """Bring the lab up, or what is missing of it; returns what lab.json holds. Safe to repeat."""
    start = time.monotonic()
    _refuse_another(wish)
    with state.alone():
        client = engine.ensure()
        _refuse_stranger(client, wish.name)
        network = _ensure_network(client, wish)
        hosts = wish.hosts(_offset(network))
        bases = {suite: base_image.ensure(client, suite) for suite in dict.fromkeys(["trixie", *wish.suites])}
        address = _prepare_images(client, wish, hosts, bases)
        registry.connect(network)
        lab = _describe(wish, hosts, bases["trixie"][1])
        state.save(lab)
        if wish.app:
            STORAGE.ensure(client, wish.name, network, bases["trixie"][0], storage.has_bucket)
            BUGSINK.ensure(client, wish.name, network, bases["trixie"][0], bugsink.is_ready)
    resolver = client.containers.run(bases["trixie"][0], ["cat", "/etc/resolv.conf"], remove=True).decode()
    containers = [
        _start_host(client, host, host_image(client, host.suite, host.engine), lab, resolver) for host in hosts
    ]
    _wait_for_hosts(lab, containers)
    lab["memory"]["meminfo_mib"] = host_container.meminfo_mib(containers[0])
    state.save(lab)
    catcher.install(containers[0])
    if wish.engine == "existing":
        _start_users_container(containers[0])
    print(f"The lab {wish.name} is up after {time.monotonic() - start:.0f} s; images in {address}.")
    return lab


def _refuse_another(wish: Wish) -> None:
    """LabError when the lab exists with other settings."""
    found = state.load(wish.name)
    if found and (found["suites"], found["engine"]) != (list(wish.suites), wish.engine):
        raise LabError(
            f"The lab {wish.name} exists with other settings (suites {found['suites']}, engine {found['engine']}): "
            f"remove it first with `molecule/lab down {wish.name}`."
        )


def _refuse_stranger(client: Client, name: str) -> None:
    """LabError when hosts of a lab of this name run, whose key is not here."""
    if state.load(name) is None and name in _names(client):
        raise LabError(
            f"A lab named {name} runs on this engine, but {state.STATE} no longer knows it: "
            f"remove it with `molecule/lab down {name}`."
        )


def _prepare_images(client: Client, wish: Wish, hosts: Sequence[Host], bases: dict[str, tuple[str, str]]) -> str:
    """Build what is missing and publish it, several at once; returns the registry's address on loopback."""
    base, source = bases["trixie"]
    address = registry.ensure(client, image_build.build(client, "registry", image_build.IMAGES / "registry", base))
    names = image_build.published_names(wish.app or wish.engine == "existing")
    images: dict[str, Callable[[], str]]
    if source == "packages":
        on = debian_versions.bases(client, set(names.values()), base)
        images = {
            published: partial(image_build.build, client, name, image_build.IMAGES / name, on[name])
            for published, name in names.items()
        }
    else:  # the hosts take official images themselves, but for those to which the lab adds what they trust
        images = {published: partial(_pull, client, published) for published in names if names[published] in POSTING}

    def provide(published: str, build: Callable[[], str]) -> None:
        registry.publish(client, address, published, build())

    with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
        jobs: list[Future[Any]] = [
            pool.submit(host_image, client, host.suite, host.engine)
            for host in {host.suite: host for host in hosts}.values()
        ]
        if wish.app and (image_build.SHOP_FOLDER / "Dockerfile").is_file():
            jobs.append(pool.submit(provide, image_build.SHOP, lambda: image_build.build_shop(client, base)))
        if wish.app:
            jobs += [pool.submit(outside.build, client, base) for outside in (STORAGE, BUGSINK)]
        for published, image in images.items():
            jobs.append(pool.submit(provide, published, partial(catcher.trusting, client, names[published], image)))
        for job in jobs:
            job.result()
    return address


def _pull(client: Client, image: str) -> str:
    """Name of an official image, which the engine of this machine now has."""
    try:
        client.images.get(image)
    except ImageNotFound:
        with step(f"Pulling {image}"):
            client.images.pull(image)
    return image


def _ensure_network(client: Client, wish: Wish) -> Client:
    """The lab's own network with its fixed addresses; a new one decides which ports the lab has."""
    name = f"{state.PREFIX}-{wish.name}"
    try:
        return client.networks.get(name)
    except NotFound:
        pass
    offset = ports.choose(wish.name, len(wish.suites), _subnets(client))
    preferred = ports.PREFERRED.get(wish.name, offset)
    if offset != preferred:
        print(f"Ports {preferred} and up are in use on this machine: the lab {wish.name} takes {offset} and up.")
    pool = IPAMPool(subnet=str(ports.network(offset)), gateway=ports.gateway(offset))
    return client.networks.create(name, ipam=IPAMConfig(pool_configs=[pool]), labels=engine.labels(wish.name))


def _subnets(client: Client) -> list[str]:
    """The networks of the engine; those of labs that do not run right now are among them."""
    networks = client.networks.list()
    return [config["Subnet"] for network in networks for config in network.attrs["IPAM"]["Config"] or []]


def _offset(network: Client) -> int:
    return ports.offset_of(network.attrs["IPAM"]["Config"][0]["Subnet"])


def _describe(wish: Wish, hosts: Sequence[Host], source: str) -> dict[str, Any]:
    """What lab.json holds; the key and the known hosts lie beside it."""
    folder = state.directory(wish.name)
    return {
        "name": wish.name, "suites": list(wish.suites), "engine": wish.engine,
        "ssh_user": ssh_access.USER, "ssh_key": str(folder / "id_ed25519"),
        "known_hosts": str(folder / "known_hosts"), "ssh_config": str(folder / "ssh_config"),
        "gateway": ports.gateway(hosts[0].offset),
        "registry_mirror": f"http://{ports.registry_address(hosts[0].offset)}:5000",
        "image_source": source, "doubles": DOUBLES if source == "packages" else [],
        "memory": {"limit_mib": wish.memory_mib}, "storage": storage.describe(hosts[0].offset, folder),
        "bugsink": bugsink.describe(hosts[0].offset),
        "hosts": [host.describe() for host in hosts],
    }  # fmt: skip


def host_image(client: Client, suite: str, host_engine: str) -> str:
    """Local name of the image of a host; `host_engine` is "none" or "existing"."""
    folder = state.LAB_FILES / "host"
    image = image_build.build(client, f"host-{suite}", folder / "fresh", base_image.lab_name(suite))
    if host_engine == "none":
        return image
    return image_build.build(client, f"host-{suite}-docker", folder / "existing", image, {"SUITE": suite})


def _start_host(client: Client, host: Host, image: str, lab: dict[str, Any], resolver: str) -> Client:
    """The running container of a host."""
    key = ssh_access.ensure_key(Path(lab["ssh_key"]).parent)
    with step(f"Starting the host {host.name} ({host.suite}, engine: {host.engine})"):
        mode = host_container.cgroup_mode(client, image)
        container = host_container.ensure(client, host, image, f"{state.PREFIX}-{host.lab}", mode)
        container.reload()
        if container.status == "created":
            host_container.prepare(container, host, key, resolver, lab["registry_mirror"])
        host_container.start(container)
    return container


def _wait_for_hosts(lab: dict[str, Any], containers: list[Client]) -> None:
    """Wait until systemd is up and SSH answers with the pinned key on every host; writes the ssh client's files."""
    lines = ""
    for host, container in zip(lab["hosts"], containers, strict=True):
        with step(f"Waiting for systemd on {host['name']}"):
            host["systemd"] = host_container.wait_for_systemd(container)
        if host["systemd"] != "running":
            print(f"  systemd on {host['name']} is {host['systemd']}")
        key = wait_until(f"{host['name']} creates no SSH host key", partial(_host_key, container), 30)
        lines += ssh_access.known_hosts_line(host["ssh_port"], key)
    Path(lab["known_hosts"]).write_text(lines, encoding="utf-8")
    Path(lab["ssh_config"]).write_text(ssh_access.client_config(lab), encoding="utf-8")
    for host in lab["hosts"]:
        with step(f"Waiting for SSH on {host['name']} (port {host['ssh_port']})"):
            failure = f"SSH to {host['name']} does not work: see `molecule/lab exec {lab['name']} -- journalctl -u ssh`"
            wait_until(failure, partial(_ssh_works, lab, host), 30)


def _host_key(container: Client) -> str:
    """The public key, empty when it cannot be read: systemd may be up a moment before it is written.

    On a busy machine the engine also loses what a program printed, so one good answer is enough, and is kept.
    """
    code, text = host_container.output(container, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
    return text if code == 0 and len(text.split()) > 1 else ""


def _ssh_works(lab: dict[str, Any], host: dict[str, Any]) -> bool:
    try:
        shell.run(ssh_access.command(lab, host, ["sudo", "-n", "true"]), 15)
    except LabError:
        return False
    return True


def _start_users_container(container: Client) -> None:
    """A container that the user of the host runs already, before anything of the project arrives."""
    if host_container.output(container, ["docker", "inspect", USERS_CONTAINER])[0] == 0:
        return
    with step("Starting a container that the host's user already has"):
        image = image_build.shop_images()["redis"]
        command = ["docker", "run", "--detach", "--name", USERS_CONTAINER, "--restart", "unless-stopped", image]
        code, text = host_container.output(container, command)
    if code != 0:
        raise LabError(f"The engine of the host can't run {image}: {text.splitlines()[-1] if text else code}")


def lose(host: dict[str, Any]) -> None:
    """Remove one host with everything on its disk, as when a server is lost; `up` then starts a fresh one."""
    client = engine.ensure()
    with step(f"Losing the host {host['name']}"):
        client.containers.get(host["container"]).remove(force=True, v=True)
        client.volumes.get(host["container"]).remove(force=True)


def down(name: str) -> None:
    """Remove every trace of a lab: containers, volumes, network, state directory. Safe to repeat."""
    client = engine.connect()
    if client is not None:
        with step(f"Removing the lab {name}"):
            _remove_objects(client, engine.labelled(name))
    state.remove(name)


def _remove_objects(client: Client, filters: dict[str, list[str]]) -> None:
    for container in client.containers.list(all=True, filters=filters):
        container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=filters):
        volume.remove(force=True)
    for network in client.networks.list(filters=filters):
        registry.disconnect(network)
        network.remove()


def down_all() -> None:
    """Remove all labs of this checkout and its registry; without a lab of another one, also images and own engine."""
    client = engine.connect()
    if client is not None:
        for name in sorted({*state.names(), *_names(client)}):
            down(name)
        with state.alone():  # another checkout may be building what it has no container for yet
            _remove_shared(client)
    state.remove(catcher.SLACK)


def _remove_shared(client: Client) -> None:
    """The registry of this checkout; without a lab of another one, also the images and the engine."""
    with step("Removing the registry"):
        registry.remove(client)
    if client.containers.list(all=True, filters={"label": engine.CHECKOUT_LABEL}):
        print("The images stay, because another checkout has a lab on this engine.")
    else:
        with step("Removing the images of the lab"):
            image_build.remove_all(client)
    engine.stop_own(client)


def _names(client: Client) -> set[str]:
    """Names of the labs of this checkout that have a container, whatever the state directory says."""
    found = client.containers.list(all=True, filters=engine.labelled())
    return {container.labels[NAME_LABEL] for container in found if NAME_LABEL in container.labels}
