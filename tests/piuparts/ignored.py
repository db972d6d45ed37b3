"""What piuparts complains of and may: each a path as a regular expression, and the reason."""

IGNORED = [
    (r"^/var/cache/debconf/tmp\.ci(/|$)", "dpkg-preconfigure of apt-utils makes it at the first installation of whatever package, and keeps it"),
    (r"^/opt/?$", "base-files makes it and does not own it. dpkg takes it away with the last of our folders there; where these outlived"
     " a removal, as with people's environments, that is in a purge, after the last script that could make it again"),
]
