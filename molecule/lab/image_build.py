# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The images of the lab: built from Debian packages, found again by a hash of everything that goes into them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import yaml
from docker.errors import APIError, ImageNotFound

from lab import state
from lab.engine import LABEL, Client
from lab.progress import LabError, step
from lab.shell import run

IMAGES = state.LAB_FILES / "images"
# Services whose image lies in a folder of another name.
OF_ANOTHER_NAME = {"metabase_database": "postgres"}
SHOP = "crowsnest/lab-shop:1"
SHOP_FOLDER = state.LAB_FILES / "shop"
# Images whose build fetches packages from PyPI or npm, by a script that knows this machine's way there.
FROM_REGISTRIES = {"bugsink", "proxy", "query_exporter", "shop", "storage", "uptime_kuma"}
BUILD_SECONDS = 600


def content_hash(context: Path, base: str, arguments: Mapping[str, str]) -> str:
    """12 hex digits over the files below `context` (path, executable bit, bytes), the base's id and the arguments."""
    digest = hashlib.sha256(base.encode())
    for name, value in sorted(arguments.items()):
        digest.update(f"\0{name}={value}".encode())
    for path in sorted(context.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            runs = bool(path.stat().st_mode & 0o100)
            digest.update(f"\0{path.relative_to(context).as_posix()}\0{runs}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def published_names(app: bool = True) -> dict[str, str]:
    """The name the registry serves an image under, without a digest that only upstream's has → folder under images/.

    `app`: with what the sample app needs.
    """
    stack = yaml.safe_load((state.REPOSITORY / "files" / "images.yml").read_text(encoding="utf-8"))
    named = {image: OF_ANOTHER_NAME.get(name, name) for name, image in stack.items()}
    if app:
        named |= {image: repository for repository, image in shop_images().items()}
    return {image.split("@")[0]: folder for image, folder in named.items() if (IMAGES / folder).is_dir()}


def shop_images() -> dict[str, str]:
    """Repository → image of what the sample app needs besides its own image."""
    services = yaml.safe_load((SHOP_FOLDER / "compose.yaml").read_text(encoding="utf-8"))["services"]
    images = {service["image"] for service in services.values()} - {SHOP}
    return {image.split(":")[0]: image for image in images}


def build(client: Client, name: str, context: Path, base: str, arguments: Mapping[str, str] | None = None) -> str:
    """Name of the image built from `context` on the base image `base` (name); not rebuilt when nothing changed."""
    given = dict(arguments or {})
    tag = f"crowsnest-lab/{name}:{content_hash(context, client.images.get(base).id, given)}"
    try:
        client.images.get(tag)
    except ImageNotFound:
        with step(f"Building the image {name}"):
            if name in FROM_REGISTRIES:
                _build_from_registries(tag, context, {"BASE": base} | given)
            else:
                _docker_build(client, tag, context, {"BASE": base} | given)
    return tag


def _docker_build(client: Client, tag: str, context: Path, arguments: dict[str, str]) -> None:
    """docker build. LabError with the last lines of the build when it fails."""
    lines: list[str] = []
    answer = client.api.build(
        path=str(context), tag=tag, buildargs=arguments, labels={LABEL: "shared"}, rm=True, forcerm=True, decode=True
    )
    try:
        for part in answer:
            lines += str(part.get("stream", "")).splitlines()
            if "error" in part:
                words = " / ".join(line.strip() for line in lines[-4:] if line.strip())
                raise LabError(f"The image {tag} can't be built ({context}): {part['error']}; last lines: {words}")
    except APIError as error:
        raise LabError(f"The image {tag} can't be built ({context}): {error.explanation}") from None


def _build_from_registries(tag: str, context: Path, arguments: dict[str, str]) -> None:
    """docker build with the proxies, indexes and certificates of this machine."""
    options = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    script = state.LAB_FILES / "build_from_registries.sh"
    run([str(script), str(context), tag, *options, "--label", f"{LABEL}=shared"], BUILD_SECONDS)


def build_shop(client: Client, base: str) -> str:
    """Name of the image of the sample app."""
    try:
        return build(client, "shop", SHOP_FOLDER, base)
    except LabError as error:
        raise LabError(f"{error}; `up --no-app` goes without the sample app.") from None


def remove_all(client: Client) -> None:
    """Remove every image the lab made, and what builds on the lab's base images left behind without a name."""
    images = client.images.list(filters={"label": LABEL}) + client.images.list(name="crowsnest-lab/*")
    ours = {_first_layer(image) for image in images}
    unnamed = [image for image in client.images.list(filters={"dangling": True}) if _first_layer(image) in ours]
    for name in dict.fromkeys([tag for image in images for tag in image.tags] + [image.id for image in unnamed]):
        try:
            client.images.remove(name, force=True)
        except ImageNotFound:
            continue  # went with the last image that used it
        except APIError as error:
            print(f"The image {name} stays: {error.explanation}")


def _first_layer(image: Client) -> str:
    """Digest of the lowest layer, which tells the images on one base from all others."""
    return str(image.attrs["RootFS"]["Layers"][0])
