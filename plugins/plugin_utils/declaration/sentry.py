# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team declares about its errors: where Sentry is, and how an app's environment names it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from ansible_collections.crowsnest.core.plugins.module_utils.sentry.dsn import DsnError, parse
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    Container,
    EnvironmentVariable,
    RefusalError,
    Strict,
    is_url,
)


def _dsn(dsn: SecretStr) -> SecretStr:
    try:
        parse(dsn.get_secret_value())
    except DsnError as error:
        raise RefusalError(str(error), hidden=True) from None
    return dsn


def _api_token(token: SecretStr) -> SecretStr:
    """https://docs.sentry.io/account/auth-tokens/#types-of-auth-tokens"""
    if token.get_secret_value().startswith("sntrys_"):
        raise RefusalError(
            "is an organization token, which cannot make projects or alerts. Make an internal integration in Sentry "
            "under Settings, Custom Integrations, and take its token",
            hidden=True,
        )
    if "://" in token.get_secret_value():
        raise RefusalError("is an address, perhaps a DSN, and no token", hidden=True)
    return token


def _release(text: str) -> str:
    """What Sentry takes, and every reader of env files: https://docs.sentry.io/platforms/python/configuration/releases/"""
    if not re.fullmatch(r"[A-Za-z0-9_.:@%+,=-]{1,200}", text) or text in (".", ".."):
        raise ValueError("git, image, or at most 200 letters, digits and _.:@%+,=- such as shop@1.2.3")
    return text


def _host(text: str) -> str:
    if not is_url(text if "://" in text else f"https://{text}", "http", "https") or not re.fullmatch("[^@?#]+", text):
        raise ValueError("the host of Sentry such as sentry.io or de.sentry.io, or a URL such as http://127.0.0.1:8000")
    return text.rstrip("/")


# Not every secret: whoever reads a web page sees its DSN. It lets everybody send events, so it is shown nowhere.
SentryDsn = Annotated[SecretStr, AfterValidator(_dsn)]


class SentryNames(Strict):
    """Names of the variables in the app's env file."""

    dsn: EnvironmentVariable = Field("SENTRY_DSN", description="DSN of the backend.")
    frontend_dsn: EnvironmentVariable = Field(
        "REACT_APP_SENTRY_DSN",
        description="DSN of the frontend, such as VITE_SENTRY_DSN or NEXT_PUBLIC_SENTRY_DSN. It is read when the "
        "frontend is built.",
    )
    environment: EnvironmentVariable = Field("SENTRY_ENVIRONMENT", description="What `crowsnest_environment` says.")
    release: EnvironmentVariable = Field("SENTRY_RELEASE", description="What `release` says.")
    traces_sample_rate: EnvironmentVariable = Field(
        "SENTRY_TRACES_SAMPLE_RATE", description="What `traces_sample_rate` says."
    )


class Sentry(Strict):
    """Where an app reports its errors. Needs `env_file`."""

    dsn: SentryDsn | None = Field(
        None,
        description="DSN of the backend's project: https://KEY@HOST/NUMBER. Default: that of a project which "
        "`crowsnest_sentry` makes.",
    )
    frontend_dsn: SentryDsn | None = Field(None, description="DSN of the frontend's project, or the backend's.")
    release: Annotated[str, AfterValidator(_release)] | None = Field(
        None,
        description="`git`: the short commit of the folder of `compose`; `image`: the tag of the running service; "
        "anything else is the release itself. Default: Sentry learns none.",
    )
    traces_sample_rate: float = Field(
        0.05, ge=0, le=1, description="Share of requests that are traced. Errors are always sent."
    )
    monthly_errors: int = Field(
        5_000,  # https://sentry.io/pricing/, plan Developer, read on 2026-09-20
        ge=1,
        description="Errors a month that your plan of sentry.io takes, the free one 5,000. `verify` warns of more.",
    )
    restart: list[Container] = Field(
        [],
        description="Services of `compose` that are made anew when a variable changes. With none, new values count "
        "from your next deploy on.",
    )
    names: SentryNames = Field(SentryNames(), description="Names of the variables.")


class SentryAccount(Strict):
    """An account of Sentry, in which projects, keys and alerts are made."""

    organization: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")] = Field(
        description="Short name of the organization: acme, where Sentry's pages are at https://acme.sentry.io."
    )
    token: Annotated[SecretStr, AfterValidator(_api_token)] = Field(
        description="Token of an internal integration (Sentry: Settings, Custom Integrations), or of a person."
    )
    host: Annotated[str, AfterValidator(_host)] = Field(
        "sentry.io", description="Another region, or a server of your own; a full URL when it has no HTTPS."
    )
    team: Annotated[str, Field(pattern=r"^[0-9]*[a-z_-][a-z0-9_-]{0,49}$")] = Field(
        "crowsnest", description="Team that the projects belong to; it is made if it is missing."
    )
    slack_channel: Annotated[str, Field(pattern=r"^#[^\s#]{1,80}$")] | None = Field(
        None, description="Channel that new exceptions are told to. It needs Slack in Sentry; default: by e-mail."
    )

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.host if "://" in self.host else f"https://{self.host}"
