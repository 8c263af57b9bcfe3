# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP to services on the loopback of the same host. Python 3.9, standard library."""

from __future__ import annotations

import urllib.request

# Never through a proxy, whatever the environment says.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
