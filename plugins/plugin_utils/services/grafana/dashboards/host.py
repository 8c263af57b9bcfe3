# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Dashboard "Host": one machine or all of them, from node exporter."""

from __future__ import annotations

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.definition import Context
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.alerts import alert_history
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.limits import disk_full, full
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.grafana.dashboards.panel import (
    BYTES,
    BYTES_RATE,
    DAYS,
    FOLDER_OPERATIONS,
    OPERATIONS,
    PERCENT,
    RANGE,
    RATE,
    SECONDS,
    TO_ALERTS,
    TO_CONTAINERS,
    TO_OVERVIEW,
    TO_STACK,
    UP,
    Dashboard,
    Panel,
    Query,
    Row,
    Threshold,
    Variable,
    any_is_bad,
    chosen,
    deploy_mark,
    percent_bars,
    runbook_link,
)
from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.deploys import CHANGED, changed

_HOST = 'host=~"$host"'
_NODE = f'job="node", {_HOST}'
# Docker's interfaces for containers would count their traffic twice.
_NETWORK = f'{_NODE}, device!~"lo|veth.*|docker.*|br-.*|cni.*|flannel.*"'
_DISK = f'{_NODE}, device!~"loop.*|ram.*|zram.*|sr.*|fd.*|dm-.*"'
# A disk that does not fill, or only in years.
_FOREVER_DAYS = 365
# No alert watches how busy a disk is.
_BUSY = (Threshold(80, "yellow"), Threshold(90, "red"))


def host(context: Context) -> Dashboard:
    """The machine chosen at the top."""
    return Dashboard(
        uid="host",
        title="Host",
        folder=FOLDER_OPERATIONS,
        description="One machine: CPU, memory, disks, network, clock. Choose it at the top.",
        rows=(_now(), _cpu(), _memory(), _disk(), _network_and_clock(), _alerts()),
        variables=(Variable("host", "Host", query='label_values(up{job="node"}, host)'),),
        links=(
            TO_OVERVIEW,
            TO_CONTAINERS,
            chosen(TO_ALERTS, host="$host"),
            TO_STACK,
            runbook_link(context.declaration.runbook_url),
        ),
        marks=(deploy_mark(changed(f"{CHANGED}{{{_HOST}}}")),),
    )


def cpu_percent(selector: str) -> str:
    """PromQL: busy share of all cores per host, 0 to 100, as alert HostCpuHigh counts; `selector` without braces."""
    idle = f'rate(node_cpu_seconds_total{{{selector}, mode=~"idle|iowait|steal"}}[{RATE}])'
    every = f"rate(node_cpu_seconds_total{{{selector}}}[{RATE}])"
    return f"100 * (1 - sum by (host) ({idle}) / sum by (host) ({every}))"


def _counter(series: str) -> str:
    """PromQL: a counter whose name does not say so; a subquery of it has no name that Prometheus could doubt."""
    return f"({series} + 0)"


# --- rows -------------------------------------------------------------------------------------------------------------


def _now() -> Row:
    return Row(
        "Now",
        (
            Panel(
                "Node exporter",
                "Whether the machine's own numbers arrive. Red: everything below is old. On the host: "
                "systemctl status prometheus-node-exporter; from the server: curl -s INSTANCE/metrics | head, with its "
                "label instance.",
                "stat",
                (Query(f"up{{{_NODE}}}", "{{host}}"),),
                values=UP,
                width=4,
            ),
            Panel(
                "Uptime",
                "Time since the last start of the machine. Unexpectedly short: it was rebooted. sudo journalctl -b -1 "
                "-n 50 on the host shows how the previous run ended; alert HostRebooted has the runbook.",
                "stat",
                (Query(f"node_time_seconds{{{_NODE}}} - node_boot_time_seconds{{{_NODE}}}", "{{host}}"),),
                unit=SECONDS,
                width=4,
            ),
            Panel(
                "CPU busy",
                f"Busy share of all cores. Over {threshold('HostCpuHigh', 'medium')} % for long: top or docker "
                "stats --no-stream on the host shows what is busy; alert HostCpuHigh has the runbook.",
                "stat",
                (Query(cpu_percent(_NODE), "{{host}}"),),
                unit=PERCENT,
                decimals=0,
                base="green",
                thresholds=full("HostCpuHigh", "medium"),
                width=4,
            ),
            Panel(
                "Memory used",
                "Share of the memory that programs use and the kernel cannot take back. Over "
                f"{threshold('HostMemoryLow', 'high')} %: ps aux --sort=-rss | head on the host; alert HostMemoryLow "
                "has the runbook.",
                "stat",
                (Query(f"host:memory_used:percent{{{_HOST}}}", "{{host}}"),),
                unit=PERCENT,
                decimals=0,
                base="green",
                thresholds=full("HostMemoryLow", "high"),
                width=4,
            ),
            any_is_bad(
                "OOM kills",
                "Processes that the kernel killed in the chosen time because memory ran out. Any: sudo journalctl -k | "
                "grep -i oom on the host names them; alert HostOutOfMemoryKill has the runbook.",
                (Query(f"round(increase({_counter(f'node_vmstat_oom_kill{{{_NODE}}}')}[{RANGE}:]))", "{{host}}"),),
                width=4,
            ),
            Panel(
                "Disk full in",
                "Days until the first disk is full, at the slower pace of the last hour and the last six; "
                f"{_FOREVER_DAYS} for longer, and for disks that are mostly free. Under 7: docker system df and "
                "sudo journalctl --disk-usage show what grows.",
                "stat",
                (Query(f"min by (host) ({_days_until_full()})", "{{host}}"),),
                unit=DAYS,
                decimals=0,
                base="red",
                thresholds=(Threshold(2, "yellow"), Threshold(7, "green")),
                width=4,
            ),
        ),
    )


