# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The exporter of PostgreSQL: one container for each app that declares its database."""
