"""What piuparts complains of and may: each a path as a regular expression, and the reason."""

IGNORED = [
    (r"^/var/cache/debconf/tmp\.ci(/|$)", "dpkg-preconfigure of apt-utils makes it at the first installation of whatever package, and keeps it"),
]
