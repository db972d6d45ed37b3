#!/bin/sh
# Renews the hash-locked requirements from the *.in files. One lock serves every suite's Python.
set -eu
. "$(dirname "$0")/lib.sh"

uv=$(ensure_uv)
lock() {
    "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
        --only-binary :all: "$@"
}
cd "$project"
lock packaging/uv/requirements.in -o packaging/uv/requirements.txt
lock packaging/user-env/requirements.in -o packaging/user-env/requirements.txt
lock packaging/hub-env/build-constraints.in -o packaging/hub-env/build-constraints.txt
# Published as source only; pure Python, built with the constraints above.
lock --no-binary onetimepass --no-binary jupyterhub-nativeauthenticator \
    packaging/hub-env/requirements.in -o packaging/hub-env/requirements.txt
# The same packages, with the JupyterHub from which tests upgrade.
lock_constraints=$(mktemp)
trap 'rm -f "$lock_constraints"' EXIT
grep -v '^jupyterhub==' packaging/hub-env/requirements.txt | sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' > "$lock_constraints"
lock --no-annotate --no-binary onetimepass --no-binary jupyterhub-nativeauthenticator --constraint "$lock_constraints" \
    tests/data/hub-5/requirements.in -o tests/data/hub-5/requirements.txt
lock --no-annotate tests/data/bills/requirements.in -o tests/data/bills/requirements.txt
lock --no-annotate tests/data/hub-1/requirements.in -o tests/data/hub-1/requirements.txt
lock --no-annotate tests/data/hub-4/requirements.in -o tests/data/hub-4/requirements.txt
