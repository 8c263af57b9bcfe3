#!/bin/sh
# Builds an image that fetches packages from PyPI or npm: build_from_registries.sh FOLDER NAME [docker build options].
# The build gets this machine's way there: the proxies and indexes of the environment, the registry npm is set to, and
# its CA certificates as the file ca-bundle.crt beside those of FOLDER.
set -eu
folder=$1
name=$2
shift 2
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp -R "$folder/." "$context"
certificates=${PIP_CERT:-${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-${NODE_EXTRA_CA_CERTS:-}}}}
[ -z "$certificates" ] || cp "$certificates" "$context/ca-bundle.crt"
: "${NPM_CONFIG_REGISTRY:=$(npm config get registry 2>/dev/null || true)}"
export NPM_CONFIG_REGISTRY
for variable in PIP_INDEX_URL NPM_CONFIG_REGISTRY HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    eval "[ -z \"\${$variable:-}\" ]" || set -- "$@" --build-arg "$variable"
done
docker build --tag "$name" "$@" "$context"
