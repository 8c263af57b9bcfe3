# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The steps of `./crowsnest test`: runs them side by side, shows the output of failed ones, ends with a table.

Usage: python tests/steps.py [--long] [lint|unit|rules|molecule|all …]   (default: all), from the repository's folder.

--long takes ten random moments instead of three where a test takes random moments, and backs up 1 GB, whose figures
have goals. A step has a budget in seconds, measured on two cores with nothing else running and cached images, and fails
when it takes more than twice as long: CROWSNEST_TEST_FACTOR=3 allows three times that on a slower or busy machine.
"""

import fcntl
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOGS = Path(".cache/test")
STAT = Path("/proc/stat")
FIGURES = LOGS / "figures.txt"  # written by molecule/conftest.py
# The lines of pytest and Ansible that say what failed, and how many characters of them are shown first.
CAUSE = re.compile(r"^\s*(FAILED |ERROR |E  )|fatal: |FAILED!|UNREACHABLE!|\bfailed=[1-9]")
CAUSE_LINES, CAUSE_WIDTH = 40, 400
GROUPS = ("lint", "unit", "rules", "molecule")
# How often its budget a step may take before it fails, on a machine as the budgets were measured on.
PATIENCE = 2.0
SLOWEST = 10
# Seconds of each scenario as part of the whole run, the other lane beside it.
SCENARIOS = {"complete": 2600, "rescue": 1000, "fleet": 600, "default": 600, "role": 250}


@dataclass(frozen=True)
class Step:
    """One program that must end with status 0, in about `budget` seconds."""

    group: str
    name: str
    command: Sequence[str]
    budget: float


@dataclass(frozen=True)
class Result:
    """How a step ended, after how many seconds, and where its output is. `limit` is the time it could take at most."""

    step: Step
    status: int
    seconds: float
    limit: float
    log: Path

    @property
    def passed(self) -> bool:
        """Whether the program was content, and fast enough."""
        return self.status == 0 and not self.late

    @property
    def late(self) -> bool:
        """Whether it took too long."""
        return self.seconds > self.limit

    @property
    def verdict(self) -> str:
        """One word for the table."""
        if self.passed:
            return "passed"
        return "FAILED" if self.status else "LATE"


def steps() -> list[Step]:
    """All steps, the longest of a group first, so that two lanes end at about the same time."""
    scenarios = sorted(SCENARIOS, key=lambda name: -SCENARIOS[name])
    return [
        Step("unit", "pytest", ["pytest", "-q", "-n", "2", _durations("pytest")], 700),
        Step("unit", "backup", ["pytest", "-q", "-n", "2", _durations("backup"), "tests/backup"], 400),
        Step("lint", "ansible-lint", ["ansible-lint"], 300),
        Step("lint", "mypy", ["mypy"], 200),
        Step("lint", "yamllint", ["yamllint", "--strict", "."], 30),
        Step("lint", "ruff", ["ruff", "check"], 15),
        Step("lint", "ruff-format", ["ruff", "format", "--check"], 15),
        Step("lint", "shellcheck", ["shellcheck", *shell_scripts()], 15),
        # One file's tests stay together: what they install or start for it serves them all.
        Step(
            "rules",
            "promtool",
            ["pytest", "-q", "-n", "2", "--dist", "loadfile", _durations("promtool"), "tests/rules", "tests/real"],
            700,
        ),
        *(_scenario(name) for name in scenarios),
    ]


def _scenario(name: str) -> Step:
    return Step("molecule", f"molecule-{name}", ["molecule", "test", "-s", name], SCENARIOS[name])


def _durations(step: str) -> str:
    """The option by which pytest writes down how long each test took; scenarios do it in molecule/lab/playbooks."""
    return f"--junitxml={LOGS / step}.xml"


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
    """Runs a step with its output in a file; refuses it while another run of this checkout is at the same step."""
    log = LOGS / f"{step.name}.log"
    started = time.monotonic()
    with (LOGS / f"{step.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log = LOGS / f"{step.name}.refused.log"
            log.write_text(f"Another run in this checkout is at {step.name}: wait for its end, then repeat.\n")
            status = 1
        else:
            status = _output_of(step, log)
    result = Result(step, status, time.monotonic() - started, step.budget * PATIENCE * factor(), log)
    print(f"{result.verdict:7} {step.name} ({result.seconds:.0f} s)", flush=True)
    return result


def _output_of(step: Step, log: Path) -> int:
    """Exit status of the program, 127 where there is none."""
    (LOGS / f"{step.name}.xml").unlink(missing_ok=True)
    # The longest scenario decides how long all takes, and its tests have deadlines: the rest gets what it leaves.
    niceness = "0" if step.group == "molecule" else "5"
    with log.open("wb") as output:
        return subprocess.run(
            ["nice", "-n", niceness, *step.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def factor() -> float:
    """How much slower this machine may be than the one on which the budgets were measured."""
    return float(os.environ.get("CROWSNEST_TEST_FACTOR", "1"))


def run_all(chosen: Sequence[Step]) -> list[Result]:
    """Two Molecule scenarios at a time (each is a whole host, and waits much), everything else beside them in turn."""
    with ThreadPoolExecutor(2) as hosts, ThreadPoolExecutor(1) as rest:
        futures: list[Future[Result]] = [
            (hosts if step.group == "molecule" else rest).submit(run, step) for step in chosen
        ]
    return [future.result() for future in futures]


def ticks() -> tuple[int, int]:
    """(busy, all) of this machine's processors since it was started; what a hypervisor took from them is busy."""
    if not STAT.exists():  # not Linux
        return 0, 0
    fields = [int(field) for field in STAT.read_text().partition("\n")[0].split()[1:9]]
    idle, waiting = fields[3:5]
    return sum(fields) - idle - waiting, sum(fields)


