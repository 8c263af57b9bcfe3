# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Sentry kept an event that it took. Python 3.9, standard library."""

from __future__ import annotations

import time

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.client import Client, MissingError, SentryError

PAUSE_SECONDS = 2.0


def why_unseen(client: Client, organization: str, project: str, event: str, seconds: float) -> str:
    """Empty as soon as the event of a project (its number) can be seen, else why it cannot after so many seconds.

    https://docs.sentry.io/api/events/retrieve-an-event-for-a-project/
    """
    end = time.monotonic() + seconds
    while True:
        try:
            client.get(f"/api/0/projects/{organization}/{project}/events/{event}/", scope="project:read")
            return ""
        except MissingError:
            pass
        except SentryError as error:
            return str(error)
        if time.monotonic() > end:
            return (
                f"it cannot be seen after {seconds:g} s. A used-up quota, a filter of the project or an organization "
                "that does not own this project drops events without a word"
            )
        time.sleep(PAUSE_SECONDS)
