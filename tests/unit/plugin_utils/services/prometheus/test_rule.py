"""Words for durations."""

from __future__ import annotations

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.services.prometheus.rule import duration

DURATIONS = {
    "30s": ("30 s", "30초"),
    "90m": ("90 min", "90분"),
    "1h30m": ("1 h 30 min", "1시간 30분"),
    "2d": ("2 d", "2일"),
    "1y2w": ("1 y 2 w", "1년 2주"),
}


@pytest.mark.parametrize("declared", DURATIONS)
def test_a_duration_is_written_as_people_do(declared: str) -> None:
    assert (duration(declared, "en"), duration(declared, "ko")) == DURATIONS[declared]
