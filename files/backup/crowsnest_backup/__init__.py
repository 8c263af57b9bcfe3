# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Backups of PostgreSQL and of the stack's own state: made, checked, kept, restored and proven on this host.

Runs in the Python environment of the role toolbox. The role backup puts it on a host; docs/backup.md is for people.
"""
