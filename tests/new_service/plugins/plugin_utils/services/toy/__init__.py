# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The toy: a service that shows how one is added."""
