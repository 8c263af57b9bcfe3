"""The runner behind `./crowsnest test`."""

import fcntl
import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("steps", ROOT / "tests/steps.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "steps", module)
    spec.loader.exec_module(module)
    for name in ("CROWSNEST_TEST_FACTOR", "CROWSNEST_TEST_LONG"):
        monkeypatch.setenv(name, "")  # also what main() sets goes afterwards
        monkeypatch.delenv(name)
    monkeypatch.setattr(module, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(module, "FIGURES", tmp_path / "figures.txt")  # the real one is written to at this very moment
    return module


def use(runner, monkeypatch, **commands: list[str]) -> None:
    chosen = [runner.Step("lint", name, command, 60) for name, command in commands.items()]
    monkeypatch.setattr(runner, "steps", lambda: chosen)


def test_all_passed(runner, monkeypatch, capfd):
    use(runner, monkeypatch, one=["true"], two=["sh", "-c", "echo chatter"])
    assert runner.main([]) == 0
    screen = capfd.readouterr().out
    assert screen.splitlines()[-1] == "2 passed, 0 failed"
    assert "chatter" not in screen


def test_a_failure_shows_its_output_and_fails_the_whole(runner, monkeypatch, capfd):
    use(runner, monkeypatch, good=["true"], bad=["sh", "-c", "echo the reason; exit 3"])
    assert runner.main(["lint"]) == 1
    screen = capfd.readouterr().out
    assert "the reason" in screen
    assert screen.splitlines()[-1] == "1 passed, 1 failed"


def test_failed_tests_are_named_at_the_end(runner, monkeypatch, capfd):
    cases = '<testcase classname="one" name="good"/><testcase classname="one" name="bad"><failure message="so&#10;x"/>'
    suite = f"<testsuites>{cases}</testcase></testsuites>"
    use(runner, monkeypatch, one=["sh", "-c", f"echo '{suite}' >{runner.LOGS}/one.xml; exit 1"])
    assert runner.main([]) == 1
    assert capfd.readouterr().out.splitlines()[-3:-1] == ["FAILED one::bad: so", f"Logs: {runner.LOGS}/"]


def test_a_program_that_is_missing_is_a_failure(runner, monkeypatch, capfd):
    use(runner, monkeypatch, missing=["no-such-program"])
    assert runner.main([]) == 1
    assert "no-such-program" in capfd.readouterr().out.partition("failed, in short:")[2].splitlines()[1]


def test_a_scenario_goes_before_the_rest_as_all_wait_for_the_longest(runner, monkeypatch):
    told = [sys.executable, "-c", "import os; print(os.nice(0))"]
    chosen = [runner.Step(group, group, told, 60) for group in ("molecule", "unit")]
    monkeypatch.setattr(runner, "steps", lambda: chosen)
    assert runner.main([]) == 0
    host, rest = (int((runner.LOGS / f"{step.name}.log").read_text()) for step in chosen)
    assert rest > host


def test_an_unknown_group_is_refused(runner, capfd):
    assert runner.main(["lnit"]) == 2
    assert "Allowed: lint, unit, rules, molecule, all" in capfd.readouterr().err


def test_nothing_to_run_is_no_success(runner, monkeypatch):
    use(runner, monkeypatch, one=["true"])
    assert runner.main(["unit"]) == 1


def test_every_kind_of_test_of_the_project_has_a_step(runner, monkeypatch):
    monkeypatch.chdir(ROOT)
    steps = runner.steps()
    names = {step.name for step in steps}
    linters = {"ansible-lint", "yamllint", "ruff", "ruff-format", "mypy", "shellcheck"}
    assert linters | {"pytest", "backup", "promtool"} <= names
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert {step.command[-1] for step in steps if step.group == "molecule"} == scenarios == set(runner.SCENARIOS)
    assert "crowsnest" in next(step.command for step in steps if step.name == "shellcheck")


def test_a_step_that_takes_more_than_twice_its_budget_fails_and_says_so(runner, monkeypatch, capfd):
    slow = runner.Step("lint", "slow", ["sleep", "0.3"], 0.1)
    monkeypatch.setattr(runner, "steps", lambda: [slow])
    assert runner.main([]) == 1
    screen = capfd.readouterr().out
    assert re.search(r"slow took \d+ s; 0 s are the most it may", screen)
    assert "LATE" in screen
    assert screen.splitlines()[-1] == "0 passed, 1 failed"


def test_a_slower_machine_is_given_more_time(runner, monkeypatch):
    monkeypatch.setattr(runner, "steps", lambda: [runner.Step("lint", "slow", ["sleep", "0.3"], 0.1)])
    monkeypatch.setenv("CROWSNEST_TEST_FACTOR", "100")
    assert runner.main([]) == 0


def test_a_step_that_another_run_is_at_is_refused_and_leaves_its_log_alone(runner, monkeypatch, capfd):
    use(runner, monkeypatch, one=["sh", "-c", "echo mine"])
    runner.LOGS.mkdir(parents=True)
    (runner.LOGS / "one.log").write_text("of the other run")
    with (runner.LOGS / "one.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert runner.main([]) == 1
    assert "Another run in this checkout is at one" in capfd.readouterr().out
    assert (runner.LOGS / "one.log").read_text() == "of the other run"
    assert runner.main([]) == 0


def test_the_ten_slowest_tests_of_all_steps_are_shown(runner, monkeypatch, capfd):
    commands, case = {}, '<testcase classname="tests.{}" name="test_{}" time="{}"/>'
    for step in ("one", "two"):
        cases = "".join(case.format(step, number, number / 10) for number in range(9))
        command = [
            "sh",
            "-c",
            f"echo '<testsuites><testsuite>{cases}</testsuite></testsuites>' >{runner.LOGS / step}.xml",
        ]
        commands[step] = command
    use(runner, monkeypatch, **commands)
    assert runner.main([]) == 0
    shown = [line.split() for line in capfd.readouterr().out.splitlines() if "::" in line]
    assert [line[0] for line in shown] == ["0.8", "0.8", "0.7", "0.7", "0.6", "0.6", "0.5", "0.5", "0.4", "0.4"]
    assert {line[2] for line in shown[:2]} == {"tests.one::test_8", "tests.two::test_8"}


def test_a_long_run_is_known_to_the_tests(runner, monkeypatch):
    monkeypatch.setenv("CROWSNEST_TEST_LONG", "")
    use(runner, monkeypatch, one=["sh", "-c", 'test -n "$CROWSNEST_TEST_LONG"'])
    assert runner.main([]) == 1
    assert runner.main(["--long"]) == 0


def test_figures_of_scenarios_outlive_a_run_of_something_else(runner, monkeypatch):
    runner.FIGURES.write_text("complete: verify: 3 s\n")
    use(runner, monkeypatch, one=["true"])
    runner.main(["lint"])
    assert runner.FIGURES.exists()
    runner.main(["all"])
    assert not runner.FIGURES.exists()
