# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The registry that plays Docker Hub: one container on the engine of this machine, for all labs of this checkout.

Another checkout has a registry of its own, as its images have the same names and may be others.
"""

import json
import urllib.error
import urllib.request

from docker.errors import APIError, NotFound

from lab import ports, state
from lab.engine import Client, labelled, labels
from lab.progress import LabError, step, wait_until

NAME = f"{state.PREFIX}-registry"
PORT = "5000/tcp"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def ensure(client: Client, image: str) -> str:
    """Address of the running registry on this machine's loopback, `127.0.0.1:port`."""
    container = _container(client)
    if container is not None and container.attrs["Config"]["Image"] != image:
        container.remove(force=True)
        container = None
    if container is None:
        container = client.containers.create(
            image, name=NAME, labels=labels(), ports={PORT: ("127.0.0.1", None)}, cap_drop=["ALL"],
            volumes={NAME: {"bind": "/var/lib/registry", "mode": "rw"}}, read_only=True,
            restart_policy={"Name": "unless-stopped"},
        )  # fmt: skip
    container.start()
    container.reload()
    for network in client.networks.list(filters=labelled()):  # a new registry must serve the labs that exist
        connect(network)
    address = f"127.0.0.1:{container.attrs['NetworkSettings']['Ports'][PORT][0]['HostPort']}"
    wait_until(f"The registry does not answer: see `docker logs {NAME}`", lambda: _get(address, "") is not None, 30)
    return address


def _container(client: Client) -> Client | None:
    try:
        return client.containers.get(NAME)
    except NotFound:
        return None


def _get(address: str, path: str) -> tuple[str, bytes] | None:
    """(digest, body) of an answer of the registry's API, None when it has none."""
    request = urllib.request.Request(f"http://{address}/v2/{path}", headers={"Accept": _MANIFEST})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.headers.get("Docker-Content-Digest", ""), answer.read()
    except OSError:
        return None


def holds(address: str, name: str, image_id: str) -> bool:
    """True when the registry serves exactly this image under the name `repository:tag`."""
    repository, tag = name.split(":")
    found = _get(address, f"{repository_path(repository)}/manifests/{tag}")
    if found is None:
        return False
    digest, body = found
    return image_id in (digest, json.loads(body).get("config", {}).get("digest"))


def repository_path(repository: str) -> str:
    """Docker Hub keeps the images without an owner under `library/`."""
    return repository if "/" in repository else f"library/{repository}"


def publish(client: Client, address: str, name: str, local: str) -> None:
    """Push the image `local` under its real name (`owner/name:tag`); does nothing when it is there already."""
    image = client.images.get(local)
    if not holds(address, name, image.id):
        with step(f"Publishing {name} in the registry of the lab"):
            _push(client, image, address, name)


def _push(client: Client, image: Client, address: str, name: str) -> None:
    """Push one image; the name it needs for that is removed afterwards."""
    repository, tag = name.split(":")
    target = f"{address}/{repository_path(repository)}"
    image.tag(target, tag)
    try:
        for part in client.api.push(target, tag, stream=True, decode=True):
            if "error" in part:
                raise LabError(f"{name} can't be pushed to the registry of the lab: {part['error']}")
    finally:
        client.images.remove(f"{target}:{tag}", noprune=True)


def connect(network: Client) -> None:
    """Make the registry reachable from the network of a lab at a fixed address."""
    network.reload()
    offset = ports.offset_of(network.attrs["IPAM"]["Config"][0]["Subnet"])
    members = [member["Name"] for member in network.attrs["Containers"].values()]
    if NAME not in members:
        network.connect(NAME, ipv4_address=ports.registry_address(offset))


def disconnect(network: Client) -> None:
    """Take the registry out of a network that is about to be removed."""
    try:
        network.disconnect(NAME, force=True)
    except APIError:
        return


def remove(client: Client) -> None:
    """Remove the registry and everything it holds."""
    container = _container(client)
    if container is not None:
        container.remove(force=True)
    for volume in client.volumes.list(filters={"name": NAME}):
        volume.remove(force=True)
