# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Which commands the pages tell people to type, and how each of them is tested.

Every block of shell commands has a comment on the line before it, which a reader of the page does not see:

    <!-- run: server -->            run on the lab's server, over SSH, as the user who has sudo; must end with 0
    <!-- run: here -->              run in the checkout, in the project's environment; harmless and quick
    <!-- tested by: PATH::test -->  this test runs it; PATH alone where the file is no test but runs it
    <!-- cloud: why -->             needs something that no laboratory has
    <!-- manual: why -->            would break more than a laboratory survives, or needs a person

`run` may be followed by, each after a semicolon: `NAME=shop-db-1` (what a placeholder stands for in this block),
`shows TEXT` (what its output must contain) and `disturbs` (it interrupts a service: not for a demo somebody looks at).

Commands in the text of runbooks have no comment; what becomes of them is said once, in INLINE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("run", "tested by", "cloud", "manual")
SHELL = ("sh", "bash", "shell", "console")
MARKER = re.compile(r"^\s*<!-- (?P<kind>run|tested by|cloud|manual): (?P<rest>.+) -->$")

# What a reader replaces, and by what the test does it, in this order; a marker may say otherwise.
PLACEHOLDERS = {
    "inventories/production": "inventories/lab",
    "~/crowsnest-backup.key": ".lab/$CROWSNEST_LAB/age_identity",
    "NAME": "shop-web-1",
    "APP": "shop-web-1",
    "HOST": "lab1",
    "URL": "http://127.0.0.1:8000/metrics",
    "METRIC": "django_http",
    "PID": "$$",
    "FILE": "/etc/crowsnest/current/rules/host.yml",
    "UNIT": "ssh",
    "<older>": "RELEASE",
    "RELEASE": '$(basename "$(sudo readlink /opt/crowsnest/SERVICE/current)")',
    "SERVICE": "prometheus",
}

# A filter that finds nothing is no failure, and `head` reads to the end, so that its source is not cut off.
PREAMBLE = """set -euo pipefail
grep() { command grep "$@" || [ $? -eq 1 ]; }
head() { command head "$@"; cat >/dev/null; }
export SYSTEMD_PAGER=cat
"""

# Commands in the text of runbooks: the longest beginning that fits says "run", or why it is not run.
RUN = "run"
CHANGES = "manual: it changes the host of an app that is broken; harmless only where the page says so"
INLINE = {
    "./crowsnest site -i": "tested by: molecule/lab/play.py runs the same playbook for every scenario",
    "./crowsnest alert-test -i": "tested by: molecule/complete/tests/test_side_by_side.py",
    "apt-config dump": RUN,
    "cat /etc/resolv.conf": RUN,
    "curl -s": RUN,
    "curl -sv -m 5": "manual: only where Redis is down",
    "curl --cacert FILE": "manual: only where Redis is down",
    "curl -X POST http://127.0.0.1:9090/-/reload": RUN,
    "curl -X DELETE": "manual: removes what a job pushed",
    "df": RUN,
    'echo "rows_imported 12"': "tested by: tests/rules/test_pushgateway.py",
    "free": RUN,
    "getent": RUN,
    "promtool check rules": "tested by: tests/rules/test_rules.py",
    "python manage.py": "manual: a command of the team's app",
    "sudo apt-get clean": RUN,
    "sudo apt-get": CHANGES,
    "sudo certbot": "cloud: needs a certificate of a public certificate authority",
    "sudo chown -R 21090:21090 /var/lib/crowsnest/prometheus": RUN,
    "sudo crowsnest-backup": "tested by: tests/backup/test_cli.py",
    "sudo docker builder prune": CHANGES,
    "sudo docker compose -f /opt/crowsnest/compose.yaml logs": RUN,
    "sudo docker compose -f /opt/crowsnest/compose.yaml restart": "manual: the same as in a block that is run",
    "sudo docker compose -f /opt/crowsnest/compose.yaml up": RUN,
    "sudo docker exec NAME sh": "manual: ends a query of somebody",
    "sudo docker exec NAME nginx": "manual: only where nginx runs in a container",
    "sudo docker exec NAME redis-cli": RUN,
    "sudo docker exec -it NAME redis-cli": "manual: asks for a password",
    "sudo docker image prune": CHANGES,
    "sudo docker inspect": RUN,
    "sudo docker logs": RUN,
    "sudo docker ps": RUN,
    "sudo docker restart": CHANGES,
    "sudo docker start": RUN,
    "sudo docker stats": "manual: runs until it is stopped",
    "sudo dpkg --configure": CHANGES,
    "sudo journalctl -u": RUN,
    "sudo kill PID": "manual: ends a backup that hangs",
    "sudo journalctl --list-boots": RUN,
    "sudo journalctl --vacuum-time=2d": RUN,
    "sudo reboot": CHANGES,
    "sudo renice": CHANGES,
    "sudo swapoff": CHANGES,
    "sudo systemctl enable --now apt-daily.timer": CHANGES,
    "sudo systemctl unmask apt-daily.timer": CHANGES,
    "sudo systemctl reload nginx": "manual: only where nginx is the web server",
    "sudo systemctl restart nginx": "manual: only where nginx is the web server",
    "sudo systemctl restart": CHANGES,
    "sudo timedatectl set-ntp": "manual: a container has the clock of its machine",
    "sudo truncate": CHANGES,
    "timedatectl status": RUN,
    "echo '/swapfile none swap sw 0 0'": CHANGES,
}
# What a placeholder stands for in a command in the text.
INLINE_PLACEHOLDERS = {
    "sudo docker compose -f /opt/crowsnest/compose.yaml logs": {"NAME": "prometheus"},
    "sudo docker exec NAME redis-cli": {"NAME": "shop-redis-1"},
    "getent ahosts": {"shop.example.com": "lab1"},
}


