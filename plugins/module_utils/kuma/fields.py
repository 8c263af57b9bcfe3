# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The fields of Uptime Kuma's objects: default, form, whether secret, since which version. Python 3.9.

Names are Kuma's own: https://github.com/louislam/uptime-kuma/blob/2.5.3/server/model/monitor.js (toJSON).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Version = tuple[int, ...]
EMPTY: tuple[Any, ...] = (None, "", [], {})  # all mean: the default


def text(value: Any) -> Any:
    """`true` for True, `5` for 5: as Kuma stores it."""
    return value if isinstance(value, str) else json.dumps(value)


def number(value: Any) -> Any:
    """5 for "5" and 5.0; what is no number stays as it is."""
    try:
        exact = float(value)
    except (TypeError, ValueError):
        return value
    return int(exact) if exact.is_integer() else exact


def flag(value: Any) -> bool:
    """True for True, 1 and "true"."""
    return str(value).lower() in ("1", "true", "yes", "on")


def members(value: Any) -> list[str]:
    """A list whose order means nothing, sorted; a single value is a list of one."""
    return sorted({text(each) for each in (value if isinstance(value, list) else [value])})


def data(value: Any) -> Any:
    """Structured data, which Kuma keeps as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


class Field(NamedTuple):
    """One field: its default, its one true form, whether it is secret, the version that brought it."""

    default: Any = None
    form: Callable[[Any], Any] = text
    secret: bool = False
    since: Version = (1, 23)
    as_json: bool = False  # sent as JSON text

    def canonical(self, value: Any, default: Any = None) -> Any:
        """Equal for all ways to say the same thing: null, "" and nothing; 0 and false; "5" and 5."""
        if value in EMPTY:
            return self.default if default is None else default
        return self.form(value)

    def sent(self, value: Any) -> Any:
        """A canonical value as Kuma wants to receive it."""
        return json.dumps(value, indent=4) if self.as_json and value is not None else value


SECRET = Field(secret=True)
TEXT, V2 = Field(), (2, 0)

# Every field of a monitor that can be declared. The defaults are those of Kuma's own form or, for fields newer than
# 1.23, those of its database: these are sent only when they have another value, so that an older 2.x never sees a
# field that it does not know.
MONITOR: Mapping[str, Field] = {
    "interval": Field(60, number),
    "retryInterval": Field(60, number),
    "resendInterval": Field(0, number),
    "maxretries": Field(0, number),
    "timeout": Field(48, number),
    "upsideDown": Field(False, flag),
    "url": TEXT,
    "method": Field("GET"),
    "headers": Field(None, data, secret=True, as_json=True),
    "body": SECRET,
    "httpBodyEncoding": Field("json"),
    "maxredirects": Field(10, number),
    "accepted_statuscodes": Field(["200-299"], members),
    "expiryNotification": Field(False, flag),
    "ignoreTls": Field(False, flag),
    "proxyId": Field(None, number),
    "authMethod": TEXT,
    "basic_auth_user": TEXT,
    "basic_auth_pass": SECRET,
    "authDomain": TEXT,
    "authWorkstation": TEXT,
    "oauth_auth_method": Field("client_secret_basic"),
    "oauth_token_url": TEXT,
    "oauth_client_id": TEXT,
    "oauth_client_secret": SECRET,
    "oauth_scopes": TEXT,
    "tlsCa": TEXT,
    "tlsCert": TEXT,
    "tlsKey": SECRET,
    "keyword": TEXT,
    "invertKeyword": Field(False, flag),
    "jsonPath": TEXT,
    "expectedValue": TEXT,
    "hostname": TEXT,
    "port": Field(None, number),
    "packetSize": Field(56, number),
    "dns_resolve_server": TEXT,
    "dns_resolve_type": Field("A"),
    "pushToken": SECRET,
    "docker_container": TEXT,
    "grpcUrl": TEXT,
    "grpcEnableTls": Field(False, flag),
    "grpcServiceName": TEXT,
    "grpcMethod": TEXT,
    "grpcProtobuf": TEXT,
    "grpcBody": SECRET,
    "grpcMetadata": SECRET,
    "mqttUsername": TEXT,
    "mqttPassword": SECRET,
    "mqttTopic": TEXT,
    "mqttSuccessMessage": TEXT,
    "databaseConnectionString": SECRET,
    "databaseQuery": TEXT,
    "radiusUsername": TEXT,
    "radiusPassword": SECRET,
    "radiusSecret": SECRET,
    "radiusCalledStationId": TEXT,
    "radiusCallingStationId": TEXT,
    "game": TEXT,
    "gamedigGivenPortOnly": Field(True, flag),
    "kafkaProducerBrokers": Field([], members),
    "kafkaProducerTopic": TEXT,
    "kafkaProducerMessage": TEXT,
    "kafkaProducerSsl": Field(False, flag),
    "kafkaProducerAllowAutoTopicCreation": Field(False, flag),
    "kafkaProducerSaslOptions": Field({"mechanism": "None"}, data, secret=True),
    "jsonPathOperator": Field(since=V2),
    "mqttCheckType": Field("keyword", since=V2),
    "mqttWebsocketPath": Field(since=V2),
    "cacheBust": Field(False, flag, since=V2),
    "conditions": Field([], data, since=V2),
    "remote_browser": Field(None, number, since=V2),
    "snmpOid": Field(since=V2),
    "snmpVersion": Field("2c", since=V2),
    "rabbitmqNodes": Field([], members, since=V2),
    "rabbitmqUsername": Field(since=V2),
    "rabbitmqPassword": Field(secret=True, since=V2),
    "smtpSecurity": Field(since=V2),
    "oauth_audience": Field(since=V2),
    "ipFamily": Field(since=V2),
    "ping_count": Field(1, number, since=V2),
    "ping_numeric": Field(True, flag, since=V2),
    "ping_per_request_timeout": Field(2, number, since=V2),
    "domainExpiryNotification": Field(False, flag, since=(2, 1)),
    "saveResponse": Field(False, flag, since=(2, 1)),
    "saveErrorResponse": Field(True, flag, since=(2, 1)),
    "responseMaxLength": Field(1024, number, since=(2, 1)),
    "retryOnlyOnStatusCodeFailure": Field(False, flag, since=(2, 1)),
    "wsSubprotocol": Field(since=(2, 1)),
    "wsIgnoreSecWebsocketAcceptHeader": Field(False, flag, since=(2, 1)),
    "system_service_name": Field(since=(2, 1)),
    "subtype": Field(since=(2, 1)),
    "location": Field(since=(2, 1)),
    "protocol": Field(since=(2, 1)),
    "expectedTlsAlert": Field(since=(2, 1)),
    "screenshot_delay": Field(0, number, since=(2, 5)),
    "ntpStratumThreshold": Field(5, number, since=(2, 5)),
    "ntpTimeOffsetThreshold": Field(1000, number, since=(2, 5)),
    "ntpRootDispersionThreshold": Field(500, number, since=(2, 5)),
    "bearer_token": Field(secret=True, since=(2, 4)),
    "gamedigToken": Field(secret=True, since=(2, 4)),
}

# Where the default depends on the type. Without an operator Kuma 2.x calls a json-query monitor invalid.
OF_TYPE: Mapping[str, Mapping[str, Any]] = {
    "dns": {"port": 53, "dns_resolve_server": "1.1.1.1"},
    "json-query": {"jsonPath": "$", "jsonPathOperator": "=="},
    "ping": {"timeout": 10},
}

STATUS_PAGE: Mapping[str, Field] = {
    "title": TEXT,
    "description": TEXT,
    "theme": Field("auto"),
    "icon": Field("/icon.svg"),
    "domainNameList": Field([], members),
    "footerText": TEXT,
    "showTags": Field(False, flag),
    "showPoweredBy": Field(True, flag),
    "showCertificateExpiry": Field(False, flag),
    "customCSS": TEXT,
    "autoRefreshInterval": Field(300, number, since=V2),
    "showOnlyLastHeartbeat": Field(False, flag, since=(2, 1)),
    "rssTitle": Field(since=(2, 1)),
    "analyticsId": Field(since=(2, 1)),
    "analyticsScriptUrl": Field(since=(2, 1)),
    "analyticsType": Field(since=(2, 1)),
}

INCIDENT: Mapping[str, Field] = {"title": TEXT, "content": TEXT, "style": Field("primary")}

DOCKER_HOST: Mapping[str, Field] = {"dockerType": Field("socket"), "dockerDaemon": Field("/var/run/docker.sock")}


def moment(value: Any) -> str:
    """`2026-12-24 22:00:00` for `2026-12-24T22:00` and the like."""
    day, _, clock = str(value).strip().replace("T", " ").partition(" ")
    clock = clock or "00:00"
    return f"{day} {clock}:00" if clock.count(":") < 2 else f"{day} {clock}"


def moments(value: Any) -> list[str]:
    """Start and end; Kuma says null for an open one."""
    return [moment(each) for each in value if each not in EMPTY]


def times(value: Any) -> list[dict[str, int]]:
    """Start and end of the day's window."""
    return [{"hours": int(each.get("hours", 0)), "minutes": int(each.get("minutes", 0))} for each in value]


