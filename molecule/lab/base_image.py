# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The base image of a suite: Docker Hub's own where it answers, else made from the Debian mirror of this machine."""

import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from docker.errors import APIError, ImageNotFound

from lab import apt_sources
from lab.engine import LABEL, Client
from lab.progress import LabError, step
from lab.shell import as_root, install, run

# What the official slim images leave out as well.
SLIM_PATHS = [f"/usr/share/{folder}/*" for folder in ("doc", "groff", "info", "lintian", "locale", "man")]
SLIM_APT = 'Acquire::Languages "none";\n'
SUITES = ("trixie", "bookworm")


def official_name(suite: str) -> str:
    """Name of the base image on Docker Hub, which the local one carries as well."""
    return f"debian:{suite}-slim"


def lab_name(suite: str) -> str:
    """Name under which the lab finds the base image again."""
    return f"crowsnest-lab/base:{suite}"


def hub_answers(seconds: float = 3) -> bool:
    """True when Docker Hub can be reached from here."""
    try:
        urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=seconds)
    except urllib.error.HTTPError as answer:
        return answer.code == 401  # it asks for a token: it is there
    except OSError:
        return False
    return True


def ensure(client: Client, suite: str) -> tuple[str, str]:
    """(name, source) of the base image of a suite; source is "hub" or "packages"."""
    try:
        image = client.images.get(lab_name(suite))
    except ImageNotFound:
        image = _pull(client, suite) or _bootstrap(client, suite)
    source = "packages" if LABEL in (image.labels or {}) else "hub"
    return lab_name(suite), source


def _pull(client: Client, suite: str) -> Client | None:
    """The official image, or None when Docker Hub does not give it."""
    if not hub_answers():
        return None
    try:
        with step(f"Pulling {official_name(suite)}"):
            image = client.images.pull(*official_name(suite).split(":"))
            image.tag(*lab_name(suite).split(":"))
    except APIError as error:
        print(f"Docker Hub answers but refuses ({error.explanation}): building from Debian packages instead.")
        return None
    return image


def _bootstrap(client: Client, suite: str) -> Client:
    """Make the image with mmdebstrap from the mirror of this machine, and import it."""
    mirror = apt_sources.read_mirror()
    if shutil.which("mmdebstrap") is None:
        with step("Installing mmdebstrap"):
            install(["mmdebstrap", "debian-archive-keyring"], "mmdebstrap")
    with step(f"Building {official_name(suite)} from the Debian mirror of this machine"):
        with tempfile.TemporaryDirectory() as folder:
            tar = _debootstrap(Path(folder), mirror, suite)
            changes = ['CMD ["bash"]', f"LABEL {LABEL}=shared"]
            repository, tag = official_name(suite).split(":")
            client.api.import_image(src=str(tar), repository=repository, tag=tag, changes=changes)
        image = client.images.get(official_name(suite))
        image.tag(*lab_name(suite).split(":"))
    return image


def _debootstrap(folder: Path, mirror: apt_sources.Mirror, suite: str) -> Path:
    """A tar file of a minimal Debian that uses the same mirror; signatures are checked against this machine's keys."""
    if not Path(apt_sources.KEYRING).exists():
        raise LabError(f"{apt_sources.KEYRING} is missing: install the package debian-archive-keyring.")
    tar, sources, settings = folder / "base.tar", folder / "lab.sources", folder / "90lab"
    sources.write_text(apt_sources.render_deb822(mirror, suite), encoding="utf-8")
    settings.write_text(SLIM_APT + apt_sources.carried_settings(run(["apt-config", "dump"])), encoding="utf-8")
    slim = [f"--dpkgopt=path-exclude={path}" for path in SLIM_PATHS]
    options = [f"--aptopt={settings}", "--dpkgopt=force-unsafe-io", *slim]
    lines = [f"deb [signed-by={apt_sources.KEYRING}] {uri} {name} main" for uri, name in mirror.lines(suite)]
    hooks = [
        f"--customize-hook=upload {sources} /etc/apt/sources.list.d/lab.sources",
        f"--customize-hook=upload {settings} /etc/apt/apt.conf.d/90lab",
        '--customize-hook=rm -f "$1/etc/apt/sources.list" "$1/etc/apt/apt.conf.d/99mmdebstrap"',
    ]
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        *options,
        *hooks,
        suite,
        str(tar),
        *lines,
    ]
    run(as_root(command), 600)
    return tar
