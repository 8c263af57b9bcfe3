# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Sentry: its addresses and events, and projects, client keys and alerts through its API; projects in Bugsink."""
