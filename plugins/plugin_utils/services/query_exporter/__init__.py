# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The exporter of KPIs: it puts the SQL of all apps to their databases."""
