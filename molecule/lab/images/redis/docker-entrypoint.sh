#!/bin/sh
# As the official image: options alone mean redis-server, root becomes the user redis, and the protected mode is off
# because the server is reached from other containers.
set -eu

case "${1:-redis-server}" in -*|*.conf) set -- redis-server "$@" ;; esac
if [ "${1:-redis-server}" != redis-server ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
    chown -R redis:redis /data
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
shift
exec redis-server "$@" --protected-mode no
