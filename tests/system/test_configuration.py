"""Every key of config.yaml takes effect on the running machine."""

import shlex

import pytest

from tests.machines.hub_client import HubClient
from tests.machines.install import http_status, wait_for_login_page
from tests.machines.places import wait_for

ON_ANY_RELEASE = True

PASSWORD = "a first password"
SNIPPET = "/etc/tljh/jupyterhub_config.d/test.py"


class Settings:
    """Changes config.yaml through tljh-config, as an admin types it."""

    def __init__(self, machine):
        self.machine = machine

    def type(self, *lines):
        for line in lines:
            self.machine.run(f"tljh-config {line}")

    def apply(self, url=None):
        self.type("reload")
        return wait_for_login_page(self.machine, url)


@pytest.fixture
def settings(shared, teacher):
    """The shared machine's settings, put back and applied afterwards."""
    saved = shared.output("cat /etc/tljh/config.yaml")
    yield Settings(shared)
    moved = "http:" in shared.output("cat /etc/tljh/config.yaml")
    shared.write("/etc/tljh/config.yaml", saved + "\n", 0o600)
    shared.run(f"rm -f {SNIPPET}")
    # What worked before needs no check; systemd waits until the hub answers.
    shared.run("systemctl restart jupyterhub" + (" && tljh-config reload proxy" if moved else ""))
    wait_for_login_page(shared)


@pytest.fixture
def student(shared, teacher):
    """Adds `name` if need be and logs them in; their server is stopped afterwards."""
    made = []

    def make(name, url=None):
        client = HubClient(url or shared.url, name).login(PASSWORD)
        made.append(client)
        return client

    yield make
    shared.run("systemctl stop 'jupyter-*.service'", check=False)


