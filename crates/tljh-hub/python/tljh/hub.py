"""JupyterHub that can be started again while people work: ``python -m tljh.start`` in the place of ``-m jupyterhub``.

Asked to end (SIGTERM), it first waits for the servers that are being started or stopped, and serves meanwhile; then it leaves
its listening socket to the next hub, answers what has come, and ends. A second SIGTERM cuts that short. Both waits
have a limit: a server that takes longer goes on by itself, and the next hub takes it up.
"""

import asyncio
import time

from jupyterhub import app
from jupyterhub.log import log_request
from tornado.httpserver import HTTPServer

from tljh.server import Server

#: Seconds that servers get to start or stop. TimeoutStopSec of jupyterhub.service is more than both together.
SERVER_DEADLINE = 20
#: Seconds that requests get to be answered; those that wait for a server do so for ten.
REQUEST_DEADLINE = 12


class JupyterHub(app.JupyterHub):
    """Under the name that configurations and logs know."""

    ending = False

    def init_tornado_settings(self):
        super().init_tornado_settings()
        told = self.tornado_settings.get("log_function", log_request)

        def log_answer(handler):
            if self.http_server:
                self.http_server.log_answer(handler)
            told(handler)

        self.tornado_settings["log_function"] = log_answer

    async def shutdown_cancel_tasks(self, sig=None):
        if not self.ending:
            self.ending = True
            self.log.info("Asked to end: waiting for servers that are being started or stopped, and for requests")
            try:
                await self.wait_for_servers()
                await self.http_server.end_gracefully(REQUEST_DEADLINE)
            # Whatever it is, a hub that was asked to end must.
            except Exception:  # noqa: B902
                self.log.exception("Ending at once")
        await super().shutdown_cancel_tasks(sig)

    async def wait_for_servers(self):
        # Whoever starts or stops a server now is told at once that this goes on, and no request is held up by it.
        self.tornado_application.settings.update(slow_spawn_timeout=0, slow_stop_timeout=0)
        until = time.monotonic() + SERVER_DEADLINE
        while self.has_pending_servers() and time.monotonic() < until:
            await asyncio.sleep(0.05)

    def has_pending_servers(self):
        counts = self.users.count_active_users()
        return bool(counts["spawn_pending"] or counts["stop_pending"])


def main():
    HTTPServer.configure(Server)
    JupyterHub.launch_instance()