def _cpu() -> Row:
    by_mode = f'rate(node_cpu_seconds_total{{{_NODE}, mode!="idle"}}[{RATE}])'
    every = f"sum by (host) (rate(node_cpu_seconds_total{{{_NODE}}}[{RATE}]))"
    steal = f'sum by (host) (rate(node_cpu_seconds_total{{{_NODE}, mode="steal"}}[{RATE}]))'
    return Row(
        "CPU",
        (
            Panel(
                "CPU by mode",
                "What the cores do: user is programs, system the kernel, iowait waits for the disk, steal is taken "
                "by the provider. Mostly iowait: look at the disk below. Mostly user: top shows what is busy.",
                "timeseries",
                (
                    Query(
                        f"100 * sum by (host, mode) ({by_mode}) / on (host) group_left () {every}",
                        "{{host}} {{mode}}",
                    ),
                ),
                unit=PERCENT,
                minimum=0,
                stacked=True,
                width=10,
            ),
            Panel(
                "Load and cores",
                "Processes that run or wait, over 1 and 15 minutes, next to the number of cores. Load above the cores "
                "for long: work is waiting. Find it with top; waiting for the disk counts too, see iowait.",
                "timeseries",
                (
                    Query(f"node_load1{{{_NODE}}}", "{{host}} 1 min"),
                    Query(f"node_load15{{{_NODE}}}", "{{host}} 15 min"),
                    Query(f'count by (host) (node_cpu_seconds_total{{{_NODE}, mode="idle"}})', "{{host}} cores"),
                ),
                minimum=0,
                width=8,
            ),
            Panel(
                "CPU taken by the provider",
                "Steal: time the machine asked for and did not get. On Lightsail the burst capacity is used up: see "
                "the instance's CPU graph there, reduce the load or take a larger bundle; alert HostCpuSteal has the "
                "runbook.",
                "timeseries",
                (Query(f"100 * {steal} / {every}", "{{host}}"),),
                unit=PERCENT,
                minimum=0,
                thresholds=(Threshold(threshold("HostCpuSteal", "medium"), "red"),),
            ),
        ),
    )


def _memory() -> Row:
    free, total = f"node_memory_MemAvailable_bytes{{{_NODE}}}", f"node_memory_MemTotal_bytes{{{_NODE}}}"
    swap = f"node_memory_SwapTotal_bytes{{{_NODE}}} - node_memory_SwapFree_bytes{{{_NODE}}}"
    return Row(
        "Memory",
        (
            Panel(
                "Memory",
                "What programs use and what there is. The kernel's cache is not counted, it can be given back. "
                "Close to the total: ps aux --sort=-rss | head, or docker stats --no-stream on the host.",
                "timeseries",
                (
                    Query(f"{total} - {free}", "{{host}} used"),
                    Query(total, "{{host}} total"),
                ),
                unit=BYTES,
                minimum=0,
                width=12,
            ),
            Panel(
                "Swap used",
                "Memory that was moved to the disk; always 0 on a host without swap. Growing: memory is short, "
                "programs get slow. ps aux --sort=-rss | head on the host shows the largest.",
                "timeseries",
                (Query(swap, "{{host}}"),),
                unit=BYTES,
                minimum=0,
            ),
            Panel(
                "Waiting for memory",
                "Pages fetched from the disk each second because they were not in memory. High for long together "
                "with little free memory: the host thrashes, stop or move something; docker stats --no-stream.",
                "timeseries",
                (Query(f"rate({_counter(f'node_vmstat_pgmajfault{{{_NODE}}}')}[{RATE}:])", "{{host}}"),),
                unit=OPERATIONS,
                minimum=0,
            ),
        ),
    )


def _days_until_full() -> str:
    """PromQL: days until each file system is full, as alert HostDiskFullSoon counts them, at most a year."""
    filling = f"clamp_max(host:disk_full:seconds{{{_HOST}}} / 86400, {_FOREVER_DAYS})"
    return f"{filling} or 0 * host:filesystem_avail:bytes{{{_HOST}}} + {_FOREVER_DAYS}"


