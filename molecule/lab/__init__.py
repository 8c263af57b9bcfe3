# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The offline laboratory: throw-away hosts with systemd and Docker of their own, for tests and the demo."""
