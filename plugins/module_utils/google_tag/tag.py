# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Google tag as text, and what it is made of. Pure. Python 3.9."""

from __future__ import annotations

import re
from typing import NamedTuple

MEASUREMENT_ID = re.compile(r"G-[A-Z0-9]{6,12}")
# What a template engine fills in. The declaration has no braces: Ansible would take them for its own.
NONCE = re.compile(r"[A-Za-z_][\w.]*(?:\(\))?|<%[=-] *[A-Za-z_][\w.]*(?:\(\))? *%>", re.ASCII)
CONSENTS = ("denied", "granted")
BEGIN = "<!-- BEGIN Google tag (crowsnest) -->"
END = "<!-- END Google tag (crowsnest) -->"


class Tag(NamedTuple):
    """A Google tag: where it reports to, the consent before a visitor decides, and the nonce.

    `nonce` is the expression by which the template gets the nonce of its content security policy: `request.csp_nonce`,
    `csp_nonce()`, or whole where the engine has no double braces: `<%= nonce %>`. Empty without one.
    """

    measurement_id: str
    consent: str
    nonce: str


def without_blanks(*parts: str) -> str:
    """A block as it is compared: a team that pastes it may format its files."""
    return "".join("".join(parts).split())


def lines(tag: Tag) -> list[str]:
    """The lines of the managed block.

    Google's own tag, with the consent before all else, so that nothing is sent without it:
    https://developers.google.com/tag-platform/security/guides/consent
    """
    nonce = tag.nonce if tag.nonce.startswith("<%") or not tag.nonce else f"{{{{ {tag.nonce} }}}}"
    attribute = f' nonce="{nonce}"' if nonce else ""
    return [
        BEGIN,
        f"<script{attribute}>",
        "  window.dataLayer = window.dataLayer || [];",
        "  function gtag() {",
        "    dataLayer.push(arguments);",
        "  }",
        '  gtag("consent", "default", {',
        *(
            f'    {purpose}: "{tag.consent}",'
            for purpose in ("ad_storage", "ad_user_data", "ad_personalization", "analytics_storage")
        ),
        *(["    wait_for_update: 500,"] if tag.consent == "denied" else []),
        "  });",
        '  gtag("js", new Date());',
        f'  gtag("config", "{tag.measurement_id}");',
        "</script>",
        f'<script async{attribute} src="https://www.googletagmanager.com/gtag/js?id={tag.measurement_id}"></script>',
        END,
    ]
