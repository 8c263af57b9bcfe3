# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What keeps strangers out of the hosts."""
