#!/bin/sh
# Builds the image of the shop: build.sh [NAME] [--build-arg BASE=…]. NAME is crowsnest/lab-shop:1 unless given.
# The build gets this machine's way to PyPI: the proxy and index settings of the environment, and its CA certificates.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
name=${1:-crowsnest/lab-shop:1}
[ $# -eq 0 ] || shift
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -R "$folder/Dockerfile" "$folder/requirements.txt" "$folder/app" "$context"
certificates=${PIP_CERT:-${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-}}}
[ -z "$certificates" ] || cp "$certificates" "$context/ca-bundle.crt"
for variable in PIP_INDEX_URL HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    eval "[ -z \"\${$variable:-}\" ]" || set -- "$@" --build-arg "$variable"
done
docker build --tag "$name" "$@" "$context"
