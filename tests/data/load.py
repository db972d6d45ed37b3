"""A server, and clients that count what is lost between them; run inside a machine by the hub's Python.

    load.py serve PORT
    load.py press URL SOCKETS    prints a JSON object when its standard input ends
"""

import asyncio
import json
import sys

import tornado.httpclient
import tornado.web
import tornado.websocket

PATTERN = bytes(range(256))
CHUNK = PATTERN * 256
PAUSE = 0.005


class Small(tornado.web.RequestHandler):
    def get(self):
        self.finish("small")


class Download(tornado.web.RequestHandler):
    """Goes on until it is told to finish, and knows then how much it was."""

    finish_it = asyncio.Event()
    sent = 0

    async def get(self):
        while not self.finish_it.is_set():
            self.write(CHUNK)
            await self.flush()
            Download.sent += len(CHUNK)
            await asyncio.sleep(PAUSE)


class Finish(tornado.web.RequestHandler):
    def get(self):
        Download.finish_it.set()


class Sent(tornado.web.RequestHandler):
    def get(self):
        self.finish(str(Download.sent))
        Download.finish_it.clear()
        Download.sent = 0


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)


async def serve(port):
    handlers = [
        (r"/load/echo", Echo), (r"/load/download", Download), (r"/load/finish", Finish),
        (r"/load/sent", Sent), (r"/load/.*", Small),
    ]
    tornado.web.Application(handlers).listen(int(port), "127.0.0.1")
    await asyncio.Event().wait()


class Counts:
    def __init__(self):
        self.messages = self.wrong = self.closed = 0


async def converse(url, counts, over, ready):
    """Sends numbers and expects each of them back, once and in order."""
    socket = await tornado.websocket.websocket_connect(url.replace("http", "ws", 1) + "/load/echo")
    ready.release()
    number = 0
    while not over.is_set():
        await socket.write_message(str(number))
        answer = await socket.read_message()
        if answer is None:
            counts.closed += 1
            return
        counts.messages += 1
        counts.wrong += answer != str(number)
        number += 1
        await asyncio.sleep(0.2)
    socket.close()


async def download(client, url):
    """Whether every byte is the one that belongs to its place, up to the last one that was sent."""
    length, right = 0, True

    def take(chunk):
        nonlocal length, right
        begin = length % len(PATTERN)
        right &= chunk == (PATTERN * (len(chunk) // len(PATTERN) + 2))[begin:begin + len(chunk)]
        length += len(chunk)

    await client.fetch(f"{url}/load/download", streaming_callback=take, request_timeout=600)
    sent = await client.fetch(f"{url}/load/sent")
    return right and length == int(sent.body) > 0


async def press(url, sockets):
    counts, over, ready = Counts(), asyncio.Event(), asyncio.Semaphore(0)
    conversations = [
        asyncio.create_task(converse(url, counts, over, ready)) for _ in range(int(sockets))
    ]
    for _ in conversations:
        await ready.acquire()
    client = tornado.httpclient.AsyncHTTPClient(max_body_size=1 << 40)
    loaded = asyncio.create_task(download(client, url))
    print("pressing", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    still_under_way = not loaded.done()
    over.set()
    await client.fetch(f"{url}/load/finish")
    await asyncio.gather(*conversations)
    print(json.dumps({
        "messages": counts.messages, "wrong": counts.wrong, "closed": counts.closed,
        "download was whole": await loaded, "download was under way": still_under_way,
    }))


asyncio.run({"serve": serve, "press": press}[sys.argv[1]](*sys.argv[2:]))
