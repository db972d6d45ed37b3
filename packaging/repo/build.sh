#!/bin/sh
# Adds dist/debs/<suite>/*.deb to the signed static repository dist/apt, and writes its
# landing page and installer. `docs/repository.md` describes the result and its use.
#
# REPO_URL      address under which dist/apt will be served (default: http://localhost:8000)
# SUITES        Debian suites, oldest first (default: bookworm trixie)
# TLJH_DIST     directory with debs/ and apt/ (default: dist of this checkout)
# TLJH_REPLACE  yes or no: may a version change its content? (default: no for https)
# `signing.sh` documents the environment of the key.
#
# A reader never sees half a repository: packages come first, then the indexes under
# their hashes, and the signed InRelease that names them replaces its predecessor last.
# Earlier indexes stay for readers who still hold the earlier InRelease.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=signing.sh
. "$here/signing.sh"

repo_url=${REPO_URL:-http://localhost:8000}
repo_url=${repo_url%/}
case $repo_url in
    http://*) replace=yes ;;
    https://*) replace=no ;;
    *)
        echo "error: REPO_URL \`$repo_url\` is no http or https address" >&2
        echo "hint: make repo REPO_URL=https://example.org/tljh" >&2
        exit 2
        ;;
esac
suites=${SUITES:-bookworm trixie}
dist=${TLJH_DIST:-$here/../../dist}
out=$dist/apt

# prune_by_hash DIR: keeps the newest twenty generations of three files. apt-ftparchive's own
# By-Hash-Keep spares the last directory of a release, and ours is the last.
prune_by_hash() {
    for file in "$1"/Packages "$1"/Packages.gz "$1"/Packages.xz; do
        # An index that came back counts as new.
        touch "$1/by-hash/SHA256/$(sha256sum <"$file" | cut -d ' ' -f 1)"
        touch "$1/by-hash/SHA512/$(sha512sum <"$file" | cut -d ' ' -f 1)"
    done
    for kind in SHA256 SHA512; do
        # shellcheck disable=SC2012 # the names are hexadecimal digits
        (cd "$1/by-hash/$kind" && ls -t | tail -n +61 | xargs -r rm -f)
    done
}

mkdir -p "$out"
dist=$(cd "$dist" && pwd)
out=$dist/apt
exec 9<"$out"
flock 9

work=$(mktemp -d "$dist/.repo.XXXXXX")
trap 'end_signing; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

ensure_signing_key
export_keyring >"$work/tljh-archive-keyring.gpg"

# shellcheck disable=SC2086
TLJH_REPLACE=${TLJH_REPLACE:-$replace} "$here/pool.py" "$dist/debs" "$out" $suites

# Every suite of the pool, so that a build of one suite keeps the other in the pages.
published=$(find "$out/pool" -mindepth 2 -name '*.deb' 2>/dev/null |
    sed 's,/[^/]*$,,; s,.*/,,' | sort -u | tr '\n' ' ')
if [ -z "$published" ]; then
    echo "error: no package in \`$dist/debs\`, nor in the pool of \`$out\`" >&2
    echo "hint: make debs" >&2
    exit 1
fi

for suite in $published; do
    dists=$out/dists/$suite
    architectures=$(find "$out/pool/$suite" -name '*.deb' |
        sed 's/.*_\(.*\)\.deb$/\1/' | grep -vx all | sort -u | tr '\n' ' ')
    architectures=${architectures:-amd64}
    cat >"$work/apt-ftparchive.conf" <<CONF
APT::FTPArchive {
  MD5 "false";
  SHA1 "false";
  DoByHash "true";
  By-Hash-Keep "1000000";
  Release {
    Origin "The Littlest JupyterHub";
    Label "The Littlest JupyterHub";
    Suite "$suite";
    Codename "$suite";
    Components "main";
    Architectures "${architectures% }";
    Description "The Littlest JupyterHub for Debian";
    Acquire-By-Hash "yes";
    Default-Patterns "false";
    Patterns { "Packages"; "Packages.*"; };
  };
};
CONF
    for architecture in $architectures; do
        # Not `generate`: it keeps the old entry of a package file that was replaced.
        (cd "$out" && apt-ftparchive -c "$work/apt-ftparchive.conf" --arch "$architecture" \
            packages "pool/$suite") >"$work/Packages"
        gzip -9nk "$work/Packages"
        xz -k "$work/Packages"
        mkdir -p "$dists/main/binary-$architecture"
        mv "$work/Packages" "$work/Packages.gz" "$work/Packages.xz" "$dists/main/binary-$architecture"
    done
    apt-ftparchive -c "$work/apt-ftparchive.conf" release "$dists" >"$work/Release"
    sign --armor --detach-sign --output "$work/Release.gpg" "$work/Release"
    sign --clearsign --output "$work/InRelease" "$work/Release"
    # apt reads the other two only where there is no InRelease, so that comes last.
    for file in Release Release.gpg InRelease; do
        mv "$work/$file" "$dists/$file"
    done
    for architecture in $architectures; do
        prune_by_hash "$dists/main/binary-$architecture"
    done
done

# shellcheck disable=SC2086
"$here/render.py" site "$out" "$work" "$repo_url" "$signing_key" $published
# The keyring before what names it.
for file in tljh-archive-keyring.gpg $(cd "$work" && echo ./*.sources) install.sh index.html; do
    chmod 0644 "$work/$file"
    mv "$work/$file" "$out/$file"
done
echo "repository: $out"
echo "signed by:  $signing_keys"
echo "address:    $repo_url"
