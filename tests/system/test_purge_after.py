"""Purge leaves no difference either after all that can have happened, and takes nothing that only looks like ours."""

import pytest

from tests.machines import inventory
from tests.machines.environment import wait_until_settled
from tests.machines.hub_client import HubClient
from tests.machines.install import add_repository, install, read_admin_password, wait_for_login_page
from tests.machines.places import wait_for

import purging
from test_https import NAME, Certificate

ON_ANY_RELEASE = True

PASSWORD = "a first password"
OURS = "tljh tljh-hub tljh-config tljh-user-env tljh-proxy tljh-archive-keyring"
ALL = "tljh{,-hub,-config,-user-env,-proxy,-archive-keyring}"
# Of the administrator, and of other packages.
THEIRS = {
    "jupyter-x": "an account that the hub did not make",
    "/opt/tljh/theirs.txt": "beside our files",
    "/opt/tljh-other/file": "of another package, below a name like ours",
    "/home/jupyter-y/file": "a home without an account of the hub",
    "/etc/systemd/system/jupyter-lab.service.d/own.conf": "a unit of the administrator's",
    "/etc/sudoers.d/jupyterhub-own": "rules of the administrator's",
}


def test_purge_after_an_upgrade_and_a_downgrade_leaves_the_machine_as_it_was(machines, newer):
    machine = machines()
    before = inventory.take(machine)
    add_repository(machine)
    install(machine)
    wait_for_login_page(machine)
    old = machine.output("dpkg-query --show --showformat '${Version}' tljh")
    HubClient(machine.url, "admin").login(read_admin_password(machine)).start_server()
    newer(1).install(machine)
    wait_for_login_page(machine)
    machine.run(f"apt-get --yes --quiet --allow-downgrades install {ALL}={old}", timeout=600)
    wait_for_login_page(machine)
    # As docs/backups.md says, since apt takes what was named for wanted.
    machine.run("apt-mark auto tljh-{hub,config,user-env,proxy,archive-keyring}")
    purging.purge(machine)
    purging.forget_repository(machine)
    purging.assert_as_before(machine, before, purging.KEPT_HOMES)


def test_purge_after_every_feature_was_used_leaves_the_machine_as_it_was(machines, tmp_path):
    machine = machines()
    Certificate(tmp_path).install(machine)
    before = inventory.take(machine)
    add_repository(machine)
    install(machine)
    wait_for_login_page(machine)
    teacher = HubClient(machine.url, "admin").login(read_admin_password(machine))
    for name in ("ann", "ben@school.example", "x" * 40):
        teacher.add_user(name)
        HubClient(machine.url, name).login(PASSWORD).start_server()
    use_everything(machine)
    purging.purge(machine)
    purging.assert_nothing_of_ours_lives(machine)
    machine.run("rm -r /etc/uv; test ! -e /root/uv || mv /root/uv /etc/uv")
    purging.forget_repository(machine)
    purging.assert_as_before(machine, before, purging.KEPT_HOMES)


def use_everything(machine):
    """Settings, snippets, drop-ins, HTTPS, a socket, environments, backups, and a way back."""
    machine.run("test ! -e /etc/uv || mv /etc/uv /root/uv; mkdir /etc/uv")
    machine.write("/etc/uv/uv.toml", "offline = true\n")
    wait_until_settled(machine)
    machine.run("tljh-user-env create stats --display-name 'Statistics 2'", timeout=300)
    machine.run("tljh-user-env create gone && tljh-user-env delete --yes gone || tljh-user-env delete gone", timeout=300)
    machine.run("tljh-user-env remove ipywidgets && tljh-user-env rollback", timeout=300)
    machine.write("/etc/tljh/jupyterhub_config.d/own.py", "c.Spawner.debug = True\n", 0o600)
    machine.run(
        "tljh-config set limits.memory 700M && tljh-config reload hub &&"
        " tljh-config set limits.memory 800M && tljh-config reload hub && tljh-config rollback",
        timeout=300,
    )
    for unit in ("jupyterhub.service", "tljh-proxy.service", "tljh-users.slice"):
        folder = f"/etc/systemd/system/{unit}.d"
        machine.run(f"mkdir -p {folder}")
        machine.write(f"{folder}/override.conf", "[Unit]\nDescription=ours\n")
    machine.run("systemctl daemon-reload && tljh-hub backup create && tljh-hub backup restore", timeout=300)
    wait_for_login_page(machine)
    machine.run(
        "tljh-config set http.socket /run/tljh-proxy/http.sock && tljh-config set http.socket_group root &&"
        " tljh-config set https.enabled true &&"
        " tljh-config set https.tls.key /etc/ssl/tljh-test/key.pem &&"
        " tljh-config set https.tls.cert /etc/ssl/tljh-test/certificate.pem && tljh-config reload proxy",
        timeout=300,
    )
    page = f"curl -sS -o /dev/null -w '%{{http_code}}' --cacert /etc/ssl/tljh-test/certificate.pem" \
           f" --resolve {NAME}:443:127.0.0.1 https://{NAME}/hub/login"
    wait_for(lambda: machine.output(page, check=False) == "200", 60, "the login page by https")
    machine.run("echo > /var/mail/jupyter-ann; chown jupyter-ann: /var/mail/jupyter-ann")


