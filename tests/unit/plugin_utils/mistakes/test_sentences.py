"""What the user reads when a declaration is wrong: every mistake, at once, one line each, and never a secret."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils import filters
from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import ROOT

GROUPS = {"server": ["web1"], "monitored": ["web1", "web2"]}
SECRET = "https://hooks.slack.com/services/T0/B0/hush"
SLACK = {"type": "slack", "webhook_url": SECRET}
REMOTE = {"bucket": "backups", "region": "ap-northeast-2"}
MAIL = {"type": "email", "to": ["a@example.com"], "sender": "a@example.com"}


def mistakes(groups: Any = GROUPS, folder: Path = Path("/nowhere"), **declared: Any) -> list[str]:
    return filters.declaration_mistakes({f"crowsnest_{k}": v for k, v in declared.items()}, groups, str(folder))


COUNTED: dict[str, Any] = {"framework": "django", "metrics": [":8000"]}


def app(**keys: Any) -> dict[str, Any]:
    return {"apps": [{"name": "shop", **keys}]}


HOOK = {"type": "webhook", "url": "https://example.com/"}
RECEIVER_TYPES = "slack, discord, teams, telegram, ntfy, webhook, email, sns"
HIDDEN = "the given value (not shown: it may hold a secret)"
A_LIST, WHICH_ALERTS = "does not fit. Allowed: a list.", "Names of crowsnest's own alerts to leave out."
URL = "a full URL such as https://shop.example.com/"
TARGET = "host:port/path as the host itself reaches it, such as 127.0.0.1:8000/metrics or :8000"
WHERE_METRICS = "Where metrics are read: host:port/path as `curl` on that host reaches it. Default path: /metrics."

NO_CHANNEL = (
    "crowsnest_receivers[0] (slack).channel: an empty value does not fit. Allowed: with `bot_token`, where it posts, "
    "such as \"#alerts\". Default: the webhook's own channel. Slack lets only old webhooks choose; for an app's "
    "webhook, choose the channel in Slack."
)
NO_BOT = (
    f"crowsnest_receivers[0] (slack).bot_token: {HIDDEN} does not fit. Allowed: a token that begins with xoxb-; not "
    "that of a person (xoxp-) or of the app itself (xapp-). Or the Bot User OAuth Token of a Slack app: a message is "
    "then edited as its fault goes on."
)

# The line that a declaration (names without crowsnest_) gives.
LINES: list[tuple[dict[str, Any], str]] = [
    # unknown keys
    (
        app(framwork="django"),
        "crowsnest_apps[0] (shop).framwork: unknown key. Did you mean `framework`? "
        "Allowed: accepted_status, analytics, anomaly, backup, business, compose, container, custom_metrics, database, "
        "env_file, framework, headers, health, host, jobs, kpis, metrics, metrics_prefix, name, part_of, password, "
        "redis, sentry, signals, slo, tcp, thresholds, url, username, verify_tls.",
    ),
    (
        app(thresholds={"zzz": 1}),
        "crowsnest_apps[0] (shop).thresholds.zzz: unknown key. "
        "Allowed: dependency_down_for, deploy_within, down_for, error_for, error_ratio, failed_payments_per_hour, "
        "latency_p95_high_seconds, latency_p95_medium_seconds, out_of_stock, queue_length, rate_limited_per_15m, "
        "refunds_per_hour.",
    ),
    (
        {"receivers": [{**SLACK, "webhok": "x"}]},
        "crowsnest_receivers[0] (slack).webhok: unknown key. Did you mean `webhook_url`? "
        "Allowed: after, bot_token, channel, name, severities, type, username, webhook_url.",
    ),
    # values
    (
        {"language": "kr"},
        "crowsnest_language: 'kr' does not fit. Allowed: 'en' or 'ko'. "
        "Language of alerts, dashboards, starter questions and reports.",
    ),
    (
        app(url="shop.example.com"),
        f"crowsnest_apps[0] (shop).url: 'shop.example.com' does not fit. Allowed: {URL}. "
        "The public address; it is probed, and its certificate is checked.",
    ),
    (
        app(metrics=["8000"]),
        f"crowsnest_apps[0] (shop).metrics[0]: '8000' does not fit. Allowed: {TARGET}. {WHERE_METRICS}",
    ),
    (
        app(metrics=["http://127.0.0.1:8000/metrics"]),
        f"crowsnest_apps[0] (shop).metrics[0]: 'http://127.0.0.1:8000/…' does not fit. Allowed: {TARGET}; "
        f"leave `http://` out, and name the port (80 where the URL has none). {WHERE_METRICS}",
    ),
    (
        app(metrics=["https://127.0.0.1/metrics"]),
        f"crowsnest_apps[0] (shop).metrics[0]: 'https://127.0.0.1/…' does not fit. Allowed: {TARGET}; over "
        f"https write a mapping such as {{address: 127.0.0.1:8443, scheme: https}}. {WHERE_METRICS}",
    ),
    (
        app(metrics=["127.0.0.1:8000/metrics", ":8000"]),
        "crowsnest_apps[0] (shop).metrics[1]: ':8000' is already declared as crowsnest_apps[0] (shop).metrics[0]. "
        "Allowed: each page once.",
    ),
    (
        app(metrics=":8000"),
        f"crowsnest_apps[0] (shop).metrics: {HIDDEN} does not fit. Allowed: a list. Pages on which it shows "
        "its metrics: each is text, its `address`, or a mapping where it wants more, such as a login.",
    ),
    (
        app(metrics=[{"address": "8000"}]),
        f"crowsnest_apps[0] (shop).metrics[0].address: '8000' does not fit. Allowed: {TARGET}. {WHERE_METRICS}",
    ),
    (
        app(metrics=[{"scheme": "https"}]),
        f"crowsnest_apps[0] (shop).metrics[0].address: is missing. {WHERE_METRICS}",
    ),
    (
        app(metrics=[{"address": ":8000", "token": "hush"}]),
        "crowsnest_apps[0] (shop).metrics[0].token: unknown key. Allowed: address, bearer_token, ca_file, headers, "
        "password, path, scheme, username, verify_tls.",
    ),
    (
        app(metrics=[{"address": ":8443", "headers": {"Host": "shop.example.com"}, "scheme": "https"}]),
        "crowsnest_apps[0] (shop).metrics[0]: its keys do not fit together. `headers` may have Host over http only; "
        "over https write that name in `address`.",
    ),
    (
        app(metrics=[":8000/a", {"address": "127.0.0.1:8000", "path": "/a", "scheme": "https"}]),
        "crowsnest_apps[0] (shop).metrics[1]: '127.0.0.1:8000' is already declared as "
        "crowsnest_apps[0] (shop).metrics[0]. Allowed: each page once.",
    ),
    (
        app(thresholds={"down_for": "5x"}),
        "crowsnest_apps[0] (shop).thresholds.down_for: '5x' does not fit. Allowed: a duration: whole numbers with "
        "y, w, d, h, m, s in this order, such as 30s, 5m, 1h30m or 15d. "
        "How long an app must be unreachable before it fires.",
    ),
    (
        app(thresholds={"error_ratio": 5}),
        "crowsnest_apps[0] (shop).thresholds.error_ratio: 5 does not fit. Allowed: less than or equal to 1. "
        "Share of answers with a 5xx status above which it fires.",
    ),
    (
        {"repeat_after": "5m"},
        "crowsnest_repeat_after: '5m' does not fit. Allowed: a duration of at least 10m: the same alert is not "
        "repeated sooner. An alert that keeps firing is repeated no sooner than this; lower severities later.",
    ),
    (
        {"timezone": "Seoul"},
        "crowsnest_timezone: 'Seoul' does not fit. Allowed: a time zone name of the IANA database, such as Asia/Seoul "
        "or Europe/Berlin. For times in messages and for office hours.",
    ),
    (
        {"ports": {"prometheus": 80}},
        "crowsnest_ports.prometheus: 80 does not fit. Allowed: greater than or equal to 1024.",
    ),
    # kinds of values
    ({"disabled_alerts": "HostDown"}, f"crowsnest_disabled_alerts: 'HostDown' {A_LIST} {WHICH_ALERTS}"),
    ({"disabled_alerts": None}, f"crowsnest_disabled_alerts: an empty value {A_LIST} {WHICH_ALERTS}"),
    ({"office_hours": 9}, "crowsnest_office_hours: 9 does not fit. Allowed: a mapping. When low alerts may arrive."),
    # where a secret may be below, what stands there in its place may be one
    ({"apps": "shop"}, f"crowsnest_apps: {HIDDEN} {A_LIST} The team's apps."),
    ({"apps": ["shop"]}, f"crowsnest_apps[0]: {HIDDEN} does not fit. Allowed: a mapping. The team's apps."),
    (
        app(database="postgres://shop:hush@127.0.0.1/shop"),
        f"crowsnest_apps[0] (shop).database: {HIDDEN} does not fit. Allowed: a mapping. "
        "Its PostgreSQL database: Metabase reads it, and it is backed up.",
    ),
    (
        {"environment": datetime.date(2026, 1, 1)},  # what YAML makes of an unquoted 2026-01-01
        "crowsnest_environment: '2026-01-01' does not fit. Allowed: text of the form ^[a-z][a-z0-9-]{0,39}$. "
        "Label `environment` on every series; it keeps environments apart.",
    ),
    (
        {"repeat_after": 600},
        "crowsnest_repeat_after: 600 does not fit. Allowed: text, in quotes if it looks like something else. "
        "An alert that keeps firing is repeated no sooner than this; lower severities later.",
    ),
    (
        {"uptime_kuma_admin_password": "onlysmallletters"},
        f"crowsnest_uptime_kuma_admin_password: {HIDDEN} does not fit. Allowed: 12 to 128 "
        "characters of at least two kinds: lower-case letters, capitals, digits, others. Password of Uptime Kuma's "
        "user "
        "admin. Default: generated once, in the inventory's folder secrets/.",
    ),
    # a mail relay without TLS
    (
        {"receivers": [{**MAIL, "smarthost": "localhost:25"}]},
        "crowsnest_receivers[0] (email): its keys do not fit together. localhost:25 needs `require_tls: false` when "
        "this relay offers no TLS, else `require_tls: true`.",
    ),
    (
        {"receivers": [{**MAIL, "smarthost": "mail.example.com:25", "require_tls": False, "password": "hush"}]},
        "crowsnest_receivers[0] (email): its keys do not fit together. `require_tls: false` needs a relay on the "
        "server itself such as localhost:25, or no password: a password is not sent over the network "
        "without TLS.",
    ),
    (
        {"receivers": [{**MAIL, "smarthost": "mail.example.com:465", "require_tls": False}]},
        "crowsnest_receivers[0] (email): its keys do not fit together. Port 465 begins with TLS and takes no "
        "`require_tls: false`.",
    ),
    # what belongs together
    (
        app(health={"basic": "/health/"}),
        "crowsnest_apps[0] (shop): its keys do not fit together. A path in `health` needs `url`; a full URL does not.",
    ),
    (
        app(**COUNTED, slo=0.9),
        "crowsnest_apps[0] (shop).slo: 0.9 does not fit. Allowed: greater than or equal to 0.95. Share of requests "
        "that must succeed, over 30 days, such as 0.995: 5 of 1,000 may fail. Alerts fire while errors come at least "
        "six times as fast: five days of it would use up what may fail in 30. At least 0.95: below it, the alerts "
        "could hardly fire.",
    ),
    (
        app(slo=0.99),
        "crowsnest_apps[0] (shop): its keys do not fit together. `slo` and `anomaly` need `metrics` and a `framework` "
        "that counts requests: not generic.",
    ),
    (
        app(signals={"refunds": "refunds_total"}),
        "crowsnest_apps[0] (shop): its keys do not fit together. `signals` needs `metrics`: where the app exports "
        "these series.",
    ),
    (
        app(**COUNTED, anomaly=True) | {"retention": "4w"},
        "crowsnest_apps[0] (shop).anomaly: True needs the metrics of four weeks, but crowsnest_retention is '4w'. "
        "Allowed: a crowsnest_retention of 29d or more, or `anomaly: false`.",
    ),
    (
        app(**COUNTED, anomaly="yes") | {"retention": "4w"},
        "crowsnest_apps[0] (shop).anomaly: True needs the metrics of four weeks, but crowsnest_retention is '4w'. "
        "Allowed: a crowsnest_retention of 29d or more, or `anomaly: false`.",
    ),
    (
        app(thresholds={"latency_p95_medium_seconds": 3}),
        "crowsnest_apps[0] (shop).thresholds: its keys do not fit together. `latency_p95_medium_seconds` must be less "
        "than `latency_p95_high_seconds`.",
    ),
    (
        app(health={"detailed": "http://127.0.0.1/d"}),
        "crowsnest_apps[0] (shop).health: its keys do not fit together. `detailed` needs `components`: the names of "
        "the components in its answer.",
    ),
    (
        app(health={"detailed": "http://127.0.0.1/d", "components": ["Database", "database"]}),
        "crowsnest_apps[0] (shop).health: its keys do not fit together. List each component once, and none called "
        "answer, health, url, website: other probes have these names.",
    ),
    # hosts
    (
        app(host="web3"),
        "crowsnest_apps[0] (shop).host: 'web3' is not a host in group `monitored`. Did you mean `web2`? "
        "Allowed: web1, web2. Or add the host to the inventory.",
    ),
    (
        app(part_of="shop"),
        "crowsnest_apps[0] (shop).part_of: 'shop' is not allowed. Allowed: another app that is part of none: there is "
        "none.",
    ),
    (
        {"apps": [{"name": "shop"}, {"name": "crew", "part_of": "shp"}]},
        "crowsnest_apps[1] (crew).part_of: 'shp' is not allowed. Did you mean `shop`? Allowed: another app that is "
        "part of none: shop.",
    ),
    (
        app(host="web2", metrics=["127.0.0.1:8000/metrics"]),
        "crowsnest_apps[0] (shop).metrics[0]: '127.0.0.1:8000/metrics' cannot be reached from the server, as the app "
        "runs on web2. Allowed: a port on web2's private address, written as `:8000/metrics`.",
    ),
    (
        app(host="web2", metrics=["localhost:8000/of:all"]),
        "crowsnest_apps[0] (shop).metrics[0]: 'localhost:8000/of:all' cannot be reached from the server, as the app "
        "runs on web2. Allowed: a port on web2's private address, written as `:8000/of:all`.",
    ),
    (
        app(host="web2", metrics=[{"address": "127.0.0.1:8443", "path": "/internal", "scheme": "https"}]),
        "crowsnest_apps[0] (shop).metrics[0]: '127.0.0.1:8443' cannot be reached from the server, as the app "
        "runs on web2. Allowed: a port on web2's private address, written as `:8443`.",
    ),
    (
        app(host="web2", metrics=["[::1]:8000"]),
        "crowsnest_apps[0] (shop).metrics[0]: '[::1]:8000' cannot be reached from the server, as the app "
        "runs on web2. Allowed: a port on web2's private address, written as `:8000`.",
    ),
    (
        app(host="web2", health={"basic": "http://localhost/health"}),
        "crowsnest_apps[0] (shop).health.basic: 'http://localhost/…' cannot be reached from the server, "
        "as the app runs on web2. Allowed: a URL with the address of web2.",
    ),
    (
        app(host="web2", tcp={"queue": "127.0.0.1:5672"}),
        "crowsnest_apps[0] (shop).tcp.queue: '127.0.0.1:5672' cannot be reached from the server, as the app "
        "runs on web2. Allowed: an address of web2 that the server reaches.",
    ),
    (
        app(host="web2", tcp={"database": "10.0.0.2:5432", "queue": "[::1]:5672"}),
        "crowsnest_apps[0] (shop).tcp.queue: '[::1]:5672' cannot be reached from the server, as the app "
        "runs on web2. Allowed: an address of web2 that the server reaches.",
    ),
    (
        app(host="web2", redis={}),
        "crowsnest_apps[0] (shop).redis.address: '127.0.0.1:6379' cannot be reached from the server, as the app "
        "runs on web2. Allowed: an address of web2 that the server reaches.",
    ),
    (
        app(redis={"queues": ["a task"]}),
        "crowsnest_apps[0] (shop).redis.queues[0]: 'a task' does not fit. Allowed: text of the form "
        "^[A-Za-z0-9_.:@/{}-]{1,100}$. Names of its Celery queues. Without it neither queues nor workers are watched. "
        "Celery's own default queue is called celery: write [celery].",
    ),
    (
        app(redis={"username": "kim"}),
        "crowsnest_apps[0] (shop).redis: its keys do not fit together. `username` needs `password`.",
    ),
    (
        app(redis={"verify_tls": False}),
        "crowsnest_apps[0] (shop).redis: its keys do not fit together. `verify_tls` and `ca_file` need `tls: true`.",
    ),
    (
        app(host="web2", jobs=[{"name": "backup", "every": "1d"}]),
        "crowsnest_apps[0] (shop).jobs[0] (backup): Uptime Kuma listens on the server's loopback, which a job on web2 "
        "cannot reach. Allowed: jobs of apps on the server.",
    ),
    # receivers
    (
        {"receivers": [{"type": "slak"}]},
        f"crowsnest_receivers[0] (slak).type: 'slak' is not known. Did you mean `slack`? Allowed: {RECEIVER_TYPES}.",
    ),
    ({"receivers": [{}]}, f"crowsnest_receivers[0]: `type` is missing. Allowed: {RECEIVER_TYPES}."),
    *(
        (
            {"receivers": [{"type": "slack", **ways}]},
            "crowsnest_receivers[0] (slack): its keys do not fit together. "
            "Set either `webhook_url`, or `bot_token` with `channel`.",
        )
        for ways in ({}, {"channel": "#alerts"}, {**SLACK, "bot_token": "xoxb-1-a", "channel": "#alerts"})
    ),
    ({"receivers": [{"type": "slack", "bot_token": "xoxb-1-a"}]}, NO_CHANNEL),
    *(
        ({"receivers": [{"type": "slack", "bot_token": token, "channel": "#alerts"}]}, NO_BOT)
        for token in ("xoxp-1-a", "xapp-1-a", "xoxe.xoxb-1-a", "xoxb-", "xoxb-1 a", "")
    ),
    (
        {"receivers": [{**SLACK, "severities": []}]},
        "crowsnest_receivers[0] (slack).severities: a list does not fit. Allowed: at least one entry. "
        "Which alerts it gets.",
    ),
    (
        {"receivers": [SLACK, SLACK]},
        "crowsnest_receivers: 2 receivers are called 'slack'. Give each a `name` of its own.",
    ),
    (
        {"receivers": [{**SLACK, "severities": ["high", "low"]}, {**HOOK, "after": "15m"}]},
        "crowsnest_receivers[1] (webhook).after: nobody is told of critical and medium alerts at once. Allowed: with "
        "another receiver that gets them and has no `after`.",
    ),
    (
        {"receivers": [SLACK, {**HOOK, "name": "oncall", "severities": ["critical", "high"], "after": "1m"}]},
        "crowsnest_receivers[1] (oncall).after: others get the first message after 1m only. Allowed: a duration longer "
        "than that.",
    ),
    (
        {"receivers": [SLACK, {**HOOK, "after": "a while"}]},
        "crowsnest_receivers[1] (webhook).after: 'a while' does not fit. Allowed: a duration: whole numbers with y, w, "
        "d, h, m, s in this order, such as 30s, 5m, 1h30m or 15d. It gets an alert only when it has fired for this "
        "long, such as 15m, and nobody has acknowledged it. Another receiver must get the same severities at once.",
    ),
    (
        {"receivers": [{"type": "ntfy", "url": "https://ntfy.sh/"}]},
        "crowsnest_receivers[0] (ntfy).url: the given value (not shown: it may hold a secret) does not fit. Allowed: "
        "a full URL with the topic as its last part. Address of the topic, such as https://ntfy.sh/my-alerts. On "
        "ntfy.sh whoever knows it can read it.",
    ),
    *(
        (
            {"weekly_report": {}, "receivers": told},
            "crowsnest_weekly_report: no receiver gets it. Allowed: with a receiver in crowsnest_receivers of type "
            "slack, discord, teams, telegram, ntfy, email, sns whose `severities` have low among them, without "
            "`after`.",
        )
        for told in ([], [{**SLACK, "severities": ["critical"]}], [HOOK], [HOOK, {**SLACK, "after": "15m"}])
    ),
    (  # of the two, only the cause
        {"weekly_report": {}, "receivers": [{"type": "slak"}]},
        f"crowsnest_receivers[0] (slak).type: 'slak' is not known. Did you mean `slack`? Allowed: {RECEIVER_TYPES}.",
    ),
    (
        {"weekly_report": None, "receivers": [SLACK]},
        "crowsnest_weekly_report: an empty value does not fit. Allowed: a mapping, or `false` for no weekly message. A "
        "message once a week to the receivers that get alerts of severity low, but for those of type webhook and those "
        "with `after`: availability, what fired, slow pages, KPIs, backups, disks, old images. Default: none.",
    ),
    (
        {"weekly_report": {"weekday": "mon"}, "receivers": [SLACK]},
        "crowsnest_weekly_report.weekday: 'mon' does not fit. Did you mean `monday`? Allowed: 'monday', 'tuesday', "
        "'wednesday', 'thursday', 'friday', 'saturday' or 'sunday'. The day.",
    ),
    # backups
    (
        app(backup={"remote": "offsite"}, database={"name": "shop"}),
        "crowsnest_apps[0] (shop).backup.remote: 'offsite' is not in crowsnest_backup_remotes. "
        "Allowed: none, as crowsnest_backup_remotes is empty.",
    ),
    (
        {"backup_remotes": {"offsite": REMOTE}, "backup_stack": {"remote": "ofsite"}},
        "crowsnest_backup_stack.remote: 'ofsite' is not in crowsnest_backup_remotes. Did you mean `offsite`? "
        "Allowed: offsite.",
    ),
    (
        app(backup={"at": "02:00"}),
        "crowsnest_apps[0] (shop).backup: the app has no `database` to back up. Needs `database` in the same app.",
    ),
    (
        app(backup=None),
        "crowsnest_apps[0] (shop).backup: an empty value does not fit. Allowed: a mapping, or `false` for no backup. "
        "When its database is backed up; `false`: never. It has an effect only with `database`.",
    ),
    (
        app(name="stack", database={"name": "shop"}),
        "crowsnest_apps[0] (stack).name: the backup of the stack's own state has this name. Allowed: another name, or "
        "`backup: false`.",
    ),
    (
        app(database={"name": "shop"}, backup={"keep": {"daily": 0, "weekly": 0, "monthly": 0}}),
        "crowsnest_apps[0] (shop).backup.keep: its keys do not fit together. At least one of `daily`, `weekly` and "
        "`monthly` must be more than 0.",
    ),
    (
        {"backup_remotes": {"offsite": {**REMOTE, "access_key": "kim"}}},
        "crowsnest_backup_remotes.offsite: its keys do not fit together. Set `access_key` and `secret_key` together, "
        "or neither.",
    ),
    (
        {"backup_remotes": {"offsite": {**REMOTE, "encrypt_to": ["AGE-SECRET-KEY-1QQQ"]}}},
        f"crowsnest_backup_remotes.offsite.encrypt_to[0]: {HIDDEN} is a secret key. Give the public key, which begins "
        "with age1, and keep the secret one off your hosts. Public keys of age. What is copied there can be read only "
        "with one of their secret keys, which no host has.",
    ),
    (
        {"backup_pause": "2h"},
        "crowsnest_backup_pause: '2h' does not fit. Allowed: a duration of at most 1h: an hour after a failed series "
        "the next one begins. How long it waits between these tries.",
    ),
    # services and alerts
    (
        {"ports": {"promethus": 9091}},
        "crowsnest_ports.promethus: no such service. Did you mean `prometheus`? "
        "Allowed: prometheus, alertmanager, blackbox, proxy, grafana, uptime_kuma, postgres_exporter, "
        "redis_exporter, query_exporter, pushgateway, metabase, metabase_database, "
        "node_exporter.",
    ),
    (
        {"images": {"node_exporter": "prom/node-exporter:v1"}},
        "crowsnest_images.node_exporter: no such service. Did you mean `redis_exporter`? Allowed: prometheus, "
        "alertmanager, blackbox, proxy, grafana, uptime_kuma, postgres_exporter, redis_exporter, query_exporter, "
        "pushgateway, "
        "metabase, metabase_database.",
    ),
    (
        {"images": {"zabbix": "zabbix:1"}},
        "crowsnest_images.zabbix: no such service. Allowed: prometheus, alertmanager, blackbox, proxy, grafana, "
        "uptime_kuma, postgres_exporter, redis_exporter, query_exporter, pushgateway, metabase, metabase_database.",
    ),
    (
        {"ports": {"prometheus": 9093}},
        "crowsnest_ports.prometheus: 9093 is also the port of alertmanager. Allowed: a free one.",
    ),
    (
        {"ports": {"blackbox": 9100}},
        "crowsnest_ports.blackbox: 9100 is also the port of node_exporter. Allowed: a free one.",
    ),
    (
        {"ports": {"node_exporter": 9090}},
        "crowsnest_ports.node_exporter: 9090 is also the port of prometheus. Allowed: a free one.",
    ),
    (
        {"disabled_alerts": ["HostDwn"]},
        "crowsnest_disabled_alerts[0]: 'HostDwn' is not a known alert. Did you mean `HostDown`?",
    ),
]


@pytest.mark.parametrize(("declared", "line"), LINES, ids=[line.split(":")[0] for _, line in LINES])
def test_a_mistake_is_one_line_with_the_place_the_value_and_the_way_out(declared: dict[str, Any], line: str) -> None:
    assert mistakes(**declared) == [line]


def test_a_typo_in_a_variable_names_the_nearest_variable() -> None:
    (line,) = mistakes(timezon="Asia/Seoul")
    assert line.startswith(
        "crowsnest_timezon: unknown key. Did you mean `crowsnest_timezone`? Allowed: crowsnest_apps, "
    )


@pytest.mark.parametrize("where", [{}, {"host": "web1"}], ids=["no host", "the server"])
def test_an_app_on_the_server_may_use_its_loopback_and_have_jobs(where: dict[str, str]) -> None:
    parts = {"tcp": {"queue": "127.0.0.1:5672"}, "jobs": [{"name": "backup", "every": "1d"}], "metrics": [":8000"]}
    assert mistakes(**app(**where, **parts)) == []


# Two metrics targets, each with the host of its app: whether they are one page.
PAGES = {
    (None, ":8000", None, "127.0.0.1:8000/metrics"): True,
    (None, ":8000/", "web1", "localhost:8000"): True,
    (None, ":8000", None, ":08000"): True,
    ("web2", ":8000", "web2", ":8000/metrics"): True,
    (None, "10.0.0.9:8000/a", "web2", "10.0.0.9:8000/a"): True,
    (None, ":8000", None, ":8000/worker"): False,
    (None, ":8000", None, ":8001"): False,
    (None, ":8000", "web2", ":8000"): False,
    (None, "127.0.0.1:8000", None, "[::1]:8000"): False,
    (None, "127.0.0.1:8000", None, "127.0.0.2:8000"): False,
}


@pytest.mark.parametrize("case", PAGES, ids=str)
def test_a_metrics_page_belongs_to_one_app_and_is_read_once(case: tuple[str | None, str, str | None, str]) -> None:
    apps = [
        {"name": name, "metrics": [target], **({"host": host} if host else {})}
        for name, host, target in (("shop", *case[:2]), ("blog", *case[2:]))
    ]
    refusal = (
        f"crowsnest_apps[1] (blog).metrics[0]: {case[3]!r} is already declared as crowsnest_apps[0] (shop).metrics[0]. "
        "Allowed: each page once."
    )
    assert mistakes(apps=apps) == ([refusal] if PAGES[case] else [])


@pytest.mark.parametrize("target", [127.0, "127.0.0.1", "127.0.0.1:8000/metrics?token=hush"])
def test_what_is_no_metrics_target_is_not_proposed_without_its_host(target: Any) -> None:
    lines = mistakes(**app(host="web2", metrics=[target]))
    assert [line.partition(" Allowed: ")[2] for line in lines if "cannot be reached" in line] == [
        "a port on web2's private address."
    ]
    assert "hush" not in "".join(lines)


def test_each_of_two_apps_of_the_same_name_is_named() -> None:
    assert mistakes(apps=[{"name": "shop"}, {"name": "shop"}]) == [
        f"crowsnest_apps[{index}] (shop).name: 'shop' is declared 2 times. Allowed: each name once." for index in (0, 1)
    ]


# What of a receiver may be the secret itself.
LEAKS: list[dict[str, Any]] = [
    {"receivers": [{**SLACK, "webhook_url": "hush"}]},
    {"receivers": [{**SLACK, "webhook_url": ["hush"]}]},
    {"receivers": [{**SLACK, "webhok_url": "hush"}]},
    {"receivers": [{"type": "slack", "bot_token": "xoxp-hush"}]},
    {"receivers": [{**SLACK, "bot_token": "xoxb-hush"}]},
    {"receivers": [{"type": "email", "to": ["a@b.c"], "sender": "a@b.c", "smarthost": "b.c:25", "password": ["hush"]}]},
    {"receivers": [SECRET]},
    {"receivers": SECRET},
    {"receivers": [{**SLACK, "channel": SECRET}]},
    {"receivers": [{**SLACK, "name": SECRET}]},
    {"receivers": [{"type": SECRET}]},
    {"heartbeat_url": "hush"},
    {"uptime_kuma_admin_password": "hushhushhush"},
]


@pytest.mark.parametrize("declared", LEAKS, ids=str)
def test_a_wrong_secret_is_not_shown(declared: dict[str, Any]) -> None:
    lines = mistakes(**declared)
    assert lines
    assert "hush" not in "".join(lines)


OWN_RULES: list[tuple[bytes | None, str]] = [
    (b"groups: []", ""),
    (None, "No such file or directory ({path}). Relative paths start at the inventory's folder."),
    (b"rules: []", "has no list `groups`. Allowed: a Prometheus rule file."),
    (b"groups: {}", "has no list `groups`. Allowed: a Prometheus rule file."),
    (b"groups: [", "is not YAML: "),
    (b"groups: \xe9", "is not YAML: "),
    (b"groups: 2026-13-01", "is not YAML: "),
    (b"", "has no list `groups`. Allowed: a Prometheus rule file."),
    (b"groups: [5, {rules: 5}, {rules: [5, {record: a}, {alert: [5]}, {alert: OrdersStopped}]}]", ""),
    (
        b"groups: [{rules: [{alert: HostDown}, {alert: HostDown}]}]",
        "the alert HostDown has the name of one of crowsnest's alerts. Give it another name, or switch crowsnest's "
        "own off: crowsnest_disabled_alerts: [HostDown].",
    ),
]


@pytest.mark.parametrize(("content", "words"), OWN_RULES)
def test_a_rule_file_of_the_team_is_read_before_anything_is_changed(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "own.yml"
    if content is not None:
        path.write_bytes(content)
    lines = mistakes(folder=tmp_path, rule_files=["own.yml"])
    assert [line.startswith("crowsnest_rule_files[0]: 'own.yml'") for line in lines] == ([True] if words else [])
    assert words.format(path=path) in "".join(lines)


def test_a_disabled_alert_leaves_its_name_to_the_team(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text("groups: [{rules: [{alert: HostDown}, {alert: AppDown}]}]")
    own = {"folder": tmp_path, "rule_files": ["own.yml"]}
    assert len(mistakes(**own)) == 2
    (line,) = mistakes(**own, disabled_alerts=["HostDown"])
    assert "the alert AppDown has the name" in line


def test_the_place_of_a_missing_rule_file_counts_entries_of_any_kind() -> None:
    assert [line.split(":")[0] for line in mistakes(rule_files=[5, "nope.yml"])] == [
        "crowsnest_rule_files[0]",
        "crowsnest_rule_files[1]",
    ]


WRONG: dict[str, Any] = {
    "timezon": "Asia/Seoul",
    "timezone": "Seoul",
    "repeat_after": "1m",
    "retention": "long",
    "ports": {"promethus": 9090},
    "images": {"zabbix": "zabbix/zabbix:1"},
    "disabled_alerts": ["HostDwn"],
    "rule_files": ["nope.yml"],
    "external_urls": "https://example.com/",
    "heartbeat_url": ["hush"],
    "apps": [
        {"name": "shop", "framwork": "django", "url": "shop", "host": "wb2"},
        {"name": "shop", "framework": "djang", "host": "web2", "metrics": ["localhost:8000"]},
        {"thresholds": {"error_ratio": 2, "down_for": "5x"}},
        "shop",
        {"name": {"a": ["b"]}, "health": 5, "metrics": {"a": 1}},
    ],
    "receivers": [{"type": "slack", "webhook_url": "hush"}, {"type": "pager"}, {"type": "email"}, 5],
}
WRONG_PLACES = {
    "crowsnest_timezon",
    "crowsnest_timezone",
    "crowsnest_repeat_after",
    "crowsnest_retention",
    "crowsnest_ports.promethus",
    "crowsnest_images.zabbix",
    "crowsnest_disabled_alerts[0]",
    "crowsnest_rule_files[0]",
    "crowsnest_external_urls",
    "crowsnest_heartbeat_url",
    "crowsnest_apps[0] (shop).framwork",
    "crowsnest_apps[0] (shop).url",
    "crowsnest_apps[0] (shop).host",
    "crowsnest_apps[0] (shop).name",
    "crowsnest_apps[1] (shop).name",
    "crowsnest_apps[1] (shop).framework",
    "crowsnest_apps[1] (shop).metrics[0]",
    "crowsnest_apps[2].name",
    "crowsnest_apps[2].thresholds.error_ratio",
    "crowsnest_apps[2].thresholds.down_for",
    "crowsnest_apps[3]",
    "crowsnest_apps[4].name",
    "crowsnest_apps[4].health",
    "crowsnest_apps[4].metrics",
    "crowsnest_receivers[0] (slack).webhook_url",
    "crowsnest_receivers[1] (pager).type",
    "crowsnest_receivers[2] (email).to",
    "crowsnest_receivers[2] (email).sender",
    "crowsnest_receivers[2] (email).smarthost",
    "crowsnest_receivers[3]",
}


def test_all_mistakes_are_reported_at_once_each_on_a_line_of_its_own() -> None:
    lines = mistakes(**WRONG)
    assert {line.split(": ")[0] for line in lines} == WRONG_PLACES
    assert len(lines) == len(WRONG_PLACES)
    assert "hush" not in "".join(lines)


@pytest.mark.parametrize("name", ["example"])
def test_the_example_has_no_mistakes(name: str) -> None:
    folder = ROOT / "inventories" / name / "group_vars/all"
    variables = {key: value for path in folder.glob("*.yml") for key, value in yaml.safe_load(path.read_text()).items()}
    variables["crowsnest_receivers"][0]["webhook_url"] = SECRET  # a lookup in the file
    assert filters.declaration_mistakes(variables, GROUPS, str(folder)) == []


def test_all_mistakes_of_a_bot_are_told_at_once() -> None:
    assert mistakes(receivers=[{"type": "slack", "bot_token": "xoxp-1-a"}]) == [NO_BOT, NO_CHANNEL]
