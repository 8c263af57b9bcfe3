# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Google tag, by which pages report to Google Analytics 4: in templates on a host, and in pages that are served."""
