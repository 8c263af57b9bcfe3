#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: uptime_kuma
short_description: Give Uptime Kuma exactly the declared monitors, notifications, pages and maintenance windows
description:
  - Creates the account of a new Uptime Kuma, compares all that is declared with all that is there, and writes only
    what differs. One connection, one login, one call for everything.
  - Objects created by this module carry a mark. What carries it but is no longer declared is removed, what was edited
    by hand is corrected, and what people created themselves is never touched. Tags stay.
  - A field that is not declared gets Kuma's default. All field names are Kuma's own.
  - When a run is interrupted, the next one continues. An option of the wrong shape is refused at once, all other
    mistakes are reported together; in both cases nothing is changed.
  - Supports Uptime Kuma 1.23 and 2.x.
requirements:
  - uptime-kuma-api2 (Python, imported as uptime_kuma_api)
options:
  url:
    description: Where Uptime Kuma answers on the host.
    type: str
    required: true
  username:
    description: Name of the account.
    type: str
    default: admin
  password:
    description: Its password. It is set when the account is created, and never changed.
    type: str
    required: true
  timeout:
    description: How long to wait until Uptime Kuma answers, in seconds.
    type: int
    default: 180
  settings:
    description: Settings, such as C(serverTimezone) and C(keepDataPeriodDays). Others stay as they are.
    type: dict
    default: {}
  notifications:
    description:
      - Each has C(key), C(name), C(type) and the options of its type, such as C(slackwebhookURL).
      - None of these options is ever shown.
    type: list
    elements: dict
    default: []
  docker_hosts:
    description: Docker engines that monitors of type V(docker) query.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: Name.}
      dockerType: {type: str, choices: [socket, tcp, null], description: How it is reached.}
      dockerDaemon: {type: str, description: "Path of its socket, or its address."}
  tags:
    description: Colours of tags. A tag that is used but not listed here is grey.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: Name.}
      color: {type: str, required: true, description: "Like V(#4B5563)."}
  monitors:
    description: What is watched.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: Identifies it whatever its name is.}
      name: {type: str, required: true, description: "Name that people see, unique."}
      type:
        description: What it does. A missing field that the type needs is reported.
        type: str
        required: true
        choices:
          [dns, docker, gamedig, globalping, group, grpc-keyword, http, json-query, kafka-producer, keyword, manual,
           mongodb, mqtt, mysql, ntp, oracledb, ping, pm2, port, postgres, push, rabbitmq, radius, real-browser,
           redis, sip-options, smtp, snmp, sqlserver, steam, system-service, tailscale-ping, websocket-upgrade]
      interval: {type: int, description: "Seconds between two checks; at least 20 before Uptime Kuma 2.1."}
      retryInterval: {type: int, description: "Seconds until the next check after a failed one; as V(interval)."}
      resendInterval:
        description: After how many failed checks the notifications are sent again; V(0) means never.
        type: int
      maxretries: {type: int, description: How many failed checks in a row do not count as down yet.}
      timeout: {type: float, description: Seconds to wait for an answer.}
      upsideDown: {type: bool, description: "Up when there is no answer, and down when there is one."}
      url: {type: str, description: "URL, for the HTTP and WebSocket types."}
      method: {type: str, description: HTTP method.}
      headers: {type: dict, description: HTTP headers by name.}
      body: {type: raw, description: "Body of the request, text or data."}
      httpBodyEncoding: {type: str, description: "V(json), V(form) or V(xml)."}
      maxredirects: {type: int, description: How many redirections are followed.}
      accepted_statuscodes:
        description: Status codes that count as up, such as V(200-299) or V(404).
        type: list
        elements: str
      expiryNotification: {type: bool, description: Whether to report a certificate that expires soon.}
      ignoreTls: {type: bool, description: Whether an invalid certificate counts as up.}
      proxyId: {type: int, description: Number of a proxy in Uptime Kuma.}
      authMethod: {type: str, description: "V(basic), V(oauth2-cc), V(ntlm), V(mtls) or V(bearer)."}
      basic_auth_user: {type: str, description: User for V(basic) and V(ntlm).}
      basic_auth_pass: {type: str, description: Password for V(basic) and V(ntlm).}
      authDomain: {type: str, description: Domain for V(ntlm).}
      authWorkstation: {type: str, description: Workstation for V(ntlm).}
      oauth_auth_method: {type: str, description: How the client authenticates at the token URL.}
      oauth_token_url: {type: str, description: URL that issues a token.}
      oauth_client_id: {type: str, description: Client ID.}
      oauth_client_secret: {type: str, description: Client secret.}
      oauth_scopes: {type: str, description: "Scopes, separated by spaces."}
      tlsCa: {type: str, description: Certificate authority for V(mtls).}
      tlsCert: {type: str, description: Certificate for V(mtls).}
      tlsKey: {type: str, description: Key for V(mtls).}
      keyword: {type: raw, description: "Text that the answer must contain, for V(keyword) and V(grpc-keyword)."}
      invertKeyword: {type: bool, description: Up when the answer does not contain it.}
      jsonPath: {type: str, description: "JSONata expression, for V(json-query)."}
      expectedValue: {type: raw, description: Value that the result is compared with.}
      hostname: {type: str, description: "Host, for types without a URL."}
      port: {type: int, description: "Port, for types without a URL."}
      packetSize: {type: int, description: Size of a ping in bytes.}
      dns_resolve_server: {type: str, description: "Name server to query, for V(dns)."}
      dns_resolve_type: {type: str, description: "Kind of record, such as V(A)."}
      pushToken:
        description: Last part of the address that is pushed to. If it is not declared, it stays as it is.
        type: str
      docker_container: {type: str, description: "Name of a container, for V(docker)."}
      grpcUrl: {type: str, description: "Address, for V(grpc-keyword)."}
      grpcEnableTls: {type: bool, description: Whether it uses TLS.}
      grpcServiceName: {type: str, description: Service.}
      grpcMethod: {type: str, description: Method.}
      grpcProtobuf: {type: str, description: Definition of the messages.}
      grpcBody: {type: raw, description: "Request, text or data."}
      grpcMetadata: {type: raw, description: "Metadata, text or data."}
      mqttUsername: {type: str, description: "User, for V(mqtt)."}
      mqttPassword: {type: str, description: Password.}
      mqttTopic: {type: str, description: Topic.}
      mqttSuccessMessage: {type: raw, description: Text that a message must contain.}
      databaseConnectionString: {type: str, description: "How to connect, for the database types."}
      databaseQuery: {type: str, description: Query that must succeed.}
      radiusUsername: {type: str, description: "User, for V(radius)."}
      radiusPassword: {type: str, description: Password.}
      radiusSecret: {type: str, description: Secret of the server.}
      radiusCalledStationId: {type: str, description: Called station.}
      radiusCallingStationId: {type: str, description: Calling station.}
      game: {type: str, description: "Name of the game, for V(gamedig)."}
      gamedigGivenPortOnly: {type: bool, description: Whether to try only the given port.}
      kafkaProducerBrokers: {type: list, elements: str, description: "Brokers, for V(kafka-producer)."}
      kafkaProducerTopic: {type: str, description: Topic.}
      kafkaProducerMessage: {type: raw, description: "Message, text or data."}
      kafkaProducerSsl: {type: bool, description: Whether it uses TLS.}
      kafkaProducerAllowAutoTopicCreation: {type: bool, description: Whether the topic may be created.}
      kafkaProducerSaslOptions: {type: dict, description: C(mechanism) and the options that it needs.}
      jsonPathOperator: {type: str, description: "How the two are compared, such as V(==)."}
      mqttCheckType: {type: str, description: V(keyword) or V(json-query).}
      mqttWebsocketPath: {type: str, description: Path of MQTT over WebSocket.}
      cacheBust: {type: bool, description: Whether caches are bypassed.}
      conditions: {type: raw, description: "Conditions as Uptime Kuma writes them, a list or its JSON."}
      remote_browser: {type: int, description: "Number of a browser in Uptime Kuma, for V(real-browser)."}
      snmpOid: {type: str, description: "Object ID, for V(snmp)."}
      snmpVersion: {type: str, description: Version of SNMP.}
      rabbitmqNodes: {type: list, elements: str, description: "Addresses of the nodes, for V(rabbitmq)."}
      rabbitmqUsername: {type: str, description: User.}
      rabbitmqPassword: {type: str, description: Password.}
      smtpSecurity: {type: str, description: "Encryption, for V(smtp)."}
      oauth_audience: {type: str, description: Audience of the token.}
      ipFamily: {type: str, description: V(ipv4) or V(ipv6).}
      ping_count: {type: int, description: How many packets are sent.}
      ping_numeric: {type: bool, description: Whether addresses are not resolved to host names.}
      ping_per_request_timeout: {type: float, description: Seconds to wait for each packet.}
      domainExpiryNotification: {type: bool, description: Whether to report a domain that expires soon.}
      saveResponse: {type: bool, description: Whether answers are kept.}
      saveErrorResponse: {type: bool, description: Whether answers of failed checks are kept.}
      responseMaxLength: {type: int, description: How many bytes of an answer are kept.}
      retryOnlyOnStatusCodeFailure: {type: bool, description: Whether to retry only after a wrong status code.}
      wsSubprotocol: {type: str, description: "Subprotocol, for V(websocket-upgrade)."}
      wsIgnoreSecWebsocketAcceptHeader: {type: bool, description: Whether that header may be missing.}
      system_service_name: {type: str, description: "Name, for V(system-service) and V(pm2)."}
      subtype: {type: str, description: "Kind of measurement, for V(globalping)."}
      location: {type: str, description: Where it is measured from.}
      protocol: {type: str, description: Protocol of the measurement.}
      expectedTlsAlert: {type: str, description: TLS alert that counts as up.}
      screenshot_delay: {type: float, description: "Milliseconds before a screenshot is taken, for V(real-browser)."}
      ntpStratumThreshold: {type: int, description: "Highest stratum, for V(ntp)."}
      ntpTimeOffsetThreshold: {type: float, description: Largest offset in milliseconds.}
      ntpRootDispersionThreshold: {type: float, description: Largest root dispersion in milliseconds.}
      bearer_token: {type: str, description: Token for V(bearer).}
      gamedigToken: {type: str, description: "Token, for V(gamedig)."}
      description: {type: str, description: Text below its name.}
      group: {type: str, description: Key of a monitor of type V(group) that it is in.}
      notifications: {type: list, elements: str, description: Keys of the O(notifications) that it sends.}
      tags:
        description: Tags in the order of their names.
        type: list
        elements: dict
        suboptions:
          name: {type: str, required: true, description: Name.}
          value: {type: str, description: Value.}
      docker_host: {type: str, description: "Name in O(docker_hosts), for V(docker)."}
      active: {type: bool, description: Whether it runs, by default V(true).}
  maintenances:
    description: Maintenance windows, during which no fault is reported.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: Identifies it whatever its title is.}
      title: {type: str, required: true, description: Title that people see.}
      strategy:
        description: When it takes place. A missing field that the strategy needs is reported.
        type: str
        required: true
        choices: [manual, single, recurring-interval, recurring-weekday, recurring-day-of-month, cron]
      description: {type: str, description: Text below the title.}
      active: {type: bool, description: Whether it is in force, by default V(true).}
      dateRange:
        description: Start and end, such as V(2026-12-24 22:00); needed for V(single), an optional limit for the others.
        type: list
        elements: str
      timeRange:
        description: Start and end within the day, for recurring strategies.
        type: list
        elements: dict
        suboptions:
          hours: {type: int, description: Hour.}
          minutes: {type: int, description: Minute.}
      weekdays: {type: list, elements: raw, description: "Days of the week, V(0) is Sunday."}
      daysOfMonth: {type: list, elements: raw, description: "Days of the month, numbers or V(lastDay1) to V(lastDay4)."}
      intervalDay: {type: int, description: "Number of days between two windows, for V(recurring-interval)."}
      cron: {type: str, description: "Cron expression of five fields, for V(cron)."}
      durationMinutes: {type: int, description: "Length in minutes, for V(cron)."}
      timezone: {type: str, description: Time zone such as V(Europe/Berlin), by default that of the settings.}
      monitors: {type: list, elements: str, description: Keys of the O(monitors) that it covers.}
      status_pages: {type: list, elements: str, description: Slugs of O(status_pages) that show it.}
  status_pages:
    description: Public pages. A slug or a domain name that belongs to a page made by hand is refused.
    type: list
    elements: dict
    default: []
    suboptions:
      slug: {type: str, required: true, description: Last part of its address.}
      title: {type: str, required: true, description: Title.}
      description: {type: str, description: Text below the title.}
      theme: {type: str, choices: [auto, light, dark, null], description: Colours.}
      icon: {type: str, description: URL of its icon.}
      domainNameList: {type: list, elements: str, description: Domain names that show it as their first page.}
      footerText: {type: str, description: Text at the bottom.}
      showTags: {type: bool, description: Whether tags are shown.}
      showPoweredBy: {type: bool, description: Whether it mentions Uptime Kuma.}
      showCertificateExpiry: {type: bool, description: Whether it shows when certificates expire.}
      customCSS: {type: str, description: Style sheet.}
      autoRefreshInterval: {type: int, description: Seconds until it reloads.}
      showOnlyLastHeartbeat: {type: bool, description: Whether only the last check is shown.}
      rssTitle: {type: str, description: Title of its feed.}
      analyticsId: {type: str, description: Analytics ID.}
      analyticsScriptUrl: {type: str, description: URL of the analytics script.}
      analyticsType: {type: str, description: Analytics provider.}
      groups:
        description: What it shows, in this order.
        type: list
        elements: dict
        suboptions:
          name: {type: str, required: true, description: Heading.}
          monitors: {type: list, elements: str, description: "Keys of O(monitors), in this order."}
      incident:
        description: A message at the top of the page. Incidents that people post stay.
        type: dict
        suboptions:
          title: {type: str, required: true, description: Title.}
          content: {type: str, required: true, description: Text.}
          style: {type: str, description: "V(info), V(warning), V(danger), V(primary), V(light) or V(dark)."}
  metrics_key:
    description:
      - Keeps an API key for C(/metrics) in a file. A new one is created when the file is missing or Uptime Kuma refuses
        the key in it.
      - The Prometheus that uses it is restarted if it has used an older key, since Prometheus 3 does not read the file
        again.
    type: dict
    suboptions:
      path: {type: path, required: true, description: The file.}
      owner: {type: int, description: Numeric ID of the user and the group that may read it.}
      reader:
        description: The Prometheus that uses the key.
        type: dict
        required: true
        suboptions:
          url: {type: str, required: true, description: Its URL.}
          container: {type: str, description: "Its container, to restart it."}
  container:
    description:
      - Name of Uptime Kuma's container. If it is set, Uptime Kuma 2.x is restarted after a new tag, because it uses as
        labels of C(/metrics) only the tags that exist when it starts.
    type: str
    default: ''
  state_directory:
    description: Directory for a file that records that such a restart is due, so that the next run makes up for it.
    type: path
