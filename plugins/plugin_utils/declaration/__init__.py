# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declaration: all that a team writes down, as pydantic models."""
