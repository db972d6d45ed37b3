#!/bin/sh
# debs.sh: builds dist/debs/<suite>/*.deb, and beside each package its bill of materials.
#
# SUITES    Debian suites (default: bookworm trixie)
# PACKAGES  those to build (default: all)
# VERSION   version of the packages (default: the workspace's)
# NEWS      what people must know when they upgrade (default: debian/NEWS, where there is one)
# HUB_REQUIREMENTS  locked requirements of the hub's environment (default: packaging/hub-env/requirements.txt)
# REPO_URL  address of the repository that tljh-archive-keyring names (default: http://localhost:8000)
# TLJH_KEYRING  its public keys, for who has no private one (default: from packaging/repo/ensure-key.sh)
# TLJH_DIST     directory with debs/ (default: dist of this checkout)
# SOURCE_DATE_EPOCH  date of every file in the packages (default: that of debian/changelog)
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

cargo_deb_version=3.8.0
suites=${SUITES:-bookworm trixie}
version=$(package_version)
packages=${PACKAGES:-tljh-hub tljh-config tljh-user-env tljh-proxy tljh-archive-keyring tljh}
dist=${TLJH_DIST:-$project/dist}
news=${NEWS:-$project/debian/NEWS}
export_source_date

ensure_cargo_deb() {
    tool="$cache/tools/bin/cargo-deb"
    if [ "$("$tool" --version 2>/dev/null)" != "cargo-deb $cargo_deb_version" ]; then
        cargo install --quiet --locked --version "$cargo_deb_version" --root "$cache/tools" cargo-deb >&2
    fi
    printf '%s\n' "$tool"
}

# Puts into $root what the package's install list names.
stage() {
    while read -r mode source destination; do
        source=$(printf '%s' "$source" | fill)
        destination=$root$(printf '%s' "$destination" | fill)
        case $mode in
            '' | '#'*) ;;
            tree)
                mkdir -p "$destination"
                cp -a "$source/." "$destination/"
                ;;
            docs) stage_docs "$source" ;;
            *) install -D -m "$mode" "$source" "$destination" ;;
        esac
    done
}

