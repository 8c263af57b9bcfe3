# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Google tag in each app's templates. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.settled import digest
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import Tag
from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
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


def left(declared: Declaration, host: str, server: str, facts: HostFacts) -> list[str]:
    """Paths of the templates on a host whose tag is not as it should be, or which should have none."""
    wanted = {each["path"]: _identity(each) for each in templates(declared, host, server)}
    found = facts["google_tags"]
    return [path for path in {**wanted, **found} if wanted.get(path) != found.get(path)]


def _identity(template: Mapping[str, str]) -> str:
    return digest(Tag(template["measurement_id"], template["consent"], template["nonce"]))
