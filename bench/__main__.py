# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Entry point: `python bench --help`."""

import sys
from pathlib import Path

# This directory runs as a program, its modules are the package `bench`; the laboratory, the collection, the program for
# backups and servers that the tests start are used too.
ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("", "molecule", "collections", "tests/helpers", "files/backup")
sys.path[0:1] = [str(ROOT / folder) for folder in FOLDERS]

from bench.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
