#!/bin/sh
# programs.sh: builds the programs of all packages and prints the folder that holds them.
#
# They are compiled and linked in a minimal system of the oldest suite, with the builder's Rust: whatever the builder's own
# release is, they need no younger C library than the suites have, and its compiler and headers do not show in them.
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The suite whose C library is the oldest.
suite=bookworm
# For the crates that build C: aws-lc-sys, mimalloc.
tools="gcc libc6-dev make cmake"
# Apart from what is built for other ends: these programs name no folder of the builder.
programs="$CARGO_TARGET_DIR/packages"
rust=$(rustc --print sysroot)
crates=${CARGO_HOME:-$HOME/.cargo}
[ "$rust" != /usr ] || die "the Rust in /usr cannot be used in another system
hint: install Rust by rustup, from its Debian package \`rustup\` too"

export_source_date

root="$cache/build-root/programs"
ensure_root() {
    [ ! -e "$root/etc/debian_version" ] || return 0
    say "making a minimal $suite system to compile in"
    rm -rf "$root.new"
    # shellcheck disable=SC2086 # a list of package names
    mmdebstrap --quiet --variant=minbase --include="$(echo $tools | tr ' ' ,)" "$suite" "$root.new" >&2
    mv "$root.new" "$root"
}
mkdir -p "$cache/build-root"
(
    flock 9
    ensure_root
) 9> "$root.lock"

say "building the programs"
mkdir -p "$programs"
# All that needs a network, with the builder's own settings.
cargo fetch --quiet --locked --manifest-path "$project/Cargo.toml"

# Not the checkout's own path, which cargo names relatively: another checkout can use what this one built.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$crates/registry/src=/crates"
export rust crates programs project root
# The mounts are in a namespace of their own, and go with it.
unshare --mount --propagation private sh -eu << 'END' >&2
for folder in "$rust" "$crates" "$programs" "$project"; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
done
mount -t proc proc "$root/proc"
build() {
    chroot "$root" env -u TMPDIR PATH="$rust/bin:/usr/bin:/bin" CARGO_HOME="$crates" cargo build --quiet --offline --locked \
        --manifest-path "$project/Cargo.toml" --target-dir "$programs" --bins "$@"
}
build --release --workspace --exclude tljh-conda
build --profile release-conda --package tljh-conda
END
# Beside the others, where tests look for it too.
install "$programs/release-conda/tljh-conda" "$programs/release/tljh-conda"
printf '%s\n' "$programs/release"
