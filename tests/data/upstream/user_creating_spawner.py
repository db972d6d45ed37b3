"""Servers under accounts `jupyter-NAME`, made at the first start as upstream makes them."""

import pwd
import subprocess

from systemdspawner import SystemdSpawner


class UserCreatingSpawner(SystemdSpawner):
    def start(self):
        account = f"jupyter-{self.user.name}"
        try:
            pwd.getpwnam(account)
        except KeyError:
            subprocess.check_call(["useradd", "--create-home", account])
            subprocess.check_call(["chmod", "o-rwx", f"/home/{account}"])
        subprocess.check_call(["gpasswd", "--add", account, "jupyterhub-users"])
        admin = "--add" if self.user.admin else "--delete"
        subprocess.call(["gpasswd", admin, account, "jupyterhub-admins"])
        self.username_template = account
        self.disable_user_sudo = not self.user.admin
        return super().start()
