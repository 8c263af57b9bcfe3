# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Prometheus: what it scrapes and which rules it evaluates."""
