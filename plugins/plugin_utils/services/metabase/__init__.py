# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Metabase: its settings, the questions it answers, the databases it reads."""
