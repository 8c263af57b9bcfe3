# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the program that the words name, and prints as JSON what it and everything it started took.

Standard library only, and a process of its own: the peak of a program's memory is at least that of the process that
started it.
"""

import json
import resource
import subprocess
import sys
import time

begun = time.monotonic()
status = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
seconds = time.monotonic() - begun
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 2**10}, sys.stdout)
sys.exit(status)
