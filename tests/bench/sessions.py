"""From the login form to JupyterLab: what a person waits for at the first and at later logins.

The clock starts when the login form is sent and stops when the /lab page of the person's own server is
answered with 200. At the first, the account and home are made.
"""

import time
from statistics import median

from tests.machines.hub_client import HubClient
from tests.machines.install import read_admin_password
from tests.machines.places import wait_for

from .figures import Figure, print_heading, print_rows, spread

NAME = "admin"
AGAIN = 3


def measure(machine):
    """Figures of one first and `AGAIN` later logins; no server runs afterwards."""
    print_heading("Login to JupyterLab ready")
    password = read_admin_password(machine)
    first = login_to_lab(machine.url, password)
    people = HubClient(machine.url, NAME).login(password)
    later = []
    for _ in range(AGAIN):
        people.stop_server()
        later.append(login_to_lab(machine.url, password))
    people.stop_server()
    print_rows(("seconds", "least / median"), [
        ("first, with the account made", spread([first])), (f"later, {AGAIN} times", spread(later)),
    ])
    slow = median(later)
    return [
        Figure("login to JupyterLab, first", f"{first:.1f} s", f"later: {slow:.1f} s", f"{first / slow:.2f}", "-"),
    ]


def login_to_lab(url, password):
    client = HubClient(url, NAME)
    lab = f"/user/{client.quoted}/lab"

    def ready():
        answer = client.request("GET", lab)
        return answer.status == 200 and answer.url.endswith(lab)

    began = time.monotonic()
    client.post_login(password)
    client.request("GET", "/hub/spawn")
    wait_for(ready, 120, f"{lab} answers 200", 0.1)
    return time.monotonic() - began
