-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
--
-- What a role that only reads lacks in this database, and what it has too much. One row each:
--   kind      'wrong': against what is declared. 'note': what every role may do here, which is not ours to change.
--   sentence  for a person
--   repair    the statement that puts it right; null where none can, or where postgresql_user does it
-- No row means that all is well. The role itself may run this: everything is read from public catalogs.
-- Given by name: reader, admin, connections; schemas, memberships as JSON lists, settings as a JSON object.
-- What reader_repair.sql runs is this, too. A percent sign would be taken for a parameter, so there is none.
WITH
declared AS (
    SELECT
        %(reader)s::name AS reader,
        %(admin)s::name AS admin,
        %(connections)s::integer AS connections,
        %(schemas)s::json AS schemas,
        %(memberships)s::json AS memberships,
        %(settings)s::json AS settings
),
reader AS (
    SELECT role.*, quote_ident(role.rolname) AS quoted
    FROM pg_roles AS role
    JOIN declared ON role.rolname = declared.reader
),
here AS (
    SELECT *, quote_ident(datname) AS quoted FROM pg_database WHERE datname = current_database()
),
wanted_schema AS (
    SELECT name.value AS name, namespace.oid, quote_ident(name.value) AS quoted
    FROM declared
    CROSS JOIN json_array_elements_text(declared.schemas) AS name
    LEFT JOIN pg_namespace AS namespace ON namespace.nspname = name.value
),
-- Tables, views, materialized views, foreign and partitioned tables. What an extension brought is left to it: on a
-- managed server it belongs to the provider's own role.
wanted_table AS (
    SELECT
        relation.oid,
        relation.relowner,
        relation.relnamespace,
        wanted_schema.quoted || '.' || quote_ident(relation.relname) AS quoted
    FROM pg_class AS relation
    JOIN wanted_schema ON wanted_schema.oid = relation.relnamespace
    WHERE relation.relkind IN ('r', 'v', 'm', 'f', 'p')
        AND NOT EXISTS (
            SELECT FROM pg_depend AS part
            WHERE part.classid = 'pg_class'::regclass AND part.objid = relation.oid AND part.deptype = 'e'
        )
),
-- Who will make the next tables: who made the present ones, who owns the database, and the administrator.
maker AS (
    SELECT relnamespace AS namespace, relowner AS owner FROM wanted_table
    UNION
    SELECT wanted_schema.oid, here.datdba FROM wanted_schema CROSS JOIN here WHERE wanted_schema.oid IS NOT NULL
    UNION
    SELECT wanted_schema.oid, role.oid
    FROM wanted_schema
    CROSS JOIN declared
    JOIN pg_roles AS role ON role.rolname = declared.admin
    WHERE wanted_schema.oid IS NOT NULL
),
-- Every privilege that is given to someone by name or, as grantee 0, to every role.
given AS (
    SELECT
        privilege.*,
        'database ' || here.quoted AS sentence_object,
        'DATABASE ' || here.quoted AS object,
        privilege.privilege_type = 'CONNECT' AS wanted,
        '' AS columns
    FROM here
    CROSS JOIN aclexplode(here.datacl) AS privilege
    UNION ALL
    SELECT
        privilege.*,
        'schema ' || quote_ident(namespace.nspname),
        'SCHEMA ' || quote_ident(namespace.nspname),
        privilege.privilege_type = 'USAGE' AND namespace.oid IN (SELECT oid FROM wanted_schema),
        ''
    FROM pg_namespace AS namespace
    CROSS JOIN aclexplode(namespace.nspacl) AS privilege
    UNION ALL
    SELECT
        privilege.*,
        CASE relation.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || relation.quoted,
        CASE relation.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || relation.quoted,
        privilege.privilege_type = 'SELECT' AND relation.oid IN (SELECT oid FROM wanted_table),
        ''
    FROM (
        SELECT
            one.oid, one.relkind, one.relacl, namespace.nspname,
            quote_ident(namespace.nspname) || '.' || quote_ident(one.relname) AS quoted
        FROM pg_class AS one
        JOIN pg_namespace AS namespace ON namespace.oid = one.relnamespace
        WHERE one.relacl IS NOT NULL
    ) AS relation
    CROSS JOIN aclexplode(relation.relacl) AS privilege
    -- PostgreSQL itself lets every role write to pg_settings, which is SET.
    WHERE privilege.grantee <> 0 OR relation.nspname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT
        privilege.*,
        'column ' || quote_ident(attribute.attname) || ' of table ' || quote_ident(namespace.nspname) || '.'
            || quote_ident(relation.relname),
        'TABLE ' || quote_ident(namespace.nspname) || '.' || quote_ident(relation.relname),
        privilege.privilege_type = 'SELECT' AND relation.oid IN (SELECT oid FROM wanted_table),
        ' (' || quote_ident(attribute.attname) || ')'
    FROM pg_attribute AS attribute
    JOIN pg_class AS relation ON relation.oid = attribute.attrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
    CROSS JOIN aclexplode(attribute.attacl) AS privilege
    WHERE attribute.attacl IS NOT NULL AND NOT attribute.attisdropped
),
-- What will be given with objects that are made later.
given_later AS (
    SELECT
        privilege.grantee,
        privilege.privilege_type,
        privilege.is_grantable,
        later.defaclrole AS owner,
        later.defaclnamespace AS namespace,
        later.defaclobjtype = 'r' AND privilege.privilege_type = 'SELECT'
            AND later.defaclnamespace IN (SELECT oid FROM wanted_schema) AS wanted,
        kind.word AS objects,
        quote_ident(pg_get_userbyid(later.defaclrole)) AS quoted_owner,
        quote_ident(namespace.nspname) AS quoted_schema
    FROM pg_default_acl AS later
    CROSS JOIN aclexplode(later.defaclacl) AS privilege
    LEFT JOIN pg_namespace AS namespace ON namespace.oid = later.defaclnamespace
    JOIN (
        VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('T', 'TYPES'), ('n', 'SCHEMAS'),
            ('L', 'LARGE OBJECTS')
    ) AS kind (letter, word) ON kind.letter = later.defaclobjtype::text
),
found (place, kind, sentence, repair) AS (
    -- The role itself
    SELECT
        1,
        'wrong',
        'the role ' || attribute.trouble,
        'ALTER ROLE ' || reader.quoted || ' ' || attribute.word
    FROM reader
    CROSS JOIN LATERAL (
        VALUES
            (reader.rolsuper, 'is a superuser', 'NOSUPERUSER'),
            (reader.rolcreatedb, 'may make databases', 'NOCREATEDB'),
            (reader.rolcreaterole, 'may make roles', 'NOCREATEROLE'),
            (reader.rolreplication, 'may replicate the server', 'NOREPLICATION'),
            (reader.rolbypassrls, 'passes by row level security', 'NOBYPASSRLS'),
            (NOT reader.rolcanlogin, 'may not log in', 'LOGIN'),
            (NOT reader.rolinherit, 'does not inherit from its groups', 'INHERIT'),
            (reader.rolvaliduntil < 'infinity', 'has a password that expires', 'VALID UNTIL ''infinity''')
    ) AS attribute (is_wrong, trouble, word)
    WHERE attribute.is_wrong
    UNION ALL
    SELECT
        1,
        'wrong',
        'its connection limit is ' || reader.rolconnlimit || ', not ' || declared.connections,
        'ALTER ROLE ' || reader.quoted || ' CONNECTION LIMIT ' || declared.connections
    FROM reader
    CROSS JOIN declared
    -- A higher one stays: exporters of apps that are no longer declared run until the end of the run, and keep theirs.
    WHERE reader.rolconnlimit < declared.connections
    UNION ALL
    SELECT
        1,
        'wrong',
        'its ' || setting.key || ' is not ' || setting.value
            || coalesce(' but ' || substr(present.text, length(setting.key) + 2), ''),
        NULL
    FROM reader
    CROSS JOIN declared
    CROSS JOIN json_each_text(declared.settings) AS setting
    LEFT JOIN unnest(reader.rolconfig) AS present (text) ON starts_with(present.text, setting.key || '=')
    WHERE present.text IS DISTINCT FROM setting.key || '=' || setting.value
    UNION ALL
    SELECT
        1,
        'wrong',
        'it has settings of its own in this database: ' || array_to_string(own.setconfig, ', '),
        'ALTER ROLE ' || reader.quoted || ' IN DATABASE ' || here.quoted || ' RESET ALL'
    FROM pg_db_role_setting AS own
    JOIN here ON here.oid = own.setdatabase
    JOIN reader ON reader.oid = own.setrole
    UNION ALL
    SELECT
        1,
        'wrong',
        'it is a member of ' || quote_ident(pg_get_userbyid(member.roleid)),
        'REVOKE ' || quote_ident(pg_get_userbyid(member.roleid)) || ' FROM ' || reader.quoted
    FROM pg_auth_members AS member
    JOIN reader ON reader.oid = member.member
    CROSS JOIN declared
    WHERE pg_get_userbyid(member.roleid)::text
        NOT IN (SELECT value FROM json_array_elements_text(declared.memberships))
    UNION ALL
    SELECT
        1,
        'wrong',
        'it is no member of ' || quote_ident(wanted.value),
        'GRANT ' || quote_ident(wanted.value) || ' TO ' || reader.quoted
    FROM reader
    CROSS JOIN declared
    CROSS JOIN json_array_elements_text(declared.memberships) AS wanted
    WHERE wanted.value NOT IN (
        SELECT pg_get_userbyid(member.roleid) FROM pg_auth_members AS member WHERE member.member = reader.oid
    )
    -- What is missing
    UNION ALL
    SELECT
        2,
        'wrong',
        'it may not connect to database ' || here.quoted,
        'GRANT CONNECT ON DATABASE ' || here.quoted || ' TO ' || reader.quoted
    FROM reader
    CROSS JOIN here
    WHERE NOT has_database_privilege(reader.oid, here.oid, 'CONNECT')
    UNION ALL
    SELECT
        2,
        'wrong',
        CASE
            WHEN wanted_schema.oid IS NULL THEN 'there is no schema ' || wanted_schema.quoted
            ELSE 'schema ' || wanted_schema.quoted || ' cannot be used'
        END,
        CASE
            WHEN wanted_schema.oid IS NOT NULL
            THEN 'GRANT USAGE ON SCHEMA ' || wanted_schema.quoted || ' TO ' || reader.quoted
        END
    FROM reader
    CROSS JOIN wanted_schema
    WHERE has_schema_privilege(reader.oid, wanted_schema.oid, 'USAGE') IS NOT TRUE
    UNION ALL
    SELECT
        2,
        'wrong',
        'table ' || wanted_table.quoted || ' of ' || quote_ident(pg_get_userbyid(wanted_table.relowner))
            || ' cannot be read',
        'GRANT SELECT ON TABLE ' || wanted_table.quoted || ' TO ' || reader.quoted
    FROM reader
    CROSS JOIN wanted_table
    WHERE NOT has_table_privilege(reader.oid, wanted_table.oid, 'SELECT')
    UNION ALL
    SELECT
        2,
        'wrong',
        'future tables of ' || quote_ident(pg_get_userbyid(maker.owner)) || ' in schema ' || wanted_schema.quoted
            || ' could not be read',
        'ALTER DEFAULT PRIVILEGES FOR ROLE ' || quote_ident(pg_get_userbyid(maker.owner)) || ' IN SCHEMA '
            || wanted_schema.quoted || ' GRANT SELECT ON TABLES TO ' || reader.quoted
    FROM reader
    CROSS JOIN maker
    JOIN wanted_schema ON wanted_schema.oid = maker.namespace
    WHERE maker.owner <> reader.oid
        AND NOT EXISTS (
            SELECT FROM given_later
            WHERE given_later.grantee = reader.oid AND given_later.wanted
                AND given_later.owner = maker.owner AND given_later.namespace = maker.namespace
        )
    -- What is too much
    UNION ALL
    SELECT
        3,
        'wrong',
        'it has ' || given.privilege_type || CASE WHEN given.wanted THEN ' with the right to pass it on' ELSE '' END
            || ' on ' || given.sentence_object,
        'REVOKE ' || CASE WHEN given.wanted THEN 'GRANT OPTION FOR ' ELSE '' END || given.privilege_type
            || given.columns || ' ON ' || given.object || ' FROM ' || reader.quoted
    FROM given
    JOIN reader ON reader.oid = given.grantee
    WHERE NOT given.wanted OR given.is_grantable
    UNION ALL
    SELECT
        3,
        'wrong',
        'it would have ' || given_later.privilege_type || ' on future ' || lower(given_later.objects) || ' of '
            || given_later.quoted_owner || coalesce(' in schema ' || given_later.quoted_schema, ''),
        'ALTER DEFAULT PRIVILEGES FOR ROLE ' || given_later.quoted_owner
            || coalesce(' IN SCHEMA ' || given_later.quoted_schema, '')
            || ' REVOKE ' || CASE WHEN given_later.wanted THEN 'GRANT OPTION FOR ' ELSE '' END
            || given_later.privilege_type || ' ON ' || given_later.objects || ' FROM ' || reader.quoted
    FROM given_later
    JOIN reader ON reader.oid = given_later.grantee
    WHERE NOT given_later.wanted OR given_later.is_grantable
    UNION ALL
    SELECT
        3,
        'wrong',
        'it ' || CASE other.deptype WHEN 'o' THEN 'owns ' ELSE 'has privileges on ' END
            || pg_describe_object(other.classid, other.objid, other.objsubid),
        NULL
    FROM pg_shdepend AS other
    JOIN reader ON reader.oid = other.refobjid AND other.refclassid = 'pg_authid'::regclass
    JOIN here ON other.dbid IN (here.oid, 0)
    WHERE other.classid <> 'pg_auth_members'::regclass
        AND (
            other.deptype = 'o'
            OR other.classid NOT IN (
                'pg_class'::regclass, 'pg_namespace'::regclass, 'pg_database'::regclass, 'pg_default_acl'::regclass
            )
        )
    -- What every role may do
    UNION ALL
    SELECT
        4,
        'note',
        'every role may ' || string_agg(given.privilege_type, ', ' ORDER BY given.privilege_type) || ' on '
            || given.sentence_object || ', so this one too, once it has switched off default_transaction_read_only',
        'REVOKE ' || string_agg(given.privilege_type || given.columns, ', ' ORDER BY given.privilege_type)
            || ' ON ' || given.object || ' FROM PUBLIC'
    FROM given
    WHERE given.grantee = 0
        AND given.privilege_type IN ('CREATE', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    GROUP BY given.sentence_object, given.object
)
SELECT kind, sentence, repair FROM found ORDER BY place, sentence, repair
