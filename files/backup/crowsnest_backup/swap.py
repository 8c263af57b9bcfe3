# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""A restored database takes the place of the live one: two renames in one transaction, and the old one is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, timezone
from itertools import count

from crowsnest_backup.errors import BackupError
from crowsnest_backup.postgres import Server, Session, identifier, literal, meanwhile, sql_list
from crowsnest_backup.progress import Say

RESTORED, BEFORE = "restored", "before"
# NAMEDATALEN of PostgreSQL, less one.
NAME_BYTES = 63
# Between two rounds of ending connections. RENAME itself waits up to 5 s for a database to be free of them.
_ROUND_SECONDS = 0.02
# RENAME ends workers of autovacuum itself; only a superuser may.
_END = """
select count(pg_terminate_backend(pid)) as ended from pg_stat_activity
where datname in ({names}) and backend_type <> 'autovacuum worker'
"""
# A lock that somebody holds on a database must not shut its clients out for long.
_LOCK_TIMEOUT = "1s"
# What belongs to a database as such: it would stay with the old one, or keep that from being renamed.
_BOUND = """
select 'the logical replication slot ' || slot_name as what
from pg_replication_slots where slot_type = 'logical' and database = {live}
union all
select 'the subscription ' || s.subname
from pg_subscription s join pg_database d on d.oid = s.subdbid where d.datname = {live}
union all
select 'the prepared transaction ' || gid
from pg_prepared_xacts where database = {live}
"""


def dated(database: str, word: str, now: datetime) -> str:
    """`shop_restored_20261128_031500`, in UTC. A long name is cut to what fits into a name of PostgreSQL."""
    return f"{_start(database, word)}{now.astimezone(timezone.utc):%Y%m%d_%H%M%S}"


def is_before(name: str, live: str) -> bool:
    """Whether a swap of `live` kept the database of this name."""
    return name.startswith(_start(live, BEFORE))


def _start(database: str, word: str) -> str:
    room = NAME_BYTES - len(f"_{word}_20261128_031500")
    return f"{database.encode()[:room].decode(errors='ignore')}_{word}_"


def swap(server: Server, live: str, new: str, now: datetime, say: Say) -> str | None:
    """Puts the database `new` in the place of `live`; the name that the old one has now, None when there was none.

    Clients lose their connections; those that connect again meet the new one. Raises BackupError.
    """
    with Session(server, _beside(live, new)) as session:
        names = {row["datname"] for row in session.rows("select datname from pg_database")}
        if new not in names:
            raise BackupError(f"There is no database {new} to put in the place of {live}.")
        _refuse_bound(session, live)
    kept = _free(names, live, now) if live in names else None
    say(f"putting {new} in the place of {live}")
    rename(server, [*([(live, kept)] if kept else []), (new, live)])
    return kept


def _free(names: Collection[str], live: str, now: datetime) -> str:
    """A name for the old one that no database has: whoever goes back at once has a swap of this second already."""
    moments = (now + timedelta(seconds=later) for later in count())
    return next(name for moment in moments if (name := dated(live, BEFORE, moment)) not in names)


def _beside(*databases: str) -> str:
    """A database to connect to while these are renamed."""
    return "template1" if "postgres" in databases else "postgres"


def _refuse_bound(session: Session, live: str) -> None:
    if bound := session.rows(_BOUND.format(live=literal(live))):
        raise BackupError(
            f"{live} cannot be swapped: {', '.join(row['what'] for row in bound)} would stay with the old database.",
            "Drop or finish it first, or let the app use the restored database by its own name.",
        )


def rename(server: Server, names: Sequence[tuple[str, str]]) -> None:
    """Renames databases, each from the first to the second name, and ends their connections.

    In one transaction: whatever ends this program in between, all have their new names or none. Raises BackupError.
    """
    olds = [old for old, _ in names]
    statements = [f"alter database {identifier(old)} rename to {identifier(new)}" for old, new in names]
    with Session(server, _beside(*olds)) as session, Session(server, _beside(*olds)) as other:
        session.run(f"set lock_timeout = '{_LOCK_TIMEOUT}'")
        with meanwhile(lambda: other.run(_END.format(names=sql_list(olds))), _ROUND_SECONDS):
            session.run(";\n".join(["begin", *statements, "commit"]))


def kept_bytes(session: Session, live: str) -> int:
    """Size of the databases that swaps of this one have kept."""
    return int(
        session.value(
            "select coalesce(sum(pg_database_size(oid)), 0) as bytes from pg_database"
            f" where starts_with(datname, {literal(_start(live, BEFORE))}) and datname ~ '_[0-9]{{8}}_[0-9]{{6}}$'"
        )
    )
