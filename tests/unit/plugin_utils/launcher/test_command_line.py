# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which words are the verb's own and which go to ansible-playbook, shown with verbs that may come one day."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.command_line import parse
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.help import UsageError, overview, unknown
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.play import command
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verb import Option, Verb, Word
from ansible_collections.crowsnest.core.plugins.plugin_utils.launcher.verbs import VERBS, verbs

RESTORE = Verb(
    "restore",
    words=(Word("APP", "restore_app", "the app, by its name in the declaration"),),
    options=(
        Option("--backup", "restore_backup", "which one (default: the newest)", "NAME"),
        Option("--from", "restore_from", "where it lies", "local|REMOTE"),
        Option("--as", "restore_as", "put it in a database of this name", "NAME"),
        Option("--swap", "restore_swap", "put it in the place of the app's own, 100% of it"),
        Option("--yes", "restore_yes", "do it without a question"),
    ),
)
BACKUP = Verb(
    "backup",
    words=(Word("APP", "backup_app", "one app only", required=False),),
    options=(Option("--list", "backup_list", "show what there is"),),
)
TABLE = (*VERBS, RESTORE, BACKUP, Verb("logs", words=(Word("SERVICE", "logs_services", "which", many=True),)))


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Verb]:
    """The verbs above with toy playbooks, and a playbook that no table lists."""
    for name in ("site", "verify", "restore", "backup", "logs"):
        (tmp_path / f"{name}.yml").write_text(f"---\n# What {name} does\n- hosts: all\n")
    (tmp_path / "alert_drill.yml").write_text("---\n- hosts: all\n  # not in the first column\n")
    return verbs(tmp_path, TABLE)


def started(known: dict[str, Verb], line: str | list[str]) -> list[Any]:
    """What ansible-playbook would be given, with variables read."""
    name, *words = line.split() if isinstance(line, str) else line
    program, *arguments = command(parse(known[name], words))
    assert program == "ansible-playbook"
    return [json.loads(word) if word.startswith("{") else word for word in arguments]


SHOP = {"restore_app": "shop"}
FULL = SHOP | {"restore_backup": "shop-20261101T0200Z", "restore_yes": True}
CASES = {
    "restore shop": [SHOP],
    # Own words and options before, after and between those of Ansible.
    "restore shop --backup shop-20261101T0200Z --yes -i inv --check": [FULL, "-i", "inv", "--check"],
    "restore -i inv --check shop --yes --backup shop-20261101T0200Z": [FULL, "-i", "inv", "--check"],
    "restore --yes -i inv shop --check --backup=shop-20261101T0200Z": [FULL, "-i", "inv", "--check"],
    "restore shop --from s3 --as shop_old --swap": [
        SHOP | {"restore_from": "s3", "restore_as": "shop_old", "restore_swap": True}
    ],
    # A value of Ansible's is no word of ours, however it is written.
    "restore -vvv -CDi inv --limit=a -lb -e x=1 -e y=2 --tags a,b shop": [
        *(SHOP, "-vvv", "-CDi", "inv", "--limit=a", "-lb", "-e", "x=1", "-e", "y=2", "--tags", "a,b")
    ],
    "restore --become -i inv --lim web1 shop": [SHOP, "--become", "-i", "inv", "--lim", "web1"],
    # No abbreviations of ours: ansible-playbook has to know what this is.
    "restore shop --swa --back=x": [SHOP, "--swa", "--back=x"],
    # A value of ours that begins with a dash, an empty one; all for Ansible after --.
    "restore shop --backup=-x --as=": [SHOP | {"restore_backup": "-x", "restore_as": ""}],
    "restore shop --swap -- --yes --backup -h": [SHOP | {"restore_swap": True}, "--yes", "--backup", "-h"],
    "restore shop --as a --as b": [SHOP | {"restore_as": "b"}],
    "backup": [],
    "backup --list": [{"backup_list": True}],
    "backup --list shop": [{"backup_list": True, "backup_app": "shop"}],
    "backup -i inv shop": [{"backup_app": "shop"}, "-i", "inv"],
    "logs -i inv grafana --diff metabase": [{"logs_services": ["grafana", "metabase"]}, "-i", "inv", "--diff"],
    # Without words of its own, everything is Ansible's, in the order in which it came.
    "site --check -i inv --diff other.yml --version": ["--check", "-i", "inv", "--diff", "other.yml", "--version"],
    "alert-drill -i --json": ["-i", "--json"],
    "verify --limit web1": ["--limit", "web1"],
}


