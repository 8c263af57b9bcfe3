# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of an env file: find assignments, set and remove keys, keep all else. Pure. Python 3.9."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError

BOM = b"\xef\xbb\xbf"
# compose and dotenv also take `KEY: value`; most take a value in quotes that goes over several lines.
ASSIGNMENT = re.compile(
    rb"[ \t]*(?P<export>export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:=|:(?=[ \t]))[ \t]*(?P<quote>['\"]?)"
)
REST_OF_QUOTED = {b"'": re.compile(rb"[^']*'"), b'"': re.compile(rb'(?:\\.|[^"\\])*"', re.DOTALL)}


class Assignment(NamedTuple):
    """Where a key gets a value: the number of its first line, and its bytes from `start` to `end`, without line end."""

    key: str
    line: int
    start: int
    end: int
    export: bytes  # `export` with the blanks behind it, or nothing
    open_quote: str  # the quote before its value if nothing closes it, or nothing


def assignments(content: bytes) -> list[Assignment]:
    """All assignments in order; comments and lines that are none are left out."""
    found = []
    place, line = len(BOM) if content.startswith(BOM) else 0, 1
    while place < len(content):
        end = _line_end(content, place)
        if match := ASSIGNMENT.match(content, place):
            quoted = REST_OF_QUOTED[match["quote"]].match(content, match.end()) if match["quote"] else None
            if quoted:  # perhaps over several lines
                end = _line_end(content, quoted.end())
            text_end = end - 1 if content[end - 1 : end] == b"\r" else end
            open_quote = "" if quoted else match["quote"].decode()
            found.append(Assignment(match["key"].decode(), line, place, text_end, match["export"] or b"", open_quote))
        line += content.count(b"\n", place, end + 1)
        place = end + 1
    return found


def edited(content: bytes, wanted: Mapping[str, str], gone: Mapping[str, str | None]) -> bytes:
    """The content with these keys set (key → spelled value) and those gone. Every other byte stays.

    `gone` is {key: the line that ours replaced, as `lines` gives it with surrogateescape, or None}: that line comes
    back. The last assignment of a key counts, as for all readers, so that one is replaced or removed; a new key comes
    to the end, with the line ends of the file. `export` stays in front of a replaced key. Raises EnvFileError.
    """
    found = assignments(content)
    _refuse_several_lines(content, found, {*wanted, *gone})
    last = {assignment.key: assignment for assignment in found}
    _refuse_open_quote([each for each in found if each.key not in wanted or each is not last[each.key]], wanted)
    for key, assignment in sorted(last.items(), key=lambda item: -item[1].start):  # the places before stay valid
        replaced = gone.get(key)
        if key in wanted:
            line = assignment.export + f"{key}={wanted[key]}".encode()
            content = content[: assignment.start] + line + content[assignment.end :]
        elif replaced is not None:
            line = replaced.encode("utf-8", "surrogateescape")
            content = content[: assignment.start] + line + content[assignment.end :]
        elif key in gone:
            content = content[: assignment.start] + content[_line_end(content, assignment.end) + 1 :]
    line_end = b"\r\n" if b"\r\n" in content[: content.find(b"\n") + 1] else b"\n"
    for key, spelled in wanted.items():
        if key not in last:
            if content not in (b"", BOM) and not content.endswith(b"\n"):
                content += line_end
            content += f"{key}={spelled}".encode() + line_end
    return content


def lines(content: bytes, errors: str = "replace") -> dict[str, str]:
    """The assignment of each key as it stands there; of several the last, which counts. `errors` as in bytes.decode."""
    found = {each.key: content[each.start : each.end] for each in assignments(content)}
    return {key: line.decode("utf-8", errors) for key, line in found.items()}


def values(content: bytes) -> list[str]:
    """Everything that is assigned, without quotes: what must not be seen in a log."""
    spelled = (re.split(r"[=:]", line, maxsplit=1)[1] for line in lines(content).values())
    return [value.strip(" \t'\"") for value in spelled]


def remarks(content: bytes, keys: Collection[str]) -> list[str]:
    """What some readers do not take as it was meant, one sentence each, for these keys."""
    found = [assignment for assignment in assignments(content) if assignment.key in keys]
    sentences = []
    for key in dict.fromkeys(assignment.key for assignment in found):
        lines = [str(assignment.line) for assignment in found if assignment.key == key]
        if len(lines) > 1:
            sentences.append(
                f"{key} stands in the lines {', '.join(lines)}. The last one counts and is the one managed here; "
                "remove the others."
            )
    sentences += [
        f"Line {assignment.line} has `export` in front of {assignment.key}, which `docker run --env-file` refuses and "
        "python-decouple takes for a part of the name. It stays; remove it if one of them reads this file."
        for assignment in found
        if assignment.export
    ]
    if content.startswith(BOM) and found and found[0].line == 1:
        sentences.append(
            f"The file begins with a byte order mark, so Node.js, python-decouple and django-environ do not find "
            f"{found[0].key} in its first line. Save the file as UTF-8 without it."
        )
    return sentences


def _line_end(content: bytes, place: int) -> int:
    """Where the line ends that this place is in."""
    end = content.find(b"\n", place)
    return len(content) if end < 0 else end


def _refuse_several_lines(content: bytes, found: Collection[Assignment], ours: Collection[str]) -> None:
    """Raise EnvFileError where a quoted value of several lines is one of our keys, or has one of them in it.

    Some readers take such a value, others read each of its lines; a quote that was forgotten looks the same.
    """
    for assignment in found:
        _, *others = content[assignment.start : assignment.end].split(b"\n")
        inside = [match["key"].decode() for match in map(ASSIGNMENT.match, others) if match]
        hit = [key for key in [assignment.key] * bool(others) + inside if key in ours]
        if hit:
            raise EnvFileError(
                f"{hit[0]} cannot be changed: the quote that line {assignment.line} opens is closed only in line "
                f"{assignment.line + len(others)}. Close it in its own line, or remove those lines, and run again."
            )


def _refuse_open_quote(staying: Collection[Assignment], wanted: Mapping[str, str]) -> None:
    """Raise EnvFileError where a value of ours would close a quote that a line that stays opens and nothing closes."""
    for assignment in staying:
        hit = [key for key, spelled in wanted.items() if assignment.open_quote and assignment.open_quote in spelled]
        if hit:
            raise EnvFileError(
                f"{hit[0]} cannot be set: line {assignment.line} opens a quote that nothing closes, and readers would "
                f"take that of {hit[0]} for its end. Close it in its own line and run again."
            )
