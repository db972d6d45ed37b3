"""pebble, Debian's test CA, with name servers of its own, and a proxy that asks it for a certificate."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from tests.proxy.programs import PROXY, free_ports

NAME = "hub.test"
DEADLINE = 60
IS_THERE = shutil.which("pebble") and shutil.which("pebble-challtestsrv")


def until(condition, seconds=DEADLINE):
    """Waits until a condition is true, and gives what it is then."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_open(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Pebble:
    """The CA. It asks on `http` and `tls`, and for addresses its own name servers, who know 127.0.0.1 alone."""

    def __init__(self, folder, http, tls, life=0, blocked=(), rejected_nonces=5):
        folder.mkdir()
        self.folder, self.life = folder, life
        self.port, self.management, self.dns, self.names = free_ports(4)
        self.ca_file = folder / "pebble.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-keyout", folder / "pebble.key", "-out", self.ca_file, "-days", "2", "-subj", "/CN=pebble"]
            + ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost"],
            check=True,
            capture_output=True,
        )
        config = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(self.ca_file),
            "privateKey": str(folder / "pebble.key"),
            "httpPort": http,
            "tlsPort": tls,
            "domainBlocklist": list(blocked),
        }
        if life:
            config["certificateValidityPeriod"] = life
        (folder / "config.json").write_text(json.dumps({"pebble": config}))
        self.environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": str(rejected_nonces)}
        self.log = (folder / "log").open("a")
        self.resolver = self.start_program(
            "pebble-challtestsrv", "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "",
            "-dns01", f"127.0.0.1:{self.dns}", "-management", f"127.0.0.1:{self.names}",
        )  # fmt: skip
        until(lambda: is_open(self.names))
        self.server = None
        self.start()

    @property
    def directory(self):
        return f"https://localhost:{self.port}/dir"

    def start_program(self, *command):
        return subprocess.Popen(
            command,
            env={**os.environ, **self.environment},
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
        )

    def start(self):
        """Starts it, with new keys and without any account."""
        config = self.folder / "config.json"
        self.server = self.start_program("pebble", "-config", config, "-dnsserver", f"127.0.0.1:{self.dns}")
        until(lambda: is_open(self.port) and is_open(self.management))

    def stop(self):
        self.server.kill()
        self.server.wait()

    def end(self):
        self.stop()
        self.resolver.kill()
        self.resolver.wait()
        self.log.close()

    def said(self):
        return (self.folder / "log").read_text()

    def lead_to(self, address):
        """Makes its name servers give another address for every name."""
        body = json.dumps({"ip": address}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.names}/set-default-ipv4", body, timeout=10).close()

    def root(self):
        """What those who trust this CA trust."""
        context = ssl.create_default_context(cafile=self.ca_file)
        address = f"https://localhost:{self.management}/roots/0"
        with urllib.request.urlopen(address, timeout=10, context=context) as answer:
            return answer.read().decode()


class Site:
    """A proxy with HTTPS, and what can be asked of it."""

    def __init__(self, folder, ports=None):
        folder.mkdir(exist_ok=True)
        self.folder, self.state = folder, folder / "state"
        self.http, self.https = ports or free_ports(2)
        (self.api,) = free_ports(1)
        self.proxy = None
        (folder / "token").write_text("token")
        self.log = folder / "log"

    def start(self, ca, names=(NAME,), known=None, **acme):
        """`known` are the names that this machine can look up."""
        self.stop()
        asked = {
            "email": "teacher@example.org",
            "domains": list(names),
            "directory": ca.directory,
            "ca_file": str(ca.ca_file),
            "first_retry": 1,
            **acme,
        }
        settings = {
            "http_address": "127.0.0.1",
            "http_port": self.http,
            "api_port": self.api,
            "https": {"address": "127.0.0.1", "port": self.https, "acme": asked},
        }
        (self.folder / "proxy.json").write_text(json.dumps(settings))
        known = names if known is None else known
        hosts = "127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in known)
        (self.folder / "hosts").write_text(hosts)
        # A file /etc/hosts that nobody else sees.
        command = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', self.folder / "hosts"]
        command += [PROXY, "run", "--settings", self.folder / "proxy.json", "--token-file", self.folder / "token"]
        with self.log.open("a") as log:
            self.proxy = subprocess.Popen([*command, "--state-dir", self.state], stderr=log, stdin=subprocess.DEVNULL)
        # It serves a moment before its first status is written.
        until(lambda: self.proxy.poll() is not None or (is_open(self.https) and self.status()))
        assert self.proxy.poll() is None, self.log.read_text()

    def stop(self):
        if self.proxy:
            self.proxy.kill()
            self.proxy.wait()
            self.proxy = None

    def status(self):
        return self.ask_status()[1]

    def ask_status(self):
        """Exit code and status."""
        done = subprocess.run(
            [PROXY, "status", "--json", "--state-dir", self.state], capture_output=True, text=True, timeout=30
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def wait_for_certificate(self, name=NAME):
        return until(lambda: self.certificate_for(name))

    def certificate_for(self, name):
        certificate = self.status()["certificate"]
        return certificate if certificate and name in certificate["names"] else None

    def wait_for_trouble(self, words):
        """The status once it tells of a trouble with these words."""

        def told():
            status = self.status()
            return status if words in (status["last_error"] or {}).get("what", "") else None

        return until(told)

    def connect(self, root, name=NAME):
        """A socket by TLS that believes this root alone, or none at all if it is None."""
        context = ssl.create_default_context(cadata=root)
        if root is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.https), timeout=10)
        return context.wrap_socket(plain, server_hostname=name)

    def served(self):
        """The certificate that is served, whoever may believe it."""
        with self.connect(None) as tls:
            return tls.getpeercert(binary_form=True)

    def ask_http(self):
        """Status and target of a redirect of a request by HTTP."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Unmoved())
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/_moved?x", headers={"Host": NAME})
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, None
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers.get("Location")


class Unmoved(urllib.request.HTTPRedirectHandler):
    """Does not follow."""

    def redirect_request(self, *_):
        return None
