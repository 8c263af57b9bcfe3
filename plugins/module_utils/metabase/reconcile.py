# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: compares what is declared with what Metabase has, writes the difference, tries the SQL. Python 3.9."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.apply import Apply, CannotError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.canonical import loose
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import MetabaseError, RefusedError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.enter import Entered, Session, enter
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.found import columns_of, found_things
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.marks import (
    COLLECTION,
    DASHBOARD,
    DATABASE,
    GROUP,
    NOTHING,
    QUESTION,
    SETTINGS,
    SUBSCRIPTION,
    USER,
    Live,
    Rows,
    object_slots,
    slot,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.options import mistakes, unknown_settings
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.plan import (
    FORMED,
    archives,
    new_forms,
    occupied,
    plan,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.questions import (
    broken_questions,
    try_questions,
    without_cards,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.read import (
    needed_columns,
    read_base,
    read_content,
    read_tables,
    wait_for_columns,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.wanted import wanted_things
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.module import refuse
from ansible_collections.crowsnest.core.plugins.module_utils.reconcile.things import CREATE, Change, Things

BASE = (SETTINGS, GROUP, USER, DATABASE)
STAGES = ((COLLECTION, QUESTION), (DASHBOARD, SUBSCRIPTION))


def run(declared: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's result. Raises ReconcileError."""
    refuse(f"Metabase at {declared['url'].rstrip('/')}", mistakes(declared))
    session = Session(declared, check_mode)
    wanted = wanted_things(declared, session.key_file.digest)
    try:
        entered = enter(session)
        if entered.is_empty:
            predict_all(session, entered, wanted)
        else:
            Reconciler(session, entered).reconcile(wanted)
    finally:
        session.metabase.close()
    return session.report.result({question["key"]: question["name"] for question in declared["questions"]})


def predict_all(session: Session, entered: Entered, wanted: Things) -> None:
    """As for an empty Metabase."""
    settings = [{"key": name, "value": entered.properties.get(name)} for name in session.declared["settings"]]
    nothing = found_things(NOTHING._replace(settings=settings), session.declared, session.key_file.content)
    session.report.done += plan((*BASE, *STAGES[0], *STAGES[1]), wanted, nothing, {})


class Reconciler:
    """Writes what differs. Its methods raise ReconcileError; what was done before stays."""

    def __init__(self, session: Session, entered: Entered) -> None:
        self.session, self.entered = session, entered
        self.declared, self.check_mode = session.declared, session.check_mode
        self.metabase, self.key_file, self.report = session.metabase, session.key_file, session.report
        self.apply = Apply(session.metabase, session.key_file)

    def reconcile(self, wanted: Things) -> None:
        """Settings, people and databases, then what needs these."""
        base = read_base(self.metabase, self.declared, self.entered.groups)
        known = {row["key"] for row in base.settings}
        unknown = unknown_settings(self.declared["settings"], known, self.report.version)
        refuse(f"Metabase at {self.metabase.url}", unknown)
        wanted = {**wanted, SETTINGS: self.without_fixed(wanted, base.settings)}
        self.carry_out(BASE, wanted, self.ours(base))
        live = read_content(self.metabase, self.declared, self.with_tables(base), self.key_file.content)
        found = self.ours(live)
        self.remember(found)
        wanted = {**wanted, QUESTION: self.without_broken(wanted)}
        for stage in STAGES:
            wanted = {**wanted, DASHBOARD: self.without_failed(wanted, found)}
            self.carry_out(stage, wanted, found)
        self.carry_out_each(archives(wanted, found, self.kept(wanted, live, found)))
        if not self.check_mode:
            self.try_questions(wanted)
            self.learn_forms(wanted, live)

    def ours(self, live: Live) -> Things:
        """What is ours of it; its numbers are known from now on."""
        found = found_things(live, self.declared, self.key_file.content)
        self.apply.know(found)
        return found

    def carry_out(self, kinds: Iterable[str], wanted: Things, found: Things) -> None:
        """Makes objects of these kinds as they are wanted."""
        self.carry_out_each(plan(kinds, wanted, found, self.key_file.content["forms"]))

    def carry_out_each(self, changes: Iterable[Change]) -> None:
        """A database or a question that Metabase refuses does not stop the rest."""
        for change in changes:
            try:
                if not self.check_mode:
                    self.apply(change)
            except (RefusedError, CannotError) as error:
                self.failed(change, str(error))
            else:
                self.session.did(change)

    def failed(self, change: Change, words: str) -> None:
        """Raises MetabaseError for what everything else may need."""
        key = change.wanted.key or change.found.key
        if change.kind == DATABASE:
            self.report.failed_databases[key] = words
        elif change.kind == QUESTION:
            self.report.failed_questions[key] = words
        elif change.kind in (DASHBOARD, SUBSCRIPTION, USER):
            self.report.failed_changes[str(change)] = words
        else:
            raise MetabaseError(
                f"Metabase at {self.metabase.url} refuses to {change}: {words}. What was done before stays; correct "
                "the declaration and run it again."
            )

    # --- what is wanted, as far as it can be had ---

    def without_fixed(self, wanted: Things, settings: Rows) -> dict[str, Any]:
        """A setting whose value is in the environment of Metabase's container is not ours to change."""
        if not wanted[SETTINGS]:
            return {}
        thing, rows = wanted[SETTINGS][SETTINGS], {row["key"]: row for row in settings}
        fixed = [name for name in thing.fields if rows[name].get("is_env_setting")]
        properties = self.entered.properties
        if set(fixed) - set(properties):
            properties = self.metabase.properties()  # an administrator sees more of them
        self.report.warnings += [
            f"The setting {name} of Metabase is fixed by {rows[name].get('env_name') or 'the environment'} of its "
            f"container and stays {properties[name]!r}; {thing.raw[name]!r} is declared."
            for name in fixed  # the list of settings does not show the value
            if name in properties and loose(properties[name]) != thing.fields[name]
        ]
        fields = {name: value for name, value in thing.fields.items() if name not in fixed}
        return {SETTINGS: thing._replace(fields=fields)} if fields else {}

    def without_broken(self, wanted: Things) -> dict[str, Any]:
        """Questions that can be made, or changed, now."""
        made = self.made_databases() if self.check_mode else set()
        ids, columns = self.apply.ids[DATABASE], self.apply.columns
        broken = broken_questions(wanted, made, ids, columns, self.report.failed_databases)
        self.report.failed_questions.update(broken)
        return {key: thing for key, thing in wanted[QUESTION].items() if key not in broken}

    def without_failed(self, wanted: Things, found: Things) -> dict[str, Any]:
        """Dashboards without cards of questions that are not there."""
        there = {key for key, thing in found[QUESTION].items() if not thing.archived}
        return without_cards(wanted[DASHBOARD], self.report.failed_questions.keys() - there)

    # --- what is known of Metabase ---

    def made_databases(self) -> set[str]:
        """Names of those that this run made, or would make."""
        return {change.name for change in self.report.done if (change.verb, change.kind) == (CREATE, DATABASE)}

    def with_tables(self, base: Live) -> Live:
        """With the columns that filters need; those of a new database are waited for."""
        made = self.made_databases()
        names = {row["name"] for row in self.declared["databases"]}
        ids = {name: number for name, number in self.apply.ids[DATABASE].items() if name in names}
        known = {name: number for name, number in ids.items() if name not in made}
        tables = read_tables(self.metabase, self.declared, known)
        if made and not self.check_mode:
            base = base._replace(databases=self.metabase.rows("/api/database"))
        for name, number in ids.items():
            tables = self.with_columns(tables, name, number, name in made)
        live = base._replace(tables=tables)
        self.apply.columns = {name: columns_of(live, number) for name, number in ids.items()}
        return live

    def with_columns(self, tables: dict[int, Rows], name: str, number: int, is_new: bool) -> dict[int, Rows]:
        """Lets Metabase read a database again when columns are missing that were not known to be missing."""

        def missing() -> list[str]:
            return sorted(needed - set(columns_of(NOTHING._replace(tables=tables), number)))

        needed = needed_columns(self.declared, name)
        known = self.key_file.content["missing"].get(name, [])
        if not self.check_mode and (is_new or set(missing()) - set(known)):
            tables = {**tables, number: wait_for_columns(self.metabase, number, needed, is_new)}
        if missing() != known:  # so that nobody waits for them again in each run
            self.key_file.set(missing={**self.key_file.content["missing"], name: missing()})
        return tables

    def remember(self, found: Things) -> None:
        """The file on the host knows our collections and dashboards, also when it was lost."""
        known = {**self.key_file.content["objects"], **object_slots(found)}
        if known != self.key_file.content["objects"]:
            self.key_file.set(objects=known)

    def kept(self, wanted: Things, live: Live, found: Things) -> set[str]:
        """What is not archived although it is not declared: failed questions, and collections with people's work."""
        gone = {
            key: thing.name
            for key, thing in found[COLLECTION].items()
            if key not in wanted[COLLECTION] and not thing.archived
        }
        inside = occupied(live, found, gone)
        self.report.warnings += [
            f"The collection {gone[key]} is no longer declared, but holds what people created there "
            f"({', '.join(names[:5])}); it stays until that is moved."
            for key, names in inside.items()
        ]
        return {slot(QUESTION, key) for key in self.report.failed_questions} | {slot(COLLECTION, key) for key in inside}

    def try_questions(self, wanted: Things) -> None:
        """A question whose SQL fails stays; it is tried again in each run."""
        ids = self.apply.ids[QUESTION]
        failing = try_questions(self.metabase, self.key_file, self.report.done, ids, wanted[QUESTION])
        self.report.failed_questions.update(failing)

    def learn_forms(self, wanted: Things, live: Live) -> None:
        """Reads once more what was written; the columns are known already."""
        if not any(change.kind in FORMED for change in self.report.done):
            return
        base = read_base(self.metabase, self.declared, None)._replace(tables=live.tables)
        again = read_content(self.metabase, self.declared, base, self.key_file.content)
        found = found_things(again, self.declared, self.key_file.content)
        left = plan(tuple(FORMED), wanted, found, self.key_file.content["forms"])
        self.report.warnings += new_forms(self.key_file, self.report.done, left)