def server_properties(machine, account, *names):
    shown = machine.output(f"systemctl show jupyter-{account}.service -p {','.join(names)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_base_url_moves_the_hub_and_servers(shared, teacher, settings, student):
    teacher.add_user("paul")
    settings.type("set base_url /classes")
    settings.apply(shared.url + "classes/")
    client = student("paul", shared.url + "classes/")
    client.start_server()
    assert client.start_kernel().run("print(6 * 7)") == "42\n"


def test_http_port_moves_the_public_address(shared, settings):
    settings.type("set http.port 8123", "reload proxy")
    wait_for_login_page(shared, f"http://{shared.address}:8123/")
    assert http_status(shared.url) is None


def test_http_address_limits_who_can_connect(shared, settings):
    settings.type("set http.address 127.0.0.1", "reload proxy")
    wait_for(lambda: shared.run("curl -fs http://127.0.0.1/hub/login", check=False).returncode == 0)
    assert http_status(shared.url) is None


def test_http_socket_is_for_its_group_alone_and_outlives_a_restart(shared, settings):
    settings.type("set http.socket /run/tljh-proxy/http.sock", "reload proxy")
    ask = "curl -fs --unix-socket /run/tljh-proxy/http.sock http://hub.test/_chp_healthz"
    for command in ("true", "systemctl reload tljh-proxy", "systemctl restart tljh-proxy"):
        shared.run(command)
        shared.run(f"runuser -u www-data -- {ask}")
        assert shared.run(f"runuser -u nobody -- {ask}", check=False).returncode != 0


def test_default_app_classic_opens_the_notebook(shared, teacher, settings, student):
    teacher.add_user("quinn")
    settings.type("set user_environment.default_app classic")
    settings.apply()
    client = student("quinn")
    client.start_server()
    wait_for(lambda: "/tree" in client.request("GET", "/user/quinn/").url, 15, "redirect to /tree")


def test_limits_reach_the_unit(shared, teacher, settings, student):
    teacher.add_user("rosa")
    settings.type("set limits.memory 512M", "set limits.cpu 1.5")
    settings.apply()
    student("rosa").start_server()
    assert server_properties(
        shared, "rosa", "MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec"
    ) == {"MemoryMax": str(512 << 20), "MemorySwapMax": "0", "CPUQuotaPerSecUSec": "1.500000s"}


def test_allowed_users_get_in_and_banned_ones_do_not(shared, settings):
    settings.type("add-item users.allowed tina", "add-item users.banned uwe", "add-item users.allowed uwe")
    settings.apply()
    HubClient(shared.url, "tina").login(PASSWORD)
    assert "/hub/home" not in HubClient(shared.url, "uwe").post_login(PASSWORD).url
    assert "/hub/home" not in HubClient(shared.url, "vera").post_login(PASSWORD).url


def test_admin_users_become_admins(shared, teacher, settings):
    teacher.add_user("wanda")
    HubClient(shared.url, "wanda").login(PASSWORD)
    settings.type("add-item users.admin wanda")
    settings.apply()
    assert HubClient(shared.url, "wanda").login(PASSWORD).api("GET", "user")["admin"] is True
    assert teacher.api("GET", "user")["admin"] is True


def test_extra_user_groups_are_joined(shared, teacher, settings, student):
    teacher.add_user("xenia")
    shared.run("getent group lab-group || groupadd lab-group")
    settings.type("add-item users.extra_user_groups.lab-group xenia")
    settings.apply()
    client = student("xenia")
    client.start_server()
    assert "lab-group" in client.start_kernel().run("import subprocess; print(subprocess.getoutput('id -Gn'))")


def test_firstuse_lets_anybody_in_when_asked_to(shared, settings):
    settings.type("set auth.FirstUseAuthenticator.create_users true")
    settings.apply()
    HubClient(shared.url, "yann").login(PASSWORD)


def test_another_authenticator_takes_over(shared, settings):
    settings.type(
        "set auth.type dummy", "set auth.DummyAuthenticator.password " + shlex.quote("everybody's"),
        "add-item users.allowed zara",
    )
    settings.apply()
    HubClient(shared.url, "zara").login("everybody's")
    assert "/hub/home" not in HubClient(shared.url, "zara").post_login(PASSWORD).url


@pytest.mark.parametrize("kind, field", [
    ("nativeauthenticator.NativeAuthenticator", "signup"),
    ("pam", "password_input"),
    ("ldapauthenticator.LDAPAuthenticator", "password_input"),
    ("tmpauthenticator.TmpAuthenticator", "tmplogin"),
    ("github", "oauth_login"),
])
def test_bundled_authenticator_serves_its_page(shared, settings, kind, field):
    settings.type(f"set auth.type {kind}")
    if kind == "ldapauthenticator.LDAPAuthenticator":
        settings.type("set auth.LDAPAuthenticator.server_address ldap.example",
                      "set auth.LDAPAuthenticator.bind_dn_template uid={username},ou=people")
    if kind == "github":
        settings.type("set auth.GitHubOAuthenticator.client_id id",
                      "set auth.GitHubOAuthenticator.client_secret secret",
                      "set auth.GitHubOAuthenticator.oauth_callback_url http://hub.example/hub/oauth_callback")
    settings.type("reload")
    wait_for(
        lambda: field in shared.run("curl -si http://127.0.0.1/hub/login", check=False).stdout,
        30, f"the login page of {kind}",
    )


def test_snippet_has_the_last_word(shared, teacher, settings, student):
    teacher.add_user("bruno")
    settings.type("set limits.cpu 2")
    shared.write(SNIPPET, "c.Spawner.cpu_limit = 1.0\nc.Spawner.environment = {'CLASS': 'biology'}\n")
    settings.apply()
    client = student("bruno")
    client.start_server()
    assert client.start_kernel().run("import os; print(os.environ['CLASS'])") == "biology\n"
    assert server_properties(shared, "bruno", "CPUQuotaPerSecUSec")["CPUQuotaPerSecUSec"] == "1s"


def test_idle_servers_are_culled_after_the_time_set(shared, teacher, settings, student):
    teacher.add_user("carla")
    settings.type("set services.cull.timeout 5", "set services.cull.every 2")
    settings.apply()
    client = student("carla")
    client.start_server()
    wait_for(lambda: client.server() is None, 60, "the idle server is stopped", 1)
    wait_for(lambda: shared.output("systemctl is-active jupyter-carla.service", check=False) != "active")


def test_culler_can_be_switched_off(shared, settings):
    settings.type("set services.cull.enabled false")
    settings.apply()
    assert shared.run("pgrep -f jupyterhub_idle_culler", check=False).returncode != 0


def test_invalid_value_is_refused_and_changes_nothing(shared, settings):
    before = shared.output("cat /etc/tljh/config.yaml")
    done = shared.run("tljh-config set http.port eighty", check=False)
    assert done.returncode == 1 and "http.port" in done.stderr
    assert shared.output("cat /etc/tljh/config.yaml") == before
