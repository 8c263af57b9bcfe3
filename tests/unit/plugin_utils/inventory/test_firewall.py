"""What `./crowsnest new` asks about the firewall; the way to the server and back: tests/launcher/test_new_door.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from server_facts import host_facts

from ansible_collections.crowsnest.core.plugins.module_utils.host.shape import HostFacts
from ansible_collections.crowsnest.core.plugins.plugin_utils.inventory import firewall

NAME = "production"
EXAMPLE = Path(__file__).resolve().parents[4] / "inventories/example/group_vars/all/settings.yml"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / NAME / "group_vars/all/settings.yml"
    path.parent.mkdir(parents=True)
    path.write_text(EXAMPLE.read_text())
    monkeypatch.setattr(firewall, "INVENTORIES", tmp_path)
    return path


def busy() -> HostFacts:
    """A server with an app, a database that Docker publishes, and SSH behind an address translation."""
    everywhere, here = ["0.0.0.0"], ["127.0.0.1"]
    facts = host_facts(
        ports={"2200": everywhere, "80": everywhere, "8000": ["::"], "9000": here},
        listeners={"8000": {"program": "/usr/bin/gunicorn", "unit": "shop.service"}},
    )
    facts["login"] = {"source": "198.51.100.2", "port": 2200}
    facts["published"] = [
        {"container": "shop-db-1", "address": "0.0.0.0", "port": 5432},
        {"container": "shop-cache-1", "address": "127.0.0.1", "port": 6379},
    ]
    return facts


def answered(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """The questions that were asked of a person at a terminal who gives these answers, then ends the input."""
    questions: list[str] = []
    left: Iterator[str] = iter(answers)

    def read(question: str) -> str:
        questions.append(question)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    return questions


def written(settings: Path) -> tuple[bool, list[int]]:
    variables = yaml.safe_load(settings.read_text())
    return variables["crowsnest_firewall"], variables["crowsnest_open_ports"]


def test_what_would_close_is_shown_with_its_owner(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = answered(monkeypatch, "yes")
    assert firewall.offer({"name": NAME}, busy()) == 0
    told = capsys.readouterr().out
    assert "leaves 22, 80, 443, 2200 open. It closes UDP" in told
    rows = [line for line in told.splitlines() if line.startswith("   ")]
    assert rows == ["   5432  container shop-db-1", "   8000  gunicorn (pid 812, /usr/bin/gunicorn, shop.service)"]
    assert "firewall of your provider" in told
    assert questions == [
        "Close all other ports? yes, no, or the numbers of more ports that stay open, such as 5432,8000 [no]: "
    ]
    assert written(settings) == (True, [22, 80, 443, 2200])


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        (["5432, 8000"], (True, [22, 80, 443, 2200, 5432, 8000])),
        (["8000 22"], (True, [22, 80, 443, 2200, 8000])),
        (["perhaps", "70000", "8000"], (True, [22, 80, 443, 2200, 8000])),
        (["Y"], (True, [22, 80, 443, 2200])),
        ([""], (False, [22, 80, 443])),
        (["No"], (False, [22, 80, 443])),
        ([], (False, [22, 80, 443])),
    ],
    ids=str,
)
def test_an_answer_and_what_it_writes(
    settings: Path, monkeypatch: pytest.MonkeyPatch, answers: list[str], result: tuple[bool, list[int]]
) -> None:
    before = settings.read_text()
    questions = answered(monkeypatch, *answers)
    assert firewall.offer({"name": NAME}, busy()) == 0
    assert written(settings) == result
    assert len(questions) == max(len(answers), 1)
    assert result[0] or settings.read_text() == before


def test_where_nothing_closes_yes_is_the_default(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = answered(monkeypatch, "")
    assert firewall.offer({"name": NAME}, host_facts()) == 0
    assert [question.endswith("[yes]: ") for question in questions] == [True]
    assert "Only 22, 80, 443 can be reached from outside by TCP." in capsys.readouterr().out
    assert written(settings) == (True, [22, 80, 443])


@pytest.mark.parametrize(
    ("flags", "on"),
    [({"firewall": "yes"}, True), ({"firewall": "no"}, False), ({"yes": True}, False)],
    ids=str,
)
def test_a_flag_saves_the_question(
    settings: Path, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any], on: bool
) -> None:
    questions = answered(monkeypatch)
    assert firewall.offer({"name": NAME, **flags}, busy()) == 0
    assert (questions, written(settings)[0]) == ([], on)


def test_all_else_in_the_file_stays(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "yes")
    before = settings.read_text().splitlines()
    firewall.offer({"name": NAME}, busy())
    changed = [line for line in settings.read_text().splitlines() if line not in before]
    assert changed == ["crowsnest_open_ports: [22, 80, 443, 2200]", "crowsnest_firewall: true"]
