# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The faults of the matrix: how each is made in the laboratory, how it is repaired, and what its message must name.

Scripts run in bash as root on the lab's server. How long the rule of a fault waits is asked of Prometheus, by `alert`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SHOP = "docker compose --file /srv/shop/compose.yaml"
MANAGE = "docker exec shop-web-1 python manage.py"
ACCEPT = """curl -fsS -d '{"mode": "off"}' http://127.0.0.1:8065/fault"""
REFUSE = """curl -fsS -d '{"mode": "refuse", "word": "no_service"}' http://127.0.0.1:8065/fault"""
PUSH = "http://127.0.0.1:9091/metrics/job/node/instance/made-up/host/lab1/environment/development"
_ACCEPT_LATER = f"systemd-run --quiet --collect --unit fault-slack --on-active=600 {ACCEPT}"
_BY_KUMA = "told by Uptime Kuma"
# What Uptime Kuma waits before it counts a part of the alerting path as down: its retries.
KUMA_WAITS = 35.0


@dataclass(frozen=True)
class Fault:
    """One fault. `names` are patterns that the title of its first message must contain, in any order; where `ends`
    things are told, the titles of so many messages. Each of them has one end.

    `kind`: a `cause` has a rule of its own that names it, an `effect` shows only in something else, `none` is no fault.
    `alert` is that rule; where it is none of Prometheus, `wait` says how long it waits. `needs` is PromQL: without its
    series the laboratory lacks what the fault is about. `lingers`: seconds for which the alert goes on after the
    repair, as its rule looks back. `averages`: seconds until the average of five minutes that its rule looks at is past
    the limit. `most`: messages before the repair. `note` goes into the table. `everywhere`: other labs of the
    machine see it as well, as they share its kernel.
    """

    name: str
    make: str
    repair: str
    names: tuple[str, ...] = ()
    alert: str = ""
    severity: Literal["critical", "high", "medium"] = "critical"
    kind: Literal["cause", "effect", "none"] = "cause"
    wait: float = 0
    lasts: float = 0
    lingers: float = 0
    averages: float = 0
    most: int = 2
    ends: int = 1
    needs: str = ""
    note: str = ""
    everywhere: bool = False


def _stopped(name: str, container: str, *names: str, **rest: Any) -> Fault:
    return Fault(name, f"docker kill {container}", f"docker start {container}", names, **rest)


def _compose(name: str, service: str, *names: str, **rest: Any) -> Fault:
    return Fault(name, f"{SHOP} stop --timeout 2 {service} 2>&1", f"{SHOP} start {service} 2>&1", names, **rest)


def _switch(name: str, words: str, *names: str, **rest: Any) -> Fault:
    return Fault(name, f"{MANAGE} fault {words}", f"{MANAGE} fault off", names, **rest)


def _pushed(name: str, samples: str, *names: str, **rest: Any) -> Fault:
    """Series like those of node exporter: for what cannot be broken without breaking this machine."""
    make = f"curl -fsS --data-binary @- {PUSH} <<END\n{samples}\nEND"
    note = "made with the series that Prometheus would read"
    return Fault(
        name, make, f"curl -fsS -X DELETE {PUSH}", names, needs='up{job="pushgateway"} == 1', note=note, **rest
    )


def _certificate(days: int) -> str:
    """The server of the app `secure` begins anew, with a certificate for so many days."""
    return (
        "systemctl stop fault-tls 2>/dev/null || true; mkdir -p /run/fault; cd /run/fault; "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=secure "
        f"-days {days} -keyout key.pem -out cert.pem 2>/dev/null; "
        "systemd-run --quiet --collect --unit fault-tls openssl s_server -quiet -www "
        "-accept 127.0.0.1:8443 -cert /run/fault/cert.pem -key /run/fault/key.pem"
    )


