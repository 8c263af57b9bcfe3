# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: `./crowsnest bench`."""
