#!/usr/bin/python
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: uptime_kuma
short_description: Make Uptime Kuma have exactly the declared monitors, notifications, pages and maintenance windows
description:
  - Makes the account of a new Uptime Kuma, compares all that is declared with all that is there, and writes only what
    differs. One connection, one login, one call for everything.
  - Objects made by this module carry a mark. What carries it and is no longer declared is removed, what was edited by
    hand is put right, and what people made themselves is never touched. Tags stay.
  - A field that is not declared has Kuma's default. All names of fields are Kuma's own.
  - When the run is cut off, the next one goes on. An option of another shape than below is refused at once, all other
    mistakes are reported together; nothing is changed then.
  - Knows Uptime Kuma 1.23 and 2.x.
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
    description: Its password. It is set when there is no account yet, and never changed.
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
    description: Docker engines that monitors of type V(docker) ask.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: Name.}
      dockerType: {type: str, choices: [socket, tcp, null], description: How it is reached.}
      dockerDaemon: {type: str, description: "Path of its socket, or its address."}
  tags:
    description: Colours of tags. A tag that is only used gets a grey one.
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
      key: {type: str, required: true, description: By which it is found again whatever its name is.}
      name: {type: str, required: true, description: "What people read, each name once."}
      type:
        description: What it does. A field that the type needs and that is missing is reported.
        type: str
        required: true
        choices:
          [dns, docker, gamedig, globalping, group, grpc-keyword, http, json-query, kafka-producer, keyword, manual,
           mongodb, mqtt, mysql, ntp, oracledb, ping, pm2, port, postgres, push, rabbitmq, radius, real-browser,
           redis, sip-options, smtp, snmp, sqlserver, steam, system-service, tailscale-ping, websocket-upgrade]
      interval: {type: int, description: "Seconds between two looks, from 20."}
      retryInterval: {type: int, description: "Seconds until the next look after a failed one, from 20."}
      resendInterval:
        description: After how many failed looks the notifications are sent again; V(0) is never.
        type: int
      maxretries: {type: int, description: How many failed looks in a row are still no fault.}
      timeout: {type: float, description: Seconds to wait for an answer.}
      upsideDown: {type: bool, description: "Up when there is no answer, and down when there is one."}
      url: {type: str, description: "Address, of types for HTTP and WebSocket."}
      method: {type: str, description: HTTP method.}
      headers: {type: dict, description: HTTP headers by name.}
      body: {type: raw, description: "Body of the request, text or data."}
      httpBodyEncoding: {type: str, description: "V(json), V(form) or V(xml)."}
      maxredirects: {type: int, description: How many redirections are followed.}
      accepted_statuscodes:
        description: Status codes that count as up, like V(200-299) or V(404).
        type: list
        elements: str
      expiryNotification: {type: bool, description: Whether a certificate that expires soon is reported.}
      ignoreTls: {type: bool, description: Whether a wrong certificate counts as up.}
      proxyId: {type: int, description: Number of a proxy in Uptime Kuma.}
      authMethod: {type: str, description: "V(basic), V(oauth2-cc), V(ntlm), V(mtls) or V(bearer)."}
      basic_auth_user: {type: str, description: User of V(basic) and V(ntlm).}
      basic_auth_pass: {type: str, description: Password of the same.}
      authDomain: {type: str, description: Domain of V(ntlm).}
      authWorkstation: {type: str, description: Workstation of V(ntlm).}
      oauth_auth_method: {type: str, description: How the client authenticates at the token URL.}
      oauth_token_url: {type: str, description: Where a token is got.}
      oauth_client_id: {type: str, description: Client ID.}
      oauth_client_secret: {type: str, description: Client secret.}
      oauth_scopes: {type: str, description: "Scopes, with blanks between them."}
      tlsCa: {type: str, description: Authority of V(mtls).}
      tlsCert: {type: str, description: Certificate of V(mtls).}
      tlsKey: {type: str, description: Key of V(mtls).}
      keyword: {type: raw, description: "Text that the answer must have, of V(keyword) and V(grpc-keyword)."}
      invertKeyword: {type: bool, description: Up when the answer does not have it.}
      jsonPath: {type: str, description: "JSONata expression, of V(json-query)."}
      expectedValue: {type: raw, description: What its result is compared with.}
      hostname: {type: str, description: "Host, of types without a URL."}
      port: {type: int, description: "Port, of the same."}
      packetSize: {type: int, description: Bytes of a ping.}
      dns_resolve_server: {type: str, description: "Server that is asked, of V(dns)."}
      dns_resolve_type: {type: str, description: "Kind of record, such as V(A)."}
      pushToken:
        description: End of the address that is pushed to. One that is not declared stays as it is.
        type: str
      docker_container: {type: str, description: "Name of a container, of V(docker)."}
      grpcUrl: {type: str, description: "Address, of V(grpc-keyword)."}
      grpcEnableTls: {type: bool, description: Whether it uses TLS.}
      grpcServiceName: {type: str, description: Service.}
      grpcMethod: {type: str, description: Method.}
      grpcProtobuf: {type: str, description: Definition of the messages.}
      grpcBody: {type: raw, description: "Request, text or data."}
      grpcMetadata: {type: raw, description: "Metadata, text or data."}
      mqttUsername: {type: str, description: "User, of V(mqtt)."}
      mqttPassword: {type: str, description: Password.}
      mqttTopic: {type: str, description: Topic.}
      mqttSuccessMessage: {type: raw, description: Text that a message must have.}
      databaseConnectionString: {type: str, description: "How to connect, of types for databases."}
      databaseQuery: {type: str, description: Query that must succeed.}
      radiusUsername: {type: str, description: "User, of V(radius)."}
      radiusPassword: {type: str, description: Password.}
      radiusSecret: {type: str, description: Secret of the server.}
      radiusCalledStationId: {type: str, description: Called station.}
      radiusCallingStationId: {type: str, description: Calling station.}
      game: {type: str, description: "Name of the game, of V(gamedig)."}
      gamedigGivenPortOnly: {type: bool, description: Whether only the given port is tried.}
      kafkaProducerBrokers: {type: list, elements: str, description: "Brokers, of V(kafka-producer)."}
      kafkaProducerTopic: {type: str, description: Topic.}
      kafkaProducerMessage: {type: raw, description: "Message, text or data."}
      kafkaProducerSsl: {type: bool, description: Whether it uses TLS.}
      kafkaProducerAllowAutoTopicCreation: {type: bool, description: Whether the topic may be made.}
      kafkaProducerSaslOptions: {type: dict, description: C(mechanism) and what that needs.}
      jsonPathOperator: {type: str, description: "How both are compared, such as V(==)."}
      mqttCheckType: {type: str, description: V(keyword) or V(json-query).}
      mqttWebsocketPath: {type: str, description: Path of MQTT over WebSocket.}
      cacheBust: {type: bool, description: Whether no cache may answer.}
      conditions: {type: raw, description: "Conditions as Uptime Kuma writes them, a list or its JSON."}
      remote_browser: {type: int, description: "Number of a browser in Uptime Kuma, of V(real-browser)."}
      snmpOid: {type: str, description: "Object ID, of V(snmp)."}
      snmpVersion: {type: str, description: Version of SNMP.}
      rabbitmqNodes: {type: list, elements: str, description: "Addresses of the nodes, of V(rabbitmq)."}
      rabbitmqUsername: {type: str, description: User.}
      rabbitmqPassword: {type: str, description: Password.}
      smtpSecurity: {type: str, description: "Encryption, of V(smtp)."}
      oauth_audience: {type: str, description: Audience of the token.}
      ipFamily: {type: str, description: V(ipv4) or V(ipv6).}
      ping_count: {type: int, description: How many packets are sent.}
      ping_numeric: {type: bool, description: Whether names of hosts are left out.}
      ping_per_request_timeout: {type: float, description: Seconds to wait for each packet.}
      domainExpiryNotification: {type: bool, description: Whether a domain that expires soon is reported.}
      saveResponse: {type: bool, description: Whether answers are kept.}
      saveErrorResponse: {type: bool, description: Whether answers of failed looks are kept.}
      responseMaxLength: {type: int, description: How many bytes of an answer are kept.}
      retryOnlyOnStatusCodeFailure: {type: bool, description: Whether only a wrong status code is tried again.}
      wsSubprotocol: {type: str, description: "Subprotocol, of V(websocket-upgrade)."}
      wsIgnoreSecWebsocketAcceptHeader: {type: bool, description: Whether that header may be missing.}
      system_service_name: {type: str, description: "Name, of V(system-service) and V(pm2)."}
      subtype: {type: str, description: "Kind of measurement, of V(globalping)."}
      location: {type: str, description: Where it is measured from.}
      protocol: {type: str, description: With which protocol.}
      expectedTlsAlert: {type: str, description: TLS alert that counts as up.}
      screenshot_delay: {type: float, description: "Milliseconds before a picture is taken, of V(real-browser)."}
      ntpStratumThreshold: {type: int, description: "Highest stratum, of V(ntp)."}
      ntpTimeOffsetThreshold: {type: float, description: Largest offset in milliseconds.}
      ntpRootDispersionThreshold: {type: float, description: Largest root dispersion in milliseconds.}
      bearer_token: {type: str, description: Token of V(bearer).}
      gamedigToken: {type: str, description: "Token, of V(gamedig)."}
      description: {type: str, description: Text below its name.}
      group: {type: str, description: Key of a monitor of type V(group) that it is in.}
      notifications: {type: list, elements: str, description: Keys of O(notifications) that it tells.}
      tags:
        description: Tags in the order of their names.
        type: list
        elements: dict
        suboptions:
          name: {type: str, required: true, description: Name.}
          value: {type: str, description: Value.}
      docker_host: {type: str, description: "Name in O(docker_hosts), of V(docker)."}
      active: {type: bool, description: Whether it runs; by default it does.}
  maintenances:
    description: Windows of maintenance, in which no fault is reported.
    type: list
    elements: dict
    default: []
    suboptions:
      key: {type: str, required: true, description: By which it is found again.}
      title: {type: str, required: true, description: What people read.}
      strategy:
        description: When it is. A field that the strategy needs and that is missing is reported.
        type: str
        required: true
        choices: [manual, single, recurring-interval, recurring-weekday, recurring-day-of-month, cron]
      description: {type: str, description: Text below the title.}
      active: {type: bool, description: Whether it is in force; by default it is.}
      dateRange:
        description: Start and end like V(2026-12-24 22:00), of V(single); of the others optional, from when to when.
        type: list
        elements: str
      timeRange:
        description: Start and end within the day, of strategies that recur.
        type: list
        elements: dict
        suboptions:
          hours: {type: int, description: Hour.}
          minutes: {type: int, description: Minute.}
      weekdays: {type: list, elements: raw, description: "Days of the week, V(0) is Sunday."}
      daysOfMonth: {type: list, elements: raw, description: "Days of the month, numbers or V(lastDay1) to V(lastDay4)."}
      intervalDay: {type: int, description: "Every how many days, of V(recurring-interval)."}
      cron: {type: str, description: "Five words, of V(cron)."}
      durationMinutes: {type: int, description: "How long, of V(cron)."}
      timezone: {type: str, description: Such as V(Europe/Berlin); by default the one of the settings.}
      monitors: {type: list, elements: str, description: Keys of O(monitors) that it is about.}
      status_pages: {type: list, elements: str, description: Slugs of O(status_pages) that show it.}
  status_pages:
    description: Pages for the public. A slug or a domain name of a page that was made by hand is refused.
    type: list
    elements: dict
    default: []
    suboptions:
      slug: {type: str, required: true, description: End of its address.}
      title: {type: str, required: true, description: Title.}
      description: {type: str, description: Text below the title.}
      theme: {type: str, choices: [auto, light, dark, null], description: Colours.}
      icon: {type: str, description: Address of its picture.}
      domainNameList: {type: list, elements: str, description: Domain names at which it is the first page.}
      footerText: {type: str, description: Text at its end.}
      showTags: {type: bool, description: Whether tags are shown.}
      showPoweredBy: {type: bool, description: Whether it names Uptime Kuma.}
      showCertificateExpiry: {type: bool, description: Whether it says when certificates expire.}
      customCSS: {type: str, description: Style sheet.}
      autoRefreshInterval: {type: int, description: Seconds until it loads itself again.}
      showOnlyLastHeartbeat: {type: bool, description: Whether only the last look is shown.}
      rssTitle: {type: str, description: Title of its feed.}
      analyticsId: {type: str, description: ID for the analytics.}
      analyticsScriptUrl: {type: str, description: Their script.}
      analyticsType: {type: str, description: Their kind.}
      groups:
        description: What it shows, in this order.
        type: list
        elements: dict
        suboptions:
          name: {type: str, required: true, description: Heading.}
          monitors: {type: list, elements: str, description: "Keys of O(monitors), in this order."}
      incident:
        description: A message on top of it. Incidents that people post stay.
        type: dict
        suboptions:
          title: {type: str, required: true, description: Title.}
          content: {type: str, required: true, description: Text.}
          style: {type: str, description: "V(info), V(warning), V(danger), V(primary), V(light) or V(dark)."}
  metrics_key:
    description:
      - Keeps an API key for C(/metrics) in a file. A new one is made when the file is missing or Uptime Kuma refuses
        what is in it.
      - The Prometheus that uses it is restarted when it has used an older key, since Prometheus 3 does not read the
        file again.
    type: dict
    suboptions:
      path: {type: path, required: true, description: The file.}
      owner: {type: int, description: Number of the user and the group that may read it.}
      reader:
        description: The Prometheus that uses the key.
        type: dict
        required: true
        suboptions:
          url: {type: str, required: true, description: Where it answers.}
          container: {type: str, description: "Its container, which is restarted."}
  container:
    description:
      - Name of Uptime Kuma's container. With it, Uptime Kuma 2.x is restarted when a tag is new, because it knows as
        labels of C(/metrics) only the tags that are there when it starts.
    type: str
    default: ''
  state_directory:
    description: Directory in which a file notes that such a restart is due, so that the next run makes up for it.
    type: path
attributes:
  check_mode:
    description: Says exactly what would be done and writes nothing.
    details: Works before the account is made and before Uptime Kuma runs; then everything would be created.
    support: full
  diff_mode:
    description: Text before and after of what changes, field by field, with secrets masked.
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
  description: What was done, or would be done in check mode, in this order.
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
  description: Version of Uptime Kuma, empty when it was not seen.
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
