# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark is a program in a folder; its modules are the package `bench`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
