# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The services of the stack, each a room of its own."""
