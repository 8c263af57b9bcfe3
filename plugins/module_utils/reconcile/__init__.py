# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What all modules for an API share: objects, differences, checks of references, one run."""
