#!/bin/sh
# What the lab needs of the official image's entry point: a first start creates the user and the database named by
# POSTGRES_USER, POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) and POSTGRES_DB, and runs /docker-entrypoint-initdb.d/*.sql.
set -eu

case "${1:-postgres}" in -*) set -- postgres "$@" ;; esac
[ "${1:-postgres}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

# initdb asks for the name of who runs it; a numeric user of the host has none in this image. As in the official one.
with_a_name() {
    if getent passwd "$(id -u)" > /dev/null; then "$@"; return; fi
    echo "postgres:x:$(id -u):$(id -g)::$PGDATA:/bin/false" > /tmp/passwd
    echo "postgres:x:$(id -g):" > /tmp/group
    LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/tmp/group "$@"
    rm -f /tmp/passwd /tmp/group
}

# Creates the cluster with a server that listens on no network address.
first_start() {
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    password=${POSTGRES_PASSWORD:-}
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then password=$(cat "$POSTGRES_PASSWORD_FILE"); fi
    if [ -z "$password" ]; then
        echo "Error: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be given." >&2
        exit 1
    fi
    mkdir -p "$PGDATA"
    umask 077
    printf '%s\n' "$password" > /tmp/initdb-password
    # shellcheck disable=SC2086 # these are several words
    with_a_name initdb --username="$user" --pwfile=/tmp/initdb-password ${POSTGRES_INITDB_ARGS:-}
    rm -f /tmp/initdb-password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    if [ "$database" != postgres ]; then createdb --username="$user" "$database"; fi
    for file in /docker-entrypoint-initdb.d/*.sql; do
        if [ -e "$file" ]; then psql -v ON_ERROR_STOP=1 --username="$user" --dbname="$database" --file="$file"; fi
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
}

[ -s "$PGDATA/PG_VERSION" ] || first_start
shift
exec postgres -c listen_addresses='*' "$@"
