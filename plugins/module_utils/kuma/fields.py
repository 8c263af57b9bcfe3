# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The fields of Uptime Kuma's objects: default, form, whether secret, since which version. Pure. Python 3.9.

Names are Kuma's own: https://github.com/louislam/uptime-kuma/blob/2.5.3/server/model/monitor.js (toJSON).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.canonical import (
    Field,
    data,
    days,
    flag,
    members,
    moments,
    number,
    times,
)

SECRET, SECRET_DATA = Field(secret=True), Field(secret=True, other_type="raw")
TEXT, DATA, V2 = Field(), Field(other_type="raw"), (2, 0)

# Every field of a monitor that can be declared. The defaults are those of Kuma's own form or, for fields newer than
# 1.23, those of its database: these are sent only when they have another value, so that an older 2.x never sees a
# field that it does not know.
MONITOR: Mapping[str, Field] = {
    "interval": Field(60, number),
    "retryInterval": Field(60, number),
    "resendInterval": Field(0, number),
    "maxretries": Field(0, number),
    "timeout": Field(48, number, other_type="float"),
    "upsideDown": Field(False, flag),
    "url": TEXT,
    "method": Field("GET"),
    "headers": Field(None, data, secret=True, as_json=True),
    "body": SECRET_DATA,
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
    "keyword": DATA,
    "invertKeyword": Field(False, flag),
    "jsonPath": TEXT,
    "expectedValue": DATA,
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
    "grpcBody": SECRET_DATA,
    "grpcMetadata": SECRET_DATA,
    "mqttUsername": TEXT,
    "mqttPassword": SECRET,
    "mqttTopic": TEXT,
    "mqttSuccessMessage": DATA,
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
    "kafkaProducerMessage": DATA,
    "kafkaProducerSsl": Field(False, flag),
    "kafkaProducerAllowAutoTopicCreation": Field(False, flag),
    "kafkaProducerSaslOptions": Field({"mechanism": "None"}, data, secret=True),
    "jsonPathOperator": Field(since=V2),
    "mqttCheckType": Field("keyword", since=V2),
    "mqttWebsocketPath": Field(since=V2),
    "cacheBust": Field(False, flag, since=V2),
    "conditions": Field([], data, since=V2, other_type="raw"),
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
    "ping_per_request_timeout": Field(2, number, other_type="float", since=V2),
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
    "screenshot_delay": Field(0, number, other_type="float", since=(2, 5)),
    "ntpStratumThreshold": Field(5, number, since=(2, 5)),
    "ntpTimeOffsetThreshold": Field(1000, number, other_type="float", since=(2, 5)),
    "ntpRootDispersionThreshold": Field(500, number, other_type="float", since=(2, 5)),
    "bearer_token": Field(secret=True, since=(2, 4)),
    "gamedigToken": Field(secret=True, since=(2, 4)),
}

# Types of monitors, and what each cannot do without.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "group": (),
    "push": (),
    "manual": (),
    "http": ("url",),
    "keyword": ("url", "keyword"),
    "json-query": ("url", "jsonPath", "expectedValue"),
    "real-browser": ("url",),
    "websocket-upgrade": ("url",),
    "port": ("hostname", "port"),
    "ping": ("hostname",),
    "dns": ("hostname", "dns_resolve_server", "port"),
    "docker": ("docker_container", "docker_host"),
    "grpc-keyword": ("grpcUrl", "keyword", "grpcServiceName", "grpcMethod"),
    "mqtt": ("hostname", "port", "mqttTopic"),
    "kafka-producer": ("kafkaProducerBrokers", "kafkaProducerTopic", "kafkaProducerMessage"),
    "rabbitmq": ("rabbitmqNodes",),
    "sqlserver": ("databaseConnectionString",),
    "postgres": ("databaseConnectionString",),
    "mysql": ("databaseConnectionString",),
    "mongodb": ("databaseConnectionString",),
    "redis": ("databaseConnectionString",),
    "oracledb": ("databaseConnectionString",),
    "radius": ("hostname", "radiusUsername", "radiusPassword", "radiusSecret"),
    "snmp": ("hostname", "snmpOid"),
    "smtp": ("hostname",),
    "ntp": ("hostname",),
    "tailscale-ping": ("hostname",),
    "sip-options": ("hostname", "port"),
    "globalping": ("hostname",),
    "steam": ("hostname", "port"),
    "gamedig": ("game", "hostname", "port"),
    "system-service": ("system_service_name",),
    "pm2": ("system_service_name",),
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