def _disk() -> Row:
    return Row(
        "Disk",
        (
            percent_bars(
                "Disk used",
                "Share of each file system that is used, as df counts. Over "
                f"{threshold('HostDiskFilling', 'medium')} %: docker system df, sudo journalctl --disk-usage, du -xh "
                "--max-depth=2 / | sort -h | tail; alert HostDiskFilling has the runbook.",
                (Query(f"host:filesystem_used:percent{{{_HOST}}}", "{{host}} {{mountpoint}}"),),
                disk_full(),
                width=8,
            ),
            Panel(
                "Disk used over time",
                "The same over time. A steady climb: a log, a dump or uploads that never stop, find it with du. A "
                "step: an image or a backup, docker system df shows which.",
                "timeseries",
                (Query(f"host:filesystem_used:percent{{{_HOST}}}", "{{host}} {{mountpoint}}"),),
                unit=PERCENT,
                minimum=0,
                maximum=100,
                thresholds=disk_full(),
                width=8,
            ),
            Panel(
                "Days until full",
                "Forecast from the last hour and the last six for disks that are mostly used, at most a year. Falling "
                "towards 1: something writes more than usual; find it before alert HostDiskFullSoon fires: "
                "du -xh --max-depth=2 / | sort -h | tail.",
                "timeseries",
                (Query(_days_until_full(), "{{host}} {{mountpoint}}"),),
                unit=DAYS,
                minimum=0,
                width=8,
            ),
            Panel(
                "Disk reads and writes",
                "Bytes read (above) and written (below) each second. Much more than usual: iotop -o on the host "
                "shows who. Backups at night are normal.",
                "timeseries",
                (
                    Query(f"rate(node_disk_read_bytes_total{{{_DISK}}}[{RATE}])", "{{host}} {{device}} read"),
                    Query(
                        f"-1 * rate(node_disk_written_bytes_total{{{_DISK}}}[{RATE}])", "{{host}} {{device}} written"
                    ),
                ),
                unit=BYTES_RATE,
                width=8,
            ),
            Panel(
                "Disk busy",
                "Share of the time in which the disk worked. Near 100 % everything waits for it: iotop -o shows who "
                "writes; a database without an index reads much, see the app's dashboard.",
                "timeseries",
                (Query(f"100 * rate(node_disk_io_time_seconds_total{{{_DISK}}}[{RATE}])", "{{host}} {{device}}"),),
                unit=PERCENT,
                minimum=0,
                thresholds=_BUSY,
                width=8,
            ),
            Panel(
                "Inodes used",
                "Share of the possible files that exist. At 100 % no file can be created although space is left: look "
                "for many small files such as sessions or cache; alert HostInodesLow has the runbook.",
                "timeseries",
                (Query(f"host:inodes_used:percent{{{_HOST}}}", "{{host}} {{mountpoint}}"),),
                unit=PERCENT,
                minimum=0,
                maximum=100,
                thresholds=full("HostInodesLow", "high"),
                width=8,
                empty="File systems such as btrfs have no fixed number of files.",
            ),
        ),
    )


def _network_and_clock() -> Row:
    return Row(
        "Network and clock",
        (
            Panel(
                "Network",
                "Bytes received (above) and sent (below) each second, without containers' own networks. Much more "
                "than usual: ss -tp on the host shows with whom; compare with requests/s of the apps.",
                "timeseries",
                (
                    Query(f"rate(node_network_receive_bytes_total{{{_NETWORK}}}[{RATE}])", "{{host}} {{device}} in"),
                    Query(
                        f"-1 * rate(node_network_transmit_bytes_total{{{_NETWORK}}}[{RATE}])", "{{host}} {{device}} out"
                    ),
                ),
                unit=BYTES_RATE,
                width=8,
            ),
            Panel(
                "Network errors",
                "Packets that were broken or dropped each second. More than a few for long: a faulty line or an "
                "overloaded host; ip -s link on the host shows which device, then ask the provider.",
                "timeseries",
                (
                    Query(
                        f"sum by (host) (rate(node_network_receive_errs_total{{{_NETWORK}}}[{RATE}])"
                        f" + rate(node_network_receive_drop_total{{{_NETWORK}}}[{RATE}]))",
                        "{{host}} in",
                    ),
                    Query(
                        f"sum by (host) (rate(node_network_transmit_errs_total{{{_NETWORK}}}[{RATE}])"
                        f" + rate(node_network_transmit_drop_total{{{_NETWORK}}}[{RATE}]))",
                        "{{host}} out",
                    ),
                ),
                unit=OPERATIONS,
                minimum=0,
                width=5,
            ),
            Panel(
                "TCP connections",
                "Open connections. An endless climb: a program does not close them. ss -tp state established "
                "on the host shows which.",
                "timeseries",
                (Query(f"node_netstat_Tcp_CurrEstab{{{_NODE}}}", "{{host}}"),),
                minimum=0,
                width=5,
            ),
            Panel(
                "Clock offset",
                f"Difference of the host's clock from the server's. Over {threshold('HostClockSkewed', 'medium')} s "
                "logins, TLS and the order of logs suffer: timedatectl status on the host; alert HostClockSkewed has "
                "the runbook.",
                "timeseries",
                (Query(f"host:clock_ahead:seconds{{{_HOST}}}", "{{host}}"),),
                unit=SECONDS,
            ),
        ),
    )


def _alerts() -> Row:
    return Row("Alerts", (alert_history(_HOST),))
