# Login shells of JupyterLab's terminals: Debian's /etc/profile sets PATH anew.
if [ -n "${JUPYTERHUB_USER:-}" ]; then
    PATH="/opt/tljh/user/bin:$HOME/.local/bin:$PATH"
    # A server that runs on another generation than the active one, which is broken.
    if [ -n "${TLJH_GENERATION:-}" ]; then
        PATH="${TLJH_GENERATION%/*}/fallback-bin:$TLJH_GENERATION/bin:$PATH"
    fi
    export PATH
fi
