# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""Ends the connections of a dump: when the app waits for them too long, and when this program is there no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crowsnest_backup.errors import BackupError
from crowsnest_backup.postgres import Server, Session, end_leftovers, literal, meanwhile

# Seconds that another session may wait for a lock of the dump, and between two looks.
PATIENCE_SECONDS, LOOK_SECONDS = 30, 5
# Since PostgreSQL 14 it is known how long a session has waited; before, nobody counts as waiting.
_WAITING = """
select l.pid, coalesce(l.relation::regclass::text, 'the database') as what
from (select *, (to_jsonb(l) ->> 'waitstart')::timestamptz as since from pg_locks l where not granted) l
where clock_timestamp() - since > interval '{seconds} s'
  and exists (select from pg_stat_activity a where a.pid = any(pg_blocking_pids(l.pid)) and application_name = {name})
limit 1
"""


@contextmanager
def guarded(server: Server, database: str, name: str) -> Iterator[None]:
    """Guards the connections whose application_name is `name` for the time of the block.

    Its own psql ends them when it sees the end of its input, so that a dump in a container does not go on after a
    SIGKILL of this program. Raises BackupError instead of the block's when it has ended them for a waiting session.
    """
    end = f"select pg_terminate_backend(pid) from pg_stat_activity where application_name = {literal(name)}"
    waiting = _WAITING.format(seconds=PATIENCE_SECONDS, name=literal(name))

    def look() -> None:
        for row in session.rows(waiting):
            session.run(end)
            raise _gave_way(**row)

    with Session(server, database, at_end=[end]) as session:
        end_leftovers(session)
        with meanwhile(look, LOOK_SECONDS):
            yield


def _gave_way(pid: int, what: str) -> BackupError:
    return BackupError(
        f"The backup gave way: process {pid} of PostgreSQL waited for {what} for {PATIENCE_SECONDS} seconds.",
        "Run migrations at another time than backups.",
    )
