"""People at work, from outside of the machine, and what of it failed or had to wait.

Each kind of request is made again and again, until the end, by threads of its own.
"""

import threading
import time
from collections import defaultdict

from .hub_client import HubClient
from .places import wait_for

# Seconds between the end of a request and the next one of the same thread.
PAUSE = 0.05
# Between two logins of a person: each has a password hashed, which keeps the hub busy.
LOGIN_PAUSE = 1.0
# Notebooks of each person.
CONVERSATIONS = 3


class Counts:
    """Of one kind: how many were made, what failed, and how long one waited at most (s)."""

    def __init__(self):
        self.made, self.failed, self.longest = 0, [], 0.0


class Pressure:
    """On the hub at `url`. Starts with the block and ends with it; `counts` tells by kind what happened."""

    def __init__(self, url):
        self.url = url
        self.counts = defaultdict(Counts)
        self.steps = []
        self.threads = []
        self.lock = threading.Lock()
        self.over = threading.Event()

    def __enter__(self):
        self.threads = [threading.Thread(target=self.repeat, args=step, daemon=True) for step in self.steps]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        for thread in self.threads:
            thread.join(300)

    def add(self, kind, step, pause=PAUSE, goes_on=True):
        """`step` is done again and again; an exception of it is a failure, and so is an answer from 400 on.

        `goes_on`: also after a failure.
        """
        self.steps.append((kind, step, pause, goes_on))

    def repeat(self, kind, step, pause, goes_on):
        while not self.over.is_set():
            began = time.monotonic()
            try:
                answer = step()
                failure = answer and answer.status >= 400 and f"{answer.status} at {answer.url}: {answer.text[:300]}"
            except Exception as error:  # whatever it is, somebody has seen it
                failure = f"{type(error).__name__}: {error}"
            self.note(kind, time.monotonic() - began, failure)
            if failure and not goes_on:
                return
            self.over.wait(pause)

    def note(self, kind, seconds, failure=None):
        with self.lock:
            counts = self.counts[kind]
            counts.made += 1
            counts.longest = max(counts.longest, seconds)
            if failure:
                counts.failed.append(f"{time.strftime('%H:%M:%S')} after {seconds:.2f} s: {failure}")

    def wait_for(self, kind, more, deadline=120):
        """Wait until `more` of `kind` have been made from now on."""
        wanted = self.counts[kind].made + more
        wait_for(lambda: self.counts[kind].made >= wanted, deadline, f"{more} more of {kind}")

    # Kinds

    def pages_of_the_hub(self, person):
        """What a person sees of the hub who is logged in, and the page for those who are not."""
        for path in ("/hub/home", "/hub/api/user", "/hub/static/css/style.min.css"):
            self.add("hub", lambda path=path: person.request("GET", path))
        stranger = HubClient(self.url, "stranger")
        self.add("hub", lambda: stranger.request("GET", "/hub/login"))

    def pages_of_a_server(self, person):
        for path in ("api/status", "api/kernels"):
            self.add("server", lambda path=path: person.request("GET", person.user_url() + path))

    def logins(self, name, password, pause=LOGIN_PAUSE):
        """The form, the password, and the page that comes then, as another browser each time."""

        def log_in():
            answer = HubClient(self.url, name).post_login(password)
            if "/hub/home" not in answer.url:
                raise AssertionError(f"login of {name} ended at {answer.url}: {answer.text[:300]}")
            return answer

        self.add("login", log_in, pause)

    def logins_to_a_server(self, name, password):
        """From the address of one's server by the login form to its page: the server asks the hub who it is."""

        def log_in():
            client = HubClient(self.url, name)
            answer = client.login_to_server(password)
            if "/hub/" in answer.url:
                raise AssertionError(f"login of {name} to the server ended at {answer.url}: {answer.text[:300]}")
            return answer

        self.add("login to a server", log_in, LOGIN_PAUSE)

    def spawns(self, person, pause=PAUSE):
        """A server that starts, and is stopped once it answers."""

        def spawn():
            person.start_server()
            person.stop_server()

        self.add("spawn", spawn, pause)

    def conversation(self, person):
        """A notebook: one WebSocket, over which a kernel counts. What fails is one that was dropped."""
        kernel = person.start_kernel()
        kernel.run("held = 0")
        connection = kernel.connect(timeout=120)
        expected = iter(range(1, 1 << 30))

        def say():
            said = kernel.run_over(connection, "held += 1; print(held)")
            if said != f"{next(expected)}\n":
                raise AssertionError(f"the kernel said {said!r}")

        self.add("websocket", say, pause=0.2, goes_on=False)


def lesson(url, at_work, arriving, password):
    """Requests of all kinds: of those who are `at_work` and have servers, of logins of theirs, and of servers for `arriving`."""
    pressure = Pressure(url)
    for person in at_work:
        pressure.pages_of_the_hub(person)
        pressure.pages_of_a_server(person)
        for _ in range(CONVERSATIONS):
            pressure.conversation(person)
        pressure.logins(person.name, password)
        pressure.logins_to_a_server(person.name, password)
    for person in arriving:
        pressure.spawns(person)
    return pressure
