# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Entry point: `python molecule/lab --help`."""

import sys
from pathlib import Path

# The directory runs as a program, its modules are the package `lab`.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

try:
    from lab.cli import main
except ModuleNotFoundError as error:
    sys.exit(f"The Python package {error.name} is missing: run this with the project's environment (.venv/bin/python).")

sys.exit(main(sys.argv[1:]))
