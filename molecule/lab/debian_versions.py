# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which Debian suite has a program in the major version that production runs; its image is built on that suite."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lab import apt_sources, base_image, image_build
from lab.engine import Client
from lab.progress import LabError

Version = tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A Debian package, and the oldest version that behaves like the image in files/images.yml."""

    package: str
    at_least: Version


# By name of the service. All else is built on trixie, whatever its version.
PROGRAMS = {
    "prometheus": Program("prometheus", (3, 5)),
    "alertmanager": Program("prometheus-alertmanager", (0, 33)),
    "blackbox": Program("prometheus-blackbox-exporter", (0, 28)),
    "postgres_exporter": Program("prometheus-postgres-exporter", (0, 19)),
    "pushgateway": Program("prometheus-pushgateway", (1, 11)),
    "redis_exporter": Program("prometheus-redis-exporter", (1, 69)),
}


def bases(client: Client, services: Iterable[str], base: str) -> dict[str, str]:
    """Service → name of the base image that its image is built on; `base` is trixie's."""
    wanted = [name for name in services if name in PROGRAMS]
    if not wanted:
        return dict.fromkeys(services, base)
    madison = _madison(client, base)
    try:
        suites = {name: newest(madison, PROGRAMS[name]) for name in wanted}
    except LabError:
        client.images.remove(_image(client, base), force=True)  # the mirror is asked again next time
        raise
    return {name: base_image.ensure(client, suites[name])[0] if name in suites else base for name in services}


def newest(madison: str, program: Program) -> str:
    """The suite with the newest version of the wanted major, of several the steadiest. LabError where none has it."""
    found = [(version, suite) for package, version, suite in parse(madison) if package == program.package]
    fit = [
        (version, suite)
        for version, suite in found
        if version >= program.at_least and version[0] == program.at_least[0]
    ]
    if not fit:
        raise LabError(
            f"No suite of this machine's Debian mirror has {program.package} {_text(program.at_least)} or a newer "
            f"{program.at_least[0]}.x, and Docker Hub does not answer (the mirror has: "
            f"{', '.join(f'{_text(version)} in {suite}' for version, suite in found) or 'none'}). Name a mirror with "
            "Debian's suites testing or sid in /etc/apt/sources.list.d, or give the machine access to Docker Hub."
        )
    best = max(version for version, _ in fit)
    return next(suite for version, suite in fit if version == best)


def parse(madison: str) -> list[tuple[str, Version, str]]:
    """(package, upstream's version, suite) of each line of `apt-cache madison`, the steadier suites first."""
    rows = []
    for line in madison.splitlines():
        package, version, source = (part.strip() for part in line.split("|"))
        numbers = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
        if numbers:
            suite = source.split()[1].split("/")[0]
            rows.append((package, tuple(int(number) for number in numbers[1].split(".")), suite))
    return sorted(rows, key=lambda row: apt_sources.MOVING.index(row[2]) if row[2] in apt_sources.MOVING else -1)


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def _image(client: Client, base: str) -> str:
    """The image that holds the mirror's answer."""
    packages = " ".join(program.package for program in PROGRAMS.values())
    arguments = {"SUITES": " ".join(apt_sources.MOVING), "PACKAGES": packages}
    return image_build.build(client, "versions", image_build.IMAGES / "versions", base, arguments)


def _madison(client: Client, base: str) -> str:
    """What the mirror has; asked once, as long as the image is there."""
    answer: bytes = client.containers.run(_image(client, base), ["cat", "/versions"], remove=True)
    return answer.decode()
