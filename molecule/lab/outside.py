# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A service outside the hosts of a lab, as a team has it: what is in it outlives a host that is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from docker.errors import NotFound

from lab import image_build, ports, state
from lab.engine import Client, labels
from lab.progress import step, wait_until


@dataclass(frozen=True)
class Outside:
    """One such service; its image is in a folder of its name.

    `port` is where it listens, `number` its address in the lab's network, `memory` its limit in bytes. `page` is the
    port of this machine that leads to it, before the lab's offset is added; 0 for any. `address_variable` is the one by
    which it is told its own address.
    """

    name: str
    title: str
    port: int
    number: int
    memory: int
    page: int = 0
    address_variable: str = ""

    def address(self, offset: int) -> str:
        """Where the hosts of the lab reach it."""
        return f"http://{ports.address(offset, self.number)}:{self.port}"

    def container(self, lab: str) -> str:
        """Name of its container."""
        return f"{state.PREFIX}-{lab}-{self.name}"

    def build(self, client: Client, base: str) -> str:
        """Name of its image, which is built when it is missing."""
        return image_build.build(client, self.name, image_build.IMAGES / self.name, base)

    def ensure(self, client: Client, lab: str, network: Client, base: str, ready: Callable[[str], bool]) -> None:
        """Starts it in the lab's network and waits until `ready` with its address on this machine; safe to repeat."""
        image, container = self.build(client, base), self._found(client, lab)
        if container is not None and container.attrs["Config"]["Image"] != image:
            container.remove(force=True, v=True)
            container = None
        with step(f"Starting the {self.title}"):
            if container is None:
                container = self._create(client, lab, network, image)
            container.start()
            failure = f"The {self.title} does not answer: see `docker logs {self.container(lab)}`"
            wait_until(failure, lambda: ready(self._here(container)), 60)

    def _found(self, client: Client, lab: str) -> Client | None:
        try:
            return client.containers.get(self.container(lab))
        except NotFound:
            return None

    def _create(self, client: Client, lab: str, network: Client, image: str) -> Client:
        offset = ports.offset_of(network.attrs["IPAM"]["Config"][0]["Subnet"])
        endpoint: dict[str, Any] = {"IPAMConfig": {"IPv4Address": ports.address(offset, self.number)}}
        published = ("127.0.0.1", offset + self.page if self.page else None)
        host = client.api.create_host_config(
            port_bindings={f"{self.port}/tcp": published}, cap_drop=["ALL"], mem_limit=self.memory,
            restart_policy={"Name": "unless-stopped"},
        )  # fmt: skip
        made = client.api.create_container(
            image, name=self.container(lab), labels=labels(lab), ports=[(self.port, "tcp")], host_config=host,
            environment={self.address_variable: self.address(offset)} if self.address_variable else {},
            networking_config={"EndpointsConfig": {network.name: endpoint}},
        )  # fmt: skip
        return client.containers.get(made["Id"])

    def _here(self, container: Client) -> str:
        container.reload()
        found = container.attrs["NetworkSettings"]["Ports"][f"{self.port}/tcp"][0]["HostPort"]
        return f"http://127.0.0.1:{found}"
