# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The Redis of an app, as its exporter reaches it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    AuthorityFile,
    DatabaseAddress,
    Strict,
)

# It stands in a script of Lua between quotes, and in a label.
Queue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:@/{}-]{1,100}$")]


class Redis(Strict):
    """The app's Redis or Valkey: its state, and the length of its Celery queues."""

    address: DatabaseAddress = Field(
        "127.0.0.1:6379",
        description="host:port as the server reaches it; a Redis in a container publishes its port on the host's "
        "loopback.",
    )
    username: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.-]{1,100}$", description="Its user (ACL); most have none. Needs `password`."
    )
    password: SecretStr | None = Field(None, description="Its password.")
    tls: bool = Field(False, description="Whether the connection is encrypted (TLS), as a cloud's Redis often demands.")
    ca_file: AuthorityFile = None
    verify_tls: bool = Field(
        True, description="Whether a Redis with an invalid certificate counts as down. `ca_file` is better than false."
    )
    database: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Number of the database with the queues: 1 where Celery's broker is redis://127.0.0.1/1.",
    )
    queues: list[Queue] = Field(
        [],
        description="Names of its Celery queues. Without it neither queues nor workers are watched. Celery's own "
        "default queue is called celery: write [celery].",
    )

    @model_validator(mode="after")
    def _login_as_a_whole(self) -> Redis:
        if self.username and self.password is None:
            raise ValueError("`username` needs `password`")
        return self

    @model_validator(mode="after")
    def _certificates_of_tls(self) -> Redis:
        if not self.tls and (self.ca_file or not self.verify_tls):
            raise ValueError("`verify_tls` and `ca_file` need `tls: true`")
        if self.ca_file and not self.verify_tls:
            raise ValueError("Set `ca_file` or `verify_tls: false`, not both")
        return self

    @model_validator(mode="after")
    def _queues_once(self) -> Redis:
        if len(set(self.queues)) < len(self.queues):
            raise ValueError("List each name in `queues` once")
        return self
