"""Power cuts right after something was promised to be kept: it is kept."""

from tests.machines.hub_client import HubClient
from tests.machines.install import http_status, read_admin_password, wait_for_login_page
from tests.machines.places import wait_for

from patience import HUB, PATIENCE
from power import cut_after

API = ("curl -sS --fail-with-body -H \"Authorization: token $(cat /var/lib/tljh/proxy-api-token)\" "
       "http://127.0.0.1:15002/api/routes")
BACKEND = """[Service]
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv 8123
[Install]
WantedBy=multi-user.target
"""


def test_a_power_cut_takes_what_nobody_waited_for_and_nothing_else(machine):
    machine.boot(without=HUB)
    machine.keep_writes_back()
    machine.run("echo kept > /srv/kept && sync /srv/kept && echo lost > /srv/lost")
    machine.cut_power()
    machine.boot(without=HUB)
    assert machine.output("cat /srv/kept") == "kept"
    assert machine.output("cat /srv/lost", check=False) == ""


def test_a_route_that_was_added_just_before_is_served_before_the_hub_is_up(machine):
    machine.run("mkdir -p /srv/lesson && echo good morning > /srv/lesson/index.html")
    machine.write("/etc/systemd/system/lesson.service", BACKEND)
    machine.run("systemctl enable lesson && sync")
    cut_after(machine, API + "/lesson -X POST -d '{\"target\": \"http://127.0.0.1:8123\"}'")
    machine.boot(without=HUB)
    wait_for(lambda: http_status(machine.url + "lesson/", 60) == 200, PATIENCE, "the route is served")
    assert machine.output("systemctl is-active jupyterhub", check=False) == "inactive"
    machine.run("systemctl disable --now lesson")
    machine.poweroff()


def test_a_password_chosen_just_before_is_the_one_that_counts(machine):
    machine.boot()
    wait_for_login_page(machine, deadline=PATIENCE)
    initial = read_admin_password(machine)
    teacher = HubClient(machine.url, "admin").login(initial)
    teacher.add_user("ada")
    machine.run("sync")
    machine.keep_writes_back()
    HubClient(machine.url, "ada").login("the first password")
    machine.cut_power()
    machine.boot()
    wait_for_login_page(machine, deadline=PATIENCE)
    again = HubClient(machine.url, "ada").post_login("another password")
    assert "Invalid username or password" in again.text
    HubClient(machine.url, "ada").login("the first password")
    HubClient(machine.url, "admin").login(initial)