_TAKE_CONNECTIONS = """docker exec shop-web-1 rm -f /tmp/let-go
docker exec -d shop-web-1 python -c '
import os, time, psycopg
held = []
while not os.path.exists("/tmp/let-go"):
    try:
        held.append(psycopg.connect(host="db", dbname="shop", user="shop", password="shop"))
    except psycopg.OperationalError:
        time.sleep(0.2)
'"""
_QUEUE = 'from config.celery import app; app.control.{}_consumer("celery")'
_MANY_TASKS = "from shop.tasks import send_confirmation; [send_confirmation.delay(0) for _ in range(300)]"
_LOOP = (
    "docker run --detach --restart always --name fault-loop --network none --entrypoint sh "
    "crowsnest/lab-shop:1 -c 'sleep 5; exit 1'"
)
_DEPLOY = (
    "printf 'FROM crowsnest/lab-shop:1\nLABEL release=%s\n' $(date +%s) "
    f"| docker build --quiet --tag crowsnest/lab-shop:1 - 2>&1; {SHOP} up --detach web worker 2>&1"
)
_FLAP = "for _ in 1 2; do docker kill shop-web-1; sleep 45; docker start shop-web-1; sleep 12; done"
_DUMPS = "docker exec --user root shop-db-1 find /usr -type f -name pg_dump -exec chmod {}x {{}} +"
# The night's backup is due now, and tried once. One that a person starts by hand tells only that person.
_BACKUPS = "/opt/crowsnest/backup/current/settings.json"
_NOW = "$(TZ=Asia/Seoul date +%H:%M)"
_AT_ONCE = (
    f"cp --preserve {_BACKUPS} /run/fault-backups && "
    f"""sed -i -e 's/"tries": [0-9]*/"tries": 1/' -e "s/\\"at\\": \\"[0-9:]*/\\"at\\": \\"{_NOW}/" {_BACKUPS}"""
)
_AT_NIGHT = f"mv /run/fault-backups {_BACKUPS}"
_STOCK = "docker exec shop-db-1 psql -qU shop -c 'UPDATE shop_product SET stock = {} WHERE id <= 30'"
# Its address, as Prometheus knows it.
_LAB2 = (
    'curl -fsS http://127.0.0.1:9090/api/v1/query --data-urlencode \'query=up{job="node",host="lab2"}\' '
    "| grep -o '[0-9.]*:9100' | cut -d: -f1"
)
_DISK = "\n".join(
    f'node_filesystem_{what}_bytes{{device="/dev/sdz",fstype="ext4",mountpoint="/srv/full"}} {size}'
    for what, size in {"size": "1e11", "free": "4e9", "avail": "4e9"}.items()
)
_DOWN = "down|no metrics|not run"