attributes:
  check_mode:
    description: Reports exactly what would be done and writes nothing.
    details: Also works before the account exists and before Uptime Kuma runs; then everything is reported as created.
    support: full
  diff_mode:
    description: Text before and after each change, field by field, with secrets masked.
    support: full
author: crowsnest contributors
"""

EXAMPLES = r"""
- name: Watch a shop
  crowsnest.core.uptime_kuma:
    url: http://127.0.0.1:3001
    password: "{{ vault_uptime_kuma_admin_password }}"
    notifications:
      - {key: ops, name: Operations, type: slack, slackwebhookURL: "{{ vault_slack_url }}"}
    monitors:
      - {key: shop, name: shop, type: group}
      - key: shop/website
        name: "shop: website"
        type: http
        url: https://shop.example.com
        expiryNotification: true
        group: shop
        notifications: [ops]
        tags: [{name: app, value: shop}]
    status_pages:
      - {slug: status, title: Our services, groups: [{name: Shop, monitors: [shop/website]}]}
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, in this order.
  type: list
  elements: str
  returned: success
  sample: ["create monitor shop: website", "change monitor shop: health: interval 60 → 30"]
counts:
  description: How many objects were created, changed and removed.
  type: dict
  returned: success
  sample: {created: 1, changed: 1, removed: 0}
version:
  description: Version of Uptime Kuma, empty if it did not answer.
  type: str
  returned: success
  sample: 2.5.3
restarted:
  description: Whether Uptime Kuma was restarted.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crowsnest.core.plugins.module_utils.kuma.options import ARGUMENT_SPEC, secrets
from ansible_collections.crowsnest.core.plugins.module_utils.kuma.run import run
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import run_module


def main() -> None:
    """Entry point of the module."""
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), secrets, run)


if __name__ == "__main__":
    main()
