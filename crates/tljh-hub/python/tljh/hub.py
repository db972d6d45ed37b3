"""JupyterHub that can be started again while people work: ``python -m tljh.start`` in the place of ``-m jupyterhub``.

Asked to end (SIGTERM), it first waits for the servers that are being started or stopped, and serves meanwhile; then it leaves
its listening socket to the next hub, answers what has come, and ends. A second SIGTERM cuts that short. Both waits
have a limit: a server that takes longer goes on by itself, and the next hub takes it up. One that is not in systemd's hands
yet would be lost, and gets more time.
"""

import asyncio
import logging
import os
import sys
import time

from jupyterhub import app
from jupyterhub.log import log_request
from tornado.httpserver import HTTPServer

from tljh.notify import notify
from tljh.server import Server

#: Seconds that servers get to start or stop. TimeoutStopSec of jupyterhub.service is more than this and the next together.
SERVER_DEADLINE = 20
#: Seconds that requests get to be answered; those that wait for a server do so for ten.
REQUEST_DEADLINE = 12
#: Seconds more for servers that the next hub could not take up, if need be.
UNKNOWN_SERVER_DEADLINE = 60


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
        await self.wait_while(self.pending_servers, SERVER_DEADLINE)
        if unknown := self.unknown_servers():
            self.log.info("Waiting longer for servers that systemd does not know yet: %s", ", ".join(s._log_name for s in unknown))
            # From now, where TimeoutStopSec would end this sooner.
            notify(f"EXTEND_TIMEOUT_USEC={(UNKNOWN_SERVER_DEADLINE + REQUEST_DEADLINE + 5) * 1_000_000}")
            await self.wait_while(self.unknown_servers, UNKNOWN_SERVER_DEADLINE)

    @staticmethod
    async def wait_while(found, deadline):
        until = time.monotonic() + deadline
        while found() and time.monotonic() < until:
            await asyncio.sleep(0.05)

    def pending_servers(self):
        return [
            spawner for user in self.users.values() for spawner in user.spawners.values()
            if spawner.pending in ("spawn", "stop")
        ]

    def unknown_servers(self):
        """Those of which the next hub would know nothing; what other spawners than ours do is not known here."""
        return [
            spawner for spawner in self.pending_servers()
            if spawner.pending == "spawn" and not getattr(spawner, "is_noted", True)
        ]


def main():
    HTTPServer.configure(Server)
    JupyterHub.launch_instance()
    # All is told and written. To take each object apart takes half a second, for which people wait.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
