# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures become one table, and a part that failed shows."""

import pytest

from bench.table import Figure, document, first_field, memory_mib, number, row, stats, table


def test_a_line_has_the_smallest_the_median_and_the_largest_value() -> None:
    assert row(Figure("Second run", "s", [9.0, 30.0, 8.5, 10.25])) == ("Second run", "s", "8.50", "9.62", "30", "4")


def test_a_figure_without_a_value_says_why() -> None:
    assert row(Figure("verify.yml", "s", failed="no playbook"))[-1] == "failed: no playbook"
    assert row(Figure("verify.yml", "s"))[2:5] == ("-", "-", "-")


@pytest.mark.parametrize(
    "value, text",
    [(0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346"), (34, "34"), (0.0, "0")],
)
def test_a_number_has_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_is_aligned_and_no_cell_can_break_it() -> None:
    lines = table([Figure("a | b", "s", [1.5]), Figure("longer name", "tasks", [26])]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert {line.count("|") for line in lines} == {7}
    assert lines[1].count(":") == 3
    assert lines[2].startswith("| a / b ")


def test_the_page_says_what_made_it_and_on_what() -> None:
    page = document([Figure("x", "s", [1.0])], {"CPU": "Fast, 2 cores"}, ["a note", "another"])
    assert page.startswith("<!-- Made by ./crowsnest bench.")
    assert "- CPU: Fast, 2 cores\n" in page
    assert page.endswith("\n\n- a note\n- another\n")


def test_sections_written_by_hand_stay_on_the_page() -> None:
    figures = [Figure("x", "s", [1.0])]
    old = document(figures, {"CPU": "slow"}, ["old note"]) + "\n## The profile\n\nText.\n\n## More\n"
    page = document(figures, {"CPU": "fast"}, ["a note"], old)
    assert page.endswith("- a note\n\n## The profile\n\nText.\n\n## More\n")
    assert "slow" not in page and "old note" not in page


@pytest.mark.parametrize(
    "text, mib", [("42.5MiB / 256MiB", 42.5), ("1.5GiB / 2GiB", 1536), ("512KiB / 1MiB", 0.5), ("0B / 0B", 0)]
)
def test_an_amount_of_memory_is_read_as_docker_writes_it(text: str, mib: float) -> None:
    assert memory_mib(text) == mib


@pytest.mark.parametrize("text", ["", "-- / --", "42.5", "5XiB"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        memory_mib(text)


def test_the_statistics_of_containers_are_read_by_name() -> None:
    text = "crowsnest-prometheus-1 80MiB / 300MiB\ncrowsnest-blackbox-1 512KiB / 64MiB\n\n"
    assert stats(text) == {"crowsnest-prometheus-1": 80, "crowsnest-blackbox-1": 0.5}


def test_a_field_is_found_in_the_files_that_describe_a_machine() -> None:
    assert first_field("processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nmodel name\t: other\n", "model name") == (
        "Some CPU @ 2GHz"
    )
    assert first_field('NAME="Debian"\nPRETTY_NAME="Debian 13"\n', "PRETTY_NAME") == "Debian 13"
    assert first_field("MemTotal:  1024 kB\n", "SwapTotal") == ""
