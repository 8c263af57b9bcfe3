"""Module config_directory: check mode predicts and writes nothing, no secret is shown, errors are clear."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crowsnest.core.plugins.modules import config_directory

FILES = {"app.yml": "level: info\n"}
SECRET = "xoxb-very-secret-value"


def run(directory: Path, capsys: pytest.CaptureFixture[str], **params: Any) -> dict[str, Any]:
    given = {"path": str(directory), "files": FILES, "_ansible_diff": True, **params}
    with patch_module_args(given), pytest.raises(SystemExit):
        config_directory.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def snapshot(directory: Path) -> dict[str, tuple[int, int, int]]:
    paths = [directory, *directory.rglob("*")]
    return {str(path): (path.lstat().st_ino, path.lstat().st_mode, path.lstat().st_ctime_ns) for path in paths}


def test_check_mode_on_a_fresh_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "missing" / "parent" / "app"
    params = {"owner": "nobody-yet", "group": "none-yet", "validate": "not-installed-yet --check %s/app.yml"}
    result = run(path, capsys, _ansible_check_mode=True, **params)
    assert (result["changed"], result["changed_files"]) == (True, ["app.yml"])
    assert list(tmp_path.iterdir()) == []
    assert [warning["event"]["msg"].split(";")[0] for warning in result["warnings"]] == [
        "owner: there is no user 'nobody-yet' on this host yet",
        "group: there is no group 'none-yet' on this host yet",
        f"{path}: not validated, not-installed-yet is not installed on this host yet",
    ]


def test_check_mode_predicts_what_the_real_run_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "app"
    for files in (FILES, {"app.yml": "level: debug\n", "new/a": "1"}, {"only": "this"}, {"only": "this"}):
        before = snapshot(tmp_path)
        predicted = run(path, capsys, files=files, keep=2, validate="true %s", _ansible_check_mode=True)
        assert snapshot(tmp_path) == before
        assert run(path, capsys, files=files, keep=2, validate="true %s") == predicted


def test_check_mode_validates_a_copy_and_leaves_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    command = f"sh -c 'cat $0/app.yml; echo $0 > {trace}; exit 3' %s"
    result = run(tmp_path / "app", capsys, validate=command, _ansible_check_mode=True)
    assert "exit status 3" in result["msg"] and "level: info" in result["msg"]
    assert not (tmp_path / "app").exists()
    assert not Path(trace.read_text().strip()).exists()


def test_diff_is_before_and_after_per_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "app", capsys)
    result = run(tmp_path / "app", capsys, files={"app.yml": "level: debug\n"})
    assert result["diff"] == [
        {
            "before": "level: info\n",
            "after": "level: debug\n",
            "before_header": "app.yml",
            "after_header": "app.yml",
        }
    ]


@pytest.mark.parametrize(
    ("secrets", "files", "after"),
    [
        ({"token": "another-secret-value"}, {}, "(secret, new content, not shown)\n"),
        ({}, {}, ""),  # no longer there
        ({}, {"token": "public"}, "(secret, new content, not shown)\n"),  # no longer a secret, the old text still is
    ],
)
def test_secrets_old_and_new_are_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], secrets: dict[str, str], files: dict[str, str], after: str
) -> None:
    first = run(tmp_path / "app", capsys, secrets={"token": SECRET})
    assert (tmp_path / "app/current/token").read_text() == SECRET
    second = run(tmp_path / "app", capsys, secrets=secrets, files={**FILES, **files})
    assert second["changed_files"] == ["token"]
    assert [(entry["before"], entry["after"]) for entry in second["diff"]] == [("(secret, content not shown)\n", after)]
    shown = [{key: result[key] for key in ("diff", "changed_files", "release")} for result in (first, second)]
    assert SECRET not in json.dumps(shown) and "another-secret" not in json.dumps(shown)


def test_refused_validation_keeps_the_old_release_and_the_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(tmp_path / "app", capsys)
    script = "sh -c 'echo to stdout; cat $0/token >&2; head -n 1 $0/token; exit 7' %s"
    result = run(tmp_path / "app", capsys, secrets={"token": f"{SECRET}\nsecond-line\n"}, validate=script)
    assert result["failed"] and "exit status 7" in result["msg"] and "to stdout" in result["msg"]
    assert SECRET not in result["msg"] and "second-line" not in result["msg"] and "********" in result["msg"]
    assert (tmp_path / "app/current").resolve().name == first["release"]
    assert [path.name for path in (tmp_path / "app/releases").iterdir()] == [first["release"]]


def test_refused_validation_leaves_the_old_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "app", capsys, owner="21090")
    run(tmp_path / "app", capsys, owner="21091", validate="false %s")
    assert {path.stat().st_uid for path in (tmp_path / "app").rglob("*")} == {21090}
    assert (tmp_path / "app").stat().st_uid == 21090


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"validate": "nonexistent-program %s"}, ["cannot run nonexistent-program", "install the program"]),
        ({"validate": "true"}, ["write %s where"]),
        ({"validate": "true 'open %s"}, ["No closing quotation"]),
        ({"validate": "touch %s/extra"}, ["changed the files it checked"]),
        ({"owner": "nobody-yet"}, ["there is no user 'nobody-yet'", "create it"]),
        ({"mode": 0o640}, ["mode '416'", "in quotes", "'0640'"]),  # unquoted 0640 in YAML arrives as the number 416
        ({"directory_mode": "u+rwx"}, ["directory_mode 'u+rwx'"]),
        ({"keep": 0}, ["keep 0", "less than 1"]),
        ({"files": {"a": {"b": 1}}}, ["'a' is a dict", "to_nice_yaml"]),
        ({"path": "relative/path"}, ["not a plain absolute path"]),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], params: dict[str, Any], words: list[str]
) -> None:
    result = run(tmp_path / "app", capsys, **params)
    assert result["failed"] and "exception" not in result
    assert [word for word in words if word not in result["msg"]] == []
    assert not (tmp_path / "app/current").is_symlink()


def test_documentation_equals_the_argument_spec() -> None:
    options = yaml.safe_load(config_directory.DOCUMENTATION)["options"]
    spec: dict[str, dict[str, Any]] = config_directory.ARGUMENT_SPEC
    keys = ("type", "required", "default")
    documented = {name: {key: option[key] for key in keys if key in option} for name, option in options.items()}
    specified = {name: {key: option[key] for key in keys if key in option} for name, option in spec.items()}
    assert documented == specified
    assert yaml.safe_load(config_directory.EXAMPLES) and yaml.safe_load(config_directory.RETURN)


def test_everything_that_runs_on_hosts_parses_as_python_3_9() -> None:
    root = Path(config_directory.__file__).parents[1]
    for path in (root / "modules/config_directory.py", *root.glob("module_utils/**/*.py")):
        ast.parse(path.read_text(), feature_version=(3, 9))
