#!/usr/bin/python3
# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks Prometheus how the last seven days were, and hands one message a week about them to Alertmanager.

A timer starts it often, and it decides what is due: a host that was off, a change to summer time, and a Prometheus or
an Alertmanager that did not answer are made good by the next start. What it remembers is what node exporter exports of
it. crowsnest writes all queries and words into settings.json beside it. Python 3.9, standard library: it runs with the
Python of the system.

Sources: https://prometheus.io/docs/prometheus/latest/querying/api/,
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as with_values
from datetime import date, datetime, timedelta, timezone
from datetime import time as clock
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FILE = "crowsnest-weekly-report.prom"
DECLARED, SENT = "crowsnest_weekly_report_declared_time_seconds", "crowsnest_weekly_report_time_seconds"
HELP = {
    DECLARED: "When this schedule was first seen.",
    SENT: "For which moment of the schedule a weekly message was last handed to Alertmanager.",
}
STATE_BYTES = 4096
ANSWER_SECONDS = 60.0
WEEK, MINUTE = 7 * 86400, 60
# So long Alertmanager tries to deliver it; it repeats it only after a day.
LASTS = timedelta(hours=6)
# A gap in the metrics that is not worth a line: a restart of Prometheus.
GAP_SECONDS = 900
# So many lines of a part are shown, and so many characters of a name.
MOST, MOST_TO_SHOW, NAME_LENGTH = 8, 5, 60
WEEKS_OF_A_YEAR = 52
SEVERITIES = ("critical", "high", "medium", "low")

Settings = Mapping[str, Any]
Words = Mapping[str, Any]
# Labels and value of one series.
Sample = tuple[Mapping[str, str], float]
# {name of the query in settings.json: what Prometheus answers}
Answers = Mapping[str, Sequence[Sample]]


class ReportError(Exception):
    """There is no message now; its text is one sentence for a person."""


# --- what is due ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """`declared`: when this schedule was first seen; `sent`: the moment whose message was sent last. Unix times."""

    schedule: str
    declared: float
    sent: float | None = None


def state_of(text: str, schedule: str, now: float) -> State:
    """What the file says; what is damaged is as if it was never written. A new schedule begins now.

    A time after `now` is that of a clock that was wrong. But a moment of the coming week stays: where the clock went
    back only a little, it comes a second time.
    """
    lines = re.findall(r"(?m)^(\w+)(\{.*\})? (\d+(?:\.\d+)?)$", text)
    found = {name: (labels, float(value)) for name, labels, value in lines}
    labels, declared = found.get(DECLARED, ("", math.inf))
    _, sent = found.get(SENT, ("", math.inf))
    same = labels == _labels(schedule) and declared <= now
    return State(schedule, declared if same else now, sent if sent <= now + WEEK else None)


def exposition(state: State) -> str:
    """The file's text: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""
    values = {DECLARED: (_labels(state.schedule), state.declared), SENT: ("", state.sent)}
    return "".join(
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n{name}{labels} {value!r}\n"
        for name, (labels, value) in values.items()
        if value is not None
    )


def _labels(schedule: str) -> str:
    return '{schedule="' + schedule + '"}'


def turn(weekday: int, at: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The newest moment not after `now` when the zone's clock showed `at` (hour:minute) on this weekday, in UTC.

    Monday is 0.
    An hour that summer time skips counts as the one after it, and of an hour that comes twice the first counts.
    """
    today = now.astimezone(zone).date()
    last = today - timedelta(days=(today.weekday() - weekday) % 7)
    moments = (_moment(last - timedelta(weeks=back), at, zone) for back in (0, 1))
    return next(moment for moment in moments if moment <= now)


def _moment(day: date, at: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock.fromisoformat(at), zone).astimezone(timezone.utc)


def is_due(state: State, moment: datetime) -> bool:
    """Whether the message of this moment, which the schedule has seen, was not sent yet."""
    return moment.timestamp() > max(state.declared, state.sent or 0)


