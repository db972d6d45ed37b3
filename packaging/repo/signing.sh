# shellcheck shell=sh
# Sourced by the scripts beside it: finds or makes the key that signs the repository.
#
# TLJH_SIGNING_HOME  GnuPG home that holds the key (default: `signing` in the build cache)
# TLJH_SIGNING_KEY   fingerprints of the keys that sign (default: those in the file
#                    `signing-key` of that home; made, with the file, when there is none)
#
# Every key of that home with the archive's name is in the keyring. Those in the file
# `signing-key`, one a line, sign; those in `previous-keys` did; any other is the next one.

signing_uid='The Littlest JupyterHub archive'
signing_home=${TLJH_SIGNING_HOME:-${TLJH_CACHE:-/var/cache/tljh}/signing}
# All that sign, and the first of them, which the landing page names.
signing_keys=
signing_key=
signing_locked=no

key_gpg() {
    # Its agent must not inherit the lock.
    gpg --homedir "$signing_home" --batch --no-tty --quiet "$@" 8<&-
}

# Keeps others from that home until the script ends: two would make two keys, and
# end_signing would end the agent of the other.
lock_signing_home() {
    mkdir -p "$signing_home"
    chmod 0700 "$signing_home"
    exec 8<"$signing_home"
    flock 8
    signing_locked=yes
}

# Prints the fingerprint, 40 hex digits, of a new key.
# ed25519 is verified by gpgv of Debian 12 and Ubuntu 22.04 and by sqv of Debian 13.
make_key() {
    key_gpg --status-fd 1 --passphrase '' --quick-generate-key --yes "$signing_uid" ed25519 sign never |
        sed -n 's/^\[GNUPG:\] KEY_CREATED [A-Z] //p'
}

# write_keys FILE FINGERPRINT...: replaces that file of the home, in one step.
write_keys() {
    keys_file=$1
    shift
    printf '%s\n' "$@" >"$signing_home/$keys_file.new"
    mv "$signing_home/$keys_file.new" "$signing_home/$keys_file"
}

# read_keys FILE: what write_keys wrote, in one line.
read_keys() {
    [ ! -s "$signing_home/$1" ] || tr '\n' ' ' <"$signing_home/$1"
}

# Every archive key of that home.
list_archive_keys() {
    key_gpg --with-colons --list-keys "=$signing_uid" 2>/dev/null |
        awk -F: '$1 == "pub" { key = 1 } $1 == "fpr" && key { print $10; key = 0 }'
}

# Sets signing_keys and signing_key, to fingerprints of 40 hex digits.
ensure_signing_key() {
    lock_signing_home
    wanted=${TLJH_SIGNING_KEY:-$(read_keys signing-key)}
    if [ -z "$wanted" ]; then
        wanted=$(make_key)
        write_keys signing-key "$wanted"
        echo "made the signing key $wanted in $signing_home" >&2
    fi
    for key in $wanted; do
        if ! key_gpg --list-secret-keys "$key" >/dev/null 2>&1; then
            echo "error: no secret key \`$key\` in \`$signing_home\`" >&2
            echo "hint: gpg --homedir $signing_home --list-secret-keys" >&2
            exit 1
        fi
        key=$(key_gpg --with-colons --list-secret-keys "$key" | awk -F: '$1 == "fpr" { print $10; exit }')
        signing_keys="$signing_keys $key"
        signing_key=${signing_key:-$key}
    done
    signing_keys=${signing_keys# }
}

# sign OPTIONS... FILE: gpg with each signing key and a digest that all readers accept.
sign() {
    for key in $signing_keys; do
        set -- --local-user "$key" "$@"
    done
    key_gpg --digest-algo SHA512 "$@"
}

# The binary keyring on stdout: what signs, and every other archive key of that home, so
# that the next is trusted before it signs for the first time.
export_keyring() {
    {
        # shellcheck disable=SC2086 # fingerprints
        printf '%s\n' $signing_keys
        list_archive_keys
    } | awk '!seen[$0]++' | while read -r key; do
        key_gpg --export-options export-minimal --export "$key" </dev/null
    done
}

# For the end of each script: gpg leaves an agent behind for each home.
end_signing() {
    [ "$signing_locked" = no ] || gpgconf --homedir "$signing_home" --kill gpg-agent || true
}
