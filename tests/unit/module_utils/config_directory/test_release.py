"""What a configuration directory shall hold: names that are refused, the release's name, masking of output."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import (
    ConfigDirectoryError,
    Release,
    make_release,
)
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.validator import mask

GIVEN: dict[str, Any] = {
    "files": {"a": "1", "rules/b": "2"},
    "secrets": {"token": "s"},
    "owner": "root",
    "group": "0",
    "mode": "0640",
    "directory_mode": "0750",
}


def make(**changes: Any) -> Release:
    return make_release(**{**GIVEN, **changes})


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "file name '' is empty"),
        ("/etc/passwd", "file name '/etc/passwd' is absolute"),
        ("..", "file name '..' has a part '.' or '..'"),
        ("rules/../../x", "file name 'rules/../../x' has a part '.' or '..'"),
        ("./x", "file name './x' has a part '.' or '..'"),
        ("rules//x", "file name 'rules//x' has an empty part"),
        ("rules/", "file name 'rules/' has an empty part"),
        ("x\0y", r"file name 'x\x00y' has a NUL or another character that cannot be printed"),
        ("x\ny", r"file name 'x\ny' has a NUL or another character that cannot be printed"),
        ("x\udc80", r"file name 'x\udc80' has a NUL or another character that cannot be printed"),
        ("가" * 100, "has a part longer than 255 bytes"),
        ("a/b", "file name 'a/b' needs a directory where 'a' is a file"),
        ("token/x/y", "file name 'token/x/y' needs a directory where 'token' is a file"),
        ("token", "'token' is in both files and secrets"),
    ],
)
def test_file_names_refused(name: str, fault: str) -> None:
    with pytest.raises(ConfigDirectoryError) as caught:
        make(files={**GIVEN["files"], name: "text"})
    assert fault in str(caught.value)


@pytest.mark.parametrize("name", ["..a", "a b", ".hidden", "규칙/경보.yml", "x/" * 50 + "y", "aa/b", "-rf", "%s"])
def test_file_names_allowed(name: str) -> None:
    assert make(files={**GIVEN["files"], name: "text"}).files[name] == b"text"


def test_all_mistakes_at_once() -> None:
    with pytest.raises(ConfigDirectoryError) as caught:
        make(files={"/a": "1", "b/..": "2", "c": None, "d": "\ud800"}, mode="640", directory_mode="8888")
    faults = ("'/a' is absolute", "'b/..' has a part", "'c' is a NoneType", "'d' cannot be written", "'640'", "'8888'")
    assert [fault for fault in faults if fault not in str(caught.value)] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"a": "1", "rules/b": "3"}},
        {"files": {"a": "1", "rules/c": "2"}},
        {"files": {"a": "1", "rules/b": "2", "c": ""}},
        {"files": {"a": "1", "rules/b": "2", "token": "s"}, "secrets": {}},
        {"secrets": {"token": "t"}},
        {"owner": "daemon"},
        {"group": "1"},
        {"mode": "0600"},
        {"directory_mode": "0700"},
    ],
)
def test_the_name_depends_on_all_that_counts(changes: dict[str, Any]) -> None:
    assert make(**changes).name != make().name


def test_the_name_is_the_same_everywhere() -> None:
    assert make(files=dict(reversed(GIVEN["files"].items()))).name == make().name == "2404d37062b8606b"


def test_owner_and_group_by_name_number_or_unknown() -> None:
    assert (make(owner="daemon").uid, make(owner="4711").uid, make(owner="not-there").uid) == (1, 4711, None)
    assert make(owner="not-there", group="4711").missing_ids() == ["owner: there is no user 'not-there' on this host"]
    assert make(group="not-there").tree["a"].gid is None


@pytest.mark.parametrize(
    ("secret", "output", "shown"),
    [
        ("hunter22\n", "line 3: bad hunter22!", "line 3: bad ********!"),
        ("abc", "abc", "********"),
        (
            "user: admin\npassword: correct-horse\n",
            "cannot parse correct-horse at line 2",
            "cannot parse ******** at line 2",
        ),
        ("key=https://hooks/T/B/x", 'url "https://hooks/T/B/x"', 'url "********"'),
        ("a: 1\nb: 2\n", "a: bad, 1 of 2", "a: bad, 1 of 2"),  # pieces too short to be secret
        ("", "nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_masked_in_output(secret: str, output: str, shown: str) -> None:
    assert mask(output, [secret]) == shown
