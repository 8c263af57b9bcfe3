"""The address of an app's metrics, as people write it and as Prometheus asks."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.declaration.addresses import MetricsPage

# What is declared, its parts, and Prometheus' label `instance`.
PAGES = {
    "127.0.0.1:8000/internal": (MetricsPage("127.0.0.1", 8000, "/internal"), "127.0.0.1:8000/internal"),
    ":8000": (MetricsPage("", 8000, "/metrics"), ":8000"),
    "shop_web_1:08000/": (MetricsPage("shop_web_1", 8000, "/metrics"), "shop_web_1:8000"),
    "[fe80::1%eth0]:9/a:b/c": (MetricsPage("[fe80::1%eth0]", 9, "/a:b/c"), "[fe80::1%eth0]:9/a:b/c"),
}


@pytest.mark.parametrize("text", PAGES)
def test_a_metrics_target_has_a_host_a_port_and_a_path(text: str) -> None:
    page, instance = PAGES[text]
    assert MetricsPage.parse(text) == page
    assert MetricsPage.parse(text, page.path) == page
    assert page.instance == instance


def test_a_host_is_filled_in_only_where_none_is_declared() -> None:
    assert MetricsPage.parse(":8000").on("[fd00::7]").address == "[fd00::7]:8000"
    assert MetricsPage.parse("10.0.0.9:8000").on("[fd00::7]").address == "10.0.0.9:8000"


@pytest.mark.parametrize("text", ["", "8000", ":0", ":65536", "[::1]", "[1.2.3.4]:80", ":80?x", ":80/a#b", "user@a:80"])
def test_what_is_no_metrics_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^host:port/path as the host itself reaches it, such as"):
        MetricsPage.parse(text)
