# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake of a declaration, each as one sentence."""
