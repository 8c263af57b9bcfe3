#!/bin/sh
# What the real image's entry point does, in its order: the address, then the variables that may come from files. Those
# are the only ones: MB_ENCRYPTION_SECRET_KEY_FILE, for one, is not looked at by Metabase 0.61 either.
# https://github.com/metabase/metabase/blob/master/bin/docker/run_metabase.sh
set -u
export MB_JETTY_HOST="${MB_JETTY_HOST:-0.0.0.0}"
for name in MB_DB_USER MB_DB_PASS MB_DB_CONNECTION_URI MB_EMAIL_SMTP_PASSWORD MB_EMAIL_SMTP_USERNAME \
    MB_LDAP_PASSWORD MB_LDAP_BIND_DN; do
    eval "value=\${$name:-} file=\${${name}_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        echo "error: both $name and ${name}_FILE are set (but are exclusive)" >&2
        exit 1
    fi
    [ -z "$file" ] || value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
done
cd "$(dirname "$0")" || exit 1
exec python3 -m double.main "$@"