def days(value: Any) -> list[Any]:
    """Weekdays or days of a month, sorted; Kuma also knows words such as lastDay1."""
    return sorted({number(each) for each in value}, key=lambda day: (isinstance(day, str), day))


MAINTENANCE: Mapping[str, Field] = {
    "title": TEXT,
    "description": TEXT,
    "strategy": TEXT,
    "active": Field(True, flag),
    "dateRange": Field([], moments),
    "timeRange": Field([], times),
    "weekdays": Field([], days),
    "daysOfMonth": Field([], days),
    "intervalDay": Field(1, number),
    "cron": Field("30 3 * * *"),
    "durationMinutes": Field(60, number),
    "timezone": Field("SAME_AS_SERVER"),
}

# Which of them a strategy uses; Kuma fills the others as it likes.
_ALWAYS = ("title", "description", "strategy", "active")
OF_STRATEGY: Mapping[str, tuple[str, ...]] = {
    "manual": _ALWAYS,
    "single": (*_ALWAYS, "dateRange", "timezone"),
    "recurring-interval": (*_ALWAYS, "dateRange", "timeRange", "timezone", "intervalDay"),
    "recurring-weekday": (*_ALWAYS, "dateRange", "timeRange", "timezone", "weekdays"),
    "recurring-day-of-month": (*_ALWAYS, "dateRange", "timeRange", "timezone", "daysOfMonth"),
    "cron": (*_ALWAYS, "dateRange", "timezone", "cron", "durationMinutes"),
}


def monitor_default(name: str, kind: str) -> Any:
    """What a field that is not declared means for a type of monitor."""
    return OF_TYPE.get(kind, {}).get(name, MONITOR[name].default)


def loose(value: Any) -> Any:
    """The one form of a value of no known kind (settings, options of notifications): `5` for "5", false is nothing."""
    if value in EMPTY or value is False:
        return None
    if isinstance(value, list):
        return sorted((loose(each) for each in value), key=str)
    if value is True or isinstance(value, dict):
        return value
    return text(value)
