"""What `apt purge` and `apt autoremove --purge` may leave, with a reason each."""

from tests.machines import inventory
from tests.machines.install import KEYRING, SOURCES

ALLOWED = [
    (r"path /var/log/", "logs of the system stay, as policy asks"),
    (r"path /(run|tmp|var/tmp)/", "runtime files of the system's own services"),
    (r"path /var/(lib|cache)/apt/", "apt's lists, cache and marks"),
    (r"path /var/cache/debconf/", "debconf's database; its contents are compared as `debconf`"),
    (r"path /var/lib/dpkg/(status|available|triggers|lock|.*-old$|.*-old:)", "dpkg's own records"),
    (r"path /var/cache/ldconfig/", "a cache of ldconfig"),
    (r"path /etc/ld.so.cache: -rw-r--r-- 0:0 \w+ -> -rw-r--r-- 0:0 ", "a cache of ldconfig"),
    (r"path /etc/(passwd|group|shadow|gshadow|subuid|subgid)-: ", "backups by the passwd tools"),
    (r"path /var/lib/systemd/(timers|random-seed|catalog|credential.secret)", "state of systemd"),
    (r"(process|unit) .*(apt-daily|dpkg-db-backup|systemd-tmpfiles|man-db|e2scrub)", "timers that went off"),
    (r"path /var/backups/", "written by dpkg-db-backup.timer"),
]
KEPT_HOMES = [(r"path /home/jupyter-", "homes of users are kept unless asked otherwise")]


def purge(machine):
    """`apt purge tljh`, then `apt autoremove --purge`; returns what both printed."""
    done = [
        machine.run(f"apt-get -q -y {command}", timeout=300)
        for command in ("purge tljh", "autoremove --purge")
    ]
    return tuple(each.stdout + each.stderr for each in done)


def forget_repository(machine):
    """Undo by hand what the teacher added by hand: the address and the key."""
    machine.run(f"rm -f {KEYRING} {SOURCES}")


def assert_as_before(machine, before, allowed=()):
    """Fail with every difference to the inventory `before` that has no reason."""
    found = inventory.differences(before, inventory.take(machine))
    left = inventory.unexpected(found, [*ALLOWED, *allowed])
    assert left == [], "\n".join(left)


def assert_nothing_of_ours_lives(machine):
    """No process, socket, unit, account, group or state; files of inert packages may remain."""
    left = machine.output(
        r"""
        pgrep -a -f 'jupyterhub|tljh-proxy|tljh-hub|singleuser|ipykernel' | grep -v pgrep
        ss -Hltn | grep -E ':(80|443|15001|15002)\b'
        systemctl list-units --all --plain --no-legend 'jupyter*' 'tljh*' | grep -v not-found
        find /etc/systemd/system /run/systemd/transient -name '*tljh*' -o -name '*jupyter*' 2>/dev/null
        getent passwd | grep -E '^(jupyter-|tljh)'
        getent group | grep -E '^(jupyter|tljh)'
        ls -d /etc/tljh /var/lib/tljh /var/lib/tljh-proxy /run/tljh /run/tljh-proxy /opt/tljh/user* /opt/tljh/generations /opt/tljh/envs /opt/tljh/.hub \
            /opt/tljh/config /opt/tljh/state /etc/sudoers.d/*tljh* /etc/sudoers.d/*jupyter* 2>/dev/null
        debconf-show tljh | grep -v '^$'
        """,
        check=False,
    )
    assert left == "", left
