"""Check a release with the service's own checker (promtool, amtool, ...) before it comes into force.

Standard library only and Python 3.9.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    ConfigDirectoryError,
    Release,
)
from ansible_collections.crowsnest.core.plugins.module_utils.files import open_directory, write_tree

VALIDATE_SECONDS = 300.0  # generous: `docker run` may first have to pull the image
SHOWN_CHARACTERS = 4000
SHORTEST_MASKED_WORD = 6  # shorter pieces of a secret would blank out ordinary words of the output


@dataclass(frozen=True)
class Validator:
    """A command, split into arguments that may contain %s for the release's directory, and its secrets."""

    arguments: tuple[str, ...]
    secrets: tuple[str, ...] = ()

    def installed(self) -> bool:
        """Whether the program is on this host."""
        return shutil.which(self.arguments[0]) is not None

    def run(self, directory: str) -> None:
        """Raise ConfigDirectoryError unless the command accepts the release in `directory` (an absolute path)."""
        command = [argument.replace("%s", directory) for argument in self.arguments]
        line = shlex.join(command)
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=VALIDATE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigDirectoryError(f"validate: no answer in {VALIDATE_SECONDS:g} s from: {line}") from error
        except OSError as error:
            advice = "install the program first, or correct the command"
            raise ConfigDirectoryError(f"validate: cannot run {line}: {error.strerror}; {advice}") from error
        if done.returncode:
            output = mask(done.stdout.decode("utf-8", "replace"), self.secrets).strip()[-SHOWN_CHARACTERS:]
            outcome = f"validate refused the new configuration (exit status {done.returncode}): {line}"
            raise ConfigDirectoryError(f"{outcome}\n{output or '(it printed nothing)'}")


def rehearse(validator: Validator, release: Release, directory: str) -> None:
    """Validate a copy of the release, made in `directory` and removed again. Raises OSError and as Validator.run."""
    with tempfile.TemporaryDirectory(dir=directory) as copy:
        with open_directory(copy) as handle:
            write_tree(handle, release.tree)
        validator.run(copy)


def make_validator(command: str | None, release: Release) -> Validator | None:
    """Split a command line as a shell would; None stays None. Raise ConfigDirectoryError if it cannot be right."""
    if not command:
        return None
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise ConfigDirectoryError(f"validate: {error} in: {command}") from error
    if not any("%s" in argument for argument in arguments[1:]):
        raise ConfigDirectoryError(f"validate: write %s where the release's directory belongs in: {command}")
    return Validator(tuple(arguments), tuple(release.files[name].decode() for name in sorted(release.secrets)))


def mask(output: str, secrets: Iterable[str]) -> str:
    """Hide secret texts in a program's output: as a whole, by line, and by word, longest first."""
    pieces = {secret.strip() for secret in secrets}
    for secret in secrets:
        parts = [*secret.splitlines(), *re.split(r"[\s\"'=,]+", secret)]
        pieces |= {part.strip() for part in parts if len(part.strip()) >= SHORTEST_MASKED_WORD}
    for piece in sorted(pieces - {""}, key=len, reverse=True):
        output = output.replace(piece, "********")
    return output
