"""The messages that arrived, each with its edits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

SEOUL = timezone(timedelta(hours=9), "KST")  # fixed since 1988; a bare host may have no time zone data


def stamp(moment: float) -> str:
    """A Unix time as ISO 8601 in Seoul."""
    return datetime.fromtimestamp(moment, SEOUL).isoformat(timespec="milliseconds")


def strings(value: Any) -> Iterator[str]:
    """Yield what a person reads of nested JSON, in order: every string but those of type, color and block_id."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            if key not in ("type", "color", "block_id"):
                yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


class MessageStore:
    """The last `limit` messages, as JSON lines in `folder`/messages.jsonl, kept over restarts. Safe for threads.

    An edited message is written again; its last line counts.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._path, self._limit, self._lock, self._lines = folder / "messages.jsonl", limit, threading.Lock(), 0
        folder.mkdir(parents=True, exist_ok=True)
        self._messages: dict[str, dict[str, Any]] = {}
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []:
            with suppress(ValueError, KeyError):  # a crash can cut the last line
                message = json.loads(line)
                self._messages[message["ts"]] = message
        self._forget_oldest()
        self._rewrite()

    def add(self, payload: dict[str, Any], **origin: str) -> dict[str, Any]:
        """Append one message with its time of arrival and return it; `origin` is who posted it, and where."""
        with self._lock:
            now, last = time.time(), next(reversed(self._messages.values()), {"id": 0, "ts": "0"})
            micros = max(int(now * 1e6), int(last["ts"].replace(".", "")) + 1)
            ts = f"{micros // 1_000_000}.{micros % 1_000_000:06}"  # as Slack's, and as there unlike any other
            message = {"id": last["id"] + 1, "ts": ts, "received": now, "time": stamp(now), **origin}
            return self._keep(message | {"payload": payload, "edits": []})

    def edit(self, ts: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Give a message a new content and return it. Raises KeyError where it is gone."""
        with self._lock:
            now, message = time.time(), self._messages[ts]
            edit = {"received": now, "time": stamp(now), "payload": payload}
            posted = message.get("posted", message["payload"])
            return self._keep(message | {"payload": payload, "posted": posted, "edits": [*message["edits"], edit]})

    def get(self, ts: str) -> dict[str, Any]:
        """The message with this `ts`. Raises KeyError."""
        return self._messages[ts]

    def find(self, since: float = 0.0, contains: str = "") -> list[dict[str, Any]]:
        """Messages that first arrived after `since` (Unix time) and now have `contains` in them, oldest first."""
        with self._lock:
            recent = [message for message in self._messages.values() if message["received"] > since]
        return [message for message in recent if contains in "\n".join(strings(message["payload"]))]

    def remove(self, ts: str) -> None:
        """Forget one message. Raises KeyError."""
        with self._lock:
            del self._messages[ts]
            self._rewrite()

    def clear(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._messages.clear()
            self._rewrite()

    def _keep(self, message: dict[str, Any]) -> dict[str, Any]:
        """Keep one message; the file is rewritten when it holds twice the limit."""
        self._messages[message["ts"]] = message
        self._forget_oldest()
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        self._lines += 1
        if self._lines >= 2 * self._limit:
            self._rewrite()
        return message

    def _forget_oldest(self) -> None:
        for ts in list(self._messages)[: -self._limit]:
            del self._messages[ts]

    def _rewrite(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        lines = [json.dumps(message) + "\n" for message in self._messages.values()]
        temporary.write_text("".join(lines), encoding="utf-8")
        temporary.replace(self._path)
        self._lines = len(lines)
