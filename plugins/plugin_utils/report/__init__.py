# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run prints for a person, and what verify compares with."""