def report(results: Sequence[Result]) -> Iterator[str]:
    """Lines of the report: what failed, the output of failed steps, the slowest tests, a table, failed tests, sum."""
    failed = [result for result in results if result.status]
    for result in failed:
        yield f"\n===== {result.step.name} failed, in short:"
        yield from causes(result.log.read_text(errors="replace"))
    for result in failed:
        yield f"\n===== {result.step.name} failed: {' '.join(result.step.command)[:200]}"
        yield result.log.read_text(errors="replace").rstrip()
    for result in results:
        if result.late:
            yield f"\n===== {result.step.name} took {result.seconds:.0f} s; {result.limit:.0f} s are the most it may:"
            yield "Find what became slower, or declare another budget in tests/steps.py. On a slower or busy machine:"
            yield f"CROWSNEST_TEST_FACTOR={result.seconds / result.limit * factor() + 0.5:.0f} ./crowsnest test"
    yield from _tables(results)
    yield from (f"FAILED {name}" for result in failed for name in failures(result.step.name))
    if any(not result.passed for result in results):
        yield f"Logs: {LOGS}/"
    passed = sum(result.passed for result in results)
    yield f"{passed} passed, {len(results) - passed} failed"


def _tables(results: Sequence[Result]) -> Iterator[str]:
    """The slowest tests, the steps, and figures that tests measured."""
    tests = sorted((test for result in results for test in durations(result.step.name)), reverse=True)
    if tests:
        yield "\nThe slowest tests, with what they wait for:"
        yield from (f"{seconds:7.1f} s  {name}" for seconds, name in tests[:SLOWEST])
    width = max(len(result.step.name) for result in results)
    yield f"\n{'step':{width}}  result  seconds  budget"
    for result in results:
        yield f"{result.step.name:{width}}  {result.verdict:6}  {result.seconds:7.1f}  {result.step.budget:6.0f}"
    if FIGURES.exists():
        yield f"\n{FIGURES.read_text().rstrip()}\n"


def durations(step: str) -> list[tuple[float, str]]:
    """(seconds, name) of every test of a step, fixtures included; empty where pytest wrote nothing down."""
    return [(float(case.get("time", 0)), _name(case)) for case in _cases(step)]


def failures(step: str) -> list[str]:
    """Name and reason in a line of each failed test of a step; in the log of a scenario Ansible folds such lines."""
    found = [(case, why) for case in _cases(step) for why in (*case.iter("failure"), *case.iter("error"))]
    return [f"{_name(case)}: {(why.get('message') or '').partition(chr(10))[0]}"[:CAUSE_WIDTH] for case, why in found]


def _cases(step: str) -> list[ElementTree.Element]:
    path = LOGS / f"{step}.xml"
    return list(ElementTree.parse(path).iter("testcase")) if path.exists() else []  # noqa: S314 - of our own pytest


def _name(case: ElementTree.Element) -> str:
    return f"{case.get('classname')}::{case.get('name')}"


def causes(log: str) -> list[str]:
    """The lines of a log that say what failed; its end where none does."""
    lines = log.splitlines()
    found = [line for line in lines if CAUSE.search(line)] or lines[-CAUSE_LINES:]
    return [line.strip()[:CAUSE_WIDTH] for line in found[-CAUSE_LINES:]]


def main(words: Sequence[str]) -> int:
    """Returns the exit status: 0 all passed, 1 something failed, 2 wrong usage."""
    names = [word for word in words if word != "--long"]
    unknown = [name for name in names if name not in (*GROUPS, "all")]
    if unknown:
        print(
            f"crowsnest test: no such group: {', '.join(unknown)}. Allowed: {', '.join(GROUPS)}, all; --long.",
            file=sys.stderr,
        )
        return 2
    if "--long" in words:
        os.environ["CROWSNEST_TEST_LONG"] = "1"
    wanted = GROUPS if not names or "all" in names else names
    chosen = [step for step in steps() if step.group in wanted]
    if not chosen:
        print(f"crowsnest test: there is nothing to test in {', '.join(wanted)}.", file=sys.stderr)
        return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    if "molecule" in wanted:
        FIGURES.unlink(missing_ok=True)
    print(f"Running {', '.join(step.name for step in chosen)} …", flush=True)
    before = ticks()
    results = run_all(chosen)
    busy, total = (now - then for now, then in zip(ticks(), before, strict=True))
    if total:
        print(f"The processors were busy for {busy / total:.0%} of the time.")
    print("\n".join(report(results)), flush=True)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    os.environ.setdefault("PY_COLORS", "0")
    sys.exit(main(sys.argv[1:]))
