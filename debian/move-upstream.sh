# shellcheck shell=sh
# shellcheck disable=SC2154 # is-upstream.sh comes before
# A part of tljh-hub's preinst and postrm, after is-upstream.sh: its environment comes into the place of upstream's.
sudoers="${DPKG_ROOT:-}/etc/sudoers.d/jupyterhub-admins"

is_booted() {
    [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]
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
    # Once it was, what is in its place is ours.
    [ ! -e "$aside/whole" ] || return 0
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
    sync
    echo "adopting: upstream's hub and proxy stop; people's servers keep running" >&2
    for name in jupyterhub traefik configurable-http-proxy; do
        [ -e "$aside/units/$name.service" ] || continue
        if is_booted; then
            systemctl stop "$name.service"
            # How a program that was asked to end did so is of no interest any more.
            systemctl reset-failed "$name.service" 2> /dev/null || true
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
    touch "$aside/whole"
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
    # dpkg has put ours into the place of upstream's link, perhaps before any of this.
    if [ -e "$prefix/hub/bin/tljh-config" ] && [ ! -e "${DPKG_ROOT:-}/usr/bin/tljh-config" ]; then
        ln -sfn /opt/tljh/hub/bin/tljh-config "${DPKG_ROOT:-}/usr/bin/tljh-config"
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
