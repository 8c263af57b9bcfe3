# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A run of a module for an API, in-process: options without what nobody declared, one sentence, nothing secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import (
    ReconcileError,
    declared,
    refuse,
    run_module,
    secret_texts,
)

SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "settings": {"type": "dict", "default": {}, "no_log": True},
    "projects": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "token": {"type": "str", "no_log": True},
            "page": {"type": "str", "no_log": True},
            "headers": {"type": "dict", "no_log": True},
            "owner": {"type": "dict", "options": {"email": {"type": "str"}, "phone": {"type": "str"}}},
        },
    },
}
BY_NAME = {"settings": re.compile("key")}
Run = Callable[..., dict[str, Any]]


def secrets(options: Any) -> set[str]:
    return secret_texts(SPEC, options, 4, BY_NAME, visible=("page",))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a module whose work is a function of its options and check mode."""

    def once(work: Callable[[Any, bool], dict[str, Any]], **options: Any) -> dict[str, Any]:
        with patch_module_args({"url": "http://api", **options}), pytest.raises(SystemExit):
            run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), secrets, work)
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return once


def nothing(**more: Any) -> dict[str, Any]:
    return {"changed": False, "warnings": [], "diff": {"before": "a", "after": "b"}, **more}


def test_the_work_gets_only_what_is_declared(run: Run) -> None:
    given = {"projects": [{"name": "shop", "owner": {"email": "a@b"}, "headers": {"A": None}}], "settings": {"x": None}}
    got = run(lambda options, check: nothing(got=[options, check]), **given, _ansible_check_mode=True)["got"]
    assert got == [{"url": "http://api", "password": None, **given}, True]


def test_an_option_that_is_null_is_as_if_it_were_not_there() -> None:
    values = {"projects": [{"name": "shop", "token": None, "owner": {"email": None, "phone": "1"}}], "password": None}
    assert declared(SPEC, values) == {"projects": [{"name": "shop", "owner": {"phone": "1"}}], "password": None}


def test_what_is_secret() -> None:
    options = {
        "url": "http://api",
        "password": "hush-password",
        "settings": {"site-key": "hush-key", "name": "Example"},
        "projects": [
            {"name": "project", "token": "hush-token", "page": "https://page", "headers": {"A": ["hush-header", 5]}},
            {"name": "other", "token": "abcd"},
        ],
    }
    assert secrets(options) == {"hush-password", "hush-key", "hush-token", "hush-header"}


def test_nothing_secret_is_in_the_result_and_ordinary_words_are(run: Run) -> None:
    project = {"name": "shop", "token": "hush-token", "headers": {"A": "shop"}, "page": "https://page"}
    result = run(lambda options, _: nothing(said=str(options)), projects=[project], settings={"key": "hush-key"})
    assert "hush" not in json.dumps(result)
    assert "'name': 'shop'" in result["said"] and "https://page" in result["said"]


def test_nothing_secret_is_in_the_log_of_the_host(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _, line, **__: lines.append(line))
    project = {
        "name": "shop",
        "token": "hush-token",
        "headers": {"A": "hush-header"},
        "page": "https://a?token=hush-page",
    }
    run(lambda *_: nothing(), projects=[project], settings={"key": "hush-key"}, password="hush-password")
    (line,) = lines
    assert "hush" not in line
    assert "shop" in line


def test_a_refusal_is_one_sentence_with_all_mistakes(run: Run) -> None:
    def work(*_: Any) -> dict[str, Any]:
        refuse("The API at http://api", ["projects[0]: a", "projects[1]: b hush-token"])
        return nothing()

    result = run(work, projects=[{"name": "shop", "token": "hush-token"}])
    assert result["failed"] is True
    assert result["msg"].startswith(
        "The API at http://api: nothing was changed, 2 mistakes: projects[0]: a; projects[1]"
    )
    assert "hush" not in result["msg"]


def test_no_mistake_is_no_refusal() -> None:
    refuse("The API", [])
    with pytest.raises(ReconcileError, match=r"^The API: nothing was changed, 1 mistake: a$"):
        refuse("The API", ["a"])


@pytest.mark.parametrize("asked", [True, False])
def test_a_diff_is_shown_when_it_is_asked_for_and_warnings_always(run: Run, asked: bool) -> None:
    result = run(lambda *_: nothing(warnings=["Look here"]), _ansible_diff=asked)
    assert ("diff" in result) is asked
    assert "Look here" in str(result["warnings"])
