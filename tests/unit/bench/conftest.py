# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark is a program in a folder; its modules are the package `bench` and use the package `lab`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[0:0] = [str(ROOT), str(ROOT / "molecule")]
