# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Pushgateway: batch jobs leave their numbers there for Prometheus."""
