# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Receivers: where alerts go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.values import (
    LOOPBACK,
    Duration,
    MailAddress,
    Name,
    SecretUrl,
    SmtpServer,
    Strict,
)

Severity = Literal["critical", "high", "medium", "low"]
# Port of SMTP with TLS from the first byte (RFC 8314); all others begin with STARTTLS.
SMTP_TLS_PORT = 465
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


class AnyReceiver(Strict):
    """What all receivers share."""

    # Names of the fields whose value is written to a file of its own.
    secrets: ClassVar[tuple[str, ...]] = ()
    # People read it when they like, so it also gets what is no fault: not a phone that rings at night, nor a webhook,
    # behind which a pager may open an incident.
    read: ClassVar[bool] = False
    name: Name | None = Field(None, description="Name in reports. Default: the type.")
    after: Duration | None = Field(
        None,
        description="It gets an alert only when it has fired for this long, such as 15m, and nobody has acknowledged "
        "it. Another receiver must get the same severities at once.",
    )
    severities: list[Severity] = Field(list(SEVERITIES), min_length=1, description="Which alerts it gets.")


def _bot_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"xoxb-[A-Za-z0-9-]+", token.get_secret_value()):
        raise ValueError("a token that begins with xoxb-; not that of a person (xoxp-) or of the app itself (xapp-)")
    return token


class SlackReceiver(AnyReceiver):
    """A Slack channel, through an incoming webhook or a bot: [which one](operating.md#two-ways-into-slack)."""

    secrets = ("webhook_url", "bot_token")
    read = True
    type: Literal["slack"]
    webhook_url: SecretUrl | None = Field(None, description="The incoming webhook, https://hooks.slack.com/services/….")
    bot_token: Annotated[SecretStr, AfterValidator(_bot_token)] | None = Field(
        None, description="Or the Bot User OAuth Token of a Slack app: a message is then edited as its fault goes on."
    )
    channel: str | None = Field(
        None,
        validate_default=True,
        pattern=r"^[#@]?[^\s/:#@]+$",  # also an id, and a name in programs compatible with Slack
        description="Default: the webhook's own channel. Slack lets only old webhooks choose; for an app's webhook, "
        "choose the channel in Slack.",
    )
    username: str = Field(
        "crowsnest", description="Sender's name; only old webhooks and programs compatible with Slack honour it."
    )

    @field_validator("channel")
    @classmethod
    def _of_the_bot(cls, channel: str | None, declared: ValidationInfo) -> str | None:
        """A refused token is not among `declared`, and was given all the same."""
        if channel is None and declared.data.get("bot_token", "refused"):
            raise ValueError('with `bot_token`, where it posts, such as "#alerts"')
        return channel

    @property
    def shows_buttons(self) -> bool:
        """Whether it is Slack itself; programs compatible with it leave such buttons out."""
        url = self.webhook_url.get_secret_value() if self.webhook_url else ""
        return not url or url.startswith(("https://hooks.slack.com/", "https://hooks.slack-gov.com/"))

    @model_validator(mode="after")
    def _one_way(self) -> SlackReceiver:
        if (self.webhook_url is None) == (self.bot_token is None):
            raise ValueError("Set either `webhook_url`, or `bot_token` with `channel`")
        return self


class DiscordReceiver(AnyReceiver):
    """A Discord channel, through a webhook."""

    secrets = ("webhook_url",)
    read = True
    type: Literal["discord"]
    webhook_url: SecretUrl = Field(description="The channel's webhook.")


class TeamsReceiver(AnyReceiver):
    """A channel or chat of Microsoft Teams, through a workflow that starts with a webhook."""

    secrets = ("webhook_url",)
    read = True
    type: Literal["teams"]
    webhook_url: SecretUrl = Field(description="The address that the workflow shows, https://….logic.azure.com/….")


class TelegramReceiver(AnyReceiver):
    """A chat, group or channel of Telegram, through a bot that is a member of it."""

    secrets = ("bot_token",)
    read = True
    type: Literal["telegram"]
    bot_token: SecretStr = Field(description="The bot's token, from @BotFather.")
    chat_id: int = Field(description="The chat's number; those of groups and channels begin with a minus sign.")


def _topic(url: SecretStr) -> SecretStr:
    if not re.fullmatch(r"https?://[^/?#]+(?:/[^?#]+)?/[-_A-Za-z0-9]{1,64}", url.get_secret_value()):
        raise ValueError("a full URL with the topic as its last part")
    return url


