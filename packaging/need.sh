#!/bin/sh
# need.sh LIST...: installs by apt what the lists name, one Debian package a line, unless it is there.
set -eu

missing=
# shellcheck disable=SC2013 # one name a line, without blanks
for package in $(cat "$@" | grep -v '^#' | sort -u); do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "error: these Debian packages are missing:$missing" >&2
    echo "hint: run \`sudo apt-get install$missing\`" >&2
    exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $missing >&2
