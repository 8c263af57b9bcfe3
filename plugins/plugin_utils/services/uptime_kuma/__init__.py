# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Uptime Kuma: monitors, notifications, status pages."""
