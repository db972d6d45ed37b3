# shellcheck shell=sh
# shellcheck disable=SC2154 # is-upstream.sh comes before
# A part of the preinst of every package whose files would meet those of upstream's installer; after is-upstream.sh. dpkg
# unpacks one after the other, and the first has to refuse.
refuse_unfit_upstream() {
    [ ! -d "$aside" ] || return 0
    if ! upstream_is_there; then
        if [ -e "$prefix/hub/pyvenv.cfg" ] && ! dpkg-query --listfiles tljh-hub 2> /dev/null | grep -qx /opt/tljh/hub; then
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
