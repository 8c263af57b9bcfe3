#!/usr/bin/python3
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes what the Docker engine knows of every container of this host as a file for node exporter.

It only reads from the engine. The file is replaced as a whole, or stays as it was; node exporter exports when it was
written (node_textfile_mtime_seconds). A comment in it is the program's memory: with which image a container was made.
Python 3.9, standard library: it runs with the Python of the system.

Sources: https://docs.docker.com/reference/api/engine/ (one-shot statistics need Docker 20.10 or newer),
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import argparse
import calendar
import http.client
import json
import math
import os
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

FILE = "crowsnest-containers.prom"
ANSWER_SECONDS = 10.0
# Engines before 23.0 answer for a container's statistics only at their next turn, once a second: wait for all together.
WORKERS = 16
# How far back the engine is asked for containers that ran out of memory. It remembers its last 256 events of any kind.
EVENTS_SECONDS = 600
# What an engine says of a container that never started or never ended.
NEVER = "0001-01-01"
# No container or image is older than Docker's first release; some programs date every image 1970 or 1980.
FIRST_DOCKER = 1363737600.0
# Begins the comment that is the memory, how long a container that is gone is remembered, and how many containers are.
MEMORY, MEMORY_SECONDS, MEMORY_LIMIT, MEMORY_BYTES = "# crowsnest images: ", 7 * 86400.0, 1000, 4 * 1024 * 1024

# {metric: (type, help)}, in the order of the file.
METRICS: dict[str, tuple[str, str]] = {
    "container_info": ("gauge", "1; the label image is what it was made of, as it was named then."),
    "container_running": ("gauge", "1 while it runs; 0 when it ended, is paused, or waits for its next restart."),
    "container_restarts_total": ("counter", "Restarts by its restart policy since somebody started it."),
    "container_oom_killed": ("gauge", "1 when the engine says that it was killed for lack of memory."),
    "container_oom_time_seconds": ("gauge", "When memory ran out in it and a process was killed; 10 minutes."),
    "container_exit_code": ("gauge", "Exit code of its last end; 0 while it runs."),
    "container_start_time_seconds": ("gauge", "Its last start, Unix time."),
    "container_image_changed_time_seconds": ("gauge", "When it was made with another image than before, Unix time."),
    "container_image_created_time_seconds": ("gauge", "When its image was built, Unix time. Missing without a date."),
    "container_health": ("gauge", "Its health check: 1 healthy, 0 not or not yet. Missing without a health check."),
    "container_memory_limit_bytes": ("gauge", "Where the kernel kills it; 0 without a limit."),
    "container_memory_working_set_bytes": ("gauge", "Memory in use, without files read once (inactive_file)."),
    "container_memory_unreclaimable_bytes": ("gauge", "Memory in use that the kernel cannot take back."),
    "container_cpu_seconds_total": ("counter", "CPU time used since its last start."),
}


class EngineError(Exception):
    """The engine cannot be asked; its text is one sentence for a person."""