@pytest.mark.parametrize("state", ["unpacked", "half-configured", "half-removed"])
def test_purge_of_a_half_failed_state_leaves_the_machine_as_it_was(machines, repository, suite, state):
    # Packages of Debian's that dpkg unpacks are none that apt would take away again.
    machine = machines(extra=repository.debian_dependencies(suite))
    before = inventory.take(machine)
    add_repository(machine)
    if state == "unpacked":
        machine.run("apt-get -q -y --download-only install tljh && dpkg --unpack /var/cache/apt/archives/*.deb", timeout=300)
    else:
        # A file where a folder of ours is to be made, or a program that the removal needs and does not find.
        if state == "half-configured":
            machine.run("touch /etc/tljh")
            assert install(machine, check=False).returncode != 0
            machine.run("rm /etc/tljh")
        else:
            install(machine)
            machine.run("mv /usr/bin/systemctl /usr/bin/systemctl.away")
            assert machine.run("dpkg --remove tljh", check=False).returncode != 0
            machine.run("mv /usr/bin/systemctl.away /usr/bin/systemctl")
        assert machine.output("dpkg --audit") != "" or state == "half-removed"
    machine.run(f"dpkg --purge --force-depends {OURS}", timeout=300)
    machine.run("apt-get -q -y --fix-broken install && apt-get -q -y autoremove --purge", timeout=300)
    purging.forget_repository(machine)
    purging.assert_as_before(machine, before, purging.KEPT_HOMES)


def test_purge_leaves_what_only_looks_like_ours(machines):
    machine = machines.installed()
    machine.run("useradd --create-home jupyter-x && touch /home/jupyter-x/own && chown jupyter-x: /home/jupyter-x/own")
    # The hub's record of an account that has been deleted by hand, and whose folder is somebody else's by now.
    machine.run("tljh-hub account ensure -- y && userdel jupyter-y")
    for path in THEIRS:
        if path.startswith("/"):
            machine.run(f"mkdir -p $(dirname {path}) && echo '# theirs' > {path}")
    machine.run("useradd --no-create-home --gid jupyterhub-users bob && chown -R bob: /home/jupyter-y")
    # As a purge in a chroot sees the system around it: another root, where the number is somebody else's.
    machine.run("tljh-hub account ensure -- z && mkdir /srv/around")
    machine.run("cp --parents --dereference /usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*') /srv/around")
    around = machine.start("chroot --userspec=$(id -u jupyter-z):$(id -g jupyter-z) /srv/around /usr/bin/sleep infinity")
    wait_for(lambda: machine.output("pgrep -x -u jupyter-z sleep"), 20, "a process with another root")
    look = "stat -c '%n %U %a' " + " ".join(path for path in THEIRS if path.startswith("/")) + " /home/jupyter-x/own"
    before = machine.output(look), machine.output("getent passwd jupyter-x bob")
    said = machine.run("apt-get -q -y purge tljh", timeout=300)
    assert (machine.output(look), machine.output("getent passwd jupyter-x bob")) == before, said.stderr
    assert around.poll() is None
    machine.run("pkill -x sleep")
    assert machine.output("getent group jupyterhub-users").startswith("jupyterhub-users:")
    assert "/home/jupyter-y belongs to somebody else" in said.stderr + said.stdout
    machine.run("userdel bob && groupdel jupyterhub-users", check=False)
    machine.run("rm /opt/tljh/theirs.txt && apt-get -q -y autoremove --purge && rmdir --ignore-fail-on-non-empty /opt/tljh; test ! -e /opt/tljh", timeout=300)
    assert machine.output("debconf-show tljh") == ""
