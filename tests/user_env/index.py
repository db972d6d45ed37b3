"""A package index over HTTP (PEP 503) of the wheels in a folder, which a test can make fail."""

import hashlib
import re
import threading
import zipfile
from email import message_from_bytes
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Index:
    """Serves `folder`. What is in `cut` ends half-way; what is in `wrong` has another hash than the index says.

    What is in `held` stops half-way until `release`; its metadata can be had alone (PEP 658), so that a plan needs no more.
    """

    def __init__(self, folder):
        self.folder, self.cut, self.wrong, self.held = folder, set(), set(), set()
        self.released = threading.Event()
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                index.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        kind, _, name = request.path.strip("/").partition("/")
        body = None
        if kind == "simple":
            body = self.page(name)
        elif kind == "files" and name.removesuffix(".metadata") in self.held and name.endswith(".metadata"):
            body = metadata(self.folder / name.removesuffix(".metadata"))
        elif kind == "files" and (self.folder / name).is_file():
            body = (self.folder / name).read_bytes()
        if body is None:
            request.send_error(404)
            return
        request.send_response(200)
        request.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return
        if kind == "files" and name in self.cut:
            request.wfile.write(body[: len(body) // 2])
            request.close_connection = True
            return
        if kind == "files" and name in self.held:
            half = len(body) // 2
            request.wfile.write(body[:half])
            self.released.wait(300)
            body = body[half:]
        try:
            request.wfile.write(body)
        except OSError:
            # Whoever asked has gone.
            request.close_connection = True

    def release(self):
        self.held.clear()
        self.released.set()

    def page(self, name):
        """The links to the wheels of a package; none where there is no wheel."""
        found = [path for path in sorted(self.folder.glob("*.whl")) if normal(path.name.split("-")[0]) == name]
        links = (
            f'<a href="/files/{path.name}#sha256={self.digest(path)}"'
            f' data-requires-python="{escape(required_python(path))}"'
            f'{" data-core-metadata=true" if path.name in self.held else ""}>{path.name}</a>' for path in found
        )
        return "\n".join(links).encode() if found else None

    def digest(self, path):
        return "0" * 64 if path.name in self.wrong else hashlib.sha256(path.read_bytes()).hexdigest()

    def close(self):
        self.release()
        self.server.shutdown()
        self.server.server_close()


def required_python(wheel):
    """What the wheel says of Python; nothing if any will do."""
    return message_from_bytes(metadata(wheel)).get("Requires-Python", "")


def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()
