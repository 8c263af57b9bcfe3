# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Object storage outside the hosts of a lab, as a team has it: what is in it outlives a host that is lost."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from docker.errors import NotFound
from pyrage import x25519

from lab import image_build, ports, state
from lab.engine import Client, labels
from lab.progress import step, wait_until

BUCKET = "offsite"
REGION = "ap-northeast-2"
PORT = "4566/tcp"
_CAPACITY = 512 * 1024 * 1024


def describe(offset: int, folder: Path) -> dict[str, Any]:
    """A remote for backups as an inventory declares it; the keys are accepted as any others are.

    The secret key of age stays in the lab's `folder` on this machine, as `age_identity`.
    """
    return {
        "endpoint_url": f"http://{ports.storage_address(offset)}:{PORT.partition('/')[0]}",
        "bucket": BUCKET,
        "region": REGION,
        "access_key": "laboratory",
        "secret_key": "not-a-secret",
        "encrypt_to": [_recipient(folder / "age_identity")],
    }


def _recipient(identity: Path) -> str:
    """The public key of an identity file, which is made on first use."""
    if not identity.exists():
        identity.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        identity.touch(mode=0o600)
        identity.write_text(f"{x25519.Identity.generate()}\n", encoding="ascii")
    return str(x25519.Identity.from_str(identity.read_text(encoding="ascii").strip()).to_public())


def ensure(client: Client, lab: str, network: Client, base: str) -> None:
    """Starts it in the lab's network with its bucket; safe to repeat."""
    image = image_build.build(client, "storage", image_build.IMAGES / "storage", base)
    container = _container(client, lab)
    if container is not None and container.attrs["Config"]["Image"] != image:
        container.remove(force=True, v=True)
        container = None
    with step("Starting the object storage"):
        if container is None:
            container = _create(client, lab, network, image)
        container.start()
        wait_until(f"The object storage does not answer: see `docker logs {name(lab)}`", lambda: _bucket(container), 60)


def name(lab: str) -> str:
    """Its container."""
    return f"{state.PREFIX}-{lab}-storage"


def _container(client: Client, lab: str) -> Client | None:
    try:
        return client.containers.get(name(lab))
    except NotFound:
        return None


def _create(client: Client, lab: str, network: Client, image: str) -> Client:
    offset = ports.offset_of(network.attrs["IPAM"]["Config"][0]["Subnet"])
    endpoint: dict[str, Any] = {"IPAMConfig": {"IPv4Address": ports.storage_address(offset)}}
    host = client.api.create_host_config(
        port_bindings={PORT: ("127.0.0.1", None)}, cap_drop=["ALL"], mem_limit=_CAPACITY,
        restart_policy={"Name": "unless-stopped"},
    )  # fmt: skip
    made = client.api.create_container(
        image, name=name(lab), labels=labels(lab), ports=[(4566, "tcp")], host_config=host,
        networking_config={"EndpointsConfig": {network.name: endpoint}},
    )  # fmt: skip
    return client.containers.get(made["Id"])


def _bucket(container: Client) -> bool:
    """Makes the bucket, which is no error where it exists."""
    container.reload()
    port = container.attrs["NetworkSettings"]["Ports"][PORT][0]["HostPort"]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 409
    except OSError:
        return False