stage_docs() {
    "$bin/$1" render-docs "$work/docs"
    for page in "$work"/docs/man/"$1"*.8; do
        install -D -m 644 "$page" "$root/usr/share/man/man8/$(basename "$page")"
    done
    gzip -9n "$root"/usr/share/man/man8/*.8
    [ "$1" != tljh-config ] || install -D -m 644 "$work/docs/config.schema.json" "$root/usr/share/tljh/config.schema.json"
    install -D -m 644 "$work/docs/completions/bash/$1" "$root/usr/share/bash-completion/completions/$1"
    install -D -m 644 "$work/docs/completions/zsh/_$1" "$root/usr/share/zsh/vendor-completions/_$1"
    install -D -m 644 "$work/docs/completions/fish/$1.fish" "$root/usr/share/fish/vendor_completions.d/$1.fish"
}

fill() {
    sed -e "s|@SRC@|$project|g; s|@BIN@|$bin|g; s|@ENV@|$env|g; s|@KEYRING@|$work/keyring.gpg|g" \
        -e "s|@SOURCES@|$work/tljh.sources|g; s|@VERSION@|$full_version|g; s|@PYTHON_NEXT@|$python_next|g" \
        -e "s|@SITE@|/opt/tljh/hub/lib/python$python/site-packages|g; s|@PYTHON@|$python|g"
}

# A maintainer script with the parts that others share, and with what the programs know of the state.
fill_script() {
    # The mode is the script's own.
    cp -L "$1" "$2"
    # shellcheck disable=SC2046 # four words
    set -- "$1" "$2" $("$bin/tljh-hub" state-range)
    sed -e "/^@REFUSE_STATE@\$/{r $project/debian/refuse-state.sh" -e 'd}' \
        -e "/^@IS_UPSTREAM@\$/{r $project/debian/is-upstream.sh" -e 'd}' \
        -e "/^@REFUSE_UPSTREAM@\$/{r $project/debian/refuse-upstream.sh" -e 'd}' \
        -e "/^@MOVE_UPSTREAM@\$/{r $project/debian/move-upstream.sh" -e 'd}' "$1" |
        sed -e "/^@SUDOERS@\$/{r $project/debian/tljh/jupyterhub-admins.sudoers" -e 'd}' -e '/^# shellcheck /d' |
        sed -e "s|@OLDEST_STATE@|$3|g; s|@NEWEST_STATE@|$4|g; s|@PASS_THROUGH@|$5|g; s|@VERSION@|$full_version|g" > "$2"
}

# What the staged programs and libraries link to, in the fewest relations. cargo-deb's own `$auto` asks file by
# file, so it repeats libc6, and is silent about libraries beside others of the package and about libgcc-s1.
shared_libraries() {
    mkdir -p "$crate/debian" "$root/DEBIAN"
    : > "$crate/debian/control"
    find "$root" -type f | while read -r file; do
        [ "$(head -c 4 "$file" | tr -d '\0')" != "$(printf '\177ELF')" ] || printf '%s\0' "$file"
    done > "$crate/elf"
    if [ -s "$crate/elf" ]; then
        (cd "$crate" && xargs -0 dpkg-shlibdeps --warnings=0 -O -S"$root" < elf > libraries 2> libraries.log) ||
            die "$1: $(cat "$crate/libraries.log")"
        sed -n 's/^shlibs:Depends=//p' "$crate/libraries"
    fi
    rmdir "$root/DEBIAN"
}

# cargo-deb reads its settings from a crate: one is made for each package and suite.
build_package() {
    crate="$work/$1"
    root="$crate/root"
    mkdir -p "$crate/src" "$crate/scripts" "$root"
    : > "$crate/src/lib.rs"
    stage < "$project/debian/$1/install"
    if [ "$1" = tljh-hub ]; then
        # Byte-compiled like the rest of the environment, by the suite's Python; never what a test left in the checkout.
        rm -rf "$build_root/tmp/tljh" "$root/opt/tljh/hub/lib/python$python/site-packages/tljh/__pycache__"
        cp -a "$root/opt/tljh/hub/lib/python$python/site-packages/tljh" "$build_root/tmp/tljh"
        env PYTHONHASHSEED=0 chroot "$build_root" "/usr/bin/python$python" -m compileall -q --invalidation-mode unchecked-hash \
            -s /tmp -p "/opt/tljh/hub/lib/python$python/site-packages" /tmp/tljh
        rm -rf "$root/opt/tljh/hub/lib/python$python/site-packages/tljh"
        mv "$build_root/tmp/tljh" "$root/opt/tljh/hub/lib/python$python/site-packages/tljh"
    fi
    if [ -e "$project/debian/$1/lintian-overrides" ]; then
        install -D -m 644 "$project/debian/$1/lintian-overrides" "$root/usr/share/lintian/overrides/$1"
    fi
    "$project/packaging/copyright.py" "$root" > "$crate/copyright"
    # One source, no upstream besides it: Policy 12.7 wants this name.
    gzip -9nc "$work/changelog" > "$work/changelog.gz"
    install -D -m 644 "$work/changelog.gz" "$root/usr/share/doc/$1/changelog.gz"
    if [ -s "$news" ]; then
        # In each: of those of one source apt-listchanges looks into the first that has a changelog, and into no other.
        gzip -9nc "$news" > "$work/NEWS.gz"
        install -D -m 644 "$work/NEWS.gz" "$root/usr/share/doc/$1/NEWS.Debian.gz"
    fi
    libraries=$(shared_libraries "$1")
    for script in config templates preinst postinst prerm postrm; do
        [ ! -e "$project/debian/$1/$script" ] || fill_script "$project/debian/$1/$script" "$crate/scripts/$script"
    done
    triggers=
    if [ -e "$project/debian/$1/triggers" ]; then
        cp "$project/debian/$1/triggers" "$crate/triggers"
        triggers='triggers-file = "triggers"'
    fi
    (cd "$root" && find . -type l -printf '{ dest = "/%P", link_name = "%l" },\n' | LC_ALL=C sort) > "$crate/links"
    find "$root" -type l -delete
    {
        cat << END
[package]
name = "$1"
version = "0.0.0"
edition = "2024"
description = "$(cat "$project/debian/$1/description")"
license-file = "copyright"
[workspace]
[lib]
path = "src/lib.rs"
[package.metadata.deb]
maintainer = "The Littlest JupyterHub packagers <packagers@tljh.invalid>"
license-file = ["copyright", "0"]
maintainer-scripts = "scripts"
$triggers
assets = [
    { source = "root/**/*", dest = "/" },
END
        # Links are named one by one: cargo-deb wants the targets of those that it finds itself to exist here.
        sed 's/^/    /' "$crate/links"
        echo ']'
        # cargo-deb has no key for Source, by which apt-listchanges shows one changelog for all packages.
        of=
        [ "$1" = tljh ] || of='\\nSource: tljh'
        fill < "$project/debian/$1/package.toml" | sed "s/@LIBRARIES@/$libraries/; s/^section = \"[a-z]*/&$of/"
    } > "$crate/Cargo.toml"
    # Wheels are compressed already: more than gzip (cargo-deb itself takes zopfli) is minutes for nothing.
    compression="--compress-type xz"
    [ "$1" != tljh-user-env ] || compression="--compress-type gz --compress-system --fast"
    # Packing takes longer than everything before it, and most packages are those of the last run.
    kept="$cache/debs/$(content_key "$compression").deb"
    if [ ! -e "$kept" ]; then
        mkdir -p "$cache/debs"
        # Before the new one is there: a clock that runs ahead of the disk's would have it for an old one.
        find "$cache/debs" -name '*.deb' -mtime +7 -delete
        # shellcheck disable=SC2086 # options
        "$cargo_deb" deb --quiet --no-build --no-strip $compression \
            --manifest-path "$crate/Cargo.toml" --deb-version "$full_version" --output "$kept.$$" >&2
        mv "$kept.$$" "$kept"
    fi
    touch -c "$kept"
    deb="$out/$1_${full_version}_$(dpkg --print-architecture)"
    cp "$kept" "$deb.deb"
    "$project/packaging/bill.py" "$suite" "$root" "$deb.deb" > "$deb.cdx.json"
}

