# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: which templates change, all refusals together, the writes. Python 3.9."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.crowsnest.core.plugins.module_utils.app_file import only_run, tracked_in, why_not
from ansible_collections.crowsnest.core.plugins.module_utils.files import explain, replace_kept
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.memory import recall, remember
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.tag import (
    BEGIN,
    END,
    MEASUREMENT_ID,
    NONCE,
    Tag,
    lines,
)
from ansible_collections.crowsnest.core.plugins.module_utils.google_tag.template import (
    TemplateError,
    with_tag,
    without_tag,
)


class Change(NamedTuple):
    """The bytes of one template before and after the run."""

    path: Path
    before: bytes
    after: bytes

    @property
    def kind(self) -> str:
        """What becomes of the tag: `added`, `removed` or `updated`."""
        had, has = (BEGIN.encode() in content for content in (self.before, self.after))
        return "updated" if had and has else "added" if has else "removed"


class Plan(NamedTuple):
    """What a run would do; `ours` are the templates that then have a tag from us."""

    changes: list[Change]
    ours: list[Path]
    warnings: list[str]


def wanted_tags(templates: Sequence[Mapping[str, Any]]) -> dict[Path, Tag]:
    """The module's option `templates` as values, by path. Raises TemplateError with all mistakes."""
    mistakes = [mistake for template in templates for mistake in _mistakes(template)]
    targets = [Path(template["path"]).resolve() for template in templates]
    mistakes += [f"{target} is named more than once" for target in dict.fromkeys(targets) if targets.count(target) > 1]
    if mistakes:
        raise TemplateError(f"{'; '.join(mistakes)}. Nothing was changed.")
    return {
        Path(template["path"]): Tag(template["measurement_id"], template["consent"], template["nonce"])
        for template in templates
    }


def _mistakes(template: Mapping[str, Any]) -> Iterator[str]:
    path = template["path"]
    if not Path(path).is_absolute():
        yield f"{path} is not an absolute path"
    if not MEASUREMENT_ID.fullmatch(template["measurement_id"]):
        yield f"{path}: {template['measurement_id']} is no measurement id, such as G-ABCDE12345"
    if template["nonce"] and not NONCE.fullmatch(template["nonce"]):
        yield f"{path}: {template['nonce']} is no nonce expression, such as request.csp_nonce or <%= nonce %>"


def run(wanted: Mapping[Path, Tag], directory: Path, check: bool) -> Plan:
    """Do, or only predict, what is asked. `directory` remembers which templates have a tag from us.

    Raises TemplateError, and OSError for that folder.
    """
    if check:
        return plan(wanted, recall(directory))
    with only_run(directory):
        known = recall(directory)
        planned = plan(wanted, known)
        remember(directory, {*known, *planned.ours})  # before they are written: a run may be killed
        for change in planned.changes:
            write(change)
        remember(directory, planned.ours)
    return planned


def write(change: Change) -> None:
    """Raises TemplateError."""
    try:
        replace_kept(change.path, change.after)
    except OSError as error:
        raise TemplateError(explain(change.path, error)) from None


def plan(wanted: Mapping[Path, Tag], known: Sequence[Path]) -> Plan:
    """What there is to do. Raises TemplateError with all that must not be done."""
    changes, refusals, warnings = [], [], []
    for path in [*wanted, *(path for path in known if path not in wanted)]:
        tag = wanted.get(path)
        if tag and not path.exists():
            warnings.append(f"There is no template {path} yet. Deploy the app and run this again, or correct the path.")
            continue
        try:
            change = _change(path, tag)
            if change.before != change.after:
                warnings += _refuse_tracked(path, tag)
                changes.append(change)
        except TemplateError as error:
            refusals.append(f"{path} {error}.")
        except OSError as error:
            refusals.append(explain(path, error))
    if refusals:
        raise TemplateError("\n".join([*refusals, "Nothing was changed."]))
    changed = {change.path for change in changes}
    return Plan(changes, [path for path in wanted if path in known or path in changed], warnings)


def _change(path: Path, tag: Tag | None) -> Change:
    if not path.exists():
        return Change(path, b"", b"")
    if why := why_not(path):
        raise TemplateError(why)
    before = path.read_bytes()
    return Change(path, before, with_tag(before, tag) if tag else without_tag(before))


def _refuse_tracked(path: Path, tag: Tag | None) -> list[str]:
    """Warnings. Raises TemplateError, with the block to paste, where git tracks the template."""
    checkout, warnings = tracked_in(path)
    if checkout is None:
        return warnings
    what = f"remove the lines from {BEGIN} to {END}"
    if tag:
        block = "\n".join(lines(tag))
        what = f"paste this right before </head>, in place of such a block if there is one,\n{block}\n"
    raise TemplateError(
        f"is tracked by git in {checkout}, and a change on this host would block the next `git pull`. In the "
        f"repository, {what} and deploy that"
    )
