# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where this machine gets Debian packages from, and the same for another suite.

The machine's own sources name the mirror (both forms: `man sources.list`); no address is built in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.progress import LabError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# The suites after the released ones, the steadier one first.
MOVING = ("testing", "sid")
_RELEASES = r"(bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)"
_SETTINGS = re.compile(r'^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date) ".+";$')


@dataclass(frozen=True)
class Source:
    """One repository: address, suite, components."""

    uri: str
    suite: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirror:
    """Addresses of Debian's archive and, where the machine uses one, of its security archive."""

    main: str
    security: str | None

    def lines(self, suite: str) -> list[tuple[str, str]]:
        """(address, suite) of everything a host of this suite uses; a suite that is not released has no updates."""
        if suite in MOVING:
            return [(self.main, suite)]
        found = [(self.main, suite), (self.main, f"{suite}-updates")]
        return found + ([(self.security, f"{suite}-security")] if self.security else [])


def parse_one_line(text: str) -> Iterator[Source]:
    """Sources of a `.list` file: `deb [options] uri suite component…`."""
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", " ", line.split("#", 1)[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield Source(words[1], words[2], tuple(words[3:]))


def parse_deb822(text: str) -> Iterator[Source]:
    """Sources of a `.sources` file: stanzas with Types, URIs, Suites, Components, Enabled."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {
            key.lower(): value.split() for key, value in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza)
        }
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield Source(uri, suite, tuple(fields.get("components", [])))


def find_mirror(sources: list[Source]) -> Mirror:
    """The first Debian archive among the sources; third parties have other suites or no component `main`."""
    debian = [source for source in sources if "main" in source.components]
    main = next((source.uri for source in debian if re.fullmatch(_RELEASES, source.suite)), None)
    security = next((source.uri for source in debian if re.fullmatch(_RELEASES + "-security", source.suite)), None)
    if main is None:
        raise LabError(
            "Docker Hub does not answer, and the apt sources of this machine name no Debian mirror to build images "
            "from: add one to /etc/apt/sources.list.d, or give the machine access to Docker Hub."
        )
    return Mirror(_plain(main), _plain(security) if security else None)


def _plain(uri: str) -> str:
    """The first address behind a `mirror+file:` list (cloud images use them), else the address itself."""
    if uri.startswith("mirror+file:"):
        entries = Path(re.sub(r"^mirror\+file:/*", "/", uri)).read_text(encoding="utf-8").split()
        uri = next(entry for entry in entries if "://" in entry)
    return uri.rstrip("/")


def read_mirror(root: Path = Path("/etc/apt")) -> Mirror:
    """The mirror that the apt sources under `root` name. LabError when they name none."""
    sources: list[Source] = []
    for path in [root / "sources.list", *sorted(root.glob("sources.list.d/*"))]:
        parse = {".list": parse_one_line, ".sources": parse_deb822}.get(path.suffix)
        if parse and path.is_file():
            sources.extend(parse(path.read_text(encoding="utf-8")))
    return find_mirror(sources)


def render_deb822(mirror: Mirror, suite: str) -> str:
    """A `.sources` file of the suite, with Debian's signatures demanded."""
    stanzas = [
        f"Types: deb\nURIs: {uri}\nSuites: {name}\nComponents: main\nSigned-By: {KEYRING}\n"
        for uri, name in mirror.lines(suite)
    ]
    return "\n".join(stanzas)


def carried_settings(dump: str) -> str:
    """The lines of `apt-config dump` that a container needs to reach the same mirror: proxies and checks of dates."""
    return "".join(f"{line}\n" for line in dump.splitlines() if _SETTINGS.match(line))
