"""JupyterHub that can be started again while people work: ``python -m tljh.hub`` in the place of ``-m jupyterhub``.

Asked to end (SIGTERM), it first waits until the servers that are being started have started, and serves meanwhile; then it
leaves its listening socket to the next hub, answers what has come, and ends. A second SIGTERM cuts that short. Both waits
have a limit: a server that takes longer goes on by itself, and the next hub takes it up.
"""

import asyncio
import sys
import time

from jupyterhub import app
from jupyterhub.log import log_request
from tornado.httpserver import HTTPServer

from tljh.server import Server

#: Seconds that servers get to start. TimeoutStopSec of jupyterhub.service is more than both together.
SPAWN_DEADLINE = 20
#: Seconds that requests get to be answered.
REQUEST_DEADLINE = 5


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
            self.log.info("Asked to end: waiting for servers that are being started, and for requests")
            try:
                await self.wait_for_spawns()
                await self.http_server.end_gracefully(REQUEST_DEADLINE)
            # Whatever it is, a hub that was asked to end must.
            except Exception:  # noqa: B902
                self.log.exception("Ending at once")
        await super().shutdown_cancel_tasks(sig)

    async def wait_for_spawns(self):
        # Whoever starts a server now is shown the page that waits at once, and no request is held up by it.
        self.tornado_application.settings["slow_spawn_timeout"] = 0
        until = time.monotonic() + SPAWN_DEADLINE
        while self.users.count_active_users()["spawn_pending"] and time.monotonic() < until:
            await asyncio.sleep(0.05)


def main():
    HTTPServer.configure(Server)
    JupyterHub.launch_instance()


if __name__ == "__main__":
    # As a module it has a class of its own, which would be another than this one.
    from tljh import hub

    sys.exit(hub.main())
