# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Programs for this repository's tests, out of the images that the lab's hosts run as well, or that are its hosts."""

import subprocess
from pathlib import Path

import yaml

from lab import base_image, debian_versions, engine, image_build, laboratory, state

IMAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "alertmanager",
    "alertmanager": "alertmanager",
    "blackbox_exporter": "blackbox",
    "postgres_exporter": "postgres_exporter",
    "pushgateway": "pushgateway",
    "redis_exporter": "redis_exporter",
    "redis-server": "redis",
}


def image(tool: str) -> str:
    """Name of the image that has the tool as its entry point `tool`; built when the lab has none yet."""
    return service_image(IMAGES[tool])


def service_image(name: str) -> str:
    """Name of the image of a service, or of what the sample app needs.

    It is built when the lab has none yet and the public registry does not answer.
    """
    with state.alone():
        client = engine.ensure()
        base, source = base_image.ensure(client, "trixie")
        if source == "packages":
            folder = image_build.OF_ANOTHER_NAME.get(name, name)
            base = debian_versions.bases(client, [folder], base)[folder]
            return image_build.build(client, folder, image_build.IMAGES / folder, base)
    stack = yaml.safe_load((state.REPOSITORY / "files" / "images.yml").read_text(encoding="utf-8"))
    return str({**image_build.shop_images(), **stack}[name])


def base() -> str:
    """Name of the image of Debian that the lab's others are made of."""
    with state.alone():
        return base_image.ensure(engine.ensure(), "trixie")[0]


def copy_compose(target: Path) -> None:
    """Put compose, the plugin of a host's Docker, at this path."""
    with state.alone():
        client = engine.ensure()
        base_image.ensure(client, "trixie")
        image = laboratory.host_image(client, "trixie", "existing")
    made = subprocess.run(["docker", "create", image], check=True, capture_output=True, text=True).stdout.strip()
    try:
        plugin = "/usr/libexec/docker/cli-plugins/docker-compose"
        subprocess.run(["docker", "cp", "--quiet", f"{made}:{plugin}", str(target)], check=True)
    finally:
        subprocess.run(["docker", "rm", made], check=True, capture_output=True)


def run(tool: str, words: list[str]) -> int:
    """Exit code of the tool, run in the repository's folder (read-only, without network)."""
    options = [
        "--rm",
        "--network",
        "none",
        "--volume",
        f"{state.REPOSITORY}:/repository:ro",
        "--workdir",
        "/repository",
    ]
    return subprocess.run(
        ["docker", "run", *options, "--entrypoint", tool, image(tool), *words], check=False
    ).returncode
