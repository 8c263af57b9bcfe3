# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Sentry, and servers that speak its protocol. Python 3.9, standard library."""
