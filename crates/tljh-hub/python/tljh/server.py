"""The hub's web server, which can end without breaking off what is under way."""

import asyncio
import time
import weakref

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate
from tornado.netutil import bind_sockets

from tljh import listening

#: Answers that last as long as what they tell about; whoever reads them asks again.
STREAMS = "/progress"
#: Seconds that they get for the last thing that they have to tell.
STREAM_DEADLINE = 1


class Request(HTTPMessageDelegate):
    """Passes on what arrives of a request, and tells ``server`` of its beginning, and of its end where the client leaves."""

    def __init__(self, server, connection, delegate):
        self.server, self.connection, self.delegate = server, connection, delegate

    def headers_received(self, start_line, headers):
        self.server.begin(self.connection, start_line.path)
        return self.delegate.headers_received(start_line, headers)

    def data_received(self, chunk):
        return self.delegate.data_received(chunk)

    def finish(self):
        self.delegate.finish()

    def on_connection_close(self):
        self.server.end(self.connection)
        self.delegate.on_connection_close()


class Server(HTTPServer):
    """Knows which requests are not answered yet."""

    def initialize(self, *arguments, **options):
        super().initialize(*arguments, **options)
        self.listening = []
        self.connections = weakref.WeakSet()
        #: Those of requests that are not answered yet.
        self.open = set()
        #: Those whose answers are streams.
        self.streams = set()
        #: Those that have carried no request yet.
        self.silent = weakref.WeakSet()
        #: Those with answers that may not be sent to the end yet.
        self.answered = weakref.WeakSet()

    def listen(self, port, address=None, **options):
        left = listening.take((address, port))
        self.listening = [left] if left else bind_sockets(port, address=address, **options)
        self.add_sockets(self.listening)

    def handle_stream(self, stream, address):
        self.connections.add(stream)
        self.silent.add(stream)
        return super().handle_stream(stream, address)

    def start_request(self, server_conn, request_conn):
        return Request(self, request_conn, super().start_request(server_conn, request_conn))

    def begin(self, connection, target):
        self.silent.discard(connection.stream)
        is_stream = target.partition("?")[0].endswith(STREAMS)
        (self.streams if is_stream else self.open).add(connection)

    def end(self, connection):
        self.open.discard(connection)
        self.streams.discard(connection)

    def log_answer(self, handler):
        """For the setting ``log_function`` of the application, which is called with the end of each answer."""
        connection = handler.request.connection
        self.end(connection)
        self.answered.add(connection.stream)

    def is_busy(self):
        """Whether a request is not wholly answered, or a connection has just been made for one."""
        silent = any(not stream.closed() for stream in self.silent)
        return bool(self.open) or silent or any(stream.writing() for stream in self.answered)

    def close_unused(self):
        """Close the connections that wait for another request."""
        used = {connection.stream for connection in self.open | self.streams}
        for stream in self.connections - self.silent:
            if stream not in used and not stream.closed() and not stream.writing():
                stream.close()

    async def end_gracefully(self, deadline):
        """Take no more connections, leave those that come to the next hub, and answer what has come, for ``deadline`` (s)."""
        for socket in self.listening:
            listening.leave(socket)
        self.stop()
        # The proxy keeps connections, and would go on sending requests over them; it makes others for them now.
        self.conn_params.no_keep_alive = True
        self.close_unused()
        began = time.monotonic()
        while self.is_busy() and time.monotonic() < began + deadline:
            await asyncio.sleep(0.02)
        while self.streams and time.monotonic() < began + STREAM_DEADLINE:
            await asyncio.sleep(0.02)
