# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Projects, client keys and alerts in Sentry; projects in Bugsink."""
