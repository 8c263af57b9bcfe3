# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run on an env file: what changes, the write, the services that read it, and the way back. Python 3.9."""

from __future__ import annotations

import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.app_file import only_run, tracked_in, why_not
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import HIDDEN, HIDDEN_NEW
from ansible_collections.crowsnest.core.plugins.module_utils.env_file import memory, services, text
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.memory import Key, Memory
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.request import Request
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.services import Project, UnhealthyError
from ansible_collections.crowsnest.core.plugins.module_utils.files import replace_kept


class Plan(NamedTuple):
    """What a run would do: the file's bytes now and then, the keys that change, and what that asks of services.

    `keys` are those of the request, each with the line that it replaced.
    """

    keys: Mapping[str, Key]
    before: bytes
    after: bytes
    changed: tuple[str, ...]
    rebuild: tuple[str, ...]
    project: Project | None
    warnings: tuple[str, ...]
    diff: Mapping[str, str]

    @property
    def recreated(self) -> tuple[str, ...]:
        """The services that are recreated."""
        return self.project.services if self.project else ()


def run(request: Request, directory: Path, check: bool) -> Plan:
    """Do, or only predict, what is asked. `directory` is where is remembered which keys are ours.

    Raises EnvFileError when nothing was changed or everything was taken back, and OSError.
    """
    if request.keys and not request.path.exists():
        return _missing(request)
    if check:
        return plan(request, memory.recall(directory, request.path))
    with only_run(directory):
        known = memory.recall(directory, request.path)
        planned = plan(request, known)
        # Before anything is written: a run may be killed.
        memory.remember(directory, request.path, Memory({**known.keys, **planned.keys}, planned.recreated))
        try:
            apply(request, planned)
        except (EnvFileError, OSError):
            if read(request) == planned.before:
                memory.remember(directory, request.path, known._replace(unfinished=()))
            raise
        memory.remember(directory, request.path, Memory(planned.keys))
    return planned


def _missing(request: Request) -> Plan:
    """Nothing to do yet. The file is not made, since only the app knows who must be able to read it."""
    warning = (
        f"There is no file {request.path} yet, so {', '.join(request.keys)} were not written. Deploy the app, or make "
        "an empty file, and run this again; or correct the path."
    )
    return Plan({}, b"", b"", (), (), None, (warning,), {"before": "", "after": ""})


def plan(request: Request, known: Memory) -> Plan:
    """What there is to do. Raises EnvFileError when it must not be done, and OSError."""
    kept = {name: key for name, key in known.keys.items() if name in request.keep and name not in request.keys}
    gone = {name: key.replaced for name, key in sorted(known.keys.items()) if name not in {**request.keys, **kept}}
    before = read(request)
    try:
        after = text.edited(before, request.spelled, gone)
    except EnvFileError as error:
        raise EnvFileError(f"{request.path}: {error}") from None
    old, new = text.lines(before), text.lines(after)
    names = [*request.keys, *gone]
    changed = tuple(name for name in names if old.get(name) != new.get(name))
    flags = {**known.keys, **request.keys}
    rebuild = tuple(name for name in changed if flags[name].rebuild)
    secret = {name for name in changed for keys in (known.keys, request.keys) if name in keys and keys[name].secret}
    keys = {**kept, **_with_replaced(request.keys, known.keys, before)}
    project, warnings = None, [f"{request.path}: {remark}" for remark in text.remarks(after, request.keys)]
    warnings += [
        f"{request.path}: {name} was there already; its line comes back when it is no longer declared."
        for name, key in keys.items()
        if name not in known.keys and key.replaced is not None
    ]
    if after != before:
        warnings += refuse_tracked(request.path, new, changed, secret)
        warnings += _readable_by_all(request.path) if secret & set(new) else []
    if request.compose and (known.unfinished or len(rebuild) < len(changed)):
        project, left_out = _to_recreate(request.compose, request.recreate, bool(known.unfinished))
        warnings += left_out
    diff = {"before": shown(old, changed, secret, HIDDEN), "after": shown(new, changed, secret, HIDDEN_NEW)}
    return Plan(keys, before, after, changed, rebuild, project, tuple(warnings), diff)


