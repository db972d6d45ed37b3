"""A channel over HTTP that a test can make fail."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves `folder`. Paths are as in the address, without the first `/`: `noarch/repodata.json`.

    `cut[path] = n`: the next n answers end half-way. `wrong`: one byte is another. `status[path] = [500, ...]`: the
    next answers are these. `held`: answers wait until `release`. `login`: `user:password` that every request needs.
    `token`: what every path must begin with, as `t/TOKEN/`.
    """

    def __init__(self, folder):
        self.folder = folder
        self.cut, self.wrong, self.status, self.held = {}, set(), {}, set()
        self.release = threading.Event()
        self.login = self.token = None
        self.asked = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_):
                """Clients that are killed break off."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        path = request.path.lstrip("/")
        if self.login:
            wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
            if request.headers.get("Authorization") != wanted:
                return self.refuse(request, 401)
        if self.token:
            if not path.startswith(f"t/{self.token}/"):
                return self.refuse(request, 403)
            path = path.removeprefix(f"t/{self.token}/")
        if request.command == "GET":
            self.asked.append(path)
        if self.status.get(path):
            return self.refuse(request, self.status[path].pop(0))
        file = self.folder / path
        if not file.is_file():
            return self.refuse(request, 404)
        body = file.read_bytes()
        if path in self.wrong:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:]
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return None
        if self.cut.get(path):
            self.cut[path] -= 1
            request.wfile.write(body[: len(body) // 2])
            request.close_connection = True
            return None
        if path in self.held:
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.release.wait(60)
            body = body[len(body) // 2:]
        request.wfile.write(body)
        return None

    def refuse(self, request, status):
        request.send_error(status)

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