@pytest.mark.parametrize(("line", "expected"), CASES.items(), ids=CASES)
def test_own_words_become_variables_and_the_rest_goes_to_ansible(
    known: dict[str, Verb], line: str, expected: list[Any]
) -> None:
    variables = ["--extra-vars", expected[0]] if expected and isinstance(expected[0], dict) else []
    playbook = f"playbooks/{line.split()[0].replace('-', '_')}.yml"
    assert started(known, line) == [playbook, *variables, *expected[bool(variables) :]]


@pytest.mark.parametrize("name", ["it's", 'say "x"', "a b", "$(reboot)", "백업", "a\nb", "{x: 1}", "@file", "k=v"])
def test_a_value_arrives_as_it_was_written(known: dict[str, Verb], name: str) -> None:
    assert started(known, ["restore", "shop", "--backup", name])[2] == SHOP | {"restore_backup": name}


REFUSED = {
    "restore": "required: APP",
    "restore -i inventories/production": "required: APP",
    "restore shop blog": "unrecognized arguments: blog",
    "restore shop --back 1": "unrecognized arguments: 1",
    "restore shop --backup": "expected one argument",
    "restore shop --backup -i inv": "expected one argument",
    "restore shop --yes=no": "ignored explicit argument",
    "logs": "required: SERVICE",
}


@pytest.mark.parametrize(("line", "reason"), REFUSED.items(), ids=REFUSED)
def test_what_a_verb_does_not_understand_is_refused(
    known: dict[str, Verb], line: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        started(known, line)
    said = capsys.readouterr().err
    assert reason in said
    assert f"usage: ./crowsnest {line.split()[0]}" in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("demo -i inv", "demo does not know '-i'. Allowed: nothing, --status or --destroy."),
        ("test lint -x", "test does not know '-x'. Allowed: [GROUP …]."),
        ("new a --slack-webhok=secret", "new does not know '--slack-webhok'. Allowed: NAME, --host, "),
    ],
)
def test_a_program_says_what_it_takes_instead_of_something_of_ansible_s(
    known: dict[str, Verb], line: str, reason: str
) -> None:
    name, *words = line.split()
    with pytest.raises(UsageError) as refused:
        parse(known[name], words)
    assert str(refused.value).startswith(reason)
    assert "--slack-webhook," not in str(refused.value), "a flag that is always refused"


@pytest.mark.parametrize("words", [["--help"], ["a", "--", "-i", "--yes"], []])
def test_a_program_with_a_command_line_of_its_own_gets_every_word(known: dict[str, Verb], words: list[str]) -> None:
    assert parse(known["bench"], words).words == tuple(words)


def test_help_shows_what_is_the_verb_s_and_what_is_ansible_s(
    known: dict[str, Verb], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        parse(known["restore"], ["-i", "inv", "--help"])
    shown = capsys.readouterr().out
    own = ("What restore does", "APP", "--backup NAME", "--from local|REMOTE", "--as NAME", "--swap", "100% of it")
    assert [each for each in (*own, "-i INVENTORY", "--check", "--diff", "--limit", "-e ") if each not in shown] == []


def test_the_overview_names_every_verb_and_its_words(known: dict[str, Verb]) -> None:
    shown = overview(known)
    usages = ["restore APP", "backup [APP]", "logs SERVICE …", "site", "demo", "new", "test", "bench", "alert-drill"]
    assert [usage for usage in usages if f"  ./crowsnest {usage}" not in shown] == []
    assert "not in the first column" not in shown


def test_a_verb_of_the_table_without_its_playbook_is_none(tmp_path: Path) -> None:
    assert set(verbs(tmp_path, TABLE)) == {"demo", "new", "test", "bench"}


def test_a_wrong_name_is_answered_with_the_nearest(known: dict[str, Verb]) -> None:
    assert "Did you mean: ./crowsnest restore\n" in str(unknown("restroe", known))
    assert "Did you mean" not in str(unknown("xyz", known))
