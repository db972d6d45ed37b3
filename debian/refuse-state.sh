# shellcheck shell=sh
# A part of every package's preinst: dpkg unpacks one after the other, and the first has to refuse. Debian Policy 6.5:
# no program of ours can be relied on. The build fills in what it was told by `tljh-hub state-range`.
refuse_state() {
    oldest=@OLDEST_STATE@
    newest=@NEWEST_STATE@
    folder="${DPKG_ROOT:-}/var/lib/tljh"
    if [ -e "$folder/state-version" ]; then
        state=$(cat "$folder/state-version")
    elif [ -e "$folder/jupyterhub.sqlite" ]; then
        # From before versions were counted.
        state=1
    else
        return 0
    fi
    case $state in
        '' | *[!0-9]*)
            echo "error: \`/var/lib/tljh/state-version\` holds no whole number; nothing was changed" >&2
            echo "hint: put back the newest backup: run \`sudo tljh-hub backup restore\`" >&2
            exit 1
            ;;
    esac
    packages='tljh{,-hub,-config,-user-env,-proxy,-archive-keyring}'
    if [ "$state" -lt "$oldest" ]; then
        echo "error: tljh @VERSION@ cannot follow the version that is installed; nothing was changed" >&2
        echo "caused by: the state in \`/var/lib/tljh\` has version $state, and tljh @VERSION@ knows $oldest to $newest" >&2
        echo "hint: pass through version @PASS_THROUGH@: run \`sudo apt install $packages=@PASS_THROUGH@*\`" >&2
        exit 1
    fi
    [ "$state" -gt "$newest" ] || return 0
    echo "error: tljh @VERSION@ is too old for this server; nothing was changed" >&2
    echo "caused by: the state in \`/var/lib/tljh\` has version $state, and tljh @VERSION@ knows $oldest to $newest" >&2
    # The newest backup of a state that this version knows.
    found=0
    for backup in "$folder"/backups/[0-9]*; do
        number=${backup##*/}
        case $number in *[!0-9]*) continue ;; esac
        of=$(cat "$backup/state-version" 2> /dev/null) || continue
        case $of in '' | *[!0-9]*) continue ;; esac
        if [ "$of" -ge "$oldest" ] && [ "$of" -le "$newest" ] && [ "$number" -gt "$found" ]; then
            found=$number
        fi
    done
    if [ "$found" -gt 0 ]; then
        echo "hint: go back to before the upgrade, without what people and settings have become since: run \`sudo tljh-hub backup restore --keep-stopped $found\`, then the same apt command again" >&2
    else
        echo "hint: there is no backup that it could use; stay with the version that is installed: run \`sudo apt install tljh\`" >&2
    fi
    exit 1
}
