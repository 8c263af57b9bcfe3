# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""How the programs of PostgreSQL are called for a database: in its container, on this host, or over the network.

No shell takes part, passwords and names travel as environment variables, and a child ends when this program does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, Literal, cast

from crowsnest_backup.errors import BackupError
from crowsnest_backup.settings import Database

# Seconds that a server may take to accept a connection, and that the engine may take to answer.
CONNECT_SECONDS, ENGINE_SECONDS = 10, 60
# Seconds that a program may take to end when nobody asks it any more.
_END_SECONDS = 10
# Seconds between two looks at whether a container still runs in which a program was started.
WATCH_SECONDS = 10.0
# Every connection of this program says so, so that what an earlier run left behind is found.
APPLICATION = "crowsnest-backup"
OURS = {"PGCONNECT_TIMEOUT": str(CONNECT_SECONDS), "PGAPPNAME": APPLICATION}
# The first version whose DROP DATABASE knows FORCE, without which a restore cannot clean up behind itself.
OLDEST = 13
# Where Debian and Ubuntu keep the programs of each major version, and the socket.
PROGRAMS = Path("/usr/lib/postgresql")
SOCKETS = "/var/run/postgresql"
_LOOPBACK = re.compile(r"^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$")
# psql as a program calls it: it asks nothing, reads no file of a person, and ends with the first error.
PSQL = ("psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")
_SENTINEL = "crowsnest-backup: end of answer"
# The first words of every session. An administrator must not call functions that the owner of a database has put
# before PostgreSQL's own (CVE-2018-1058), and a server may end what is idle or takes long, as a backup does.
PROLOGUE = r"""
set search_path to pg_catalog;
select set_config(name, '0', false) from pg_settings where name in
  ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
\g /dev/null
"""


