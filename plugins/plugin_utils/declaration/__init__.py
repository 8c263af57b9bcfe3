# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The declaration: everything a team writes down, as pydantic models."""
