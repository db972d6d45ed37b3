"""A server as JupyterHub and people's servers are: tornado, with `xheaders`. Run by the hub's own Python.

    tornado_server.py PORT

`/events` sends one event, and the next one when `/go` was asked for. `/seen` says how much of an upload has come.
"""

import asyncio
import hashlib
import sys

from jupyterhub.utils import get_browser_protocol
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketHandler

go = asyncio.Event()
seen = 0


class Page(RequestHandler):
    """Tells what it was asked, and whom it takes for the client."""

    def get(self):
        self.write(
            {
                "uri": self.request.uri,
                "headers": {name.lower(): value for name, value in self.request.headers.get_all()},
                "remote_ip": self.request.remote_ip,
                "protocol": self.request.protocol,
                "browser_protocol": get_browser_protocol(self.request),
            }
        )


@stream_request_body
class Upload(RequestHandler):
    def prepare(self):
        self.request.connection.set_max_body_size(1 << 40)
        self.hash = hashlib.sha256()

    def data_received(self, chunk):
        global seen
        seen += len(chunk)
        self.hash.update(chunk)

    def post(self):
        self.write(self.hash.hexdigest())


class Seen(RequestHandler):
    def get(self):
        self.write(str(seen))


class Events(RequestHandler):
    async def get(self):
        self.set_header("Content-Type", "text/event-stream")
        for number in (1, 2):
            self.write(f"data: {number}\n\n")
            await self.flush()
            await go.wait()


class Go(RequestHandler):
    def get(self):
        go.set()


class Echo(WebSocketHandler):
    def check_origin(self, origin):
        return True

    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


async def main(port):
    handlers = [
        (r".*/upload", Upload),
        (r".*/seen", Seen),
        (r".*/events", Events),
        (r".*/go", Go),
        (r".*/ws", Echo),
        (r".*", Page),
    ]
    server = HTTPServer(Application(handlers, websocket_max_message_size=1 << 30), xheaders=True)
    server.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1])))
