# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Google tag in each app's templates. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.settled import digest
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import Tag
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.settings import Declaration


def templates(declared: Declaration, host: str, server: str) -> list[dict[str, str]]:
    """What the module `google_tag` gets on a host: all templates there, as what it is not given loses its tag."""
    return [
        {
            "path": path,
            "measurement_id": app.analytics.measurement_id,
            "consent": app.analytics.consent,
            "nonce": app.analytics.nonce or "",
        }
        for app in declared.apps
        if app.analytics and (app.host or server) == host
        for path in app.analytics.templates
    ]


def settled(wanted: list[dict[str, str]], found: Mapping[str, str]) -> bool:
    """Whether these templates, and no others, have their tags; `found` is the fact `google_tags` of the host."""
    tags = {each["path"]: digest(Tag(each["measurement_id"], each["consent"], each["nonce"])) for each in wanted}
    return tags == found
