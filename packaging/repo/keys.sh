#!/bin/sh
# keys.sh COMMAND: the life of the repository's keys. What changes is published by the
# next `make debs repo`. `signing.sh` documents the environment.
#
#   list     every key, and what it is there for
#   next     make the next key: from now on the keyring carries it, beside the one that signs
#   both     sign with the next key and with the present one
#   switch   sign with the next key alone; the keyring keeps the previous one
#   drop     take the previous keys out of the keyring, and delete them
#
# Each may be repeated.
set -eu
umask 077
# shellcheck source-path=SCRIPTDIR source=signing.sh
. "$(dirname "$0")/signing.sh"

usage() {
    sed -n 's/^# \{0,1\}//; 2,10p' "$0" >&2
    exit 2
}

# fail SENTENCE HINT
fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

# is_among FINGERPRINT FINGERPRINT...
is_among() {
    wanted=$1
    shift
    for one in "$@"; do
        [ "$one" != "$wanted" ] || return 0
    done
    return 1
}

# What FINGERPRINT is there for.
role() {
    # shellcheck disable=SC2046,SC2086 # fingerprints
    if is_among "$1" $signing_keys; then
        echo signs
    elif is_among "$1" $(read_keys previous-keys); then
        echo previous
    else
        echo next
    fi
}

# Those of that role.
keys_that_are() {
    for key in $(list_archive_keys); do
        [ "$(role "$key")" != "$1" ] || printf '%s\n' "$key"
    done
}

list() {
    for key in $(list_archive_keys); do
        echo "$key  $(role "$key")"
    done
}

ensure_next() {
    [ -n "$(keys_that_are next)" ] || make_key >/dev/null
}

# The key that comes after the present one, while both sign too.
read_next() {
    next=$(keys_that_are next | head -n 1)
    if [ -z "$next" ]; then
        case $signing_keys in *' '*) next=$signing_key ;; esac
    fi
    printf '%s\n' "$next"
}

ensure_both() {
    case $signing_keys in *' '*) return ;; esac
    next=$(read_next)
    [ -n "$next" ] || fail "there is no next key in \`$signing_home\`" 'packaging/repo/keys.sh next'
    write_keys signing-key "$next" "$signing_key"
}

ensure_switched() {
    next=$(read_next)
    if [ -z "$next" ]; then
        [ -n "$(keys_that_are previous)" ] || fail "there is no next key in \`$signing_home\`" 'packaging/repo/keys.sh next'
        return
    fi
    # First, so that a switch that is cut off takes no key for the next one that signed already.
    # shellcheck disable=SC2046,SC2086 # fingerprints
    write_keys previous-keys $(read_keys previous-keys) $(without "$next" $signing_keys)
    write_keys signing-key "$next"
}

# without FINGERPRINT FINGERPRINT...
without() {
    left_out=$1
    shift
    for one in "$@"; do
        [ "$one" = "$left_out" ] || printf '%s\n' "$one"
    done
}

ensure_dropped() {
    for key in $(keys_that_are previous); do
        key_gpg --yes --delete-secret-and-public-key "$key"
    done
    rm -f "$signing_home/previous-keys"
}

[ $# -eq 1 ] || usage
if [ -n "${TLJH_SIGNING_KEY:-}" ]; then
    fail 'TLJH_SIGNING_KEY is set: the keys would not be those that sign' "env -u TLJH_SIGNING_KEY $0 $1"
fi
trap end_signing EXIT
case $1 in
    list | next | both | switch | drop) ensure_signing_key ;;
    *) usage ;;
esac
case $1 in
    next) ensure_next ;;
    both) ensure_both ;;
    switch) ensure_switched ;;
    drop) ensure_dropped ;;
esac
# What was written is what counts.
signing_keys=$(read_keys signing-key)
list
