#!/bin/sh
# Builds the image of the shop: build.sh [NAME] [--build-arg BASE=…]. NAME is crowsnest/lab-shop:1 unless given.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
name=${1:-crowsnest/lab-shop:1}
[ $# -eq 0 ] || shift
exec "$folder/../build_from_registries.sh" "$folder" "$name" "$@"
