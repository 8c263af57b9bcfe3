# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The error of this package. Standard library only and Python 3.9, as all of it."""


class EnvFileError(Exception):
    """What the user must correct, or what became of a service: the cause and the way out, without any value."""
