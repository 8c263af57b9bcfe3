# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A directory that holds exactly the given files: released, validated, swapped in by one rename."""