class RefusedError(EngineError):
    """The engine answers, with a status that is none of success."""


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket; docker's own client does the same."""

    def __init__(self, path: str) -> None:
        super().__init__("docker")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """The Docker engine behind a socket, for `seconds` altogether; each thread has a connection of its own."""

    def __init__(self, path: str, seconds: float = ANSWER_SECONDS) -> None:
        self.path = path
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._local = threading.local()

    def get(self, path: str, **query: str) -> Any:
        """The JSON of an answer; None when there is no such thing (404). Raises EngineError."""
        text = self.text(path, **query)
        return None if text is None else self._json(text)

    def events(self, since: float, until: float, **filters: list[str]) -> list[dict[str, Any]]:
        """What happened between two times that are past; one JSON object a line. Raises EngineError."""
        query = {"since": str(int(since)), "until": str(int(until)), "filters": json.dumps(filters)}
        return [self._json(line) for line in (self.text("/events", **query) or "").splitlines() if line.strip()]

    def text(self, path: str, **query: str) -> str | None:
        """The body of an answer; None when there is no such thing (404). Raises EngineError."""
        try:
            status, body = self._ask(f"{path}?{urlencode(query)}" if query else path)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"The Docker engine at {self.path} {self._reason(error, path)}") from None
        if status == http.client.NOT_FOUND:
            return None
        if status != http.client.OK:
            words = " ".join(body.split())[:200]
            raise RefusedError(f"The Docker engine at {self.path} answers {status} to {path}: {words}")
        return body

    def _reason(self, error: Exception, path: str) -> str:
        if isinstance(error, socket.timeout):  # TimeoutError since Python 3.10
            return f"does not answer within {self.seconds:g} s ({path}). See: sudo journalctl -u docker -n 50"
        words = getattr(error, "strerror", None) or f"{type(error).__name__} {error}".strip()
        return f"cannot be asked: {words}. Does it run? sudo systemctl status docker"

    def _ask(self, target: str) -> tuple[int, str]:
        connection = getattr(self._local, "connection", None) or _Connection(self.path)
        self._local.connection = connection
        left = max(self._deadline - time.monotonic(), 0.001)
        connection.timeout = left
        if connection.sock:
            connection.sock.settimeout(left)
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")

    def _json(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise EngineError(f"{self.path} does not answer as a Docker engine does: {text[:100]!r}") from None


# Labels of a container and {metric: value}.
Sample = tuple[dict[str, str], dict[str, float]]


@dataclass(frozen=True)
class Seen:
    """What is remembered of a thing: the ID of its image, when it was last seen, when its image changed (or None).

    `built`: when its image was built, 0 for one without a date; None while that is not known.
    """

    image: str
    seen: float
    changed: float | None = None
    built: float | None = None


# {project, service, container: what is remembered of them}, as `thing` names them.
Memory = dict[tuple[str, str, str], Seen]


def collect(engine: Engine, now: float, before: Memory) -> tuple[list[Sample], Memory]:
    """Every container of the host, whoever started it, ordered by name, and what to remember. Raises EngineError."""
    with ThreadPoolExecutor(WORKERS) as pool:
        events = pool.submit(engine.events, now - EVENTS_SECONDS, now, type=["container"], event=["oom"])
        ids = [container["Id"] for container in engine.get("/containers/json", all="1") or []]
        found = list(pool.map(lambda each: look(engine, each), ids))
        there = [each for each in found if each]
        killed = {event["Actor"]["ID"]: event["timeNano"] / 1e9 for event in events.result()}
        known = {seen.image: seen.built for seen in before.values() if seen.built is not None}
        new = sorted({inspected["Image"] for _, inspected, _ in there} - set(known))
        built = {**known, **dict(zip(new, pool.map(lambda image: image_time(engine, image), new)))}
    memory = remembered([inspected for _, inspected, _ in there], now, before, built)
    samples = []
    for identity, inspected, stats in there:
        values = {**state_values(inspected), **resource_values(stats)}
        if identity in killed:
            values["container_oom_time_seconds"] = killed[identity]
        times = {"created": built[inspected["Image"]] or None, "changed": changed_time(inspected, memory)}
        dated = {f"container_image_{what}_time_seconds": time for what, time in times.items() if time is not None}
        named = {**labels(inspected), "image": inspected["Config"].get("Image") or ""}
        samples += [(labels(inspected), values), (named, {"container_info": 1, **dated})]
    return sorted(samples, key=lambda sample: sample[0]["container"]), memory


def look(engine: Engine, identity: str) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """(id, /containers/{id}/json, /containers/{id}/stats) of a container; None when it was removed meanwhile.

    The statistics are {} when it does not run, or the engine cannot count it: it may end in this moment.
    """
    inspected = engine.get(f"/containers/{quote(identity)}/json")
    if inspected is None:
        return None
    stats = None
    if inspected["State"]["Status"] in ("running", "paused"):
        with suppress(RefusedError):
            stats = engine.get(f"/containers/{quote(identity)}/stats", **{"stream": "false", "one-shot": "true"})
    return identity, inspected, stats or {}


def image_time(engine: Engine, image: str) -> float | None:
    """When an image was built, Unix time; 0 when it has no date, None when the engine does not tell.

    An engine that fails here costs the date only.
    """
    found = None
    with suppress(EngineError):
        found = engine.get(f"/images/{quote(image, safe=':')}/json")
    if not isinstance(found, dict):
        return None
    with suppress(ValueError):
        built = unix_time(str(found.get("Created")))
        return built if built >= FIRST_DOCKER else 0.0
    return 0.0


def thing(inspected: dict[str, Any]) -> tuple[str, str, str]:
    """What a new container takes the place of: any of the same service of compose, else one of the same name."""
    named = labels(inspected)
    return named["project"], named["service"], "" if named["service"] else named["container"]


def newest(containers: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """{thing: its container that was made last}: replicas are made anew one after the other."""
    return {thing(each): each for each in sorted(containers, key=lambda each: unix_time(each["Created"]))}


def remembered(containers: list[dict[str, Any]], now: float, before: Memory, built: dict[str, float | None]) -> Memory:
    """The memory after this look; `built` is {ID of an image: its date}.

    What was never seen before has not changed, so a memory that is lost tells nothing.

    A container that was not there at the last look was made since. Else an older one is the last one again: others were
    removed since that look.
    """
    memory = {key: seen for key, seen in before.items() if now - seen.seen < MEMORY_SECONDS}
    for key, inspected in newest(containers).items():
        image, last = inspected["Image"], before.get(key)
        changed = last.changed if last else None
        if last and last.image != image:
            changed = max(unix_time(inspected["Created"]), last.seen)
        memory[key] = Seen(image, now, changed, built[image])
    return dict(sorted(memory.items(), key=lambda item: -item[1].seen)[:MEMORY_LIMIT])


def changed_time(inspected: dict[str, Any], memory: Memory) -> float | None:
    """When the image of this container's thing changed; None for a replica that still has the image before."""
    seen = memory.get(thing(inspected))
    return seen.changed if seen and seen.image == inspected["Image"] else None


def read_memory(file: Path) -> Memory:
    """The memory in the file that was written last; what is damaged is as if it was never seen."""
    with suppress(OSError, ValueError, RecursionError):
        # O_NOFOLLOW and O_NONBLOCK: who may write to the folder cannot lead us elsewhere or make us wait.
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as opened:
            lines = opened.read(MEMORY_BYTES).decode(errors="replace").splitlines()
        found = json.loads(next((line[len(MEMORY) :] for line in lines if line.startswith(MEMORY)), "[]"))
        return dict(filter(None, map(_seen, found))) if isinstance(found, list) else {}
    return {}


def _seen(entry: Any) -> tuple[tuple[str, str, str], Seen] | None:
    """An entry of the memory, [project, service, container, image, seen, changed, built]; None when it is none."""
    if not isinstance(entry, list) or len(entry) != 7 or not all(isinstance(each, str) for each in entry[:4]):
        return None
    project, service, container, image, seen, changed, built = entry
    times = [seen] if changed is None else [seen, changed]
    if not all(isinstance(each, float) and FIRST_DOCKER <= each <= time.time() + 86400 for each in times):
        return None
    if built is not None and not (isinstance(built, float) and 0 <= built < math.inf):
        return None
    return (project, service, container), Seen(image, seen, changed, built)


def labels(inspected: dict[str, Any]) -> dict[str, str]:
    """container: its name; project, service: those of compose, "" without and for one of `docker compose run`."""
    given = inspected["Config"].get("Labels") or {}
    once = str(given.get("com.docker.compose.oneoff")).lower() == "true"
    compose = {name: "" if once else given.get(f"com.docker.compose.{name}", "") for name in ("project", "service")}
    return {"container": inspected["Name"].lstrip("/"), **compose}


def state_values(inspected: dict[str, Any]) -> dict[str, float]:
    """{metric: value} of what the engine remembers, whether the container runs or not."""
    state = inspected["State"]
    values: dict[str, float] = {
        "container_running": int(state["Status"] == "running"),
        "container_restarts_total": inspected.get("RestartCount", 0),
        "container_oom_killed": int(bool(state.get("OOMKilled"))),
        "container_exit_code": state.get("ExitCode", 0),
        "container_memory_limit_bytes": (inspected.get("HostConfig") or {}).get("Memory") or 0,
    }
    started = state.get("StartedAt") or NEVER
    if not started.startswith(NEVER):
        values["container_start_time_seconds"] = unix_time(started)
    health = (state.get("Health") or {}).get("Status", "none")
    if health != "none":
        values["container_health"] = int(health == "healthy")
    return values


def resource_values(stats: dict[str, Any]) -> dict[str, float]:
    """{metric: value} of memory and CPU; what the kernel does not count is left out.

    Control groups of version 1 count children under `total_…`. Files in memory can be dropped: both lists of them are
    no reason to be killed, but only those read once (inactive_file) are free for the taking.
    """
    values: dict[str, float] = {}
    memory = stats.get("memory_stats") or {}
    if "usage" in memory:
        counted = memory.get("stats") or {}
        inactive, active = (
            counted.get(f"total_{name}", counted.get(name, 0)) for name in ("inactive_file", "active_file")
        )
        values["container_memory_working_set_bytes"] = max(memory["usage"] - inactive, 0)
        values["container_memory_unreclaimable_bytes"] = max(memory["usage"] - inactive - active, 0)
    nanoseconds = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage", 0)
    if nanoseconds:
        values["container_cpu_seconds_total"] = nanoseconds / 1e9
    return values


def unix_time(text: str) -> float:
    """`2026-11-21T18:51:01.42114652Z` as seconds; Go writes up to nine digits, which Python's own parser refuses.

    Images may be dated in a time zone, `+09:00`. Raises ValueError.
    """
    match = re.fullmatch(r"([-\dT:]+)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))", text)
    if not match:
        raise ValueError(f"{text[:40]!r} is no time")
    whole, fraction, sign, hours, minutes = match.groups()
    ahead = int(f"{sign}1") * (int(hours) * 3600 + int(minutes) * 60) if sign else 0
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - ahead + float(fraction or 0)


def exposition(samples: list[Sample], memory: Memory) -> str:
    """The file's text."""
    kept = [[*key, seen.image, seen.seen, seen.changed, seen.built] for key, seen in memory.items()]
    lines = [MEMORY + json.dumps(kept)]
    for name, (kind, words) in METRICS.items():
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_braces(given)} {values[name]!r}" for given, values in samples if name in values]
    return "\n".join(lines) + "\n"


def _braces(given: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in given.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(folder: Path, text: str) -> None:
    """Replaces the file at once. O_EXCL: who may write to the folder cannot lead us to another file by a link."""
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode(errors="replace"))
            os.fchmod(file.fileno(), 0o644)  # node exporter is another user
        new.replace(folder / FILE)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def main(arguments: list[str] | None = None) -> int:
    """Entry point; the exit code."""
    parser = argparse.ArgumentParser(description="Metrics of all containers of this host, as a file for node exporter.")
    parser.add_argument("folder", type=Path, help="node exporter's folder for *.prom files")
    parser.add_argument("--socket", default="/var/run/docker.sock", help="where the Docker engine listens")
    parser.add_argument("--timeout", type=float, default=ANSWER_SECONDS, help="seconds that the engine has altogether")
    options = parser.parse_args(arguments)
    try:
        before = read_memory(options.folder / FILE)
        found = collect(Engine(options.socket, options.timeout), time.time(), before)
        write(options.folder, exposition(*found))
    except EngineError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{options.folder / FILE} cannot be written: {error.strerror}. The old one stays.")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return _fail(f"{options.socket} does not answer as a Docker engine does: {error!r}")
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"container_metrics: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
