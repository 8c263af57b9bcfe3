"""Text that Go reads as it was meant, and what is read out of the static files."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.crowsnest.core.plugins.plugin_utils.repository import threshold, yaml_text

# Docker's label of a digest such as the first two became a number, so that a container never had the planned one.
NUMBERS = [
    "12345678e9012345",
    "0189456712345678",
    "12e45",
    "1.5e3",
    ".5e3",
    "-7E+2",
    "0o17",
    "0x1f",
    "0b11",
    "42",
    "0123",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_a_text_that_looks_like_a_number_to_go_is_quoted(text: str) -> None:
    made = yaml_text({"label": text})
    assert made.splitlines()[-1] == f"label: '{text}'"
    assert yaml.safe_load(made) == {"label": text}


@pytest.mark.parametrize("text", ["15s", "a1e5", "v3.14.0", "10.0.0.1:9100", "1e", "0xzz"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert yaml_text({"label": text}).splitlines()[-1] == f"label: {text}"


@pytest.mark.parametrize(
    ("alert", "severity", "number"), [("HostDiskFilling", "critical", 90), ("HostDiskFilling", "medium", 80)]
)
def test_where_an_alert_begins_is_read_from_its_rule(alert: str, severity: str, number: float) -> None:
    assert threshold(alert, severity) == number


@pytest.mark.parametrize(
    ("alert", "severity"), [("HostDiskFilling", "low"), ("NoSuchAlert", "high"), ("HostDown", "critical")]
)
def test_an_alert_without_such_a_number_is_a_mistake(alert: str, severity: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|convert"):
        threshold(alert, severity)