# What a package is made of, as a hash: every name, mode and content, and how it is packed.
content_key() {
    {
        echo "$cargo_deb_version $1 $full_version $SOURCE_DATE_EPOCH"
        cd "$crate"
        find . -path ./debian -prune -o -type f ! -name elf ! -name 'libraries*' -printf '%p %m\n' | LC_ALL=C sort
        find . -path ./debian -prune -o -type f ! -name elf ! -name 'libraries*' -print0 | LC_ALL=C sort -z |
            xargs -0 sha256sum
    } | sha256sum | cut -c1-32
}

# The minimal systems to build in, and the folders under dist, serve one run at a time. The lock is held by
# flock itself (--close): a gpg-agent that outlives this run must not keep it. cargo has locks of its own, so
# nobody waits here for as long as programs are built.
if [ -z "${TLJH_DEBS_LOCKED:-}" ]; then
    mkdir -p "$cache"
    TLJH_DEBS_LOCKED=$("$project/packaging/programs.sh")
    export TLJH_DEBS_LOCKED
    exec flock --close "$cache/debs.lock" "$0" "$@"
fi
bin=$TLJH_DEBS_LOCKED
cargo_deb=$(ensure_cargo_deb)

for suite in $suites; do
    full_version=$version$(suite_suffix "$suite")
    python=$(suite_python "$suite")
    python_next=3.$((${python#3.} + 1))
    env=$("$project/packaging/environments.sh" "$suite")
    build_root="$cache/build-root/$suite"
    work="$dist/.stage-$suite"
    out="$dist/debs/$suite"
    rm -rf "$work" "$out.new"
    mkdir -p "$work" "$out.new"
    out=$out.new
    if [ -n "${TLJH_KEYRING:-}" ]; then
        cp "$TLJH_KEYRING" "$work/keyring.gpg"
    else
        "$project/packaging/repo/ensure-key.sh" "$work/keyring.gpg"
    fi
    "$project/packaging/repo/render.py" sources "${REPO_URL:-http://localhost:8000}" "$suite" > "$work/tljh.sources"
    sed "1s/([^)]*)/($full_version)/" "$project/debian/changelog" > "$work/changelog"
    say "building the packages for $suite, version $full_version"
    for package in $packages; do
        build_package "$package"
    done
    rm -rf "$work" "${out%.new}"
    mv "$out" "${out%.new}"
done
