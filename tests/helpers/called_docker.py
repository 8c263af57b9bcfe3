# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A program `docker` for a test's PATH."""

from __future__ import annotations

import stat
from pathlib import Path


class Docker:
    """A program `docker` that only writes down how it is called, and fails when asked to; or the real one."""

    def __init__(self, folder: Path, real: str) -> None:
        self.log, self.fails, self.works = folder / "log", folder / "fails", folder / "works"
        program = folder / "docker"
        program.write_text(
            f"""#!/bin/sh
echo "$@" >> {self.log}
if [ -e {self.works} ]; then exec {real} "$@"; fi
if [ -e {self.fails} ]; then echo "No such container" >&2; exit 1; fi
"""
        )
        program.chmod(stat.S_IRWXU)

    @property
    def commands(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []
