# Shared by the packaging scripts; sourced, never run.
# shellcheck shell=sh

# The same packages whoever builds them, and wherever.
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

project=$(cd "$(dirname "$0")/.." && pwd)
while [ ! -e "$project/Cargo.lock" ] && [ ! -e "$project/Cargo.toml" ]; do project=$(dirname "$project"); done
# Everything that may be thrown away and made again, outside the checkout.
cache=${TLJH_CACHE:-/var/cache/tljh}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The version of every package: the workspace's, or what the caller set.
package_version() {
    printf '%s\n' "${VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' "$project/Cargo.toml" | head -n 1)}"
}

# The date for all that would take that of the build: of files in packages, and of C libraries that tell when they
# were compiled.
export_source_date() {
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(dpkg-parsechangelog -l "$project/debian/changelog" -S Timestamp)}
    export SOURCE_DATE_EPOCH
}

# The suite's part of the version, so that a release upgrade moves to the next suite's build.
suite_suffix() {
    case $1 in
        bookworm) echo "+deb12" ;;
        trixie) echo "+deb13" ;;
        *) die "unknown suite \`$1\`; known: bookworm trixie" ;;
    esac
}

# The suite's own Python, as X.Y.
suite_python() {
    case $1 in
        bookworm) echo 3.11 ;;
        trixie) echo 3.13 ;;
        *) die "unknown suite \`$1\`; known: bookworm trixie" ;;
    esac
}

# Path of the uv binary that the lock file names; fetched once, checked by its hash.
ensure_uv() {
    key=$(sha256sum "$project/packaging/uv/requirements.txt" | cut -c1-16)
    uv="$cache/uv/$key/uv"
    if [ ! -x "$uv" ]; then
        work=$(mktemp -d)
        python3 -m pip download --quiet --require-hashes --no-deps --only-binary :all: \
            -r "$project/packaging/uv/requirements.txt" -d "$work" >&2
        python3 -m zipfile -e "$work"/uv-*.whl "$work/wheel"
        mkdir -p "$cache/uv/$key"
        install -m 755 "$work"/wheel/uv-*.data/scripts/uv "$uv.new"
        mv "$uv.new" "$uv"
        rm -rf "$work"
    fi
    printf '%s\n' "$uv"
}
