# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""An app's env file: some of its keys are ours, every other byte is the app's."""
