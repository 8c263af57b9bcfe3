# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures and the one table made of them: pure functions."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEADER = ("What", "Unit", "Minimum", "Median", "Maximum", "Runs")
# Bytes per unit as Docker writes them: https://pkg.go.dev/github.com/docker/go-units
BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True)
class Figure:
    """One thing that was measured several times; `failed` says why there is no value."""

    name: str
    unit: str
    values: Sequence[float] = ()
    failed: str = ""


def row(figure: Figure) -> tuple[str, ...]:
    """A line of the table; smallest, median and largest value."""
    if not figure.values:
        return (figure.name, figure.unit, "-", "-", "-", f"failed: {figure.failed or 'no value'}")
    summary = (min(figure.values), statistics.median(figure.values), max(figure.values))
    return (figure.name, figure.unit, *(number(value) for value in summary), str(len(figure.values)))


def number(value: float) -> str:
    """Three digits that count, no more: 0.0123, 1.23, 12.3, 123, 12,345."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3}f}"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table that can be read as text, too."""
    return markdown([HEADER, *map(row, figures)], right=(2, 3, 4))


def markdown(rows: Sequence[tuple[str, ...]], right: Sequence[int] = ()) -> str:
    """A Markdown table whose first row is its head; the columns `right` are aligned to the right."""
    rows = [tuple(cell.replace("|", "/") for cell in line) for line in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [index in right for index in range(len(widths))]
    ruler = ["-" * (width - 1) + (":" if it else "-") for width, it in zip(widths, right, strict=True)]
    lines = [
        [cell.rjust(width) if it else cell.ljust(width) for cell, width, it in zip(line, widths, right, strict=True)]
        for line in rows
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in [lines[0], ruler, *lines[1:]])


def document(figures: Sequence[Figure], machine: Mapping[str, str], notes: Sequence[str], before: str = "") -> str:
    """The page docs/benchmark.md. `machine` is {"CPU": "…", …}; `before` is the page until now, whose sections stay."""
    _, heading, sections = before.partition("\n## ")
    where = "".join(f"- {name}: {value}\n" for name, value in machine.items())
    below = "".join(f"- {note}\n" for note in notes)
    return (
        "<!-- Made by ./crowsnest bench. Do not edit: run it again. Sections (##) are written by hand and stay. -->\n\n"
        f"# Benchmark\n\n{where}\n{table(figures)}\n{below}{heading}{sections}"
    )


def memory_mib(text: str) -> float:
    """`42.5MiB / 256MiB` as `docker stats` prints it → 42.5. ValueError for anything else."""
    found = re.fullmatch(r"([0-9.]+)([kKMG]?i?B)(?: / .*)?", text.strip())
    if not found or found[2] not in BYTES:
        raise ValueError(f"not an amount of memory: {text!r}")
    return float(found[1]) * BYTES[found[2]] / 2**20


def stats(text: str) -> dict[str, float]:
    """Lines of `docker stats --format '{{.Name}} {{.MemUsage}}'` → {container: MiB}."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return {name: memory_mib(amount) for name, amount in pairs}


def first_field(text: str, key: str) -> str:
    """Value of the first line `key : value` or `key=value`, as in /proc/cpuinfo and /etc/os-release; empty if none."""
    found = re.search(rf'(?m)^{re.escape(key)}\s*[:=]\s*"?([^"\n]*?)"?\s*$', text)
    return found[1] if found else ""
