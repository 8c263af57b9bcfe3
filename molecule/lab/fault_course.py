# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One fault from its making to its end: everything that reaches the catcher, and whether that is as it should be."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from lab.faults import Fault
from lab.play import Lab
from lab.progress import LabError

WATCH = 360.0  # seconds after the repair in which nothing may begin
# For each severity: seconds a fault lasts beyond the wait of its rule, and seconds in which its end may be told later,
# since Alertmanager gathers news of a group.
BEYOND = {"critical": 240.0, "high": 240.0, "medium": 480.0}
GATHERS = {"critical": 15.0, "high": 300.0, "medium": 900.0}
PROMISED = {"critical": 60.0, "high": 3600.0, "medium": 4 * 3600.0}
EFFECT = 120.0
NOTICES = ("💾", "📋", "🔵")  # tell of a success, of the week, or of what waits for office hours
PAUSE = 2.0
WRITTEN = 75.0  # seconds until Alertmanager has written down what it told
# As the rules of what tells effects only look back (causes.py).
TOLD_LATELY = "present_over_time(app:cause:told[7m])"
FIRING = 'ALERTS{alertstate="firing", severity!~"none|low"}'

Say = Callable[[str], None]
OnHost = Callable[[str], Any]


@dataclass(frozen=True)
class Post:
    """A message, or with `edit` a new content of one that is there; editing rings nowhere."""

    at: float
    title: str
    text: str
    edit: bool = False

    @property
    def ends(self) -> bool:
        """Whether it says that it is over."""
        return "✅" in self.title