# --- what Prometheus knows --------------------------------------------------------------------------------------------

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(prometheus: str, query: str, now: float) -> list[Sample]:
    """The series of an expression at a time; none where Prometheus refuses it, which the journal tells.

    Values that are not numbers are left out. Raises ReportError when Prometheus does not answer.
    """
    form = urlencode({"query": query, "time": now}).encode()
    try:
        answer = _post("Prometheus", f"{prometheus}/api/v1/query", form)
    except _RefusedError as refusal:
        _say(f"{refusal} The query is: {query}")
        return []
    try:
        rows = [(row["metric"], float(row["value"][1])) for row in json.loads(answer)["data"]["result"]]
    except (LookupError, TypeError, ValueError):
        raise ReportError(f"{prometheus} does not answer as Prometheus does: {answer[:100]!r}.") from None
    return [(labels, value) for labels, value in rows if math.isfinite(value)]


class _RefusedError(ReportError):
    """It answers, but does not take this."""


def _post(program: str, url: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> str:
    request = urllib.request.Request(url, body, {"Content-Type": kind})  # noqa: S310 - crowsnest writes the settings
    try:
        with _DIRECT.open(request, timeout=ANSWER_SECONDS) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        words = f"{program} answers {error.code} at {url}: {error.read().decode(errors='replace')[:200].strip()}."
        raise (_RefusedError if error.code in (400, 422) else ReportError)(words) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ReportError(f"{program} does not answer at {url} ({reason}).") from None


# --- the text ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """`title` is one line, `text` what is below it."""

    title: str
    text: str


@dataclass(frozen=True)
class Told:
    """What all parts of the text are made of; `now` is a Unix time."""

    settings: Settings
    answers: Answers
    zone: ZoneInfo
    now: float

    @property
    def words(self) -> Words:
        """Those of the declared language."""
        words: Words = self.settings["words"]
        return words

    def declared(self, name: str) -> list[Sample]:
        """The series of a query, without those of an app or a host that is not (or no longer) declared."""
        known = self.settings["known"].items()
        return [
            (labels, value)
            for labels, value in self.answers.get(name, [])
            if all(not labels.get(label) or labels[label] in names for label, names in known)
        ]

    def values(self, name: str, *key: str) -> dict[tuple[str, ...], float]:
        """As `by_labels`, of what is declared."""
        return by_labels(self.declared(name), *key)

    def time(self, moment: float) -> str:
        """As a clock of the zone shows it."""
        return datetime.fromtimestamp(moment, self.zone).strftime("%Y-%m-%d %H:%M")

    def counted(self, name: str, count: int) -> str:
        """`once`, `3 times`."""
        return str(self.words[f"{name}_one" if count == 1 else name]).format(count=f"{count:,}")

    def span(self, seconds: float) -> str:
        """`2 d 3 h`, `42 min`: the two largest units, rounded down to minutes."""
        left, parts = max(int(seconds // MINUTE), 1), []
        for unit, minutes in (("days", 1440), ("hours", 60), ("minutes", 1)):
            if left >= minutes:
                parts.append(self.words[unit].format(count=left // minutes))
                left %= minutes
        return " ".join(parts[:2])

    def part(self, heading: str, items: Sequence[str], most: int = MOST, **values: object) -> list[str]:
        """Its lines; nothing without an item."""
        rest = [self.words["more"].format(count=len(items) - most)] if len(items) > most else []
        lines = [f"• {item}" for item in [*items[:most], *rest]]
        return [self.words[heading].format(**values), *lines] if items else []


def by_labels(samples: Iterable[Sample], *key: str) -> dict[tuple[str, ...], float]:
    """{what the labels of `key` say, such as ("shop", "web1"): value}."""
    return {tuple(labels.get(label, "") for label in key): value for labels, value in samples}


def compose(settings: Settings, answers: Answers, now: float) -> Report:
    """The message about the seven days before `now`, a Unix time."""
    told = Told(settings, answers, zone_of(settings), now)
    words, watched, fired = told.words, told.answers["watched"], _fired(told)
    seconds = watched[0][1] * MINUTE if watched else 0
    news = told.counted("fired", len(fired)) if fired else words["all_quiet"] if seconds else words["no_data"]
    zone = datetime.fromtimestamp(now, told.zone).tzname()
    lines = [words["period"].format(start=told.time(now - WEEK), end=told.time(now), zone=zone)]
    if not seconds:
        lines.append(words["unwatched"])
    elif seconds < WEEK - GAP_SECONDS:
        lines.append(words["watched"].format(span=told.span(seconds)))
    if seconds and not fired:
        lines.append(words["quiet"])
    lines += [
        *told.part("available", _available(told)),
        *told.part("alerts", fired, MOST_TO_SHOW),
        *told.part("slowest", _slowest(told), MOST_TO_SHOW),
        *told.part("kpis", _kpis(told)),
        *told.part("backups", _backups(told)),
        *told.part("disks", _disks(told)),
        *told.part("images", _images(told), MOST_TO_SHOW, days=settings["image_days"]),
    ]
    return Report(words["title"].format(environment=settings["environment"], news=news), "\n".join(lines))


def zone_of(settings: Settings) -> ZoneInfo:
    """The declared time zone. Raises ReportError."""
    try:
        return ZoneInfo(settings["timezone"])
    except ZoneInfoNotFoundError:
        raise ReportError(
            f"This host does not know the time zone {settings['timezone']}: sudo apt-get install tzdata."
        ) from None


def _available(told: Told) -> list[str]:
    """Each app, the worst first; rounded down, as 99.999 % is not 100 %."""
    now, before = (told.values(name, "app") for name in ("available", "available_before"))
    known = sorted((value, app) for (app,), value in now.items())
    items = [
        f"{app}: {told.words['percent'].format(value=f'{math.floor(10_000 * value + 1e-6) / 100:.2f}')}"
        + (f" ({100 * (value - before[app,]):+.2f})" if (app,) in before else "")
        for value, app in known
    ]
    silent = {app: measured for app, measured in told.settings["apps"].items() if (app,) not in now}
    return items + [f"{app}: {told.words['no_data' if silent[app] else 'unmeasured']}" for app in silent]


_THING = ("alertname", "app", "host", "monitor_name", "container")


def _fired(told: Told) -> list[str]:
    """What fired, the worst and longest first; of an alert with several severities its worst one.

    A rule of the team may set an app or a host that is not declared, and what fired is never left out.
    """

    def fired(name: str, *more: str) -> dict[tuple[str, ...], float]:
        return by_labels(told.answers[name], *_THING, *more)

    minutes, times, still = (fired(name) for name in ("fired_minutes", "fired_times", "firing"))
    ranks: dict[tuple[str, ...], int] = {}
    for labels in fired("fired_severities", "severity"):
        thing, severity = labels[:-1], labels[-1]
        rank = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
        ranks[thing] = min(rank, ranks.get(thing, rank))
    items = []
    for key in sorted(minutes, key=lambda key: (ranks.get(key, len(SEVERITIES)), -minutes[key])):
        name, app, host, monitor, container = key
        grade = [told.words["severity"][each] for each in SEVERITIES[ranks.get(key, len(SEVERITIES)) :][:1]]
        what = [*grade, name, *[thing for thing in (monitor, container, app, host) if thing][:1]]
        said = [told.counted("times", max(round(times.get(key, 1)), 1)), told.span(minutes[key] * MINUTE)]
        said += [told.words["still"]] if key in still else []
        items.append(f"{' '.join(_cut(word) for word in what)}: {', '.join(said)}")
    return items


def _slowest(told: Told) -> list[str]:
    key = ("app", "method", "endpoint")
    means, requests = told.values("slowest", *key), told.values("requests", *key)
    items = [
        f"{' '.join(_cut(part) for part in one if part)}: "
        + told.words["answers"].format(seconds=f"{mean:.2f}", count=f"{round(requests[one]):,}")
        for one, mean in sorted(means.items(), key=lambda item: -item[1])
        if one in requests
    ]
    return items or ([told.words["no_data"]] if "slowest" in told.settings["queries"] else [])


def _kpis(told: Told) -> list[str]:
    """One with several series has no number: whether their sum means anything is not known."""
    items = []
    for name, kpi in told.settings["kpis"].items():
        now, before = told.answers[name], told.answers[f"{name} before"]
        value = told.words["several_series" if now else "no_data"]
        if len(now) == 1:
            value = f"{_number(now[0][1])} {kpi['unit']}".rstrip()
        compared = len(now) == len(before) == 1 and before[0][1]
        change = _change(told, now[0][1] / before[0][1] - 1) if compared else ""
        items.append(f"{kpi['app']} {_cut(kpi['title'])}: {value}{change}")
    return items


def _change(told: Told, ratio: float) -> str:
    return f" ({told.words['percent'].format(value=f'{100 * ratio:+.1f}')})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def _backups(told: Told) -> list[str]:
    made, proven = (told.values(name, "app", "host") for name in ("backed_up", "proven"))
    items = []
    for backup in told.settings["backups"]:
        key, words = (backup["app"], backup["host"]), told.words
        last = words["backed_up"].format(time=told.time(made[key])) if key in made else words["never_backed_up"]
        proof = words["proven"].format(time=told.time(proven[key])) if key in proven else words["never_proven"]
        items.append(f"{key[0]}: {last}" + (f", {proof}" if backup["drill"] else ""))
    return items


def _disks(told: Told) -> list[str]:
    """Those that will be full within a year, those whose trend is not known yet, and a line about all others."""
    key = ("host", "mountpoint")
    used, weeks = told.values("disk_used", *key), told.values("disk_weeks", *key)
    soon = {place: left for place, left in weeks.items() if place in used and 0 <= left <= WEEKS_OF_A_YEAR}
    items = [
        _disk(told, used, place, told.counted("full_in", math.floor(left)) if left >= 1 else told.words["full_soon"])
        for place, left in sorted(soon.items(), key=lambda item: item[1])
    ]
    items += [_disk(told, used, place, told.words["no_trend"]) for place in used if place not in weeks]
    seen = {host for host, _ in used}
    items += [f"{host}: {told.words['no_data']}" for host in told.settings["known"]["host"] if host not in seen]
    if others := [place for place in used if place in weeks and place not in soon]:
        fullest = max(others, key=lambda place: used[place])
        last = told.words["others_last" if items else "all_last"]
        items = [*items[: MOST - 1], last.format(disk=_cut(" ".join(fullest)), percent=math.floor(used[fullest]))]
    return items


def _disk(told: Told, used: Mapping[tuple[str, ...], float], place: tuple[str, ...], outlook: str) -> str:
    return f"{' '.join(_cut(part) for part in place)}: " + told.words["used"].format(
        percent=math.floor(used[place]), outlook=outlook
    )


def _images(told: Told) -> list[str]:
    """The oldest first; an image that several containers have counts once."""
    ages: dict[str, tuple[float, list[str]]] = {}
    for labels, age in sorted(told.declared("image_days"), key=lambda sample: -sample[1]):
        ages.setdefault(labels.get("image", ""), (age, []))[1].append(labels.get("container", ""))
    items = [
        told.words["image"].format(
            image=_cut(image), days=f"{math.floor(age):,}", containers=_cut(", ".join(dict.fromkeys(containers)))
        )
        for image, (age, containers) in ages.items()
        if age > told.settings["image_days"]
    ]
    return items or [told.words["none_old" if ages else "no_data"]]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= NAME_LENGTH else f"{line[: NAME_LENGTH - 1]}…"


# --- the run ----------------------------------------------------------------------------------------------------------


def alert(settings: Settings, report: Report, moment: datetime, now: float) -> dict[str, Any]:
    """What Alertmanager gets. Two about the same moment are one for it."""
    starts = datetime.fromtimestamp(now, timezone.utc)
    return {
        "labels": {**settings["labels"], "moment": moment.strftime("%Y-%m-%dT%H:%M:%SZ")},
        "annotations": {"summary": report.title, "description": report.text},
        "startsAt": starts.isoformat(),
        "endsAt": (starts + LASTS).isoformat(),
    }


def look(settings: Settings, now: float) -> Report:
    """Asks, and composes. Raises ReportError."""
    answers = {name: ask(settings["prometheus"], query, now) for name, query in settings["queries"].items()}
    return compose(settings, answers, now)


def send(settings: Settings, report: Report, moment: datetime, now: float) -> None:
    """Raises ReportError."""
    body = json.dumps([alert(settings, report, moment, now)]).encode()
    _post("Alertmanager", f"{settings['alertmanager']}/api/v2/alerts", body, "application/json")


def read(file: Path) -> str:
    """The file's text; "" where it cannot be read."""
    # O_NOFOLLOW and O_NONBLOCK: who may write to the folder cannot lead us elsewhere or make us wait.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with suppress(OSError), os.fdopen(os.open(file, flags), "rb") as opened:
        return opened.read(STATE_BYTES).decode(errors="replace")
    return ""


def write(folder: Path, text: str) -> None:
    """Replaces the file at once. O_EXCL: who may write to the folder cannot lead us to another file by a link."""
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)  # node exporter is another user
    new.replace(folder / FILE)


def on_schedule(settings: Settings, folder: Path, now: float) -> None:
    """Sends what is due. Raises ReportError, and OSError when it could not remember that it sent something."""
    zone = zone_of(settings)
    moment = turn(settings["weekday"], settings["at"], zone, datetime.fromtimestamp(now, timezone.utc))
    state = state_of(read(folder / FILE), settings["schedule"], now)
    write(folder, exposition(state))
    if is_due(state, moment):
        send(settings, look(settings, now), moment, now)
        write(folder, exposition(with_values(state, sent=moment.timestamp())))


def main(arguments: list[str] | None = None, now: float | None = None) -> int:
    """Entry point; the exit code. `now` is a Unix time."""
    parser = argparse.ArgumentParser(description="Sends the weekly message when it is due.")
    parser.add_argument("folder", type=Path, nargs="?", help="node exporter's folder for *.prom files")
    parser.add_argument("--settings", type=Path, default=Path(__file__).with_name("settings.json"))
    parser.add_argument("--now", action="store_true", help="send it now; the one that is due comes all the same")
    parser.add_argument("--print", action="store_true", help="show what would be sent now, and send nothing")
    options = parser.parse_args(arguments)
    now = time.time() if now is None else now
    try:
        settings = json.loads(options.settings.read_text())
        if options.print:
            report = look(settings, now)
            sys.stdout.write(f"{report.title}\n{report.text}\n")
        elif options.now:
            send(settings, look(settings, now), datetime.fromtimestamp(now, timezone.utc), now)
        elif options.folder:
            on_schedule(settings, options.folder, now)
        else:
            parser.error("give the folder, --now or --print")
    except ReportError as error:
        return _fail(f"{error} Nothing was sent; the timer starts it again in a few minutes.")
    except OSError as error:
        return _fail(f"{error.filename or options.folder}: {error.strerror}.")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        return _fail(f"{options.settings} is not as crowsnest wrote it ({error!r}). Run the playbook again.")
    return 0


def _fail(message: str) -> int:
    _say(message)
    return 1


def _say(message: str) -> None:
    sys.stderr.write(f"weekly_report: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
