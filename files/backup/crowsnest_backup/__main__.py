# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m crowsnest_backup`."""

import sys

from crowsnest_backup.cli import main

sys.exit(main())
