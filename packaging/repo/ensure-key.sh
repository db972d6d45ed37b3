#!/bin/sh
# ensure-key.sh OUT: writes the binary public keyring of the repository to OUT, and makes
# the signing key first when there is none. `signing.sh` documents the environment.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: ensure-key.sh OUT" >&2
    exit 2
fi
# shellcheck source-path=SCRIPTDIR source=signing.sh
. "$(dirname "$0")/signing.sh"

trap 'end_signing; rm -f "$1.new"' EXIT
ensure_signing_key
mkdir -p "$(dirname "$1")"
export_keyring >"$1.new"
chmod 0644 "$1.new"
mv "$1.new" "$1"
