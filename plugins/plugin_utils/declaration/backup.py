# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a team declares about its backups: when, how many are kept, where else they go, how often one is proven."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    AskedUrl,
    Clock,
    Part,
    RefusalError,
    Strict,
    switch,
)

Count = Annotated[int, Field(ge=0, le=1000)]


# With it, `backup: false` is None.
Switch = switch("no backup")


def _recipient(text: str) -> str:
    """https://github.com/C2SP/C2SP/blob/main/age.md#the-x25519-recipient-type"""
    if text.upper().startswith("AGE-SECRET-KEY-"):
        public = "Give the public key, which begins with age1, and keep the secret one off your hosts"
        raise RefusalError(f"is a secret key. {public}", hidden=True)
    if not re.fullmatch("age1[02-9ac-hj-np-z]{58}", text):
        raise ValueError("a public key as `age-keygen` prints it: age1 and 58 small letters and digits")
    return text


class Keep(Strict):
    """How many backups are kept: the newest of each of the last days, weeks and months. The last good one stays."""

    daily: Count = Field(7, description="Days.")
    weekly: Count = Field(4, description="Weeks, which begin on Monday.")
    monthly: Count = Field(6, description="Months.")

    @model_validator(mode="after")
    def _keeps_something(self) -> Keep:
        if self.total == 0:
            raise ValueError("At least one of `daily`, `weekly` and `monthly` must be more than 0")
        return self

    @property
    def total(self) -> int:
        """At most this many are kept."""
        return self.daily + self.weekly + self.monthly


class Schedule(Strict):
    """When a backup is made, how many are kept, and where else they go."""

    at: Clock = Field("03:00", description="Hour:minute in the time zone, in quotes. A missed night is made good.")
    keep: Keep = Field(Keep(), description="How many backups are kept, on the host and in the remote each.")
    remote: Part | None = Field(
        None, description="Name in `crowsnest_backup_remotes`: where each backup is copied to. Default: nowhere."
    )


class Backup(Schedule):
    """When an app's database is backed up."""

    drill: Literal["weekly", "monthly", "never"] = Field(
        "weekly",
        description="How often a backup is restored into a scratch database and its rows are counted.",
    )
    check_in: bool = Field(False, description="Report to a cron monitor in Sentry, too; needs `sentry`.")


class StackBackup(Schedule):
    """When the stack's own state is backed up: dashboards, monitors, users, questions, silences."""

    metrics: bool = Field(False, description="Whether the metrics of the past are in it as well; they are large.")


class BackupRemote(Strict):
    """Object storage that speaks S3: Amazon S3, a Lightsail bucket, or any other by its `endpoint_url`."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description="Name of the bucket; it must exist."
    )
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")] = Field(
        description="Region of the bucket, such as ap-northeast-2. Storage that has none takes us-east-1."
    )
    endpoint_url: AskedUrl | None = Field(None, description="Address of storage that is not Amazon's.")
    access_key: str | None = Field(
        None, min_length=1, description="Name of the access key. Default: the role of the host it runs on."
    )
    secret_key: SecretStr | None = Field(None, description="The secret of `access_key`.")
    encrypt_to: list[Annotated[str, AfterValidator(_recipient)]] = Field(
        [],
        description="Public keys of age. What is copied there can be read only with one of their secret keys, which "
        "no host has.",
    )

    @model_validator(mode="after")
    def _key_as_a_whole(self) -> BackupRemote:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("Set `access_key` and `secret_key` together, or neither")
        return self
