# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: wait, log in, compare, write, try the SQL. Python 3.9, standard library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.crowsnest.core.plugins.module_utils.metabase.apply import Apply, CannotError
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.broken import (
    broken_questions,
    try_questions,
    without_cards,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.check import mistakes, unknown_settings
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.client import (
    Metabase,
    MetabaseError,
    NotThereError,
    RefusedError,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.diff import (
    ACCOUNT,
    CHANGE,
    CREATE,
    FORMED,
    KEY,
    Change,
    archives,
    plan,
    texts,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.forms import new_forms
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.found import columns_of, found_things
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.keys import object_slots
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.login import (
    NAME,
    log_in,
    make_key,
    set_email,
    set_password,
    set_up,
    site_settings,
    use_key,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.objects import (
    COLLECTION,
    DASHBOARD,
    DATABASE,
    GROUP,
    NOTHING,
    QUESTION,
    SECRET_SETTING,
    SETTINGS,
    SUBSCRIPTION,
    USER,
    Live,
    Rows,
    Things,
    loose,
    slot,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.people import occupied
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.read import (
    needed_columns,
    read_base,
    read_content,
    read_tables,
    wait_for_columns,
)
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.record import Record
from ansible_collections.crowsnest.core.plugins.module_utils.metabase.wanted import wanted_things

Given = Mapping[str, Any]
BASE = (SETTINGS, GROUP, USER, DATABASE)
SHOWN = 3  # questions in a warning
STAGES = ((COLLECTION, QUESTION), (DASHBOARD, SUBSCRIPTION))


def secrets(given: Given) -> set[str]:
    """What no message shows: passwords, and settings that are secret."""
    values = [(given["admin"] or {}).get("password")]
    values += [each.get("password") for each in given["databases"] or [] if isinstance(each, dict)]
    values += [value for name, value in (given["settings"] or {}).items() if SECRET_SETTING.search(name)]
    return {value for value in values if isinstance(value, str) and len(value) > 3}


def _refuse(url: str, found: list[str]) -> None:
    if found:
        count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise MetabaseError(f"Metabase at {url}: nothing was changed, {count}: " + "; ".join(found))


class Run:
    """What one run knows."""

    def __init__(self, given: Given, check_mode: bool) -> None:
        self.given, self.check_mode = given, check_mode
        self.metabase = Metabase(given["url"])
        self.version, self.note = "", ""
        self.groups: Rows | None = None
        self.properties: Given = {}
        self.done: list[Change] = []
        self.warnings: list[str] = []
        self.failed: dict[str, dict[str, str]] = {DATABASE: {}, QUESTION: {}}  # kind -> key -> words
        self.other_failures: dict[str, str] = {}  # what could not be done -> words

    def result(self) -> dict[str, Any]:
        """Does or predicts the work. Raises MetabaseError."""
        _refuse(self.metabase.url, mistakes(self.given))
        self.record = Record(self.given["key_file"], keep=not self.check_mode)
        self.wanted = wanted_things(self.given, self.record.digest)
        self.apply = Apply(self.metabase, self.record)
        try:
            if self.open():
                self.reconcile()
            else:
                self.predict_all()
        finally:
            self.metabase.close()
        return self.report()

    # --- the way in ---

    def open(self) -> bool:
        """Waits, sets up, logs in. False when there is nothing to read, in check mode. Raises MetabaseError."""
        try:
            self.metabase.wait_until_ready(0 if self.check_mode else self.given["timeout"])
        except NotThereError as error:
            if not self.check_mode:
                raise
            self.note = f"Predicted as for an empty Metabase: {error}"
            return False
        self.properties = self.metabase.properties()
        self.version = self.metabase.version(self.properties)
        if self.properties["has-user-setup"]:
            self.enter()
            return True
        if not self.check_mode:
            set_up(self.metabase, self.given, self.properties.get("setup-token"))
            self.did(Change(CREATE, ACCOUNT, self.given["admin"]["email"]))
            self.new_key()
        return not self.check_mode

    def new_key(self) -> None:
        """Raises MetabaseError."""
        if not self.check_mode:
            make_key(self.metabase, self.given, self.record)
        self.did(Change(CREATE, KEY, f"{NAME} in {self.given['key_file']}"))

    def enter(self) -> None:
        """With the key of the file, else with the declared password and then a new key. Raises MetabaseError."""
        self.groups = use_key(self.metabase, self.record)
        if self.groups is None:
            log_in(self.metabase, self.given)
            self.new_key()
            return
        if self.record.is_open():
            self.record.save()
            self.did(Change(CHANGE, KEY, f"{NAME}: rights of {self.given['key_file']}"))
        email = self.given["admin"]["email"]
        if self.record.content.get("email") != email:
            if not self.check_mode:
                set_email(self.metabase, self.given, self.record)
            self.did(Change(CHANGE, ACCOUNT, f"{email}: e-mail"))
        if self.record.content.get("password") != self.record.digest(self.given["admin"]["password"]):
            if not self.check_mode:
                set_password(self.metabase, self.given, self.record)
            self.did(Change(CHANGE, ACCOUNT, f"{self.given['admin']['email']}: password"))

    def did(self, change: Change) -> None:
        """Remembers a change, done or predicted."""
        self.done.append(change)
        self.metabase.last = str(change)

    def predict_all(self) -> None:
        """As for an empty Metabase."""
        self.did(Change(CREATE, ACCOUNT, self.given["admin"]["email"]))
        self.did(Change(CREATE, KEY, f"{NAME} in {self.given['key_file']}"))
        after = {**self.properties, **site_settings(self.given)}
        rows = [{"key": name, "value": after.get(name)} for name in self.given["settings"]]
        nothing = found_things(NOTHING._replace(settings=rows), self.given, self.record.content)
        self.done += plan((*BASE, *STAGES[0], *STAGES[1]), self.wanted, nothing, {})

    # --- the work ---

    def reconcile(self) -> None:
        """Settings, people and databases, then what needs these. Raises MetabaseError."""
        base = read_base(self.metabase, self.given, self.groups)
        known = [row["key"] for row in base.settings]
        _refuse(self.metabase.url, unknown_settings(self.given["settings"], known, self.version))
        self.leave_fixed(base)
        found = self.things(base)
        self.apply.know(found)
        self.carry_out(plan(BASE, self.wanted, found, self.forms))
        live = read_content(self.metabase, self.given, self.with_tables(base), self.record.content)
        found = self.things(live)
        self.apply.know(found)
        self.adopt(found)
        new = {each.name for each in self.done if self.check_mode and (each.verb, each.kind) == (CREATE, DATABASE)}
        words = broken_questions(self.wanted, new, self.apply.ids[DATABASE], self.apply.columns, self.failed[DATABASE])
        self.failed[QUESTION].update(words)
        self.wanted[QUESTION] = {key: it for key, it in self.wanted[QUESTION].items() if key not in words}
        for stage in STAGES:
            gone = [key for key in self.failed[QUESTION] if key not in found[QUESTION] or found[QUESTION][key].archived]
            self.wanted[DASHBOARD] = without_cards(self.wanted[DASHBOARD], gone)
            self.carry_out(plan(stage, self.wanted, found, self.forms))
        self.carry_out(archives(self.wanted, found, self.kept(live, found)))
        if not self.check_mode:
            self.failed[QUESTION].update(
                try_questions(self.metabase, self.record, self.done, self.apply.ids[QUESTION], self.wanted[QUESTION])
            )
            self.learn_forms(live)

    @property
    def forms(self) -> Mapping[str, Any]:
        """See metabase_record."""
        forms: Mapping[str, Any] = self.record.content["forms"]
        return forms

    def things(self, live: Live) -> Things:
        """What is ours of it."""
        return found_things(live, self.given, self.record.content)

    def leave_fixed(self, base: Live) -> None:
        """A setting whose value is in the environment of Metabase's container is not ours to change."""
        wanted = self.wanted[SETTINGS].get(SETTINGS)
        rows = {row["key"]: row for row in base.settings}
        if not wanted:
            return
        fixed = [name for name in wanted.fields if rows[name].get("is_env_setting")]
        if set(fixed) - set(self.properties):
            self.properties = self.metabase.properties()  # an administrator sees more of them
        for name in fixed:
            value = self.properties.get(name)  # the list of settings does not say it
            if name in self.properties and loose(value) != wanted.fields[name]:
                self.warnings.append(
                    f"The setting {name} of Metabase is fixed by {rows[name].get('env_name') or 'the environment'} of "
                    f"its container and stays {value!r}; declared is {wanted.raw[name]!r}."
                )
            fields = {key: value for key, value in wanted.fields.items() if key != name}
            wanted = wanted._replace(fields=fields)
        self.wanted[SETTINGS] = {SETTINGS: wanted} if wanted.fields else {}

    def carry_out(self, changes: Iterable[Change]) -> None:
        """Raises MetabaseError, which says after what it stopped. A database or a question does not stop the rest."""
        for each in changes:
            try:
                if not self.check_mode:
                    self.apply(each)
            except (RefusedError, CannotError) as error:
                self.failure(each, error)
            else:
                self.did(each)

    def failure(self, change: Change, error: MetabaseError) -> None:
        """Raises MetabaseError for what everything else may need."""
        words = str(error)
        if change.kind in self.failed:
            self.failed[change.kind][change.wanted.key or change.found.key] = words
        elif change.kind in (DASHBOARD, SUBSCRIPTION, USER):
            self.other_failures[str(change)] = words
        else:
            raise MetabaseError(
                f"Metabase at {self.metabase.url} refuses to {change}: {words}. What was done before stays; correct "
                "the declaration and run it again."
            )

    def with_tables(self, base: Live) -> Live:
        """With the columns that filters need; those of a new database are waited for. Raises MetabaseError."""
        made = {each.name for each in self.done if (each.verb, each.kind) == (CREATE, DATABASE)}
        ids = {name: it for name, it in self.apply.ids[DATABASE].items() if name in self.wanted[DATABASE]}
        tables = read_tables(self.metabase, self.given, {name: it for name, it in ids.items() if name not in made})
        if made and not self.check_mode:
            base = base._replace(databases=self.metabase.rows("/api/database"))
        for name, number in ids.items():
            needed = needed_columns(self.given, name)
            there = columns_of(NOTHING._replace(tables=tables), number)
            missing = sorted(needed - set(there))
            known = self.record.content["missing"].get(name, [])
            if not self.check_mode and (name in made or set(missing) - set(known)):
                tables[number] = wait_for_columns(self.metabase, number, needed, name in made)
                missing = sorted(needed - set(columns_of(NOTHING._replace(tables=tables), number)))
            if missing != known:  # so that nobody waits for them again in each run
                self.record.set(missing={**self.record.content["missing"], name: missing})
        live = base._replace(tables=tables)
        self.apply.columns = {name: columns_of(live, number) for name, number in ids.items()}
        return live

    def adopt(self, found: Things) -> None:
        """The file on the host knows the collections and dashboards of ours, also when it was lost."""
        known = {**self.record.content["objects"], **object_slots(found)}
        if known != self.record.content["objects"]:
            self.record.set(objects=known)

    def kept(self, live: Live, found: Things) -> set[str]:
        """What is not archived though it is not declared: questions that failed, collections with work of people."""
        gone = {
            key: thing.name
            for key, thing in found[COLLECTION].items()
            if key not in self.wanted[COLLECTION] and not thing.archived
        }
        inside = occupied(live, found, gone)
        self.warnings += [
            f"The collection {gone[key]} is not declared any more, but holds what people made there "
            f"({', '.join(names[:5])}); it stays until that is moved."
            for key, names in inside.items()
        ]
        return {slot(QUESTION, key) for key in self.failed[QUESTION]} | {slot(COLLECTION, key) for key in inside}

    def learn_forms(self, live: Live) -> None:
        """Reads once more what was written; the columns are known already. Raises MetabaseError."""
        if not any(each.kind in FORMED for each in self.done):
            return
        base = read_base(self.metabase, self.given, None)._replace(tables=live.tables)
        found = self.things(read_content(self.metabase, self.given, base, self.record.content))
        self.warnings += new_forms(self.record, self.done, plan(tuple(FORMED), self.wanted, found, self.forms))

    def report(self) -> dict[str, Any]:
        """The module's result."""
        names = {each["key"]: each["name"] for each in self.given["questions"]}
        databases = [{"database": key, "message": words} for key, words in self.failed[DATABASE].items()]
        questions = [{"question": key, "message": words} for key, words in self.failed[QUESTION].items()]
        return {
            "changed": bool(self.done),
            "changes": [str(each) for each in self.done],
            "version": self.version,
            "failed_databases": databases,
            "failed_questions": questions,
            "failed_changes": [{"change": each, "message": words} for each, words in self.other_failures.items()],
            "diff": texts(self.done),
            "warnings": [
                *self.warnings,
                *(f"Metabase cannot {each}: {words}" for each, words in self.other_failures.items()),
                *(
                    f"Metabase cannot connect to the database {it['database']} as declared: {it['message']}. It stays "
                    "as it is, without the questions that need it, until a run can connect it."
                    for it in databases
                ),
                *_questions(names, self.failed[QUESTION]),
            ],
            **({"msg": self.note} if self.note else {}),
        }


def _questions(names: Mapping[str, str], failed: Mapping[str, str]) -> list[str]:
    """One warning for all questions without an answer, as many have the same reason."""
    words = [f"{names.get(key, '')} ({key}): {' '.join(why.split())}" for key, why in failed.items()]
    more = [f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else []
    shown = "; ".join([*words[:SHOWN], *more])
    count = "1 question has" if len(words) == 1 else f"{len(words)} questions have"
    return [f"{count} no answer, as the SQL and the database do not fit: {shown}"] if words else []
