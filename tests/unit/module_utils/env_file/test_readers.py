"""What the real programs read of what is written: the value that was meant, each of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import env_readers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.encode import BARE, UnreadableError, encode
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.text import edited

# What readers give a meaning comes more often than other characters.
PIECES = [
    *"'\"\\`$#{}()=:;&|<>!*?~%^,.[] \t\n",
    "$HOME",
    "${HOME}",
    "$(id)",
    " #",
    "\\n",
    "\\\\",
    "aZ09",
    "한글",
    "é",
    "🦀",
]
SEED = 20261128
COUNT = 1500
# Other people's lines for a key, as found in env files, in which readers differ; the last two open a quote.
FOUND = [
    "{}=abc", "{}=a b", "{}= a", "{}=a  ", "{}=a#b", "{}=a #b", "{}=#b", "{}=a$HOME", "{}=a${{HOME}}", "{}=a$",
    "{}=a$$b",
    "{}=a\\nb", "{}=a\\b", "{}=it's", '{}=a"b', '{}="a b"', '{}="a #b"', '{}="a$HOME"', '{}="a\\$HOME"', '{}="a\\nb"',
    '{}="a\\"b"', '{}="a\\\\b"', '{}="it\'s"', '{}="a" # c', "{}='a b'", "{}='a #b'", "{}='a$HOME'", "{}='a${{HOME}}'",
    "{}='a\\nb'", "{}='it\\'s'", "{}='a\\b'", "{}='a\\'", "{}='a\"b'", "{}='a' # c", "{} = a", "{}=",
    "{}: a", "  {}=a", "{}=`a b`", "{}=$(id -u)", "{}=a=b==", '{}={{"a": "b"}}', "{}=a;b", "{}=a%b!c*d&e", "{}='open",
    '{}="open',
]  # fmt: skip


def random_values(expands: bool) -> dict[str, tuple[str, str]]:
    """{key: (value, spelled)} of the random values that are not refused."""
    dice, accepted = random.Random(SEED), {}  # noqa: S311 - the same values in every run
    for number in range(COUNT):
        value = "".join(dice.choices(PIECES, k=dice.randint(0, 6)))
        try:
            accepted[f"K{number}"] = value, encode(value, expands)
        except UnreadableError:
            continue
    assert COUNT / 3 < len(accepted) < COUNT * 0.9
    return accepted


def written(folder: Path, spelled: Mapping[str, str]) -> Path:
    file = folder / "app.env"
    file.write_bytes(edited(b"# of the app\nAPP=1\n", spelled, {}))
    return file


@pytest.mark.parametrize("reader", env_readers.QUOTING)
def test_every_reader_takes_random_values_as_meant(reader: str, tmp_path: Path) -> None:
    values = random_values(expands=False)
    file = written(tmp_path, {key: spelled for key, (_, spelled) in values.items()})
    assert env_readers.QUOTING[reader](file, values) == {key: value for key, (value, _) in values.items()}


@pytest.mark.skipif(not env_readers.has_systemd(), reason="systemd does not run this machine")
def test_systemd_takes_random_values_as_meant(tmp_path: Path) -> None:
    values = random_values(expands=False)
    file = written(tmp_path, {key: spelled for key, (_, spelled) in values.items()})
    assert env_readers.systemd(file, values) == {key: value for key, (value, _) in values.items()}


@pytest.mark.parametrize("expands", [False, True])
def test_programs_of_npm_take_random_values_as_meant(expands: bool, tmp_path: Path) -> None:
    values = random_values(expands)
    file = written(tmp_path, {key: spelled for key, (_, spelled) in values.items()})
    wanted = {"APP": "1"} | {key: value for key, (value, _) in values.items()}
    found = env_readers.of_npm(file)
    asked = [reader for reader in found if expands or "expand" not in reader]
    assert len(asked) == (5 if expands else 3)
    assert {reader: found[reader] for reader in asked} == dict.fromkeys(asked, wanted)


def test_docker_run_takes_what_stands_without_quotes(tmp_path: Path) -> None:
    dice = random.Random(SEED)  # noqa: S311 - as above
    letters = [chr(code) for code in range(33, 127) if BARE.fullmatch(chr(code))]
    values = {f"K{number}": "".join(dice.choices(letters, k=dice.randint(0, 9))) for number in range(COUNT)}
    file = written(tmp_path, {key: encode(value) for key, value in values.items()})
    assert env_readers.docker_run(file, values) == values


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20))
def test_programs_of_python_take_any_text_as_meant(tmp_path: Path, value: str) -> None:
    try:
        file = written(tmp_path, {"K": encode(value)})
    except UnreadableError:
        return
    for reader in (env_readers.python_dotenv, env_readers.django_environ, env_readers.python_decouple):
        assert reader(file, ["K"]) == {"K": value}


def test_a_replaced_line_is_read_by_all_whatever_stood_there(tmp_path: Path) -> None:
    keys = {f"K{number}": line for number, line in enumerate(FOUND)}
    file = tmp_path / "app.env"
    before = "".join(f"{line.format(key)}\n" for key, line in keys.items())
    file.write_bytes(edited(before.encode(), {key: f"new{key}" for key in keys}, {}))
    wanted = {key: f"new{key}" for key in keys}
    readers = {**env_readers.QUOTING, "docker run": env_readers.docker_run}
    assert {name: read(file, keys) for name, read in readers.items()} == dict.fromkeys(readers, wanted)
    found = env_readers.of_npm(file)
    assert found == dict.fromkeys(found, wanted)