FAULTS = (
    _stopped("app-killed", "shop-web-1", "shop", _DOWN, alert="AppDown"),
    Fault("instance-stopped", "systemctl stop fault-twin2", "systemctl start fault-twin2",
          ("twin", "part|instance|19302"), "AppInstanceDown", "high", needs='up{app="twin"}'),
    _switch("errors", "errors 0.2", "shop", "error", alert="AppErrorRatioHigh", averages=0.05 / 0.2 * 300,
            note="20 % of the requests; an average of 5 min passes the limit of 5 % after 75 s"),
    _switch("slow", "slow 3", "shop", "slow|response time", alert="AppLatencyHigh", severity="high", lingers=300),
    _compose("database-stopped", "db", "shop", "database|postgres", alert="PostgresDown"),
    Fault("connections-used-up", _TAKE_CONNECTIONS, "docker exec shop-web-1 touch /tmp/let-go",
          ("shop", "database|connect"), kind="effect"),
    _compose("redis-stopped", "redis", "shop", "redis", alert="RedisDown"),
    _compose("worker-stopped", "worker", "shop", "worker|celery", alert="CeleryWorkerMissing"),
    Fault("queue-long", f"{MANAGE} shell -c '{_QUEUE.format('cancel')}; {_MANY_TASKS}'",
          f"{MANAGE} shell -c '{_QUEUE.format('add')}'", ("shop", "queue|tasks"), "QueueLong", "medium"),
    _switch("payments-failed", "payments 1", "shop", "payment", alert="AppPaymentDown"),
    Fault("out-of-stock", _STOCK.format(0), _STOCK.format(99), ("shop", "stock"), "AppOutOfStock", "high"),
    _pushed("disk-filling", _DISK, "lab1", "disk|/srv/full", alert="HostDiskFilling"),
    Fault("memory-used-up", 'docker exec shop-worker-1 python -c "x = bytearray(10**9)" || true', "true",
          ("shop-worker|lab1", "memory"), "ContainerOutOfMemory", "high", lingers=600, everywhere=True),
    Fault("restart-loop", _LOOP, "docker rm --force fault-loop", ("fault-loop|lab1", "restart"),
          "ContainerRestarting", "high", lingers=900),
    Fault("certificate-expires", _certificate(2), _certificate(90), ("secure", "certificate"), "CertificateExpiry",
          needs='probe_ssl_earliest_cert_expiry{app="secure"}'),
    _stopped("exporter-gone", "crowsnest-query_exporter-1", "query.exporter",
             alert="PrometheusTargetMissing", severity="high"),
    Fault("node-exporter-gone", "systemctl stop prometheus-node-exporter", "systemctl start prometheus-node-exporter",
          ("node.exporter", "lab1"), "NodeExporterDown", "high"),
    _stopped("prometheus-killed", "crowsnest-prometheus-1", "prometheus", wait=KUMA_WAITS, note=_BY_KUMA),
    _stopped("alertmanager-killed", "crowsnest-alertmanager-1", "alertmanager", wait=KUMA_WAITS, note=_BY_KUMA),
    _stopped("kuma-killed", "crowsnest-uptime_kuma-1", "kuma", alert="PrometheusTargetMissing", severity="high"),
    _stopped("metabase-killed", "crowsnest-metabase-1", "metabase", alert="ContainerNotRunning", severity="high"),
    # The app is stopped all the time; it can be told once Slack accepts again.
    Fault("slack-refuses", f"{REFUSE}; {_ACCEPT_LATER}; docker kill shop-web-1", f"{ACCEPT}; docker start shop-web-1",
          ("reach slack", "shop", _DOWN), wait=610, lasts=800, ends=2,
          note="refused for 600 s while the app is stopped; both are told"),
    Fault("host-unreachable", f"ip route add blackhole $({_LAB2})", f"ip route del blackhole $({_LAB2})",
          ("lab2",), "HostDown", needs='up{job="node", host="lab2"}'),
    _pushed("clock-off", "node_time_seconds $(($(date +%s) - 600))", "lab1", "clock",
            alert="HostClockSkewed", severity="medium"),
    Fault("backup-failed", f"{_DUMPS.format('-')}; {_AT_ONCE}; crowsnest-backup run || true",
          f"{_DUMPS.format('+')}; {_AT_NIGHT}; crowsnest-backup backup shop", ("shop", "backup"),
          "BackupFailed", "high",
          note="that of the night, which is tried once here and not three times in ten minutes"),
    Fault("deploy", _DEPLOY, "true", kind="none", lasts=200, most=0, note="a new image of the app: no message"),
    Fault("flap", _FLAP, "true", ("shop",), "AppDown", lasts=150, most=1, note="the app goes twice within 2 min"),
)  # fmt: skip

# What the laboratory lacks for some of them: an app in two instances, one with a certificate.
TWIN_PORTS = (19301, 19302)
APPS: tuple[dict[str, Any], ...] = (
    {
        "name": "twin",
        "metrics": [f"127.0.0.1:{port}/metrics" for port in TWIN_PORTS],
        "thresholds": {"down_for": "10s"},
    },
    {"name": "secure", "url": "https://127.0.0.1:8443/", "verify_tls": False},
)


def by_name(name: str) -> Fault:
    """The fault of this name. KeyError for an unknown one."""
    return {fault.name: fault for fault in FAULTS}[name]
