# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Where Metabase keeps something in another form than it was sent. Python 3.9, standard library.

What the next run reads is compared with the form that was found right after the write: so it finds nothing to do, and
still sees what somebody changes by hand.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.diff import CHANGE, Change, form, may_be_formed
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import slot
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.record import Record


def new_forms(record: Record, done: Iterable[Change], left: Iterable[Change]) -> list[str]:
    """Remembers the forms of what was written; a sentence for each. `left` is what seems to differ after it."""
    written = {slot(each.kind, each.wanted.key) for each in done if each.wanted.key}
    warnings = []
    for each in left:
        name = slot(each.kind, each.wanted.key)
        if each.verb != CHANGE or name not in written:
            continue
        now = {
            field: [form(thing.fields.get(field)) for thing in (each.wanted, each.found)]
            for field in each.fields
            if may_be_formed(each.kind, field)
        }
        record.note("forms", name, {**record.content["forms"].get(name, {}), **now})
        what = f"{each.kind} {each.name}".strip()
        warnings.append(f"Metabase keeps {', '.join(each.fields)} of {what} in another form than declared.")
    return warnings