class NtfyReceiver(AnyReceiver):
    """A topic of ntfy 2.10 or later, on ntfy.sh or a server of your own. The priority follows from the severity."""

    secrets = ("url", "token")
    read = True
    type: Literal["ntfy"]
    url: Annotated[SecretUrl, AfterValidator(_topic)] = Field(
        description="Address of the topic, such as https://ntfy.sh/my-alerts. On ntfy.sh whoever knows it can read it."
    )
    token: SecretStr | None = Field(None, description="Access token, where the topic needs one.")


class WebhookReceiver(AnyReceiver):
    """Any program that takes Alertmanager's JSON."""

    secrets = ("url",)
    type: Literal["webhook"]
    url: SecretUrl = Field(description="Where Alertmanager posts.")


class EmailReceiver(AnyReceiver):
    """E-mail through an SMTP server: with TLS from the first byte on port 465, with STARTTLS on any other."""

    secrets = ("password",)
    read = True
    type: Literal["email"]
    to: list[MailAddress] = Field(min_length=1, description="Addresses.")
    sender: MailAddress = Field(description="The From address.")
    smarthost: SmtpServer = Field(description="SMTP server with port, such as smtp.example.com:587.")
    username: str | None = Field(None, description="SMTP user.")
    password: SecretStr | None = Field(None, description="SMTP password.")
    require_tls: bool = Field(
        True,
        description="Set false for a mail relay that offers no TLS; it must be on the server itself "
        "(localhost:25) or need no password.",
    )
    severities: list[Severity] = Field(["critical"], min_length=1, description="Which alerts it gets.")

    @model_validator(mode="after")
    def _tls_or_local(self) -> EmailReceiver:
        """A relay on loopback rarely has a certificate for that name, so the choice must be made there."""
        local = LOOPBACK.match(self.smarthost)
        if local and "require_tls" not in self.model_fields_set:
            raise ValueError(
                f"{self.smarthost} needs `require_tls: false` when this relay offers no TLS, else `require_tls: true`"
            )
        if not self.require_tls and self.smarthost.endswith(f":{SMTP_TLS_PORT}"):
            raise ValueError(f"Port {SMTP_TLS_PORT} begins with TLS and takes no `require_tls: false`")
        if not self.require_tls and self.password and not local:
            raise ValueError(
                "`require_tls: false` needs a relay on the server itself such as localhost:25, or no password: "
                "a password is not sent over the network without TLS"
            )
        return self


class SnsReceiver(AnyReceiver):
    """SMS, or anything else that subscribes to a topic of Amazon SNS."""

    secrets = ("secret_key",)
    type: Literal["sns"]
    topic_arn: str = Field(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:\S+$", description="The topic.")
    access_key: str | None = Field(None, description="AWS access key id. Default: the host's own role.")
    secret_key: SecretStr | None = Field(None, description="AWS secret access key.")
    severities: list[Severity] = Field(["critical"], min_length=1, description="Which alerts it gets.")

    @model_validator(mode="after")
    def _key_with_secret(self) -> SnsReceiver:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("Set `access_key` and `secret_key` together, or neither")
        return self


_Kinds = (
    SlackReceiver
    | DiscordReceiver
    | TeamsReceiver
    | TelegramReceiver
    | NtfyReceiver
    | WebhookReceiver
    | EmailReceiver
    | SnsReceiver
)
Receiver = Annotated[_Kinds, Field(discriminator="type")]
# {type: its model}
KINDS: dict[str, type[AnyReceiver]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(_Kinds)
}


def first_email_receiver(receivers: Sequence[Receiver]) -> EmailReceiver | None:
    """Its server also sends what Grafana and Metabase send."""
    return next((receiver for receiver in receivers if isinstance(receiver, EmailReceiver)), None)


def first_slack_bot(receivers: Sequence[Receiver]) -> SecretStr | None:
    """The token of its bot; Metabase sends to channels with it, too."""
    return next((item.bot_token for item in receivers if isinstance(item, SlackReceiver) and item.bot_token), None)


def receiver_name(receiver: AnyReceiver) -> str:
    """The name a report uses: the declared one, else the type."""
    return receiver.name or str(getattr(receiver, "type"))  # noqa: B009 - every subclass has it


def at_once(receivers: Sequence[Receiver], severity: Severity) -> list[Receiver]:
    """Those that get alerts of this severity without waiting."""
    return [receiver for receiver in receivers if severity in receiver.severities and not receiver.after]


def later(receivers: Sequence[Receiver], severity: Severity) -> dict[str, list[Receiver]]:
    """{after: receivers that get alerts of this severity when they still fire then}."""
    found: dict[str, list[Receiver]] = {}
    for receiver in receivers:
        if receiver.after and severity in receiver.severities:
            found.setdefault(receiver.after, []).append(receiver)
    return found
