#!/bin/sh
# lint.sh: what can be judged without running anything: form, licences, scripts and packages.
# Runs every check, names those that failed, and ends with 1 if there was one.
#
# SUITES  whose packages in dist/debs are judged (default: bookworm trixie)
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

cargo_deny_version=0.20.2
failed=
cd "$project"

check() {
    name=$1
    shift
    say "$name"
    "$@" || failed="$failed $name"
}

# Files of the checkout that end in one of the given ways, or whose first line names one of the programs.
files() {
    endings=$1
    programs=$2
    git ls-files --cached --others --exclude-standard | while read -r file; do
        if [ ! -f "$file" ] || [ -L "$file" ]; then
            continue
        elif printf '%s\n' "$file" | grep -Eq "\.($endings)\$" ||
            head -n 1 "$file" | LC_ALL=C grep -aEq "^#!.*[/ ]($programs)\$"; then
            printf '%s\n' "$file"
        fi
    done
}

form() { cargo fmt --all --check; }

clippy() { cargo clippy --quiet --locked --workspace --all-targets -- -D warnings; }

crates() {
    tool="$cache/tools/bin/cargo-deny"
    if [ "$("$tool" --version 2>/dev/null)" != "cargo-deny $cargo_deny_version" ]; then
        # It runs for seconds: to optimise it would take minutes.
        cargo install --quiet --debug --locked --version "$cargo_deny_version" --root "$cache/tools" cargo-deny
    fi
    "$tool" --locked --log-level error check --hide-inclusion-graph --show-stats bans licenses sources || return 1
    if "$tool" --locked --log-level off fetch db 2>/dev/null; then
        "$tool" --locked --offline --log-level error check advisories
    else
        say "advisories: NOT CHECKED, their database could not be fetched"
    fi
}

shell() {
    # The fragment that login shells read has no first line to tell.
    shellcheck --shell=sh debian/tljh/profile.sh || return 1
    files 'sh|sh\.in' 'sh|bash' | grep -vx 'debian/tljh/profile.sh' | xargs shellcheck --external-sources --source-path=SCRIPTDIR
}

python() {
    # traitlets puts these two names into every configuration file that it reads.
    files py python3 | PYFLAKES_BUILTINS=get_config,load_subconfig xargs /usr/bin/python3 -m pyflakes
}

packages() {
    found=
    for suite in ${SUITES:-bookworm trixie}; do
        for deb in dist/debs/"$suite"/*.deb; do
            [ ! -e "$deb" ] || found="$found $deb"
        done
    done
    if [ -z "$found" ]; then
        say "error: no packages in \`dist/debs\`"
        say "hint: run \`make debs\`"
        return 1
    fi
    # Everything not overridden in a package, by its name and for a reason given there, fails.
    # shellcheck disable=SC2086 # names without blanks
    printf '%s\0' $found |
        xargs -0 -n 1 -P "$(nproc)" lintian --profile debian --fail-on error,warning --tag-display-limit 0 --allow-root
}

check rustfmt form
check clippy clippy
check cargo-deny crates
check shellcheck shell
check pyflakes python
check lintian packages
if [ -n "$failed" ]; then
    die "failed:$failed"
fi
say "all clean"
