# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run on an env file: what changes, the write, the services that read it, and the way back. Python 3.9."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.app_file import only_run, tracked_in, why_not
from ansible_collections.crowsnest.core.plugins.module_utils.config_directory.release import HIDDEN, HIDDEN_NEW
from ansible_collections.crowsnest.core.plugins.module_utils.env_file import memory, services, text
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.error import EnvFileError
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.memory import Memory
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.request import Request
from ansible_collections.crowsnest.core.plugins.module_utils.env_file.services import Project, UnhealthyError
from ansible_collections.crowsnest.core.plugins.module_utils.files import replace_kept


class Plan(NamedTuple):
    """What a run would do: the file's bytes now and then, the keys that change, and what that asks of services."""

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
        memory.remember(directory, request.path, known._replace(unfinished=planned.recreated))
        try:
            apply(request, planned)
        except (EnvFileError, OSError):
            memory.remember(directory, request.path, known._replace(unfinished=()))
            raise
        memory.remember(directory, request.path, Memory(request.keys))
    return planned


def _missing(request: Request) -> Plan:
    """Nothing to do yet. The file is not made, since only the app knows who must be able to read it."""
    warning = (
        f"There is no file {request.path} yet, so {', '.join(request.keys)} were not written. Deploy the app, or make "
        "an empty file, and run this again; or correct the path."
    )
    return Plan(b"", b"", (), (), None, (warning,), {"before": "", "after": ""})


def plan(request: Request, known: Memory) -> Plan:
    """What there is to do. Raises EnvFileError when it must not be done, and OSError."""
    gone = set(known.keys) - set(request.keys)
    before = read(request)
    try:
        after = text.edited(before, request.spelled, gone)
    except EnvFileError as error:
        raise EnvFileError(f"{request.path}: {error}") from None
    old, new = text.lines(before), text.lines(after)
    names = [*request.keys, *sorted(gone)]
    changed = tuple(name for name in names if old.get(name) != new.get(name))
    flags = {**known.keys, **request.keys}
    rebuild = tuple(name for name in changed if flags[name].rebuild)
    project, warnings = None, [f"{request.path}: {remark}" for remark in text.remarks(after, request.keys)]
    if after != before:
        warnings += refuse_tracked(request, changed)
    if request.compose and (known.unfinished or len(rebuild) < len(changed)):
        project, left_out = _to_recreate(request.compose, request.recreate, bool(known.unfinished))
        warnings += left_out
    secret = {name for name in changed for keys in (known.keys, request.keys) if name in keys and keys[name].secret}
    diff = {"before": shown(old, changed, secret, HIDDEN), "after": shown(new, changed, secret, HIDDEN_NEW)}
    return Plan(before, after, changed, rebuild, project, tuple(warnings), diff)


def _to_recreate(compose: Path, wanted: Collection[str], unfinished: bool) -> tuple[Project | None, list[str]]:
    """The services that are recreated, and warnings of those that are not. Raises EnvFileError.

    `unfinished`: what waits to be recreated is left from the run before.
    """
    project = services.find(compose, wanted)
    missing = [name for name in wanted if not project or name not in project.services]
    warnings = [f"{name} of {compose} does not run, so it was not recreated." for name in missing]
    if project and not unfinished and services.is_pending(project):
        warnings.append(
            f"{', '.join(project.services)} of {compose}: something else waits to be deployed (an edit, an image, or "
            "variables of the shell that deployed), so they were not recreated. Deploy as usual; the new values count "
            "from then on."
        )
        project = None
    return project, warnings


def read(request: Request) -> bytes:
    """The bytes of the env file. Raises EnvFileError where it is not a file that may be written, and OSError."""
    path = request.path
    if not path.exists():
        return b""
    if why := why_not(path):
        raise EnvFileError(f"{path} {why}.")
    return path.read_bytes()


def refuse_tracked(request: Request, changed: Collection[str]) -> list[str]:
    """Warnings. Raises EnvFileError, with the lines to paste, where git tracks the file."""
    checkout, warnings = tracked_in(request.path)
    if checkout is None:
        return warnings
    paste = "".join(
        f"\n{name}={HIDDEN.strip() if key.secret else request.spelled[name]}"
        for name, key in request.keys.items()
        if name in changed
    )
    gone = [name for name in changed if name not in request.keys]
    sentence = f"{request.path}: git tracks this file in {checkout}, and a change here would block the next `git pull`."
    remove = f" Remove its lines of {', '.join(gone)}." if gone else ""
    raise EnvFileError(
        f"{sentence} Nothing was changed. Change it in the repository, or take it out of git "
        f"(`git rm --cached`).{remove}" + (f" The lines to paste:{paste}" if paste else "")
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
