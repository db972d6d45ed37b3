"""HTTPS on a machine: a person with a browser, and a certificate that root alone may read."""

import base64
import hashlib
import json
import subprocess

import pytest

from tests.machines.browser import Browser
from tests.machines.install import read_admin_password
from tests.machines.places import wait_for
from tests.system.lab import log_in, open_terminal, type_in_terminal, wait_for_lab

ON_ANY_RELEASE = True

NAME = "hub.tljh.test"
FOLDER = "/etc/ssl/tljh-test"


class Certificate:
    """A key and a certificate for `NAME`, which nobody else believes."""

    def __init__(self, folder, days=90):
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", self.key, "-out", self.certificate, "-days", str(days),
             "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"],
            check=True, capture_output=True,
        )

    def install(self, machine, moved=False):
        """As an administrator keeps them: for root alone. Written where they are to be, or `moved` there."""
        machine.run(f"install -d -m 0700 {FOLDER}")
        for name, source in (("key.pem", self.key), ("certificate.pem", self.certificate)):
            path = f"{FOLDER}/{name}"
            if moved:
                machine.write(f"{path}.new", source.read_text(), 0o600)
                machine.run(f"mv {path}.new {path}")
            else:
                machine.write(path, source.read_text(), 0o600)

    def public_key_hash(self):
        """As Chromium takes it, to believe in this one key."""
        public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "der"],
                                check=True, capture_output=True).stdout
        return base64.b64encode(hashlib.sha256(public).digest()).decode()


def curl(machine, *options):
    resolve = [word for port in (80, 443) for word in ("--resolve", f"{NAME}:{port}:127.0.0.1")]
    return machine.output(["curl", "-sS", "--max-time", "20", "--cacert", f"{FOLDER}/certificate.pem", *resolve, *options])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secure(shared, certificate):
    """The machine with HTTPS."""
    certificate.install(shared)
    shared.run(f"tljh-config set https.enabled true && tljh-config set https.tls.cert {FOLDER}/certificate.pem && "
               f"tljh-config set https.tls.key {FOLDER}/key.pem && tljh-config reload proxy")
    return shared


def test_the_login_page_is_served_by_tls_and_http_leads_there(secure):
    assert curl(secure, "-o", "/dev/null", "-w", "%{http_code} %{http_version}", f"https://{NAME}/hub/login") == "200 2"
    told = curl(secure, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"http://{NAME}/hub/login?next=x")
    assert told == f"301 https://{NAME}/hub/login?next=x"


def test_a_person_logs_in_by_https_and_works_in_a_terminal(secure, suite, certificate):
    flags = [f"--host-resolver-rules=MAP {NAME} {secure.address}",
             f"--ignore-certificate-errors-spki-list={certificate.public_key_hash()}"]
    with Browser(f"https-{suite}", flags) as browser:
        log_in(browser, f"http://{NAME}/", "admin", read_admin_password(secure))
        wait_for_lab(browser)
        assert browser.address.startswith(f"https://{NAME}/user/admin/lab")
        open_terminal(browser)
        type_in_terminal(browser, "touch /home/jupyter-admin/by-https")
        secure.wait_for("test -e /home/jupyter-admin/by-https")
        browser.screenshot("terminal")


def days_left(machine):
    told = json.loads(machine.output("tljh-proxy status --json"))["certificate"]
    assert told["names"] == [NAME]
    return told["days_left"]


def test_another_certificate_in_the_same_files_is_served_by_itself(secure, certificate, tmp_path):
    assert 88 <= days_left(secure) <= 90
    other = Certificate(tmp_path, days=30)
    # Key and certificate come one after the other, as they do.
    other.install(secure)
    wait_for(lambda: 28 <= days_left(secure) <= 30, 60, "the new certificate is served")
    assert curl(secure, "-o", "/dev/null", "-w", "%{http_code}", f"https://{NAME}/hub/login") == "200"
    # And again, in a way of its own: files that are moved over the old ones.
    certificate.install(secure, moved=True)
    wait_for(lambda: days_left(secure) >= 88, 60, "the former certificate is served")
    assert curl(secure, "-o", "/dev/null", "-w", "%{http_code}", f"https://{NAME}/hub/login") == "200"


def test_a_certificate_that_cannot_be_used_keeps_nobody_out(secure, certificate):
    secure.run(f"echo nonsense > {FOLDER}/certificate.pem")
    refused = secure.run("tljh-config reload proxy", check=False)
    assert refused.returncode == 1 and "certificate.pem" in refused.stderr, refused.stderr
    secure.run("systemctl restart tljh-proxy")
    assert curl(secure, "-o", "/dev/null", "-w", "%{http_code}", f"http://{NAME}/hub/login") == "200"
    assert secure.run("tljh-proxy status", check=False).returncode == 3
    certificate.install(secure)
    wait_for(lambda: secure.run("tljh-proxy status", check=False).returncode == 0, 60, "the mended certificate is served")
    assert curl(secure, "-o", "/dev/null", "-w", "%{http_code}", f"https://{NAME}/hub/login") == "200"


def test_the_key_is_neither_shown_nor_logged(secure, certificate):
    secret = certificate.key.read_text().splitlines()[1]
    assert secret not in secure.journal()
    for path in ("/var/lib/tljh/proxy.json", "/var/lib/tljh-proxy/status.json"):
        assert secret not in secure.output(f"cat {path}")


def test_https_is_switched_off_again(secure):
    secure.run("tljh-config unset https && tljh-config reload proxy")
    assert curl(secure, "-o", "/dev/null", "-w", "%{http_code}", f"http://{NAME}/hub/login") == "200"
    assert secure.output("systemctl is-active tljh-proxy-certificate.path || true") == "inactive"
    assert "LISTEN" not in secure.output("ss -ltn 'sport = :443'")
