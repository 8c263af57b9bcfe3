# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Entry point: `python bench --help`."""

import sys
from pathlib import Path

# This directory runs as a program, its modules are the package `bench`; the laboratory and the collection are used too.
ROOT = Path(__file__).resolve().parents[1]
sys.path[0:1] = [str(ROOT), str(ROOT / "molecule"), str(ROOT / "collections")]

from bench.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
