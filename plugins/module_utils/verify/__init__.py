# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether what runs is what was declared."""
