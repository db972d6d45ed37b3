"""tljh-proxy under the real JupyterHub, through its own ConfigurableHTTPProxy class.

Run as `python3 -m pytest tests/proxy`.
"""

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.proxy.programs import PROXY, free_ports

TOKEN = "a-token-for-the-proxy"

CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "pw"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser", "--allow-root"]
c.Spawner.environment = {{"PATH": "{bin}:/usr/bin:/bin"}}
c.JupyterHub.proxy_class = "configurable-http-proxy"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.auth_token = "{token}"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = {hub}
c.JupyterHub.bind_url = "http://127.0.0.1:{public}"
c.JupyterHub.cleanup_servers = True
"""


class Site:
    """A proxy and a hub behind it, and a browser that keeps its cookies."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.programs = programs
        self.public, self.api, self.hub_port = free_ports(3)
        settings = {"http_address": "127.0.0.1", "http_port": self.public, "api_port": self.api}
        (folder / "proxy.json").write_text(json.dumps(settings))
        (folder / "token").write_text(TOKEN)
        self.log = (folder / "log").open("w")
        self.cookies = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )
        self.proxy = self.hub = None

    def start_proxy(self):
        command = [PROXY, "run", "--settings", self.folder / "proxy.json"]
        command += ["--token-file", self.folder / "token", "--state-dir", self.folder / "state"]
        self.proxy = subprocess.Popen(command, stderr=self.log)
        until(lambda: self.status("/_chp_healthz") == 200)

    def start_hub(self):
        config = CONFIG.format(
            bin=self.programs, api=self.api, token=TOKEN, hub=self.hub_port, public=self.public
        )
        (self.folder / "config.py").write_text(config)
        command = [self.programs / "jupyterhub", "-f", self.folder / "config.py"]
        self.hub = subprocess.Popen(
            command, cwd=self.folder, stdout=self.log, stderr=self.log, start_new_session=True
        )
        until(lambda: self.status("/hub/api") == 200)

    def open(self, path, data=None):
        data = urllib.parse.urlencode(data).encode() if data else None
        return self.browser.open(f"http://127.0.0.1:{self.public}{path}", data, timeout=40)

    def status(self, path):
        try:
            return self.open(path).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def call(self, method, path, data=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api}/api/routes{path}",
            data=json.dumps(data).encode() if data else None,
            headers={"Authorization": f"token {TOKEN}"},
            method=method,
        )
        return self.browser.open(request, timeout=30)

    def routes(self):
        return json.load(self.call("GET", ""))

    def log_in(self, name):
        form = self.open("/hub/login").read().decode()
        xsrf = re.search(r'name="_xsrf"\s+value="([^"]+)"', form).group(1)
        self.open("/hub/login", {"username": name, "password": "pw", "_xsrf": xsrf}).read()

    def stop(self):
        if self.hub:
            if self.hub.poll() is not None:
                # Only a hub ends the servers that it started.
                self.start_hub()
            os.killpg(self.hub.pid, signal.SIGINT)
            try:
                self.hub.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.hub.pid, signal.SIGKILL)
                self.hub.wait()
        if self.proxy:
            self.proxy.kill()
            self.proxy.wait()
        self.log.close()


@pytest.fixture
def site(tmp_path, hub_bin):
    site = Site(tmp_path, hub_bin)
    try:
        yield site
    finally:
        site.stop()
        print((tmp_path / "log").read_text()[-8000:])


def until(condition, seconds=45):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_the_real_hub_logs_in_spawns_and_outlives_its_proxy(site):
    site.start_proxy()
    with ThreadPoolExecutor() as threads:
        early = threads.submit(site.status, "/hub/login")
        site.start_hub()
        assert early.result() == 200, "a request that comes before the hub waits for it"
    assert set(site.routes()) == {"/"}

    # The hub tells the route of this name with an escape, and lists it without.
    site.log_in("maria@uni.example")
    site.open("/hub/spawn")
    until(lambda: "/user/maria@uni.example" in site.routes())
    server = "/user/maria@uni.example/api/status"
    until(lambda: site.status("/user/maria@uni.example/lab") == 200)
    assert site.status(server) == 200
    route = site.routes()["/user/maria@uni.example"]
    assert route["user"] == "maria@uni.example" and route["jupyterhub"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", route["last_activity"])

    # Killed outright and started again, it serves at once, without a word from the hub.
    before = {prefix: data["target"] for prefix, data in site.routes().items()}
    site.proxy.kill()
    site.proxy.wait()
    site.start_proxy()
    assert {prefix: data["target"] for prefix, data in site.routes().items()} == before
    assert site.status(server) == 200
    assert site.status("/hub/home") == 200

    # A server that is gone gets the hub's page.
    site.call("POST", "/user/gone", {"target": f"http://127.0.0.1:{free_ports(1)[0]}"})
    with pytest.raises(urllib.error.HTTPError) as gone:
        site.open("/user/gone/lab")
    assert gone.value.code == 503
    assert gone.value.headers.get_content_type() == "text/html"
    assert "Your server appears to be down." in gone.value.read().decode()
    site.call("DELETE", "/user/gone")

    # A hub that is gone leaves the server reachable; requests to it wait until it is back, and finds all as it was.
    os.kill(site.hub.pid, signal.SIGKILL)
    site.hub.wait()
    with ThreadPoolExecutor() as threads:
        home = threads.submit(site.status, "/hub/home")
        assert site.status(server) == 200
        assert set(site.routes()) == set(before)
        assert not home.done()
        site.start_hub()
        assert home.result() == 200
    assert site.status(server) == 200
    assert {prefix: data["target"] for prefix, data in site.routes().items()} == before
