# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which templates get the Google tag, and when nothing is left to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.memory import remember
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.run import run, wanted_tags
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.settled import settled
from ansible_collections.crowsnest.core.plugins.plugin_utils.app_files import tags
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration import settings


def test_the_templates_of_all_apps_on_a_host() -> None:
    shop = {"measurement_id": "G-ABCDE12345", "templates": ["/srv/a.html", "/srv/b.html"], "nonce": "csp_nonce"}
    blog = {"measurement_id": "G-FGHIJ12345", "templates": ["/srv/c.html"], "consent": "granted"}
    apps = [{"name": "shop", "analytics": shop}, {"name": "blog", "analytics": blog}, {"name": "idle"}]
    declared = settings.read({"crowsnest_apps": [*apps, {"name": "far", "host": "web2", "analytics": blog}]})
    ours = {"measurement_id": "G-ABCDE12345", "consent": "denied", "nonce": "csp_nonce"}
    assert tags.templates(declared, "web1", "web1") == [
        {"path": "/srv/a.html", **ours},
        {"path": "/srv/b.html", **ours},
        {"path": "/srv/c.html", "measurement_id": "G-FGHIJ12345", "consent": "granted", "nonce": ""},
    ]
    assert [each["path"] for each in tags.templates(declared, "web2", "web1")] == ["/srv/c.html"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_templates_that_have_their_tags_are_not_asked_again(line_end: str, tmp_path: Path) -> None:
    page, state = tmp_path / "base.html", tmp_path / "state"
    page.write_text(f"<html>{line_end}  <head>{line_end}  </head></html>", newline="")

    def left(**different: str) -> list[str]:
        tag = {"measurement_id": "G-ABCDE12345", "nonce": "csp_nonce()", "templates": [str(page)], **different}
        declared = settings.read({"crowsnest_apps": [{"name": "shop", "analytics": tag}]})
        facts = {**host_facts(), "google_tags": settled(state)}
        return tags.left(declared, "web1", "web1", facts)  # type: ignore[arg-type]

    assert left() == [str(page)]
    tag = {"path": str(page), "measurement_id": "G-ABCDE12345", "consent": "denied", "nonce": "csp_nonce()"}
    run(wanted_tags([tag]), state, check=False)
    assert left() == []
    assert left(consent="granted") == [str(page)]
    assert left(templates=["/srv/other.html"]) == ["/srv/other.html", str(page)]  # type: ignore[arg-type]

    page.write_text(page.read_text().replace("G-ABCDE", "G-OTHER"))
    assert left() == [str(page)]
    page.unlink()
    assert settled(state) == {str(page): ""}
    assert left() == [str(page)]
    remember(state, [])
    assert settled(state) == {}
