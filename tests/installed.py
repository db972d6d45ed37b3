"""The packages as they are installed on the machine where this runs: a class logs in, works and is apart (DEP 8).

Needs root. Exits with 1 at the first promise that is not kept.
"""

import pwd
import secrets
import stat
import subprocess
import sys
from pathlib import Path

from tests.machines.hub_client import HubClient
from tests.machines.install import http_status
from tests.machines.places import wait_for

URL = "http://127.0.0.1/"
ADMIN_PASSWORD = Path("/etc/tljh/initial-admin-password")


def promise(text, kept):
    print("ok  " if kept else "FAIL", text, flush=True)
    if not kept:
        sys.exit(1)


def main():
    wait_for(lambda: http_status(URL + "hub/login") == 200, 60, "the login page")
    promise("the login page is served", True)
    promise("no unit failed", subprocess.run(
        ["systemctl", "--failed", "--quiet", "--no-legend", "list-units", "jupyter*", "tljh*"],
        capture_output=True, text=True, check=True).stdout.strip() == "")

    admin = HubClient(URL, "admin").login(ADMIN_PASSWORD.read_text().split()[-1])
    promise("the first administrator logs in with the password that was made", admin.api("GET", "user")["admin"])
    name = f"pupil-{secrets.token_hex(3)}"
    admin.add_user(name)
    pupil = HubClient(URL, name).login(secrets.token_hex(12))
    pupil.start_server()
    promise("a kernel computes", pupil.start_kernel().run("print(6 * 7)") == "42\n")

    account = pwd.getpwnam(f"jupyter-{name}")
    who = pupil.start_kernel().run("import getpass, os; print(getpass.getuser(), os.getcwd())").split()
    promise("it runs in an own account and home", who == [account.pw_name, account.pw_dir])
    promise("the home is closed to others", stat.S_IMODE(Path(account.pw_dir).stat().st_mode) == 0o700)
    sound = subprocess.run(["tljh-user-env", "check"], capture_output=True, text=True)
    promise("the user environment is sound", sound.returncode == 0)
    pupil.stop_server()


if __name__ == "__main__":
    main()
