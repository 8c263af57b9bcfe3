# Copyright: crowsnest contributors
# SPDX-License-Identifier: Apache-2.0
"""What pg_dump leaves out and a restore must know of a database: its owner, locale, rights, settings and roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crowsnest_backup.postgres import Session, identifier, literal, sql_list

# The database's name in statements that are run for a restored one: `psql --set=database=NAME`.
_NAME = ':"database"'
# Settings that hold a list of names, as pg_dump knows them (variable_is_guc_list_quote in its dumputils.c).
_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}
_DATABASE = """
select d.*, pg_get_userbyid(datdba) as owner, pg_encoding_to_char(encoding) as encoding_name,
  shobj_description(d.oid, 'pg_database') as comment,
  current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major
from pg_database d where datname = current_database()
"""
_EXTENSIONS = "select extname as name, extversion as version from pg_extension order by 1"
_SETTINGS = """
select r.rolname as role, split_part(line, '=', 1) as name, substr(line, strpos(line, '=') + 1) as value
from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) line
where s.setdatabase = (select oid from pg_database where datname = current_database())
order by 1 nulls first, 2
"""
_RIGHTS = """
select coalesce(r.rolname, '') as role, privilege_type as right, is_grantable as grantable
from pg_database d, aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee
where datname = current_database() order by 1, 2
"""
# The administrator that initdb made, BOOTSTRAP_SUPERUSERID in pg_authid.dat: nothing in pg_shdepend depends on it.
# It counts when it owns what a dump makes, or has a right to that which was not there from the beginning.
_FIRST_ADMINISTRATOR = """
  select 10::oid where exists (
    select from (
      select 'pg_class'::regclass as class, oid, relowner as owner, relacl as rights from pg_class
        where relkind in ('r', 'v', 'm', 'S', 'f', 'p', 'c')
      union all select 'pg_class'::regclass, attrelid, null, attacl from pg_attribute
      union all select 'pg_namespace'::regclass, oid, nspowner, nspacl from pg_namespace
      union all select 'pg_proc'::regclass, oid, proowner, proacl from pg_proc
      union all select 'pg_type'::regclass, oid, typowner, typacl from pg_type
        where typtype in ('b', 'd', 'e', 'r') and typcategory <> 'A'
      union all select 'pg_operator'::regclass, oid, oprowner, null from pg_operator
      union all select 'pg_opclass'::regclass, oid, opcowner, null from pg_opclass
      union all select 'pg_opfamily'::regclass, oid, opfowner, null from pg_opfamily
      union all select 'pg_collation'::regclass, oid, collowner, null from pg_collation
      union all select 'pg_conversion'::regclass, oid, conowner, null from pg_conversion
      union all select 'pg_statistic_ext'::regclass, oid, stxowner, null from pg_statistic_ext
      union all select 'pg_ts_config'::regclass, oid, cfgowner, null from pg_ts_config
      union all select 'pg_ts_dict'::regclass, oid, dictowner, null from pg_ts_dict
      union all select 'pg_language'::regclass, oid, lanowner, lanacl from pg_language
      union all select 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, fdwacl from pg_foreign_data_wrapper
      union all select 'pg_foreign_server'::regclass, oid, srvowner, srvacl from pg_foreign_server
      union all select 'pg_largeobject'::regclass, oid, lomowner, lomacl from pg_largeobject_metadata
      union all select 'pg_event_trigger'::regclass, oid, evtowner, null from pg_event_trigger
      union all select 'pg_publication'::regclass, oid, pubowner, null from pg_publication
      union all select 'pg_default_acl'::regclass, oid, defaclrole, defaclacl from pg_default_acl
      union all select 'pg_user_mapping'::regclass, umid, umuser, null from pg_user_mappings
      union all select 'pg_policy'::regclass, oid, role, null from pg_policy, unnest(polroles) role
    ) o
    where oid >= 16384 and (owner = 10 or exists (select from aclexplode(rights) a where 10 in (a.grantee, a.grantor)))
      and not exists (
        select from pg_depend d where d.classid = o.class and d.objid = o.oid and d.deptype = 'e'
      )
  )
  or exists (
    select from pg_database d, aclexplode(d.datacl) a where d.datname = current_database() and a.grantee = 10
  )
