# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Caddy: the door for people. HTTPS, a login where a page has none, and nothing else of the services."""
