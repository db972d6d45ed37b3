# Login shells of JupyterLab's terminals: Debian's /etc/profile sets PATH anew.
if [ -n "${JUPYTERHUB_USER:-}" ]; then
    PATH="/opt/tljh/user/bin:$HOME/.local/bin:$PATH"
    export PATH
fi
