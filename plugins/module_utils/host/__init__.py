# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What the plan needs to know of a host."""
