"""The real nginx and Apache with what `tljh-config example` prints, in front of the real proxy and a tornado server.

All of it has a network of its own, where ports 80 and 443 are free and every address 127.x.y.z is there.
"""

import contextlib
import ctypes
import hashlib
import http.client
import json
import re
import shlex
import socket
import ssl
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from tests.proxy.pebble import is_open, until
from tests.proxy.programs import PROXY, free_ports

CONFIG = PROXY.with_name("tljh-config")
SERVER = Path(__file__).with_name("tornado_server.py")
NAME, BASE = "hub.test", "/jupyter"
# Who asks; everything else speaks from 127.0.0.1.
CLIENT = "127.0.0.9"
NEW_NETWORK = 0x40000000

NGINX = """\
daemon off;
user www-data;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
# Those of Debian's default that have a say, and those that the example names.
MODULES = "mpm_event authz_core alias reqtimeout deflate filter mime proxy proxy_http headers ssl socache_shmcb".split()
APACHE = """\
ServerRoot {folder}
ServerName localhost
User www-data
Group www-data
PidFile {folder}/pid
ErrorLog {folder}/log
Mutex file:{folder}
TypesConfig /dev/null
Listen 80
<IfModule ssl_module>
    Listen 443
    SSLSessionCache shmcb:{folder}/sessions(512000)
</IfModule>
IncludeOptional {folder}/site.conf
"""


@contextlib.contextmanager
def own_network():
    """This thread, and whatever it starts, has a network of its own meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(failed):
        if failed:
            raise OSError(ctypes.get_errno(), "no network of its own")

    with open("/proc/thread-self/ns/net") as before:
        check(libc.unshare(NEW_NETWORK))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            check(libc.setns(before.fileno(), NEW_NETWORK))


class Front:
    """Another proxy, ours behind it by a port or a socket, and a server behind that."""

    def __init__(self, folder, program, by_socket, tls, python):
        self.folder, self.program, self.by_socket, self.tls = folder, program, by_socket, tls
        self.config, self.socket = folder / "config.yaml", folder / "http.sock"
        self.cert, self.key = folder / "hub.pem", folder / "hub.key"
        self.api, self.server = free_ports(2)
        self.python, self.programs = python, []
        # Its processes drop their rights, and have to find the socket.
        folder.chmod(0o755)

    def configure(self):
        """Has `tljh-config` print a site, and runs what the site says is to be run first."""
        self.run_config(f"set base_url {BASE}")
        if self.by_socket:
            self.run_config(f"set http.socket {self.socket}")
        if self.tls:
            self.run_config(f"set https.tls.cert {self.cert}", f"set https.tls.key {self.key}")
        words = f"example {self.program} --name {NAME}" + (" --tls" if self.tls else "")
        commands = re.findall(r"^#     tljh-config --config-path \S+ (.*)$", self.run_config(words), re.MULTILINE)
        assert commands.pop() == "reload proxy"
        self.run_config(*commands)
        site = self.run_config(words)
        assert "reload proxy" not in site, "nothing is left to be run"
        (self.folder / "site.conf").write_text(site)
        return commands

    def run_config(self, *lines):
        for line in lines:
            command = [CONFIG, "--config-path", self.config, *shlex.split(line)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout

    def start(self):
        self.make_certificate()
        self.configure()
        self.start_program([self.python, SERVER, str(self.server)])
        self.start_proxy()
        getattr(self, f"start_{self.program}")()
        until(lambda: is_open(self.port))

    def start_proxy(self):
        """With what `tljh-hub render proxy` makes of the configuration."""
        asked = json.loads(self.run_config("show --effective --json http"))
        settings = {
            "http_address": asked["address"],
            "http_port": asked["port"],
            "http_socket": {"path": asked["socket"], "group": asked["socket_group"]} if asked["socket"] else None,
            "trusted_proxies": asked["trusted_proxies"],
            "api_port": self.api,
        }
        self.own_port = asked["port"]
        (self.folder / "proxy.json").write_text(json.dumps(settings))
        (self.folder / "token").write_text("token")
        command = [PROXY, "run", "--settings", self.folder / "proxy.json", "--token-file", self.folder / "token"]
        self.start_program([*command, "--state-dir", self.folder / "state"])
        until(lambda: is_open(self.api) and is_open(self.own_port) and is_open(self.server))
        target = json.dumps({"target": f"http://127.0.0.1:{self.server}"}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api}/api/routes/", target, {"Authorization": "token token"}
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()

    def start_nginx(self):
        main = self.folder / "nginx.conf"
        main.write_text(NGINX.format(folder=self.folder))
        self.start_program(["nginx", "-p", self.folder, "-e", self.folder / "log", "-c", main])

    def start_apache(self):
        main = self.folder / "apache.conf"
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
        main.write_text(modules + APACHE.format(folder=self.folder))
        self.start_program(["apache2", "-DFOREGROUND", "-d", self.folder, "-f", main])

    def start_program(self, command):
        with (self.folder / "said").open("a") as said:
            self.programs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said))

    def make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-keyout", self.key, "-out", self.cert, "-days", "2", "-subj", f"/CN={NAME}"]
            + ["-addext", f"subjectAltName=DNS:{NAME}"],
            check=True,
            capture_output=True,
        )

    def stop(self):
        for program in reversed(self.programs):
            program.terminate()
            program.wait(30)
        for name in ("said", "log"):
            if (self.folder / name).exists():
                print((self.folder / name).read_text()[-4000:])

    @property
    def port(self):
        return 443 if self.tls else 80

    def connect(self, port=None):
        """A socket of the client."""
        plain = socket.create_connection(("127.0.0.1", port or self.port), 60, (CLIENT, 0))
        if port or not self.tls:
            return plain
        return ssl.create_default_context(cafile=self.cert).wrap_socket(plain, server_hostname=NAME)

    def open(self, port=None):
        connection = http.client.HTTPConnection(NAME, timeout=60)
        connection.sock = self.connect(port)
        return connection

    def get(self, path, headers=None, port=None):
        """The answer, with its body read."""
        with contextlib.closing(self.open(port)) as connection:
            connection.request("GET", BASE + path, headers=headers or {})
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer

    def upload(self, first, rest):
        """The status and hash of an upload whose second part is sent when the first one has been seen."""
        before = int(self.get("/seen").text)
        with contextlib.closing(self.open()) as connection:
            connection.putrequest("POST", BASE + "/upload")
            connection.putheader("Content-Length", str(len(first) + len(rest)))
            connection.endheaders(first)
            until(lambda: int(self.get("/seen").text) - before >= len(first) // 2)
            connection.send(rest)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@contextlib.contextmanager
def front(program, by_socket, tls, python):
    with own_network(), tempfile.TemporaryDirectory(prefix="tljh-front-") as folder:
        started = Front(Path(folder), program, by_socket, tls, python)
        try:
            started.start()
            yield started
        finally:
            started.stop()


def digest(data):
    return hashlib.sha256(data).hexdigest()

