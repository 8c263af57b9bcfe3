# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan: what runs where, and whether it fits."""
