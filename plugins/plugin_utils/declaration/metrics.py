# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the metrics of an app are read, and how they are requested."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import NAME, MetricsPage
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.uptime import (
    HeaderName,
    HeaderValue,
    HttpRequest,
    LoginPassword,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    RESERVED_HEADERS,
    AuthorityFile,
    MetricsAddress,
)

# Prometheus refuses these in a configuration; `Host` it cannot send but through a proxy (`MetricsSource.host_header`).
_NOT_SENT = RESERVED_HEADERS | {"authorization", "user-agent"}


class MetricsSource(HttpRequest):
    """A page on which an app shows its metrics. Text in its place is its `address`."""

    address: MetricsAddress = Field(
        description="Where metrics are read: host:port/path as `curl` on that host reaches it. Default path: /metrics."
    )
    scheme: Literal["http", "https"] = Field("http", description="Whether it is requested over http or https.")
    path: Annotated[str, Field(pattern=r"^/[^\s?#]*$")] | None = Field(
        None, description="Its path, if `address` has none."
    )
    bearer_token: LoginPassword | None = Field(None, description="Token that is sent as `Authorization: Bearer`.")
    ca_file: AuthorityFile = None
    headers: dict[HeaderName, HeaderValue] = Field(
        {},
        description="Headers of the request; all but Host are secrets, as they may hold a token. With Host the request "
        "is `GET http://HOST/path`, as to a proxy, to which uvicorn answers 404 unless it has httptools.",
    )

    @model_validator(mode="after")
    def _one_login(self) -> MetricsSource:
        if self.username is not None and self.bearer_token is not None:
            raise ValueError("Set `username` and `password`, or `bearer_token`, not both")
        return self

    @model_validator(mode="after")
    def _one_path(self) -> MetricsSource:
        if self.path and "/" in self.address:
            raise ValueError("Set the path in `address` or in `path`, not in both")
        return self

    @model_validator(mode="after")
    def _headers_that_prometheus_sends(self) -> MetricsSource:
        if refused := [name for name in self.headers if name.lower() in _NOT_SENT]:
            way_out = "A login has keys of its own: `username` and `password`, or `bearer_token`"
            raise ValueError(f"`headers` may not have {', '.join(refused)}: Prometheus sets it itself. {way_out}")
        if self.host_header is not None and self.scheme == "https":
            raise ValueError("`headers` may have Host over http only; over https write that name in `address`")
        if self.host_header is not None and not re.fullmatch(rf"{NAME}(:[0-9]{{1,5}})?", self.host_header):
            raise ValueError("The header Host must be a name, such as shop.example.com")
        return self

    @model_validator(mode="after")
    def _certificates_of_https(self) -> MetricsSource:
        if self.scheme == "http" and (self.ca_file or not self.verify_tls):
            raise ValueError("`verify_tls` and `ca_file` need `scheme: https`")
        if self.ca_file and not self.verify_tls:
            raise ValueError("Set `ca_file` or `verify_tls: false`, not both")
        return self

    @property
    def page(self) -> MetricsPage:
        """Its host, port and path."""
        return MetricsPage.parse(self.address, self.path)

    @property
    def host_header(self) -> str | None:
        """The header Host, if it is another one than the address."""
        return next((value.get_secret_value() for name, value in self.headers.items() if name.lower() == "host"), None)

    @property
    def as_usual(self) -> bool:
        """Whether it is requested over http, with no login and no headers."""
        return self.scheme == "http" and self.username is None and self.bearer_token is None and not self.headers


def _as_mapping(value: Any) -> Any:
    return {"address": value} if isinstance(value, str) else value


MetricsItem = Annotated[MetricsSource, BeforeValidator(_as_mapping, json_schema_input_type=str | MetricsSource)]
