"""What host_facts asks of declared series, of a real Prometheus with two days of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from programs import command, free_port, running

from ansible_collections.crowsnest.core.plugins.module_utils.host.exported import exported
from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus, ServiceError

MINUTE, HOUR = 60, 3600
# {(series, app, instance): (from, to) in seconds before now, and its value}
SERIES: dict[tuple[str, str, str], tuple[int, int, int]] = {
    ("up", "shop", "a"): (48 * HOUR, 0, 1),
    ("shop_campaigns", "shop", "a"): (48 * HOUR, 0, 3),
    ("shop_refunds_total", "shop", "a"): (48 * HOUR, 5 * HOUR, 7),  # deployed since; it counted nothing again
    ("shop_removed", "shop", "a"): (48 * HOUR, 36 * HOUR, 1),
    ("up", "down", "a"): (48 * HOUR, 3 * HOUR, 1),
    ("shop_campaigns", "down", "a"): (48 * HOUR, 3 * HOUR, 3),
    ("up", "gone", "a"): (48 * HOUR, 0, 0),
    ("up", "new", "a"): (8 * MINUTE, 0, 1),
    ("shop_campaigns", "new", "a"): (8 * MINUTE, 0, 3),
    ("up", "older", "a"): (15 * MINUTE, 0, 1),
    ("up", "half", "web"): (48 * HOUR, 0, 1),
    ("up", "half", "worker"): (48 * HOUR, 0, 0),
}
NAMES = ["shop_campaigns", "shop_refunds_total", "shop_removed", "shop_campains"]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder, now = tmp_path_factory.mktemp("exported"), int(time.time())
    lines = []
    for name in dict.fromkeys(name for name, _, _ in SERIES):
        lines.append(f"# TYPE {name} unknown")
        for (series, app, instance), (start, end, value) in SERIES.items():
            labels = f'job="app",app="{app}",instance="{instance}"'
            times = range(now - start, now - end + 1, MINUTE) if series == name else ()
            lines += [f"{name}{{{labels}}} {value} {second}" for second in times]
    (folder / "series.txt").write_text("\n".join([*lines, "# EOF"]) + "\n")
    words = ["tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    paths = [str(folder / "series.txt"), str(folder / "data")]
    subprocess.run([*command("promtool", folder), *words, *paths], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("{}\n")
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--log.level=error"]
    with running("prometheus", folder, *flags) as url:
        yield Prometheus(url)


# What is known of each app: True is exported within a day, False is not, and nobody can tell of the others.
KNOWN: dict[str, dict[str, bool]] = {
    "shop": {"shop_campaigns": True, "shop_refunds_total": True, "shop_removed": False, "shop_campains": False},
    "down": {"shop_campaigns": True, "shop_refunds_total": False, "shop_removed": False, "shop_campains": False},
    "gone": {},
    "new": {"shop_campaigns": True},
    "older": dict.fromkeys(NAMES, False),
    "half": {},
    "never": {},
}


@pytest.mark.parametrize("app", KNOWN)
def test_what_is_known_of_an_app(prometheus: Prometheus, app: str) -> None:
    assert exported(prometheus, dict.fromkeys(KNOWN, NAMES))[app] == KNOWN[app]


def test_only_declared_series_of_their_app_are_told(prometheus: Prometheus) -> None:
    found = exported(prometheus, {"older": ["shop_campaigns"], "down": ["shop_refunds_total"]})
    assert found == {"older": {"shop_campaigns": False}, "down": {"shop_refunds_total": False}}


def test_without_declared_series_nothing_is_asked() -> None:
    silent = Prometheus(f"http://127.0.0.1:{free_port()}")
    assert exported(silent, {}) == exported(silent, {"shop": []}) == {}
    assert silent.silent is None


def test_a_prometheus_that_is_not_there_knows_nothing() -> None:
    silent = Prometheus(f"http://127.0.0.1:{free_port()}")
    assert exported(silent, {"shop": NAMES}) == {}
    assert silent.silent is not None


def test_a_prometheus_that_refuses_knows_nothing(prometheus: Prometheus) -> None:
    broken = {"shop": ['"} or {']}
    with pytest.raises(ServiceError):
        prometheus.series(f'{{__name__=~"{broken["shop"][0]}"}}', 0, 1)
    assert exported(prometheus, broken) == {}
