"""The runner behind `./crowsnest test`."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("steps", ROOT / "tests/steps.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "steps", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LOGS", tmp_path / "logs")
    return module


def use(runner, monkeypatch, **commands: list[str]) -> None:
    chosen = [runner.Step("lint", name, command) for name, command in commands.items()]
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


def test_a_program_that_is_missing_is_a_failure(runner, monkeypatch, capfd):
    use(runner, monkeypatch, missing=["no-such-program"])
    assert runner.main([]) == 1
    assert "cannot be run" in capfd.readouterr().out


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
    assert {"pytest", "ansible-lint", "mypy", "yamllint", "ruff", "ruff-format", "shellcheck", "promtool"} <= names
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert {step.command[-1] for step in steps if step.group == "molecule"} == scenarios
    assert "crowsnest" in next(step.command for step in steps if step.name == "shellcheck")