def strings(value: Any) -> Iterator[str]:
    """What a person reads of a payload, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            if key not in ("type", "color", "username", "channel", "title_link", "fallback"):
                yield from strings(child)
    elif isinstance(value, Sequence):
        for child in value:
            yield from strings(child)


def posts(messages: Sequence[Mapping[str, Any]]) -> list[Post]:
    """Messages of the catcher and their edits in the order of their arrival, without notices."""
    found = [
        _post(version["received"], payload, edit)
        for message in messages
        for version, payload, edit in (
            (message, message.get("posted", message["payload"]), False),
            *((each, each["payload"], True) for each in message.get("edits", [])),
        )
    ]
    return sorted((post for post in found if not post.title.startswith(NOTICES)), key=lambda post: post.at)


def _post(at: float, payload: Mapping[str, Any], edit: bool) -> Post:
    """Where no attachment has a title, as in messages of Uptime Kuma's own, the message's text counts as one."""
    titles = [part["title"] for part in payload.get("attachments") or [] if part.get("title")]
    title = titles[0] if titles else payload.get("text", "")
    return Post(at, " ".join(title.split())[:200], " ".join(" ".join(strings(payload)).split()), edit)


@dataclass(frozen=True)
class Seen:
    """What reached the catcher because of a fault; times in seconds, `wait` is that of its rule."""

    made: float
    repaired: float
    wait: float
    posts: Sequence[Post]

    @property
    def begun(self) -> list[Post]:
        """Messages of something that is wrong, without edits."""
        return [post for post in self.posts if not post.edit and not post.ends]

    @property
    def first(self) -> Post | None:
        """The first of them."""
        return next(iter(self.begun), None)

    @property
    def before(self) -> list[Post]:
        """Messages before the repair, without edits."""
        return [post for post in self.posts if not post.edit and post.at < self.repaired]

    @property
    def after(self) -> list[Post]:
        """Messages after it, without edits."""
        return [post for post in self.posts if not post.edit and post.at >= self.repaired]

    @property
    def edits(self) -> int:
        """How often a message got a new content."""
        return sum(post.edit for post in self.posts)

    @property
    def ends(self) -> list[Post]:
        """Messages and edits that say that it is over."""
        return [post for post in self.posts if post.ends]


def allowed(fault: Fault, wait: float) -> float:
    """Seconds within which the first message must come."""
    return EFFECT if fault.kind == "effect" else PROMISED[fault.severity] + wait + fault.averages


def complaints(fault: Fault, seen: Seen) -> list[str]:
    """What is not as it should be; empty when all is."""
    if fault.kind == "none":
        return [f"told: {post.title}" for post in seen.posts]
    if not (first := seen.first):
        return ["nothing was told"]
    limit, late = allowed(fault, seen.wait), first.at - seen.made
    begun_before = [post for post in seen.before if not post.ends]
    titles = "; ".join(post.title for post in seen.begun[: fault.ends])
    missing = [name for name in fault.names if not re.search(name, titles, re.IGNORECASE)]
    return [
        *([f"first message after {late:.0f} s, allowed are {limit:.0f} s"] if late > limit else []),
        *(["told only after the repair"] if first in seen.after else []),
        *([f"the title does not name {' and '.join(missing)}: {titles}"] if missing else []),
        *([f"{len(begun_before)} messages before the repair"] if len(begun_before) > fault.most else []),
        *([f"{len(seen.ends)} ends"] if len(seen.ends) != fault.ends else []),
        *(f"began during recovery: {post.title}" for post in seen.after if not post.ends),
    ]


def declared_wait(lab: Lab, fault: Fault) -> float:
    """Seconds for which the rule of a fault waits. LabError where Prometheus has no such rule."""
    if not fault.alert:
        return fault.wait
    of_severity = [rule for rule in _rules(lab, fault) if rule["labels"]["severity"] == fault.severity]
    of_app = [rule for rule in of_severity if rule["labels"].get("app") in (None, fault.names[0])]
    waits = [float(rule["duration"]) for rule in of_app or of_severity]
    if not waits:
        raise LabError(
            f"Prometheus has no rule {fault.alert} of severity {fault.severity}: see molecule/lab/faults.py."
        )
    return max(waits)


def _rules(lab: Lab, fault: Fault) -> list[dict[str, Any]]:
    """The alert rules of a fault as Prometheus has them."""
    groups = lab.get("prometheus", "/api/v1/rules", type="alert")["data"]["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["name"] == fault.alert]


def without_end(told: Sequence[Post]) -> set[str]:
    """What was told and is not over yet, by its title without state and severity."""
    begun: set[str] = set()
    for post in told:
        what = post.title.partition(": ")[2].partition(";")[0]
        begun = {each for each in begun if not each.startswith(what)} if post.ends else {*begun, what}
    return begun


def firing(lab: Lab) -> set[str]:
    """Alerts that fire, as `AppDown shop`; messages whose end is missing; causes that still hold other alerts back."""
    words = ("alertname", "app", "host", "severity")
    found = {" ".join(labels[word] for word in words if word in labels) for labels, _ in lab.query(FIRING)}
    found |= {f"{labels['cause']} explains {labels['app']}" for labels, _ in lab.query("app:cause:explains")}
    down = lab.query('monitor_status{monitor_type!="group"} == 0')
    found |= {f"told: {title}" for title in without_end(posts(lab.messages(0)))}
    return found | {f"monitor {labels['monitor_name']}" for labels, _ in down}


def told_lately(lab: Lab, fault: Fault | None) -> set[str]:
    """Causes that were told lately, if the rule of a fault waits because of them."""
    if not fault:
        return set()
    found = {f"{labels['cause']} of {labels['app']} lately" for labels, _ in lab.query(TOLD_LATELY)}
    return found if found and any(TOLD_LATELY in rule["query"] for rule in _rules(lab, fault)) else set()


def settle(lab: Lab, say: Say, seconds: float, known: set[str], fault: Fault | None = None) -> set[str]:
    """Wait until nothing but what is known fires, that is written down, and the next fault can be told.

    What fires after the time is returned.
    """
    end, shown, well = time.monotonic() + seconds, set[str](), time.monotonic()
    while time.monotonic() < well + WRITTEN:
        if found := _answer(lambda: firing(lab) | told_lately(lab, fault), {"Prometheus does not answer"}) - known:
            well = time.monotonic()
            if well > end:
                say(f"still firing after {seconds:.0f} s: {', '.join(sorted(found))}")
                return set(found)
            if found != shown:
                say(f"waiting for the end of: {', '.join(sorted(found))}")
                shown = found
        time.sleep(PAUSE)
    return set()


def course(
    lab: Lab,
    fault: Fault,
    on_host: OnHost,
    say: Say,
    watch: float = WATCH,
    beyond: float = 0,
    mine: Callable[[Post], bool] = lambda _: True,
) -> Seen:
    """Make a fault, watch, repair it, watch. LabError when it cannot be made or repaired; it is always repaired.

    `beyond` replaces BEYOND, and `watch` WATCH, where time is short. Messages that are not `mine` do not count.
    """
    wait = declared_wait(lab, fault)
    lasts = fault.lasts or wait + (beyond or BEYOND[fault.severity])
    shown: list[Post] = []

    def look() -> list[Post]:
        found = [post for post in posts(_answer(lambda: lab.messages(made), [])) if mine(post)]
        for post in found[len(shown) :]:
            shown.append(post)
            moment = f"repair +{post.at - repaired:.0f}" if repaired else f"+{post.at - made:.0f}"
            say(f"{fault.name} {moment} s: {'(edit) ' if post.edit else ''}{post.title}")
        return shown

    made, repaired = time.time(), 0.0
    say(f"{fault.name}: made; it lasts {lasts:.0f} s, its rule waits {wait:.0f} s")
    try:
        on_host(fault.make)
        end = time.time() + lasts  # on a busy machine Docker takes its time to stop something
        while time.time() < end:
            look()
            time.sleep(PAUSE)
    finally:
        look()
        repaired = time.time()
        try:
            on_host(fault.repair)
        except Exception as error:
            raise LabError(f"{fault.name} could not be repaired; on the lab's host: {fault.repair}\n{error}") from error
    say(f"{fault.name}: repaired")
    last = repaired + watch + fault.lingers + GATHERS[fault.severity]
    while time.time() < last:
        over = any(post.ends for post in look()) or not shown
        if over and time.time() > repaired + watch:
            break
        time.sleep(PAUSE)
    return Seen(made, repaired, wait, tuple(shown))


def _answer(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What a page answers; while it does not, something else."""
    try:
        return ask()
    except requests.RequestException:
        return otherwise
