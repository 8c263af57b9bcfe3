# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What is written into files of the apps themselves: keys of their env files, the Google tag in their templates."""
