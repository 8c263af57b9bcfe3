# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The blackbox exporter: how apps are probed from outside."""
