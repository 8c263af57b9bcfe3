# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Alertmanager: routes, receivers, silences and messages."""
