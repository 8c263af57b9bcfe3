# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of `./crowsnest`: one parser for all verbs. Standard library only, so that it starts at once.

It also answers questions with an older Python of the system, before there is an environment; hence Python 3.9 syntax.
"""
