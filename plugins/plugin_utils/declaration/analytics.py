# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What an app reports to Google Analytics 4, and by which of its files."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import MEASUREMENT_ID, NONCE
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    EnvironmentVariable,
    File,
    RefusalError,
    Strict,
)

_WHERE = "Use the measurement id of the web data stream (Analytics: Admin, Data streams), such as G-ABCDE12345"
# Ids of other Google products, and what they are: https://support.google.com/analytics/answer/12326985 and
# https://support.google.com/tagmanager/answer/12002338
_OTHER_PRODUCTS = {
    r"UA-\d+-\d+": "is an id of Universal Analytics, which Google has switched off",
    r"GTM-\w+": "is a container of Tag Manager. If the page has it, set Analytics up in it and leave `analytics` out",
    r"AW-\d+": "is an id of Google Ads, which counts no pages",
    r"DC-\d+": "is an id of Floodlight, which counts no pages",
    r"GT-\w+": "is a Google tag, which can report to several products",
    r"(properties/)?\d+": "is the number of an account, a property or a stream",
}


def _measurement_id(text: str) -> str:
    for pattern, what in _OTHER_PRODUCTS.items():
        if re.fullmatch(pattern, text, re.IGNORECASE | re.ASCII):
            raise RefusalError(f"{what}. {_WHERE}")
    if not MEASUREMENT_ID.fullmatch(text):
        raise ValueError("G- and 6 to 12 capitals or digits, such as G-ABCDE12345")
    return text


def _nonce(text: str) -> str:
    if "{{" in text:
        raise RefusalError("has braces, which Ansible would take for its own. Leave them out: request.csp_nonce")
    if not NONCE.fullmatch(text):
        raise ValueError(
            "the expression by which a template gets the nonce, such as request.csp_nonce, csp_nonce() or <%= nonce %>"
        )
    return text


class Analytics(Strict):
    """What counts the visits of an app: Google Analytics 4."""

    measurement_id: Annotated[str, AfterValidator(_measurement_id)] = Field(
        description="Measurement id of the web data stream, such as G-ABCDE12345."
    )
    templates: list[File] = Field(
        [],
        description="Files with a </head> on the app's host, such as a base.html, that get the Google tag. Where git "
        "tracks the file or an image holds it, put the tag into the repository, or use `env`.",
    )
    env: EnvironmentVariable | None = Field(
        None,
        description="Key of the app's env file that gets the id, such as NEXT_PUBLIC_GA_ID; for an app that makes the "
        "tag itself.",
    )
    consent: Literal["denied", "granted"] = Field(
        "denied",
        description="Google's consent mode before a visitor decides. While it is `denied` Analytics shows neither "
        "users nor sessions; a consent banner calls gtag('consent', 'update', …).",
    )
    nonce: Annotated[str, AfterValidator(_nonce)] | None = Field(
        None,
        description="How `templates` get the nonce of their content security policy, without braces: request.csp_nonce "
        "(django-csp), csp_nonce (Django 6), csp_nonce() (Flask-Talisman), <%= nonce %> (EJS).",
    )

    @property
    def consent_by_default(self) -> bool:
        """Whether nobody has chosen what `consent` says."""
        return "consent" not in self.model_fields_set

    @model_validator(mode="after")
    def _has_a_use(self) -> Analytics:
        if not self.templates and not self.env:
            raise ValueError("Set `templates`, `env` or both; without them nothing gets the measurement id")
        if len(set(self.templates)) < len(self.templates):
            raise ValueError("List each file in `templates` once")
        if self.nonce and not self.templates:
            raise ValueError("`nonce` needs `templates`: it stands in the tag in these files")
        return self
