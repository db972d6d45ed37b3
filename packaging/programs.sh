#!/bin/sh
# programs.sh: builds the programs, and prints the folder that holds them.
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

export_source_date
# Apart from what is built for other ends: these programs name no folder of the builder.
programs="$CARGO_TARGET_DIR/packages"
bin="$programs/release"
say "building the programs"
cd "$project"
# Not the checkout's own path, which cargo names relatively: another checkout can use what this one built.
RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates"
export RUSTFLAGS
cargo build --quiet --release --locked --workspace --exclude tljh-conda --bins --target-dir "$programs" >&2
cargo build --quiet --profile release-conda --locked --package tljh-conda --bins --target-dir "$programs" >&2
# Beside the others, where tests look for it too.
install "$programs/release-conda/tljh-conda" "$bin/tljh-conda"
printf '%s\n' "$bin"
