# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Uptime Kuma: what it holds, what it should hold, the difference."""