@dataclass(frozen=True)
class Server:
    """A server and how its own programs are started.

    `variables` are libpq's, the password among them. `folder`: where the programs are, empty for PATH. `container`:
    where they run, or None. `image`: they run in a container of their own of this image, over the network. `user`: the
    system user they are on this host. `major` is the server's: pg_dump must be of the same.
    """

    kind: Literal["container", "host", "remote"]
    variables: Mapping[str, str] = field(repr=False)
    container: str | None = None
    image: str | None = None
    folder: str = ""
    user: str = "postgres"
    major: int = 0

    def command(self, program: str, *words: str) -> list[str]:
        """The whole command line of a program; it holds no secret. Start it with `environment`."""
        dies_with_us = ["setpriv", "--pdeathsig", "KILL"]
        # Without a value: it is that of our environment, and no variable where that has none.
        passed = [word for name in (*self.variables, "PGDATABASE") for word in ("--env", name)]
        if self.kind == "container":
            return [*dies_with_us, "docker", "exec", "-i", *passed, str(self.container), program, *words]
        if self.image:
            contained = ["docker", "run", "--rm", "-i", "--network", "host", "--label", f"{APPLICATION}=client"]
            return [*dies_with_us, *contained, *passed, "--entrypoint", program, self.image, *words]
        if self.kind == "host":
            dies_with_us += ["--reuid", self.user, "--regid", self.user, "--init-groups", "--no-new-privs"]
        return [*dies_with_us, str(Path(self.folder, program)) if self.folder else program, *words]

    def environment(self, database: str = "") -> dict[str, str]:
        """Environment of its programs. The database is a variable: as a word, a name with = would be an option."""
        own = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C.UTF-8", **self.variables}
        return {**own, "PGDATABASE": database} if database else own

    def start(self, program: str, *words: str, database: str = "", **streams: Any) -> subprocess.Popen[bytes]:
        """Starts a program; `streams` are those of Popen. Raises BackupError when it is not installed."""
        try:
            process = subprocess.Popen(
                self.command(program, *words), env=self.environment(database), cwd="/", **streams
            )
        except FileNotFoundError as error:
            raise BackupError(f"The program {error.filename} is not installed on this host.") from None
        if self.container:
            threading.Thread(target=_ends_with_container, args=(process, self.container), daemon=True).start()
        return process

    @contextmanager
    def running(
        self, program: str, *words: str, database: str = "", title: str = "", **streams: Any
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A program for the time of the block; it is killed when the block fails.

        Raises BackupError, which begins with `title`, when it fails or ends before it has read all.
        """
        with tempfile.TemporaryFile() as errors:
            process, cut = self.start(program, *words, database=database, stderr=errors, **streams), False
            try:
                yield process
                if process.stdin:
                    process.stdin.close()
            except BrokenPipeError:
                cut = True
            except BaseException:
                process.kill()
                raise
            finally:
                if process.stdout:
                    process.stdout.close()
                process.wait()
            if process.returncode or cut:
                errors.seek(0)
                told = errors.read().decode(errors="replace")
                ended = f"it was ended from outside (status {process.returncode})"
                raise BackupError(f"{title or program}: {reason(told) if told.strip() else ended}.")

    def run(self, program: str, *words: str, database: str = "", sql: str = "") -> str:
        """What a program prints, which reads `sql`. Raises BackupError with its reason when it fails."""
        pipe = subprocess.PIPE
        with self.running(program, *words, database=database, stdin=pipe, stdout=pipe) as process:
            told, _ = process.communicate(sql.encode())
        return told.decode(errors="replace")


def _ends_with_container(process: subprocess.Popen[bytes], container: str) -> None:
    """Kills a `docker exec` whose container has stopped or restarted since: otherwise it may hang for ever."""
    begun = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}"
    while True:
        try:
            process.wait(WATCH_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if not _runs_since(container, begun):
                process.kill()


def _runs_since(container: str, begun: str) -> bool:
    """Whether a container has run since this second, in UTC; True while Docker does not say it."""
    try:
        (found,) = json.loads(docker("inspect", "--type", "container", container))
    except BackupError as error:
        return "No such" not in error.message
    return bool(found["State"]["Running"]) and found["State"]["StartedAt"][: len(begun)] <= begun


def reason(stderr: str) -> str:
    """What a program of PostgreSQL reported, on one line: its first error, and the detail that belongs to it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    first = next((at for at, line in enumerate(lines) if re.search(r"\b(ERROR|FATAL|error|fatal):", line)), 0)
    told = lines[first : first + 3]
    text = " ".join(
        [*told[:1], *(line for line in told[1:] if re.match(r"(pg_\w+: )?(DETAIL|detail|HINT|hint):", line))]
    )
    text = re.sub(r"^(psql|pg_\w+): ?|(<stdin>:\d+: )|(connection (to server .*? )?failed: )", "", text)
    return re.sub(r"^((error|ERROR|FATAL|fatal): +)+", "", text.strip()).rstrip(".") or "it ended without a reason"


class Session:
    """An open psql: one connection, asked one question after the other. Its answers are JSON, whatever names hold.

    `at_end` are statements that psql runs when nobody asks any more, also when this program was killed: the psql in a
    container lives on, and sees the end of its input.
    """

    def __init__(self, server: Server, database: str, name: str = APPLICATION, at_end: Sequence[str] = ()) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        server = replace(server, variables={**server.variables, "PGAPPNAME": name, "PGCLIENTENCODING": "UTF8"})
        psql = server.start(
            *(*PSQL, "--no-align", "--tuples-only", "--file=-"),
            *(f"--command={statement}" for statement in at_end),
            database=database,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._psql, self._in, self._out = psql, cast(IO[bytes], psql.stdin), cast(IO[bytes], psql.stdout)
        self._in.write(PROLOGUE.encode())  # it is sent with the first question

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def run(self, sql: str) -> str:
        """Runs a statement; what it printed. Raises BackupError with PostgreSQL's reason."""
        try:
            self._in.write(f"{sql}\n;\n\\echo {_SENTINEL}\n".encode())
            self._in.flush()
        except BrokenPipeError:
            raise BackupError(self._why()) from None
        lines: list[str] = []
        for line in self._out:
            text = line.decode(errors="replace").rstrip("\n")
            if text == _SENTINEL:
                return "\n".join(lines)
            lines.append(text)
        raise BackupError(self._why())

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, as mappings."""
        found = self.run(f"select coalesce(jsonb_agg(to_jsonb(q)), '[]')::text from (\n{query}\n) q")
        return list(json.loads(found))

    def value(self, query: str) -> Any:
        """The only value of a query with one row and one column."""
        (row,) = self.rows(query)
        (value,) = row.values()
        return value

    def close(self) -> None:
        """Ends the connection; what was not committed is rolled back."""
        with suppress(BrokenPipeError):
            self._in.close()
        try:
            self._psql.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._psql.kill()
            self._psql.wait()
        self._out.close()
        self._errors.close()

    def _why(self) -> str:
        self._psql.wait()
        self._errors.seek(0)
        return reason(self._errors.read().decode(errors="replace"))


@contextmanager
def meanwhile(action: Callable[[], object], seconds: float) -> Iterator[None]:
    """Does this again and again, so many seconds apart, for the time of the block; it uses a session of its own.

    A BackupError ends the repetition, and takes the place of the block's, which it probably brought about.
    """
    over, failures = threading.Event(), list[BackupError]()

    def repeat() -> None:
        try:
            while not over.wait(seconds):
                action()
        except BackupError as error:
            failures.append(error)
        except ValueError:  # its session was closed under it, as it hung
            if not over.is_set():
                raise

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    except BackupError as error:
        raise (failures or [error])[0] from None
    finally:
        over.set()
        # `docker exec` may hang for ever when its container starts anew; it is killed when its session is closed.
        thread.join(_END_SECONDS)


def literal(text: str) -> str:
    """A text in SQL."""
    quoted = "'" + text.replace("'", "''") + "'"
    return quoted if "\\" not in text else " E" + quoted.replace("\\", "\\\\")


def identifier(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


# --- where a database is ---


def find(database: Database) -> Server:
    """The server of a database, and the programs of its own major version. Raises BackupError with what is missing."""
    here = _LOOPBACK.match(database.host)
    if container := database.container or (_publishing(database.port) if here else None):
        return _asked(_in_container(container, database))
    if here and database.user is None:
        variables = {"PGHOST": SOCKETS, "PGPORT": str(database.port), "PGUSER": "postgres", **OURS}
        server = _asked(Server("host", variables, folder=_newest_programs()))
        return replace(server, folder=_programs_of(server.major))
    return _over_network(database)


def _in_container(container: str, database: Database) -> Server:
    """As the container's own administrator, over the socket in it."""
    try:
        (found,) = json.loads(docker("inspect", "--type", "container", container))
    except BackupError:
        advice = "Start it, or name another one as `container` of the app's `database`."
        raise BackupError(f"There is no container {container} on this host.", advice) from None
    if not found["State"]["Running"]:
        raise BackupError(f"The container {container} does not run.", f"Start it: docker start {container}")
    inside = dict(line.partition("=")[::2] for line in found["Config"]["Env"] or [])
    user = database.user or inside.get("POSTGRES_USER") or "postgres"
    password = {"PGPASSWORD": database.password} if database.password else {}
    return Server("container", {"PGUSER": user, **password, **OURS}, container=container)


def _publishing(port: int) -> str | None:
    """The running container that publishes a TCP port of this host; None where there is none, or no Docker."""
    try:
        names = docker("ps", "--filter", f"publish={port}/tcp", "--format", "{{.Names}}").split()
    except BackupError:
        return None
    return names[0] if names else None


def docker(*words: str, seconds: float = ENGINE_SECONDS) -> str:
    """What docker prints, which may take so long. Raises BackupError."""
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=seconds, check=False, cwd="/")
    except (FileNotFoundError, subprocess.TimeoutExpired):
        raise BackupError("Docker does not answer on this host.") from None
    if done.returncode:
        raise BackupError(f"docker {words[0]}: {' '.join(done.stderr.split())}")
    return done.stdout


def _newest_programs() -> str:
    found = sorted(PROGRAMS.glob("*/bin/psql"), key=lambda path: int(path.parts[-3]))
    return str(found[-1].parent) if found else ""


def _asked(server: Server) -> Server:
    """The server with its major version. Raises BackupError when it does not answer."""
    where, port = server.variables.get("PGHOST", server.container), server.variables.get("PGPORT")
    try:
        with Session(server, "postgres") as session:
            number = session.value("select current_setting('server_version_num') as number")
    except BackupError as error:
        place = f"{where}, port {port}," if port else f"the container {where}"
        advice = "Is it started? On this host: `systemctl status postgresql`." if where == SOCKETS else error.advice
        raise BackupError(f"PostgreSQL at {place} cannot be reached: {error.message.rstrip('.')}.", advice) from None
    return replace(server, major=_supported(int(number)))


def _supported(number: int) -> int:
    """The major version of a server_version_num. Raises BackupError when no backup of it could be restored."""
    major = number // 10000
    if major < OLDEST:
        raise BackupError(
            f"The server is PostgreSQL {major}, and backups need {OLDEST} or newer.",
            f"Upgrade it: PostgreSQL {OLDEST - 1} and older have no updates any more.",
        )
    return major


def _programs_of(major: int) -> str:
    """Folder of this version's programs, empty where PATH has them. Raises BackupError with what to install."""
    own = PROGRAMS / str(major) / "bin"
    if (own / "pg_dump").exists():
        return str(own)
    if shutil.which("pg_dump"):
        told = subprocess.run(["pg_dump", "--version"], capture_output=True, text=True, check=False).stdout
        if re.search(rf"\) {major}(?!\d)", told):
            return ""
    raise BackupError(
        f"The server is PostgreSQL {major}, and this host has no pg_dump of that version.",
        f"Install the package postgresql-client-{major}: in Debian and Ubuntu, or from apt.postgresql.org.",
    )


def _over_network(database: Database) -> Server:
    """With the installed programs of the server's version, else with those of the official image."""
    if database.user is None:
        raise BackupError(
            f"{database.name} is at {database.host}:{database.port}, where no container of this host is.",
            "Declare `admin_user` and `admin_password`.",
        )
    variables = {
        "PGHOST": database.host.strip("[]"),
        "PGPORT": str(database.port),
        "PGUSER": database.user,
        "PGPASSWORD": database.password,
        "PGSSLMODE": "require" if database.tls else "prefer",
        **OURS,
    }
    server = Server("remote", variables, major=_major_over_network(variables))
    try:
        return replace(server, folder=_programs_of(server.major))
    except BackupError:
        image = f"postgres:{server.major}"
        if not _have_image(image):
            raise
        return replace(server, image=image)


def _have_image(image: str) -> bool:
    for words in (("image", "inspect"), ("pull", "--quiet")):
        with suppress(BackupError):
            docker(*words, image)
            return True
    return False


def _major_over_network(variables: Mapping[str, str]) -> int:
    """Asked with the client library of this Python environment, as no program of any version may be installed."""
    import psycopg

    try:
        with psycopg.connect(
            host=variables["PGHOST"],
            port=int(variables["PGPORT"]),
            user=variables["PGUSER"],
            password=variables["PGPASSWORD"],
            sslmode=variables["PGSSLMODE"],
            dbname="postgres",
            connect_timeout=CONNECT_SECONDS,
            application_name=APPLICATION,
        ) as connection:
            return _supported(connection.info.server_version)
    except psycopg.Error as error:
        raise BackupError(reason(str(error))) from None


def end_leftovers(session: Session) -> int:
    """Ends connections to the same database of an earlier run that was killed; how many there were."""
    return end(session, f"starts_with(application_name, {literal(APPLICATION)}) and datname = current_database()")


def end(session: Session, which: str) -> int:
    """Ends connections, but for its own; `which` is a condition on pg_stat_activity. How many there were."""
    return len(
        session.rows(
            f"select pg_terminate_backend(pid) as ended from pg_stat_activity where {which} and pid <> pg_backend_pid()"
        )
    )


def sql_list(values: Sequence[str]) -> str:
    """Texts for an IN of SQL; never empty."""
    return ", ".join(literal(value) for value in values) or "null"
