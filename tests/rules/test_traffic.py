"""What host_facts asks of apps' traffic, of a real Prometheus with eight days of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from programs import command, free_port, running

from ansible_collections.crowsnest.core.plugins.module_utils.host.traffic import traffic
from ansible_collections.crowsnest.core.plugins.module_utils.http import Prometheus

DAYS = 8
# {(series, labels): its value on each day}; the shop moves after half of the time, the blog has two hosts.
SERIES = {
    ("app:requests:rate5m", 'app="shop",host="web1"'): [9, 2, 2, 2, None, None, None, None],
    ("app:requests:rate5m", 'app="shop",host="web2"'): [None, None, None, None, 2, 2, 2, 2],
    ("app:errors:increase5m", 'app="shop",host="web1"'): [6, 6, 6, 6, None, None, None, None],
    ("app:errors:increase5m", 'app="shop",host="web2"'): [None, None, None, None, 0, 0, 0, 0],
    ("app:requests:rate5m", 'app="blog",host="web1"'): [1] * DAYS,
    ("app:requests:rate5m", 'app="blog",host="web2"'): [2] * DAYS,
    ("app:errors:increase5m", 'app="blog",host="web1"'): [0] * DAYS,
    ("app:errors:increase5m", 'app="blog",host="web2"'): [0] * DAYS,
    ("app:requests:rate5m", 'app="other",host="web1"'): [1] * DAYS,
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder, start = tmp_path_factory.mktemp("traffic"), int(time.time()) - DAYS * 86400
    lines = []
    for name in ("app:requests:rate5m", "app:errors:increase5m"):
        lines.append(f"# TYPE {name} gauge")
        for (series, labels), days in SERIES.items():
            lines += [
                f"{name}{{{labels}}} {days[second // 86400]} {start + second}"
                for second in range(0, DAYS * 86400, 240)
                if series == name and days[second // 86400] is not None
            ]
    (folder / "series.txt").write_text("\n".join([*lines, "# EOF"]) + "\n")
    words = ["tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=240h"]
    paths = [str(folder / "series.txt"), str(folder / "data")]
    subprocess.run([*command("promtool", folder), *words, *paths], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("{}\n")
    flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", "--log.level=error"]
    with running("prometheus", folder, *flags) as url:
        yield Prometheus(url)


def test_requests_are_of_seven_days_and_errors_of_all_that_is_kept(prometheus: Prometheus) -> None:
    found = traffic(prometheus, ["shop", "blog"])
    assert found["shop"] == {"requests": pytest.approx(2, rel=0.01), "errors": pytest.approx(3 / 300, rel=0.01)}
    assert found["blog"] == {"requests": pytest.approx(3), "errors": 0}


def test_an_app_without_figures_is_left_out(prometheus: Prometheus) -> None:
    assert list(traffic(prometheus, ["blog", "new", "other"])) == ["blog"]


def test_without_apps_nothing_is_asked() -> None:
    assert traffic(Prometheus("http://nowhere.invalid"), []) == {}


def test_a_prometheus_that_is_not_there_knows_nothing() -> None:
    assert traffic(Prometheus(f"http://127.0.0.1:{free_port()}"), ["shop"]) == {}
