#!/bin/sh
# environments.sh SUITE: prints a folder that holds, for the suite's own Python,
#   hub/      the hub's environment, as built at /opt/tljh/hub and byte-compiled
#   wheels/   the locked wheels of the default user environment, some of them made anew by user-env/rework.py
#   requirements.txt  their lock, with the hashes of those too
#   bytecode.tar.xz  the modules that they install, byte-compiled
#   uv        the uv binary
# The work is done in a minimal system of that suite, once for each state of the locked inputs.
#
# HUB_REQUIREMENTS  other locked requirements for the hub's environment, such as those of an earlier JupyterHub
set -eu
. "$(dirname "$0")/lib.sh"

suite=${1:?usage: environments.sh SUITE}
python=$(suite_python "$suite")
uv=$(ensure_uv)
hub_lock=$project/packaging/hub-env/requirements.txt
# What the two have in common is made once.
same=
if [ -n "${HUB_REQUIREMENTS:-}" ] && ! cmp -s "$HUB_REQUIREMENTS" "$hub_lock"; then
    same=$(HUB_REQUIREMENTS='' "$0" "$suite")
    hub_lock=$HUB_REQUIREMENTS
fi
inputs="$project/packaging/environments.sh $hub_lock
    $project/packaging/hub-env/build-constraints.txt $project/packaging/hub-env/prune.txt
    $project/packaging/user-env/requirements.txt $project/packaging/user-env/prune.txt
    $project/packaging/user-env/rework.py $(echo "$project"/packaging/user-env/patches/*/*.patch)
    $project/packaging/uv/requirements.txt"
# shellcheck disable=SC2086 # a list of paths
key=$(cat $inputs | sha256sum | cut -c1-16)
out="$cache/environments/$suite-$key"
if [ -d "$out" ]; then
    printf '%s\n' "$out"
    exit 0
fi

# The minimal system serves one at a time. Not the lock of debs.sh, which holds that for as long as programs are built.
if [ -z "${TLJH_ENVIRONMENTS_LOCKED:-}" ]; then
    mkdir -p "$cache"
    TLJH_ENVIRONMENTS_LOCKED=1 exec flock --close "$cache/environments.lock" "$0" "$@"
fi

root="$cache/build-root/$suite"
if [ ! -e "$root/etc/debian_version" ]; then
    say "making a minimal $suite system to build in"
    mkdir -p "$cache/build-root"
    rm -rf "$root.new"
    mmdebstrap --quiet --variant=minbase --include="python3,ca-certificates" "$suite" "$root.new" >&2
    mv "$root.new" "$root"
fi

say "building the hub's environment and collecting wheels for $suite (Python $python)"
work="$cache/environments/.$suite-$key.$$"
leave() {
    for at in build cache/uv proc; do umount "$root/$at" 2>/dev/null || true; done
    rm -rf "$work"
}
trap leave EXIT
rm -rf "$work" "$root/opt/tljh"
mkdir -p "$work" "$cache/uv-cache" "$root/build" "$root/cache/uv" "$root/opt/tljh"
cp "$uv" "$work/uv"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# The builder's own certificate authorities, for indexes behind a company's gateway.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/builder.crt"
mount --bind "$work" "$root/build"
mount --bind "$cache/uv-cache" "$root/cache/uv"
mount -t proc proc "$root/proc"
cp "$hub_lock" "$work/hub.txt"
cp "$project"/packaging/hub-env/build-constraints.txt "$work/build.txt"

# Only index settings of the caller pass through; nothing else of the builder's environment does.
in_root() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy \
        UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        SSL_CERT_FILE=/etc/ssl/certs/builder.crt PIP_CERT=/etc/ssl/certs/builder.crt \
        ${UV_DEFAULT_INDEX:+UV_DEFAULT_INDEX="$UV_DEFAULT_INDEX"} ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} \
        PYTHONHASHSEED=0 SOURCE_DATE_EPOCH=1704067200 chroot "$root" "$@"
}
in_root /build/uv venv --quiet --python "/usr/bin/python$python" /opt/tljh/hub
in_root /build/uv pip install --quiet --python /opt/tljh/hub/bin/python --require-hashes \
    --build-constraints /build/build.txt -r /build/hub.txt

if [ -n "$same" ]; then
    cp -al "$same/wheels" "$same/requirements.txt" "$same/bytecode.tar.xz" "$work"
else
    cp "$project"/packaging/user-env/requirements.txt "$work"
    in_root /build/uv venv --quiet --python "/usr/bin/python$python" /tmp/pip
    grep -A 2 '^pip==' "$work/requirements.txt" | grep -v '#' > "$work/pip.txt"
    in_root /build/uv pip install --quiet --python /tmp/pip/bin/python --require-hashes -r /build/pip.txt
    in_root /tmp/pip/bin/python -m pip download --quiet --require-hashes --only-binary :all: --no-deps \
        -r /build/requirements.txt -d /build/wheels
    rm -rf "$root/tmp/pip"
    /usr/bin/python3 "$project/packaging/user-env/rework.py" "$work/wheels" "$work/requirements.txt"
    user=/opt/tljh/user
    in_root /build/uv venv --quiet --python "/usr/bin/python$python" $user
    # Not from the cache, which has wheels as they were before they were made anew.
    in_root /build/uv pip install --quiet --python $user/bin/python --no-index --no-cache --find-links /build/wheels \
        --require-hashes -r /build/requirements.txt
    # Templates in it are no valid Python. By one process: what it compiled before shows in a module's constants.
    in_root "/usr/bin/python$python" -W ignore -m compileall -q --invalidation-mode checked-hash \
        "$user/lib/python$python/site-packages" > "$work/compile.log" || true
    (cd "$root$user/lib/python$python/site-packages" && find . -name '*.pyc' -printf '%P\0' | LC_ALL=C sort -z |
        tar --create --null --files-from - --format=gnu --mtime=@0 --mode=644 --owner=0 --group=0 --numeric-owner |
        xz -1 --threads=1) > "$work/bytecode.tar.xz"
fi

# Sources of style sheets and pictures that no page asks for, and tests.
hub="$root/opt/tljh/hub"
site="$hub/lib/python$python/site-packages"
grep -v '^#' "$project/packaging/hub-env/prune.txt" | while read -r pattern; do
    case $pattern in
        share/*) (cd "$hub" && find . -path "./$pattern" -print0 | xargs -0r rm -rf) ;;
        ?*) (cd "$site" && find . -path "./$pattern" -print0 | xargs -0r rm -rf) ;;
    esac
done
rm -f "$hub"/bin/activate* "$hub"/bin/*.bat "$hub"/bin/cull_idle_servers.py
find "$hub" -type d -empty -delete
rm -rf "${hub:?}/lib64" "$hub/.lock" "$hub/.gitignore" "$hub/CACHEDIR.TAG"
# Modules are imported, never run: a first line for the shell would name an interpreter that nobody has.
find "$site" -name '*.py' -exec sed -i '1{/^#!/d}' {} +
# What only a debugger reads is a third of the compiled modules.
find "$site" -name '*.so*' -exec strip --strip-unneeded {} +
# Never looked at again by Python: dpkg owns source and bytecode together. By one process, as above.
in_root "/usr/bin/python$python" -m compileall -q --invalidation-mode unchecked-hash \
    "/opt/tljh/hub/lib/python$python/site-packages" > "$work/compile.log" || true
in_root /opt/tljh/hub/bin/python -c 'import jupyterhub.app, systemdspawner, firstuseauthenticator, nativeauthenticator, \
ldapauthenticator, tmpauthenticator, oauthenticator.github, jupyterhub_idle_culler, pamela, pluggy, pycurl' ||
    die "the hub's environment for $suite does not import"
find "$hub" -name '*.py' -exec chmod 644 {} +
find "$hub" -path '*/site-packages/*' -name '*.so*' -exec chmod 644 {} +

cp -a "$hub" "$work/hub"
(cd "$work" && rm -f hub.txt build.txt pip.txt compile.log)
umount "$root/build" "$root/cache/uv" "$root/proc"
rm -rf "$root/opt/tljh" "$root/etc/ssl/certs/builder.crt"
mv "$work" "$out"
printf '%s\n' "$out"
