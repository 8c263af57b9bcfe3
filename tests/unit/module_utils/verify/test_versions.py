"""Versions as the services' own metrics say them (lines recorded from the programs)."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.verify.check import Check
from ansible_collections.crowsnest.core.plugins.module_utils.verify.versions import version_checks

PROMETHEUS = (
    "# TYPE prometheus_build_info gauge\n"
    'prometheus_build_info{{branch="HEAD",goarch="amd64",goos="linux",goversion="go1.27.1",'
    'revision="1",tags="unknown",version="{}"}} 1\n'
)
KUMA = '# TYPE app_version gauge\napp_version{{version="{}",major="2",minor="5",patch="3"}} 1\n'
GRAFANA = 'grafana_build_info{{edition="oss",goversion="go1.26",version="{}"}} 1\n'
SERVICES = {
    "prometheus": {"image": "prom/prometheus:v3.14.0"},
    "uptime_kuma": {"image": "louislam/uptime-kuma:2.5.3-slim-rootless"},
    "grafana": {"image": "mirror.example:5000/grafana/grafana:13.1.2@sha256:" + "0" * 64},
}


def one(metrics: dict[str, str]) -> Check:
    (check,) = version_checks(SERVICES, metrics)
    return check


def test_the_versions_that_run_are_named() -> None:
    metrics = {"prometheus": PROMETHEUS, "uptime_kuma": KUMA, "grafana": GRAFANA}
    versions = {"prometheus": "3.14.0", "uptime_kuma": "2.5.3", "grafana": "13.1.2"}
    check = one({name: text.format(versions[name]) for name, text in metrics.items()})
    assert (check.status, check.detail) == ("PASS", "prometheus 3.14.0, uptime_kuma 2.5.3, grafana 13.1.2")


@pytest.mark.parametrize("version", ["2.53.3", "3.5.3+ds1", "3.14.1", "3.14"])
def test_an_image_that_holds_another_version_than_its_name_says_is_a_warning(version: str) -> None:
    check = one({"prometheus": PROMETHEUS.format(version), "grafana": GRAFANA.format("13.1.2")})
    assert check.status == "WARN"
    assert check.detail == f"prometheus {version.partition('+')[0]} (its image is tagged v3.14.0)"
    assert "registry mirror" in check.advice


# (version that runs, tag, whether they fit)
TAGS = [
    ("3.14.0", tag, True) for tag in ("3.14.0", "v3.14", "3-alpine3.20", "latest", "sha-99f1", "v3.14.0-distroless")
]
TAGS += [("3.14.0", tag, False) for tag in ("3.1", "v3.14.0.1", "2.0", "v2.53.3-distroless", "3.14.01", "3.14.0-rc.1")]
TAGS += [("3.15.0-rc.0", "v3.15.0-rc.0", True), ("3.15.0-rc.0", "v3.15.0-rc.0-distroless", True)]
TAGS += [("3.15.0-rc.0", "v3.15.0-rc.1", False), ("3.15.0-rc.0", "v3.15.0", False)]
TAGS += [("3.14.0-rc.1", tag, True) for tag in ("3.14.0rc1", "v3.14.0-rc1", "3.14", "3.14-rc.1")]
TAGS += [("3.14.0rc1", "v3.14.0-rc.1", True), ("3.14.0-rc.1", "3.14.0-rc.12", False), ("2.0.0-beta.3", "2.0", True)]
TAGS += [("3.14.0", tag, True) for tag in ("2026-11-stable", "2", "20261101", "2.5_1", "stable-2.5")]


@pytest.mark.parametrize(("version", "tag", "fits"), TAGS)
def test_a_tag_promises_as_much_of_the_version_as_it_says(version: str, tag: str, fits: bool) -> None:
    image = {"image": f"registry.example:5000/own:{tag}"}
    (check,) = version_checks({"own": image}, {"own": PROMETHEUS.format(version)})
    assert (check.status == "PASS") is fits


DIGEST = "@sha256:" + "0" * 64
# (image, whether its name fits Prometheus 3.14.0): the port of a registry is not a tag.
IMAGES = {
    "localhost:5000/prometheus": True,
    f"registry.example.com:5000/prom/prometheus{DIGEST}": True,
    "prometheus": True,
    f"prometheus{DIGEST}": True,
    f"10.0.0.9:5000/prometheus:v3.14.0{DIGEST}": True,
    f"10.0.0.9:5000/prometheus:v2.53.3{DIGEST}": False,
    "prometheus:2.53": False,
}


@pytest.mark.parametrize("image", IMAGES)
def test_the_tag_follows_the_name_of_an_image(image: str) -> None:
    (check,) = version_checks({"own": {"image": image}}, {"own": PROMETHEUS.format("3.14.0")})
    assert (check.status == "PASS") is IMAGES[image]


@pytest.mark.parametrize("metrics", [{}, {"prometheus": ""}, {"prometheus": 'x_build_info{goversion="go1.27"} 1\n'}])
def test_what_does_not_say_its_version_is_left_out(metrics: dict[str, str]) -> None:
    assert version_checks(SERVICES, metrics) == []
