# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run prints for people, and what verify compares with."""
