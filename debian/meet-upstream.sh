# shellcheck shell=sh
# A part of scripts that meet an installation of upstream's. Debian Policy 6.5: no program of ours can be relied on.
#
# What is upstream's is set aside in /opt/tljh/.upstream, trees by rename(2), and is never written to: the way back is to
# rename it again. `tljh-hub adopt` takes it over and leaves the file `adopted` there; `undo` there says that it is to come
# back all the same. All of this may be repeated, and killed at any point.
prefix="${DPKG_ROOT:-}/opt/tljh"
aside="$prefix/.upstream"
units="${DPKG_ROOT:-}/etc/systemd/system"
sudoers="${DPKG_ROOT:-}/etc/sudoers.d/jupyterhub-admins"

upstream_is_there() {
    # Its installer keeps its log there and makes this unit; dpkg has no idea of either.
    [ -e "$prefix/installer.log" ] || [ -e "$prefix/hub/bin/traefik" ] ||
        grep -qs /opt/tljh/hub "$units/jupyterhub.service"
}

# Whether it was set aside and is not ours yet, or is to come back.
upstream_is_aside() {
    [ -d "$aside" ] && { [ ! -e "$aside/adopted" ] || [ -e "$aside/undo" ]; }
}

is_booted() {
    [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]
}

refuse_unfit_upstream() {
    [ ! -d "$aside" ] || return 0
    if ! upstream_is_there; then
        if [ -e "$prefix/hub/pyvenv.cfg" ] && [ ! -e "${DPKG_ROOT:-}/var/lib/dpkg/info/tljh-hub.list" ]; then
            echo "error: \`/opt/tljh/hub\` was made neither by this package nor by upstream's installer; nothing was changed" >&2
            echo "hint: move it away: run \`sudo mv /opt/tljh/hub /opt/tljh/hub.old\`" >&2
            exit 1
        fi
        return 0
    fi
    # Its own Python knows its formats; one that does not start any more is no reason to refuse.
    for python in "$prefix/hub/bin/python3" /usr/bin/python3; do
        if [ -x "$python" ] && told=$(find_flaw "$python"); then
            [ -n "$told" ] || return 0
            echo "error: this installation of upstream's cannot be taken over as it is; nothing was changed" >&2
            echo "$told" >&2
            exit 1
        fi
    done
}

find_flaw() {
    "$1" -I - "$prefix" 2> /dev/null << 'END'
import dbm, os, sqlite3, sys, urllib.parse

prefix = sys.argv[1]
BIG = 1 << 30


def refuse(what, hint):
    print(f"caused by: {what}\nhint: {hint}")
    sys.exit()


def first(*names):
    found = [os.path.join(prefix, name) for name in names]
    return next((path for path in found if os.path.lexists(path)), None)


with open("/proc/self/mountinfo") as mounts:
    mounted = {line.split()[4] for line in mounts}
for name in ("", "hub", "config", "state", "user"):
    path = os.path.join(prefix, name).rstrip("/")
    if name and path in mounted:
        refuse(f"`{path}` is a file system of its own and cannot be renamed", f"unmount it: run `sudo umount {path}`, and copy what is in it there")
    if os.path.islink(path) and not os.path.isabs(os.readlink(path)):
        refuse(f"`{path}` is a relative link and cannot be moved", f"make it an absolute one: run `sudo ln -sfn \"$(readlink -f {path})\" {path}`")

try:
    from ruamel.yaml import YAML
    load = YAML(typ="safe").load
except ImportError:
    try:
        from yaml import safe_load as load
    except ImportError:
        load = None
path = first("config/config.yaml", "config.yaml")
if path:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        settings = load(text) if load else None
        if not isinstance(settings, (dict, type(None))):
            raise ValueError("it is no mapping")
    except Exception as error:
        where = getattr(error, "problem_mark", None)
        # Nothing of its contents: there may be passwords.
        what = f"line {where.line + 1}: {error.problem}" if where else error.strerror if isinstance(error, OSError) else "it is no YAML mapping"
        refuse(f"`{path}` cannot be read: {what}", f"correct it: run `sudo editor {path}`")

path = first("state/jupyterhub.sqlite")
size = 0
if path:
    size = os.path.getsize(path)
    try:
        database = sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=rw", uri=True, timeout=60)
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        database.close()
    except sqlite3.Error as error:
        refuse(f"the hub's database `{path}` is damaged: {error}", "put a copy of yours in its place, or have SQLite save what it can: run `sudo sqlite3 " + path + " .recover`")

path = os.path.join(prefix, "state/passwords.dbm")
kind = dbm.whichdb(path)
if kind is not None:
    try:
        if not kind:
            raise ValueError("its format is unknown")
        with dbm.open(path, "r") as database:
            for key in database.keys():
                database[key]
    except ImportError:
        refuse(f"the password database `{path}` has the format of {kind}, which this Python cannot read", "run `sudo apt install python3-gdbm`")
    except Exception as error:
        refuse(f"the password database `{path}` cannot be read: {error}", f"put a copy of yours in its place: `{path}`")

for folder, needed in ((prefix, BIG), ("/var/lib", 64 * 1048576 + 4 * size)):
    found = os.statvfs(folder)
    free = found.f_bfree * found.f_frsize
    if free < needed:
        refuse(f"{needed // 1048576} MiB are needed on the file system of `{folder}`, and {free // 1048576} MiB are free", "make room: run `sudo apt clean`, then see what is large with `sudo du -xh --max-depth 2 / | sort -h | tail`")
END
}

