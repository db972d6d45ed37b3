"""The signed repository in `dist/apt`, served over HTTP at the address it was published for.

A machine finds that address by a line in its /etc/hosts, or, as the default address is
on localhost, by a listener in the machine's own network.  Every request is kept, so that
a test can show what was fetched.  Beside it runs a cache of Debian's own packages, for
speed alone: machines that are offline are not told of it.
"""

import hashlib
import threading
import urllib.error
import urllib.request
from collections import namedtuple
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .network import bind_server
from .places import CACHE, DIST

Request = namedtuple("Request", "client path status")
DEBIAN_PORT = 3142
UNPUBLISHED = "http://packages.tljh.test"


def published_url(directory):
    """The address that `make repo` wrote into tljh.sources, without a trailing slash."""
    try:
        text = (directory / "tljh.sources").read_text()
    except FileNotFoundError:
        return UNPUBLISHED
    for line in text.splitlines():
        if line.startswith("URIs:"):
            return line.split()[1].rstrip("/")
    raise ValueError(f"{directory}/tljh.sources names no URIs")


def serve(address, handler):
    server = ThreadingHTTPServer(address, handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def stop(server):
    server.shutdown()
    server.server_close()


class Repository:
    """Serves `directory`; `replaced[path]` plays an attacker: other bytes, or None for 404."""

    def __init__(self, directory=DIST / "apt"):
        self.directory = Path(directory)
        self.url = published_url(self.directory)
        self.requests = []
        self.replaced = {}
        where = urlsplit(self.url)
        if where.scheme != "http" or where.hostname.replace(".", "").isdigit():
            raise ValueError(f"`{self.url}`: the tests need http and a name; set REPO_URL")
        self.host, self.port, self.prefix = where.hostname, where.port or 80, where.path
        self.local = self.host == "localhost"
        self.handler = partial(PackageHandler, self)
        self.servers = bind_server(self._serve_at)
        self.address = self.servers[None].server_address[0]

    def _serve_at(self, address):
        """Both servers at one address, or none: another process may just be leaving it."""
        servers = {None: serve((address, DEBIAN_PORT), DebianHandler)}
        try:
            if not self.local:
                servers["host"] = serve((address, self.port), self.handler)
        except OSError:
            stop(servers[None])
            raise
        return servers

    def attach(self, machine):
        """Let `machine` reach the published address."""
        if self.local:
            self.servers[machine.name] = machine.wire.call(
                lambda: serve(("127.0.0.1", self.port), self.handler)
            )

    def detach(self, machine):
        if machine.name in self.servers:
            stop(self.servers.pop(machine.name))

    def close(self):
        for server in self.servers.values():
            stop(server)

    def packages(self, suite):
        """The repository's package stanzas of `suite`, as a list of dicts."""
        index = self.directory / "dists" / suite / "main" / "binary-amd64" / "Packages"
        stanzas = []
        for block in index.read_text().split("\n\n"):
            fields = (line.split(": ", 1) for line in block.splitlines() if line[:1].strip())
            stanza = dict(field for field in fields if len(field) == 2)
            if stanza:
                stanzas.append(stanza)
        return stanzas

    def debian_dependencies(self, suite):
        """Names of the Debian packages that ours depend on, first alternatives."""
        stanzas = self.packages(suite)
        ours = {stanza["Package"] for stanza in stanzas}
        wanted = set()
        for stanza in stanzas:
            for field in ("Pre-Depends", "Depends", "Recommends"):
                for clause in stanza.get(field, "").split(","):
                    name = clause.split("|")[0].split("(")[0].split(":")[0].strip()
                    if name and name not in ours:
                        wanted.add(name)
        return sorted(wanted)

    def digest(self, suite):
        """Changes whenever a package of `suite` does."""
        lines = sorted(f"{s['Package']} {s['Version']} {s['SHA256']}" for s in self.packages(suite))
        return hashlib.sha256("\n".join([self.url, *lines]).encode()).hexdigest()[:12]


class QuietHandler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class PackageHandler(QuietHandler):
    def __init__(self, repository, *arguments):
        self.repository = repository
        super().__init__(*arguments, directory=repository.directory)

    def do_GET(self):
        prefix = self.repository.prefix
        if not self.path.startswith(prefix):
            return self.send_error(404)
        self.path = self.path[len(prefix):] or "/"
        name = unquote(self.path)
        if name in self.repository.replaced:
            body = self.repository.replaced[name]
            return self.send_error(404) if body is None else self.answer(200, body)
        return super().do_GET()

    def log_request(self, code="-", size="-"):
        self.repository.requests.append(Request(self.client_address[0], self.path, int(code)))


class DebianHandler(QuietHandler):
    """A forward proxy that keeps what never changes: packages, and indexes by hash."""

    def do_GET(self):
        if not self.path.startswith("http://"):
            return self.send_error(400)
        if not (self.path.endswith(".deb") or "/by-hash/" in self.path):
            return self.answer(*self.fetch())
        kept = CACHE / "debian" / hashlib.sha256(self.path.encode()).hexdigest()
        if not kept.exists():
            status, body = self.fetch()
            if status != 200:
                return self.answer(status, body)
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(f".{threading.get_ident()}")
            part.write_bytes(body)
            part.rename(kept)
        return self.answer(200, kept.read_bytes())

    def fetch(self):
        request = urllib.request.Request(self.path)
        for name in ("If-Modified-Since", "User-Agent"):
            if self.headers[name]:
                request.add_header(name, self.headers[name])
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, b""
        except OSError as error:
            return 502, str(error).encode()
