# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The inventory around the declaration: its files, its hosts, how SSH reaches them."""
