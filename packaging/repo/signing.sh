# shellcheck shell=sh
# Sourced by the scripts beside it: finds or makes the key that signs the repository.
#
# TLJH_SIGNING_HOME  GnuPG home that holds the key (default: `signing` in the build cache)
# TLJH_SIGNING_KEY   fingerprint of the key that signs (default: the one in the file
#                    `signing-key` of that home; made, with the file, when there is none)

signing_uid='The Littlest JupyterHub archive'
signing_home=${TLJH_SIGNING_HOME:-${TLJH_CACHE:-/var/cache/tljh}/signing}
signing_key=
signing_locked=no

key_gpg() {
    # Its agent must not inherit the lock.
    gpg --homedir "$signing_home" --batch --no-tty --quiet "$@" 8<&-
}

# Sets signing_key to 40 hex digits. Keeps others from that home until the script ends,
# since two would make two keys, and end_signing would end the agent of the other.
ensure_signing_key() {
    mkdir -p "$signing_home"
    chmod 0700 "$signing_home"
    exec 8<"$signing_home"
    flock 8
    signing_locked=yes
    signing_key=${TLJH_SIGNING_KEY:-}
    if [ -z "$signing_key" ] && [ -s "$signing_home/signing-key" ]; then
        signing_key=$(cat "$signing_home/signing-key")
    fi
    if [ -z "$signing_key" ]; then
        # ed25519 is verified by gpgv of Debian 12 and Ubuntu 22.04 and by sqv of Debian 13.
        key_gpg --passphrase '' --quick-generate-key "$signing_uid" ed25519 sign never
        signing_key=$(key_gpg --with-colons --list-secret-keys "=$signing_uid" |
            awk -F: '$1 == "fpr" { print $10; exit }')
        printf '%s\n' "$signing_key" >"$signing_home/signing-key.new"
        mv "$signing_home/signing-key.new" "$signing_home/signing-key"
        echo "made the signing key $signing_key in $signing_home" >&2
    fi
    if ! key_gpg --list-secret-keys "$signing_key" >/dev/null 2>&1; then
        echo "error: no secret key \`$signing_key\` in \`$signing_home\`" >&2
        echo "hint: gpg --homedir $signing_home --list-secret-keys" >&2
        exit 1
    fi
    signing_key=$(key_gpg --with-colons --list-secret-keys "$signing_key" |
        awk -F: '$1 == "fpr" { print $10; exit }')
}

# sign OPTIONS... FILE: gpg with the signing key and a digest that all readers accept.
sign() {
    key_gpg --local-user "$signing_key" --digest-algo SHA512 "$@"
}

# The binary keyring on stdout: the key that signs, and every other archive key of that
# home, so that a successor is trusted before it signs for the first time.
export_keyring() {
    {
        printf '%s\n' "$signing_key"
        key_gpg --with-colons --list-keys "=$signing_uid" 2>/dev/null |
            awk -F: '$1 == "pub" { key = 1 } $1 == "fpr" && key { print $10; key = 0 }'
    } | awk '!seen[$0]++' | while read -r key; do
        key_gpg --export-options export-minimal --export "$key" </dev/null
    done
}

# For the end of each script: gpg leaves an agent behind for each home.
end_signing() {
    [ "$signing_locked" = no ] || gpgconf --homedir "$signing_home" --kill gpg-agent || true
}