# Keeps a copy of a file, which is then whole or absent.
keep_copy() {
    rm -rf "$aside/.new"
    cp -a "$1" "$aside/.new"
    mv -T "$aside/.new" "$2"
}

# From here on upstream's hub serves no more: dpkg is about to put ours into its place. Users' servers are units of their own.
set_upstream_aside() {
    upstream_is_there || upstream_is_aside || return 0
    [ ! -e "$aside/undo" ] || return 0
    (umask 077 && mkdir -p "$aside/units")
    for name in jupyterhub traefik configurable-http-proxy; do
        unit=$units/$name.service
        if grep -qs /opt/tljh "$unit"; then
            [ ! -L "$units/multi-user.target.wants/$name.service" ] || touch "$aside/units/$name.enabled"
            if is_booted && systemctl --quiet is-active "$name.service"; then
                touch "$aside/units/$name.active"
            fi
            [ -e "$aside/units/$name.service" ] || keep_copy "$unit" "$aside/units/$name.service"
            if [ -d "$unit.d" ] && [ ! -e "$aside/units/$name.service.d" ]; then
                keep_copy "$unit.d" "$aside/units/$name.service.d"
            fi
        fi
    done
    if [ -e "$sudoers" ] && [ ! -e "$aside/sudoers" ]; then
        keep_copy "$sudoers" "$aside/sudoers"
    fi
    if [ -L "${DPKG_ROOT:-}/usr/bin/tljh-config" ] && [ ! -e "$aside/tljh-config" ]; then
        keep_copy "${DPKG_ROOT:-}/usr/bin/tljh-config" "$aside/tljh-config"
    fi
    sync
    echo "adopting: upstream's hub and proxy stop; people's servers keep running" >&2
    for name in jupyterhub traefik configurable-http-proxy; do
        [ -e "$aside/units/$name.service" ] || continue
        if is_booted; then
            systemctl stop "$name.service"
        fi
        rm -rf "$units/$name.service.d"
        rm -f "$units/$name.service" "$units/multi-user.target.wants/$name.service"
    done
    ! is_booted || systemctl daemon-reload
    # The same text as the conffile of tljh: dpkg asks about no other one, and nobody is without sudo meanwhile.
    if [ -e "$aside/sudoers" ]; then
        cat > "$sudoers.dpkg-new" << 'END'
@SUDOERS@
END
        chmod 0440 "$sudoers.dpkg-new"
        mv -T "$sudoers.dpkg-new" "$sudoers"
    fi
    if [ -e "$prefix/hub" ] && [ ! -e "$aside/hub" ]; then
        mv -T "$prefix/hub" "$aside/hub"
    fi
    echo "adopting: upstream's files are set aside in \`/opt/tljh/.upstream\`, where they stay until \`tljh-hub adopt commit\`" >&2
}

# After our own files have gone.
put_upstream_back() {
    upstream_is_aside || return 0
    for name in hub config state user config.yaml jupyterhub_config.d installer.log; do
        if [ -e "$aside/$name" ] || [ -L "$aside/$name" ]; then
            rm -rf "${prefix:?}/$name"
            mv -T "$aside/$name" "$prefix/$name"
        fi
    done
    for name in jupyterhub traefik configurable-http-proxy; do
        [ -e "$aside/units/$name.service" ] || continue
        rm -rf "$units/$name.service.d"
        [ ! -e "$aside/units/$name.service.d" ] || cp -a "$aside/units/$name.service.d" "$units/"
        cp -a "$aside/units/$name.service" "$units/.$name.service.new"
        mv -T "$units/.$name.service.new" "$units/$name.service"
        if [ -e "$aside/units/$name.enabled" ]; then
            mkdir -p "$units/multi-user.target.wants"
            ln -sf "/etc/systemd/system/$name.service" "$units/multi-user.target.wants/$name.service"
        fi
    done
    if [ -e "$aside/sudoers" ]; then
        cp -a "$aside/sudoers" "$sudoers.dpkg-new"
        mv -T "$sudoers.dpkg-new" "$sudoers"
    fi
    if [ -L "$aside/tljh-config" ] && [ ! -e "${DPKG_ROOT:-}/usr/bin/tljh-config" ]; then
        cp -a --remove-destination "$aside/tljh-config" "${DPKG_ROOT:-}/usr/bin/tljh-config"
    fi
    if is_booted; then
        systemctl daemon-reload
        for name in configurable-http-proxy traefik jupyterhub; do
            [ ! -e "$aside/units/$name.active" ] || systemctl start "$name.service" ||
                echo "warning: upstream's \`$name.service\` does not start; run \`sudo journalctl --unit $name\`" >&2
        done
    fi
    rm -rf "$aside"
    echo "upstream's installation is back in \`/opt/tljh\`" >&2
}