def _with_replaced(wanted: Mapping[str, Key], known: Mapping[str, Key], before: bytes) -> dict[str, Key]:
    """The wanted keys, each with the line of the app that stood there when it was first set."""
    there = text.lines(before, "surrogateescape")
    return {
        name: key._replace(replaced=known[name].replaced if name in known else there.get(name))
        for name, key in wanted.items()
    }


def _to_recreate(compose: Path, wanted: Collection[str], unfinished: bool) -> tuple[Project | None, list[str]]:
    """The services that are recreated, and warnings of those that are not.

    `unfinished`: what waits to be recreated is left from the run before.
    """
    project, why = None, ""
    try:
        project = services.find(compose, wanted)
        if project and services.is_pending(project) and not unfinished:
            why = "something else waits to be deployed (an edit, an image, or variables of the shell that deployed)"
    except EnvFileError as error:
        why = str(error)
    if why:
        return None, [
            f"{', '.join(wanted)} of {compose}: {why}, so they were not recreated. Deploy as usual; the new values "
            "count from then on."
        ]
    missing = [name for name in wanted if not project or name not in project.services]
    return project, [f"{name} of {compose} does not run, so it was not recreated." for name in missing]


def _readable_by_all(path: Path) -> list[str]:
    """A warning when everybody may read a file that gets a secret."""
    if not path.stat().st_mode & stat.S_IROTH:
        return []
    return [f"{path}: every user of this host can read it. Unless the app needs that, run `chmod o-r {path}`."]


def read(request: Request) -> bytes:
    """The bytes of the env file. Raises EnvFileError where it is not a file that may be written, and OSError."""
    path = request.path
    if not path.exists():
        return b""
    if why := why_not(path):
        raise EnvFileError(f"{path} {why}.")
    return path.read_bytes()


def refuse_tracked(
    path: Path, lines: Mapping[str, str], changed: Collection[str], secret: Collection[str]
) -> list[str]:
    """Warnings. Raises EnvFileError, with what to paste of `lines` as they should be, where git tracks the file."""
    checkout, warnings = tracked_in(path)
    if checkout is None:
        return warnings
    paste = shown(lines, changed, secret, HIDDEN).rstrip("\n")
    gone = [name for name in changed if name not in lines]
    sentence = f"{path}: git tracks this file in {checkout}, and a change here would block the next `git pull`."
    remove = f" Remove its lines of {', '.join(gone)}." if gone else ""
    raise EnvFileError(
        f"{sentence} Nothing was changed. Change it in the repository, or take it out of git "
        f"(`git rm --cached`).{remove}" + (f" The lines to paste:\n{paste}" if paste else "")
    )


def shown(lines: Mapping[str, str], changed: Collection[str], secret: Collection[str], hidden: str) -> str:
    """The lines of the keys that change, one below the other, secrets masked."""
    return "".join(f"{name}={hidden}" if name in secret else f"{lines[name]}\n" for name in changed if name in lines)


def apply(request: Request, planned: Plan) -> None:
    """Write the file and recreate the services. Raises EnvFileError when they do not become healthy, and OSError."""
    if planned.after != planned.before:
        replace_kept(request.path, planned.after)
    if not planned.project:
        return
    secrets = [*text.values(planned.before), *text.values(planned.after)]
    try:
        services.recreate(planned.project, request.wait, secrets)
    except UnhealthyError as error:
        outcome = take_back(request, planned, planned.project, secrets)
        raise EnvFileError(f"{error} with the new environment. {outcome}{error.log}") from None


def take_back(request: Request, planned: Plan, project: Project, secrets: Collection[str]) -> str:
    """Put the old bytes back and recreate the services again; returns a sentence on how that ended."""
    if planned.after == planned.before:
        return f"{request.path} stays: an earlier run that was interrupted had written it. Correct the declaration."
    if request.path.read_bytes() != planned.after:
        return f"{request.path} was changed by somebody else meanwhile and stays."
    replace_kept(request.path, planned.before)
    try:
        services.recreate(project, request.wait, secrets)
    except UnhealthyError as error:
        return f"{request.path} is as before, but with it {error} too, so the cause is not the new environment alone."
    return f"{request.path} is as before, and {', '.join(project.services)} healthy again with it."
