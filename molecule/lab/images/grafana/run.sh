#!/bin/sh
# The checks of the real image's entry point, with its words: it complains, and goes on to fail by itself.
# https://github.com/grafana/grafana/blob/main/packaging/docker/run.sh
set -e
trouble=no
[ -r "$GF_PATHS_CONFIG" ] || { trouble=yes; echo "GF_PATHS_CONFIG='$GF_PATHS_CONFIG' is not readable."; }
[ -w "$GF_PATHS_DATA" ] || { trouble=yes; echo "GF_PATHS_DATA='$GF_PATHS_DATA' is not writable."; }
[ -r "$GF_PATHS_HOME" ] || { trouble=yes; echo "GF_PATHS_HOME='$GF_PATHS_HOME' is not readable."; }
if [ "$trouble" = yes ]; then
    echo "You may have issues with file permissions, more information here:" \
        "http://docs.grafana.org/installation/docker/#migrate-to-v51-or-later"
fi
[ -d "$GF_PATHS_PLUGINS" ] || mkdir "$GF_PATHS_PLUGINS"
export HOME="$GF_PATHS_HOME"
exec grafana server --homepath="$GF_PATHS_HOME" --config="$GF_PATHS_CONFIG" --packaging=docker "$@"
