# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The steps of `./crowsnest test`: runs them side by side, shows the output of failed ones, ends with a table.

Usage: python tests/steps.py [lint|unit|rules|molecule|all …]   (default: all). Run from the repository's folder.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOGS = Path(".cache/test")
FIGURES = LOGS / "figures.txt"  # written by molecule/conftest.py
# The lines of pytest and Ansible that say what failed, and how many characters of them are shown first.
CAUSE = re.compile(r"^\s*(FAILED |ERROR |E  )|fatal: |FAILED!|UNREACHABLE!|\bfailed=[1-9]")
CAUSE_LINES, CAUSE_WIDTH = 40, 400
GROUPS = ("lint", "unit", "rules", "molecule")


@dataclass(frozen=True)
class Step:
    """One program that must end with status 0."""

    group: str
    name: str
    command: Sequence[str]


@dataclass(frozen=True)
class Result:
    """How a step ended, after how many seconds, and where its output is."""

    step: Step
    passed: bool
    seconds: float
    log: Path


def steps() -> list[Step]:
    """All steps, the longest of a group first."""
    scenarios = sorted(path.parent.name for path in Path("molecule").glob("*/molecule.yml"))
    scenarios.sort(key=lambda name: name == "fleet")  # the shortest last, so that two lanes end at about the same time
    return [
        Step("unit", "pytest", ["pytest", "-q", "-n", "2"]),
        Step("lint", "ansible-lint", ["ansible-lint"]),
        Step("lint", "mypy", ["mypy"]),
        Step("lint", "yamllint", ["yamllint", "--strict", "."]),
        Step("lint", "ruff", ["ruff", "check"]),
        Step("lint", "ruff-format", ["ruff", "format", "--check"]),
        Step("lint", "shellcheck", ["shellcheck", *shell_scripts()]),
        Step("rules", "promtool", ["pytest", "-q", "tests/rules", "tests/real"]),
        *(Step("molecule", f"molecule-{name}", ["molecule", "test", "-s", name]) for name in scenarios),
    ]


def shell_scripts() -> list[str]:
    """The project's files that begin with a shebang of a shell."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        text=True,
    )
    files = [Path(name) for name in listed.stdout.split("\0") if name and Path(name).is_file()]
    return [str(path) for path in files if _first_line(path).startswith(b"#!") and b"sh" in _first_line(path)]


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(100)


def run(step: Step) -> Result:
    """Runs a step with its output in a file."""
    log = LOGS / f"{step.name}.log"
    started = time.monotonic()
    with log.open("wb") as output:
        try:
            status = subprocess.run(
                step.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
            ).returncode
        except OSError as error:
            output.write(f"cannot be run: {error}\n".encode())
            status = 127
    result = Result(step, status == 0, time.monotonic() - started, log)
    print(f"{_verdict(result):7} {step.name} ({result.seconds:.0f} s)", flush=True)
    return result


def run_all(chosen: Sequence[Step]) -> list[Result]:
    """Two Molecule scenarios at a time (each is a whole host, and waits much), everything else beside them in turn."""
    with ThreadPoolExecutor(2) as hosts, ThreadPoolExecutor(1) as rest:
        futures: list[Future[Result]] = [
            (hosts if step.group == "molecule" else rest).submit(run, step) for step in chosen
        ]
    return [future.result() for future in futures]


def report(results: Sequence[Result]) -> Iterator[str]:
    """Lines of the report: what failed, the output of failed steps, a table, the sum."""
    failed = [result for result in results if not result.passed]
    for result in failed:
        yield f"\n===== {result.step.name} failed, in short:"
        yield from causes(result.log.read_text(errors="replace"))
    for result in failed:
        yield f"\n===== {result.step.name} failed: {' '.join(result.step.command)[:200]}"
        yield result.log.read_text(errors="replace").rstrip()
    width = max(len(result.step.name) for result in results)
    yield f"\n{'step':{width}}  result  seconds"
    for result in results:
        yield f"{result.step.name:{width}}  {_verdict(result):6}  {result.seconds:7.1f}"
    if FIGURES.exists():
        yield f"\n{FIGURES.read_text().rstrip()}\n"
    if failed:
        yield f"Logs: {LOGS}/"
    yield f"{len(results) - len(failed)} passed, {len(failed)} failed"


def causes(log: str) -> list[str]:
    """The lines of a log that say what failed; its end where none does."""
    lines = log.splitlines()
    found = [line for line in lines if CAUSE.search(line)] or lines[-CAUSE_LINES:]
    return [line.strip()[:CAUSE_WIDTH] for line in found[-CAUSE_LINES:]]


def _verdict(result: Result) -> str:
    return "passed" if result.passed else "FAILED"


def main(names: Sequence[str]) -> int:
    """Returns the exit status: 0 all passed, 1 something failed, 2 wrong usage."""
    unknown = [name for name in names if name not in (*GROUPS, "all")]
    if unknown:
        print(
            f"crowsnest test: no such group: {', '.join(unknown)}. Allowed: {', '.join(GROUPS)}, all.", file=sys.stderr
        )
        return 2
    wanted = GROUPS if not names or "all" in names else names
    chosen = [step for step in steps() if step.group in wanted]
    if not chosen:
        print(f"crowsnest test: there is nothing to test in {', '.join(wanted)}.", file=sys.stderr)
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    FIGURES.unlink(missing_ok=True)
    print(f"Running {', '.join(step.name for step in chosen)} …", flush=True)
    results = run_all(chosen)
    print("\n".join(report(results)), flush=True)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    os.environ.setdefault("PY_COLORS", "0")
    sys.exit(main(sys.argv[1:]))
