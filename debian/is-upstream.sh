# shellcheck shell=sh
# A part of scripts that may meet an installation of upstream's. Debian Policy 6.5: no program of ours can be relied on.
#
# What is upstream's is set aside in /opt/tljh/.upstream, trees by rename(2), and is never written to: the way back is to
# rename it again. `tljh-hub adopt` takes it over and leaves the file `adopted` there; `undo` there says that it is to come
# back all the same. All of this may be repeated, and killed at any point.
prefix="${DPKG_ROOT:-}/opt/tljh"
aside="$prefix/.upstream"
units="${DPKG_ROOT:-}/etc/systemd/system"

upstream_is_there() {
    # Its installer keeps its log there and makes this unit; dpkg has no idea of either.
    [ -e "$prefix/installer.log" ] || [ -e "$prefix/hub/bin/traefik" ] ||
        grep -qs /opt/tljh/hub "$units/jupyterhub.service"
}

# Whether it was set aside and is not ours yet, or is to come back.
upstream_is_aside() {
    [ -d "$aside" ] && { [ ! -e "$aside/adopted" ] || [ -e "$aside/undo" ]; }
}