@dataclass(frozen=True)
class Block:
    """A block of shell commands on a page. `kind` is empty when it has no (valid) marker."""

    page: str
    line: int
    commands: str
    kind: str = ""
    rest: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    shows: str = ""
    disturbs: bool = False

    @property
    def name(self) -> str:
        """What a failing test is called: page and line."""
        return f"{self.page}:{self.line}"

    @property
    def place(self) -> str:
        """`server` or `here` for a block that is run."""
        return self.rest.split(";")[0] if self.kind == "run" else ""


def pages(root: Path = ROOT) -> list[Path]:
    """The pages people read, generated ones included.

    Not the Korean runbooks: their commands are those of the English ones (tests/unit/test_runbooks_ko.py).
    """
    found = sorted((root / "docs").rglob("*.md"))
    return [root / "README.md", *(path for path in found if path.parent != root / "docs/runbooks/ko")]


def blocks(text: str, page: str = "") -> Iterator[Block]:
    """All shell blocks of a page, also those within a list; `line` is that of the opening fence."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        opening = re.match(r"^( *)(```+|~~~+) *(\w*)", lines[number])
        if not opening:
            number += 1
            continue
        indent, fence, language = opening.groups()
        end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == fence)
        if language in SHELL:
            body = "".join(line.removeprefix(indent) + "\n" for line in lines[number + 1 : end])
            yield _marked(Block(page, number + 1, body), lines[number - 1] if number else "")
        number = end + 1


def _marked(block: Block, before: str) -> Block:
    """The block with what the comment before it says."""
    found = MARKER.match(before)
    if not found:
        return block
    kind, rest = found["kind"], found["rest"]
    if kind != "run":
        return Block(block.page, block.line, block.commands, kind, rest)
    words = [word.strip() for word in rest.split(";")][1:]
    options = dict(word.split("=", 1) for word in words if re.match(r"^[A-Z]+=", word))
    shows = next((word.removeprefix("shows ") for word in words if word.startswith("shows ")), "")
    known = len(options) + bool(shows) + ("disturbs" in words)
    if known != len(words):
        return block
    return Block(block.page, block.line, block.commands, kind, rest, options, shows, "disturbs" in words)


def all_blocks() -> list[Block]:
    """The shell blocks of all pages."""
    return [block for path in pages() for block in blocks(path.read_text(), str(path.relative_to(ROOT)))]


def quotations(text: str) -> list[str]:
    """What stands between backticks in the text of a page, outside its blocks, and has more than one word."""
    prose = re.sub(r"(?ms)^ *(```+).*?^ *\1", "", text)
    return [found for found in re.findall(r"`([^`\n]+)`", prose) if " " in found.strip()]


def inline_commands(text: str) -> list[str]:
    """The quotations that are commands: they begin with sudo, with ./crowsnest or as a key of INLINE does."""
    programs = {key.split()[0] for key in INLINE} | {"sudo", "./crowsnest"}
    return [found for found in quotations(text) if found.split()[0] in programs]


def treatment_key(command: str) -> str:
    """The longest key of INLINE with which a command in the text begins; empty when there is none."""
    return max((key for key in INLINE if command == key or command.startswith(f"{key} ")), key=len, default="")


def treatment(command: str) -> str:
    """What becomes of a command in the text: RUN, or the reason why it is not run; empty when INLINE forgot it."""
    return INLINE.get(treatment_key(command), "")


def inline_options(command: str) -> dict[str, str]:
    """Placeholders of a command in the text that mean something else than usual."""
    return next((it for beginning, it in INLINE_PLACEHOLDERS.items() if command.startswith(beginning)), {})


def filled(commands: str, options: Mapping[str, str]) -> str:
    """The commands with a value for every placeholder."""
    for placeholder, value in (PLACEHOLDERS | dict(options)).items():
        edge = r"\b" if placeholder.isalpha() else ""
        commands = re.sub(rf"{edge}{re.escape(placeholder)}{edge}", lambda _, value=value: value, commands)
    return commands
