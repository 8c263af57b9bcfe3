# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What a stream of SQL from pg_dump holds, read block by block: rows per table, and whether it is whole.

Quoted text and comments are skipped, so that nothing in a function's body or a comment is taken for a table's rows.
pg_dump and the server double each quote inside quotes and write no `/* */` of their own.
"""

from __future__ import annotations

import re

from crowsnest_backup.counts import key
from crowsnest_backup.errors import BackupError

# How much of the stream's begin and end is looked at.
_EDGE = 4096
# The longest `COPY table (columns)`: 1,600 columns with names of 63 quotes each.
_LONGEST_COPY = 1 << 20
_OPENING = re.compile(rb"""['"]|--|\$(?:[A-Za-z_]\w*)?\$|^COPY """, re.MULTILINE)
_COMMENT, _COPY_BEGINS, _ROWS_END = b"--", b"COPY ", b"\n\\.\n"
_NAME = rb'((?:"[^"]*")+|[a-z_][a-z0-9_]*)'
_COPY = re.compile(rb"COPY %b\.%b (?:\(%b(?:, %b)*\))? FROM stdin;\n" % (_NAME, _NAME, _NAME, _NAME))
# Since 13.22, 14.19, 15.14, 16.10 and 17.6 the text is between \restrict and \unrestrict with one random key.
_HEAD = re.compile(rb"--\n-- PostgreSQL database dump\n--\n\n(?:\\restrict (\w+)\n)?")
_TAIL = re.compile(rb"\n--\n-- PostgreSQL database dump complete\n--\n\n(?:\\unrestrict (\w+)\n\n)?\Z")


class Stream:
    """Feed it all blocks in their order; then ask. `rows` is {"schema.table": rows}, `bytes` the length so far."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.rows: dict[str, int] = {}
        self.bytes = 0
        self._encoding = encoding
        self._head = self._tail = self._rest = b""
        # What ends the quotes, comment or rows that the text is in; empty between them. The table of those rows.
        self._end = b""
        self._table: str | None = None

    def feed(self, block: bytes) -> None:
        """Reads on. Raises BackupError at rows that are not announced as pg_dump does it."""
        self.bytes += len(block)
        self._head += block[: _EDGE - len(self._head)]
        self._tail = (self._tail + block[-_EDGE:])[-_EDGE:]
        text, at, going = self._rest + block, 0, True
        while going:
            at, going = self._inside(text, at) if self._end else self._outside(text, at)
        self._rest = text[at:]

    @property
    def whole(self) -> bool:
        """Whether the text begins and ends as pg_dump begins and ends: no row can look like that."""
        head, tail = _HEAD.match(self._head), _TAIL.search(self._tail)
        return bool(head and tail and head[1] == tail[1] and not self._end and not self._rest)

    def _inside(self, text: bytes, at: int) -> tuple[int, bool]:
        """Reads on in quotes, a comment or rows: the place after it, and whether they ended there."""
        found = text.find(self._end, at)
        # The last bytes may be the begin of the end.
        stop = found if found >= 0 else max(at, len(text) - len(self._end) + 1)
        if self._table is not None:
            self.rows[self._table] += text.count(b"\n", at, stop)
        if found < 0:
            return stop, False
        after = found + len(self._end)
        self._end, self._table = b"", None
        return after, True

    def _outside(self, text: bytes, at: int) -> tuple[int, bool]:
        """Reads whole lines on until something begins: the place after it, and whether something did."""
        lines = max(at, text.rfind(b"\n") + 1)
        opening = _OPENING.search(text, at, lines)
        if opening is None:
            return lines, False
        if opening[0] == _COPY_BEGINS:
            return self._rows_begin(text, opening.start())
        self._end = b"\n" if opening[0] == _COMMENT else opening[0]
        return opening.end(), True

    def _rows_begin(self, text: bytes, at: int) -> tuple[int, bool]:
        """Reads `COPY …;` at this place, once all of it is there."""
        found = _COPY.match(text, at)
        if found is None:
            if len(text) - at > _LONGEST_COPY:
                raise BackupError("pg_dump wrote the rows of a table in a form that this program does not know.")
            return at, False
        self._table = key(self._name(found[1]), self._name(found[2]))
        self.rows.setdefault(self._table, 0)
        # From the line break before the first row, as `\.` may follow at once.
        self._end = _ROWS_END
        return found.end() - 1, True

    def _name(self, written: bytes) -> str:
        name = written[1:-1].replace(b'""', b'"') if written.startswith(b'"') else written
        return name.decode(self._encoding, errors="backslashreplace")
