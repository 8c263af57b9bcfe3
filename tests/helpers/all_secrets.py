"""A declaration with a secret of its own at every place where the model takes one, however deep."""

from __future__ import annotations

import types
from collections.abc import Iterator
from copy import deepcopy
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

# What a model asks for beside its secrets, by its name; a discriminator among it is the model's own.
REQUIRED: dict[str, dict[str, Any]] = {
    "App": {
        "name": "shop",
        "url": "https://shop.example.com/",
        "username": "kim",
        "backup": {"remote": "own", "check_in": True},
        "env_file": "/srv/shop/.env",
        "analytics": {"measurement_id": "G-ABCDE12345", "templates": ["/srv/shop/base.html"]},
    },
    "Declaration": {"domain": "watch.example.com"},
    "User": {"name": "kim"},
    # A token excludes the password: test_config.py of Prometheus has one.
    "MetricsSource": {"address": ":8000", "username": "kim", "bearer_token": None},
    "Database": {"name": "shop", "admin_user": "postgres"},
    "BackupRemote": {"bucket": "backups", "region": "ap-northeast-2", "access_key": "kim"},
    "SentryAccount": {"organization": "acme"},
    "MetabaseDatabase": {"address": "10.0.0.9:5432"},
    # One of the two: test_config.py of Alertmanager has the token.
    "SlackReceiver": {"type": "slack", "bot_token": None},
    "DiscordReceiver": {"type": "discord"},
    "TeamsReceiver": {"type": "teams"},
    "TelegramReceiver": {"type": "telegram", "chat_id": -100123},
    "NtfyReceiver": {"type": "ntfy"},
    "WebhookReceiver": {"type": "webhook"},
    "EmailReceiver": {
        "type": "email",
        "to": ["ops@example.com"],
        "sender": "crowsnest@example.com",
        "smarthost": "smtp.example.com:587",
        "username": "kim",
    },
    "SnsReceiver": {"type": "sns", "topic_arn": "arn:aws:sns:ap-northeast-2:123456789012:ops", "access_key": "kim"},
    "HttpMonitor": {"type": "http", "url": "https://a.example.com/", "username": "kim"},
    "KeywordMonitor": {"type": "keyword", "url": "https://b.example.com/", "username": "kim", "keyword": "well"},
    "JsonMonitor": {
        "type": "json-query",
        "url": "https://c.example.com/",
        "username": "kim",
        "query": "queue",
        "expected": "0",
    },
}


def secret_part(secret: str) -> str:
    """What of it nobody may see, even alone: the key of a DSN, whose project is no secret; else its last part."""
    before, _, host = secret.partition("@")
    return before.rpartition("/")[2] if host else secret.rpartition("/")[2]


class AllSecrets:
    """`declared` is the declaration, `places` is {secret: where it stands}, such as {…: "apps[0].password"}."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.places: dict[str, str] = {}
        self.declared: dict[str, Any] = self._model(model, "")

    def _model(self, model: type[BaseModel], place: str) -> dict[str, Any]:
        declared = deepcopy(REQUIRED.get(model.__name__, {}))
        if "name" in model.model_fields and model.model_fields["name"].is_required():
            declared.setdefault("name", model.__name__)
        for name, field in model.model_fields.items():
            if name not in declared and holds_secret(field.annotation):
                declared[name] = self._value(field.annotation, f"{place}.{name}".lstrip("."))
        return declared

    def _value(self, annotation: Any, place: str) -> Any:
        if annotation is SecretStr:
            return self._secret(place)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self._model(annotation, place)
        inner = [each for each in get_args(annotation) if holds_secret(each)]
        origin = get_origin(annotation)
        if origin is list:
            return [self._value(each, f"{place}[{number}]") for number, each in enumerate(alternatives(inner[0]))]
        if origin is dict:
            key = "own" if isinstance(inner[0], type) and issubclass(inner[0], BaseModel) else "X-Own"
            return {key: self._value(inner[0], f"{place}.{key}")}
        return self._value(inner[0], place)

    def _secret(self, place: str) -> str:
        """It suits every kind of secret there is: a URL, a password of many kinds of signs, a header, a token.

        Only a DSN has a form of its own, and a token of Sentry is no URL.
        """
        number = len(self.places)
        is_dsn = place.endswith(("sentry.dsn", "sentry.frontend_dsn"))
        if is_dsn:
            secret = f"https://{number:032x}@hush.example.com/{97531000 + number}"
        else:
            secret = f"{'' if place.endswith('sentry.token') else 'https://'}hush.example.com/Hush-{number:04}"
        self.places[secret] = place
        return secret


def alternatives(annotation: Any) -> list[Any]:
    """The members of a union, however wrapped, that hold a secret; else the annotation itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [each for member in get_args(annotation) if holds_secret(member) for each in alternatives(member)]
    return [annotation]


def holds_secret(annotation: Any) -> bool:
    """Whether a secret may stand below an annotation, at any depth."""
    return any(found is SecretStr for found in types_below(annotation))


def types_below(annotation: Any) -> Iterator[Any]:
    """Every type that an annotation and the models in it name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for field in annotation.model_fields.values():
            yield from types_below(field.annotation)
    elif arguments := get_args(annotation):
        for argument in arguments:
            yield from types_below(argument)
    else:
        yield annotation