"""
# Those that own something in the database or have a right or a setting there, and those that they are members of.
_ROLES = f"""
with recursive named as (
  select refobjid as oid from pg_shdepend, (select oid from pg_database where datname = current_database()) here
  where refclassid = 'pg_authid'::regclass
    and (dbid = here.oid or (dbid = 0 and classid = 'pg_database'::regclass and objid = here.oid))
  union select datdba from pg_database where datname = current_database()
  union select setrole from pg_db_role_setting s join pg_database d on s.setdatabase = d.oid
    where datname = current_database()
  union {_FIRST_ADMINISTRATOR}
  union select m.roleid from pg_auth_members m join named on m.member = named.oid
)
select rolname as name from pg_roles join named using (oid) where rolname !~ '^pg_' order by 1
"""


def facts(session: Session) -> dict[str, Any]:
    """`Manifest.server` of the session's database. Raises BackupError."""
    (found,) = session.rows(_DATABASE)
    return {
        **{name: found[name] for name in ("version", "major", "owner", "comment")},
        "encoding": found["encoding_name"],
        "provider": found.get("datlocprovider", "c"),
        "collate": found["datcollate"],
        "ctype": found["datctype"],
        "icu_locale": found.get("datlocale") or found.get("daticulocale"),
        "acl": list(_rights(session.rows(_RIGHTS))) if found["datacl"] is not None else [],
        "settings": [_setting(**row) for row in session.rows(_SETTINGS)],
        "extensions": {row["name"]: row["version"] for row in session.rows(_EXTENSIONS)},
        "roles": [row["name"] for row in session.rows(_ROLES)],
    }


def _rights(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rights on the database, as they replace those that a new one has."""
    yield f"revoke all on database {_NAME} from public"
    for row in rows:
        role = identifier(row["role"]) if row["role"] else "public"
        also = " with grant option" if row["grantable"] else ""
        yield f"grant {row['right']} on database {_NAME} to {role}{also}"


def _setting(role: str | None, name: str, value: str) -> str:
    whose = f"role {identifier(role)} in database {_NAME}" if role else f"database {_NAME}"
    return f"alter {whose} set {_value(name, value)}"


def _value(setting: str, value: str) -> str:
    told = ", ".join(map(literal, _items(value))) if setting in _LISTS else literal(value)
    name = ".".join(map(identifier, setting.split(".")))
    return f"{name} to {told}"


def _items(value: str) -> list[str]:
    """The names in `"$user", public`; an empty one for an empty list."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^",\s]+)', value)
    return [quoted.replace('""', '"') or plain for quoted, plain in found] or [""]


# --- roles ---

_OPTIONS = {
    "rolsuper": "superuser",
    "rolinherit": "inherit",
    "rolcreaterole": "createrole",
    "rolcreatedb": "createdb",
    "rolcanlogin": "login",
    "rolreplication": "replication",
    "rolbypassrls": "bypassrls",
}
_EACH_ROLE = "select r.*, {password} as secret from pg_roles r {joined} where r.rolname in ({names}) order by r.rolname"
_MEMBERSHIPS = """
select a.rolname as of, b.rolname as member
from pg_auth_members m join pg_roles a on a.oid = m.roleid join pg_roles b on b.oid = m.member
where b.rolname in ({names}) order by 1, 2
"""


def roles_sql(session: Session, names: Sequence[str]) -> str:
    """SQL for psql that makes each of these roles where it is missing, with its password where it can be read.

    It holds hashes of passwords. Raises BackupError.
    """
    readable = session.value("select has_table_privilege('pg_catalog.pg_authid', 'select') as may")
    password, joined = ("a.rolpassword", "join pg_authid a using (oid)") if readable else ("null", "")
    wanted = sql_list(names)
    roles = session.rows(_EACH_ROLE.format(password=password, joined=joined, names=wanted))
    missing = {row["rolname"]: f"missing_{at}" for at, row in enumerate(roles)}
    made = [_where(missing[row["rolname"]], *_create(row)) for row in roles]
    granted = [_where(missing[row["member"]], _grant(row)) for row in session.rows(_MEMBERSHIPS.format(names=wanted))]
    return "".join([*(_ask(name, variable) for name, variable in missing.items()), *made, *granted])


def _ask(role: str, variable: str) -> str:
    return f"select not exists (select from pg_roles where rolname = {literal(role)}) as {variable} \\gset\n"


def _where(variable: str, *statements: str) -> str:
    lines = "".join(f"{statement};\n" for statement in statements)
    return f"\\if :{variable}\n{lines}\\endif\n"


def _create(row: Mapping[str, Any]) -> Iterator[str]:
    """A role as it is, with its own settings."""
    name = identifier(row["rolname"])
    options = [word if row[column] else f"no{word}" for column, word in _OPTIONS.items()]
    limits = [f"connection limit {row['rolconnlimit']}"]
    if row["rolvaliduntil"]:
        limits.append(f"valid until {literal(row['rolvaliduntil'])}")
    if row["secret"]:
        limits.append(f"password {literal(row['secret'])}")
    yield f"create role {name} {' '.join([*options, *limits])}"
    for line in row["rolconfig"] or []:
        setting, _, value = line.partition("=")
        yield f"alter role {name} set {_value(setting, value)}"


def _grant(row: Mapping[str, Any]) -> str:
    return f"grant {identifier(row['of'])} to {identifier(row['member'])}"
