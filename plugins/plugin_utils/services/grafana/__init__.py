# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Grafana: its settings, data sources and dashboards."""
