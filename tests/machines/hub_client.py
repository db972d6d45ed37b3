"""A person at the hub, without a browser: log in, start a server, run code in a kernel.

Speaks HTTP and WebSocket to the public address, as a browser does.
"""

import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid

import websocket

from .places import wait_for


class Answer:
    def __init__(self, status, url, headers, body):
        self.status, self.url, self.headers = status, url, headers
        self.text = body.decode(errors="replace")

    def json(self):
        return json.loads(self.text)


class HubClient:
    """One browser session at `url` (the hub's public address, base_url included)."""

    def __init__(self, url, name):
        self.url = url.rstrip("/")
        self.name = name
        self.token = None
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def request(self, method, path, data=None, form=None, timeout=60):
        """Send one request; redirects are followed, error statuses returned, not raised."""
        headers, body = {}, None
        if data is not None:
            body, headers["Content-Type"] = json.dumps(data).encode(), "application/json"
        if form is not None:
            body = urllib.parse.urlencode(form).encode()
        if self.token:
            headers["Authorization"] = f"token {self.token}"
        url = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with self.opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.url, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.url, error.headers, error.read())

    def xsrf(self, path="/hub/"):
        for cookie in self.cookies:
            if cookie.name == "_xsrf" and cookie.path.rstrip("/").endswith(path.rstrip("/")):
                return cookie.value
        return ""

    def post_login(self, password):
        """What the login form sends; returns the page that comes back."""
        self.request("GET", "/hub/login")
        home = urllib.parse.quote(urllib.parse.urlsplit(self.url).path + "/hub/home", safe="")
        return self.request("POST", f"/hub/login?next={home}", form={
            "username": self.name, "password": password, "_xsrf": self.xsrf(),
        })

    def login_to_server(self, password):
        """From the address of one's own server by the login form to its page; returns what comes."""
        form = self.request("GET", self.user_url() + "tree")
        return self.request("POST", form.url, form={
            "username": self.name, "password": password, "_xsrf": self.xsrf(),
        })

    def login(self, password):
        """Log in and take an API token for all that follows."""
        answer = self.post_login(password)
        if answer.status != 200 or "/hub/home" not in answer.url:
            raise AssertionError(f"login of {self.name}: {answer.status} at {answer.url}")
        made = self.request(
            "POST", f"/hub/api/users/{self.quoted}/tokens?_xsrf={self.xsrf()}", {"note": "test"}
        )
        if made.status != 201:
            raise AssertionError(f"token of {self.name}: {made.status} {made.text[:500]}")
        self.token = made.json()["token"]
        return self

    @property
    def quoted(self):
        return urllib.parse.quote(self.name, safe="@")

    def api(self, method, path, data=None):
        """The hub's REST API; AssertionError unless it succeeds."""
        answer = self.request(method, f"/hub/api/{path}", data)
        if answer.status >= 400:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.text[:2000]}")
        return answer.json() if answer.text else None

    def add_user(self, name, admin=False):
        self.api("POST", "users", {"usernames": [name], "admin": admin})

    # Servers

    def server_path(self, server=""):
        return f"users/{self.quoted}/servers/{server}" if server else f"users/{self.quoted}/server"

    def start_server(self, server="", deadline=150):
        """Start a server and wait until it answers; AssertionError with the reason if it cannot."""
        self.api("POST", self.server_path(server), {})
        wait_for(lambda: self.server_settled(server), deadline, f"server of {self.name}", 0.3)
        if not self.server_ready(server):
            answer = self.request("GET", f"/hub/api/{self.server_path(server)}/progress")
            raise AssertionError(f"server of {self.name}: {answer.status} {answer.text[:2000]}")

    def refusal(self, server="", deadline=150):
        """What people read when a server does not start; AssertionError if it does."""
        answer = self.request("POST", f"/hub/api/{self.server_path(server)}", {})
        if answer.status == 202:
            # It is not known yet: the events that the page that waits reads.
            answer = self.request("GET", f"/hub/api/{self.server_path(server)}/progress", timeout=deadline)
            if '"failed": true' in answer.text:
                return answer.text
        if answer.status != 500:
            raise AssertionError(f"server of {self.name}: {answer.status} {answer.text}")
        return answer.text

    def server(self, server=""):
        return self.api("GET", f"users/{self.quoted}")["servers"].get(server)

    def server_ready(self, server=""):
        state = self.server(server)
        return bool(state and state["ready"])

    def server_settled(self, server=""):
        """Whether a server is ready, or not even being started."""
        state = self.server(server)
        return state is None or state["ready"]

    def stop_server(self, server="", deadline=120):
        self.api("DELETE", self.server_path(server))
        wait_for(lambda: self.server(server) is None, deadline, f"end of {self.name}'s server", 0.3)

    def user_url(self, server=""):
        return f"/user/{self.quoted}/{server}/" if server else f"/user/{self.quoted}/"

    # Kernels

    def kernels(self, server=""):
        """The kernels that JupyterLab offers: title by name."""
        answer = self.request("GET", self.user_url(server) + "api/kernelspecs")
        return {name: each["spec"]["display_name"] for name, each in answer.json()["kernelspecs"].items()}

    def start_kernel(self, server="", name="python3"):
        answer = self.request("POST", self.user_url(server) + "api/kernels", {"name": name})
        if answer.status != 201:
            raise AssertionError(f"kernel of {self.name}: {answer.status} {answer.text[:500]}")
        return Kernel(self, self.user_url(server), answer.json()["id"])


class Kernel:
    def __init__(self, client, path, identity):
        self.client, self.path, self.identity = client, path, identity

    def connect(self, timeout=60):
        url = self.client.url.replace("http", "ws", 1)
        return websocket.create_connection(
            f"{url}{self.path}api/kernels/{self.identity}/channels",
            header=[f"Authorization: token {self.client.token}"],
            timeout=timeout, http_no_proxy=["*"],
        )

    def run(self, code, timeout=60):
        """Execute `code` and return what it printed; AssertionError with the traceback on error."""
        connection = self.connect(timeout)
        try:
            return self.run_over(connection, code)
        finally:
            connection.close()

    def run_over(self, connection, code):
        """As `run`, over a connection that stays open."""
        return "".join(self.read_outputs(connection, self.send(connection, code)))

    @staticmethod
    def send(connection, code):
        """Have `code` executed; returns the name of the request, and nothing of what becomes of it."""
        message = {
            "header": {
                "msg_id": uuid.uuid4().hex, "username": "", "session": uuid.uuid4().hex,
                "msg_type": "execute_request", "version": "5.3",
            },
            "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
            "content": {"code": code, "silent": False, "store_history": False,
                        "user_expressions": {}, "allow_stdin": False, "stop_on_error": True},
        }
        connection.send(json.dumps(message))
        return message["header"]["msg_id"]

    @staticmethod
    def read_outputs(connection, parent):
        while True:
            reply = json.loads(connection.recv())
            if reply.get("parent_header", {}).get("msg_id") != parent:
                continue
            content = reply["content"]
            if reply["msg_type"] == "stream":
                yield content["text"]
            elif reply["msg_type"] == "error":
                raise AssertionError("\n".join(content["traceback"]))
            elif reply["msg_type"] == "status" and content["execution_state"] == "idle":
                return
