"""Servers of hub users in systemd units, each under its user's own account.

Names decide nothing here: ``tljh-hub account ensure`` maps, makes and records the account.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import shutil

from jupyterhub.utils import can_connect, exponential_backoff
from systemdspawner import SystemdSpawner
from systemdspawner.systemd import RUN_ROOT
from traitlets import Dict, List, Unicode

from tljh import environment
from tljh.hooks import plugin_manager
from tljh.programs import run

ACCOUNT_DEADLINE = 660
SYSTEMCTL_DEADLINE = 20
ANSWER_DEADLINE = 10
STOP_ATTEMPTS = 3
# Seconds between the library that systemd's programs share and the next one, where Debian itself is upgraded.
REPLACEMENT_DEADLINE = 60
# What systemd says of units that it knows nothing of, too.
NOT_STARTED = "inactive"
RUNNING = ("active", "activating", "reloading", "deactivating")


class AccountRefused(Exception):
    """The user cannot have an account; the reason is shown on the spawn page."""

    def __init__(self, reason):
        super().__init__(reason)
        self.jupyterhub_message = reason


class ServerFailed(Exception):
    """The server ended as soon as it was started; shown on the spawn page."""

    def __init__(self, unit, state):
        super().__init__(f"{unit}.service failed")
        self.state = state
        self.jupyterhub_message = (
            f"The server ended as soon as it was started. An administrator sees why with: "
            f"sudo journalctl --unit {unit} --unit jupyterhub"
        )

    def suspect(self, home):
        """Name the packages in ``home`` that may be to blame, where the environment of all works."""
        for folder in environment.own_packages(home):
            self.jupyterhub_message += (
                f"\nThe packages that this user installed in {folder} may be to blame. An administrator sets them aside "
                f"with: sudo mv {folder} {folder}.aside"
            )


class UnknownState(Exception):
    """systemd could not be asked, which says nothing about the server."""


async def unit_state(unit):
    """What systemd says of ``unit``: its ActiveState, such as ``active``, ``inactive`` or ``failed``.

    :raises UnknownState: systemd could not be asked.
    """
    code, state, problem = await run(
        "systemctl", "show", "--property=ActiveState", "--value", "--", f"{unit}.service",
        deadline=SYSTEMCTL_DEADLINE,
    )
    if code != 0 or not state.strip():
        raise UnknownState(problem.strip() or f"systemctl ended with exit code {code}")
    return state.strip()


async def ensure_systemd_answers():
    """Wait until systemd's programs start: an upgrade of Debian removes their library seconds before it brings the next.

    :raises TimeoutError: they still do not.
    """

    async def starts():
        try:
            code, _, _ = await run("systemd-run", "--version", deadline=SYSTEMCTL_DEADLINE)
        except OSError:
            return False
        return code == 0

    await exponential_backoff(
        starts, "systemd's programs do not start", start_wait=0.2, max_wait=1, timeout=REPLACEMENT_DEADLINE
    )


def unit_name(account, server_name):
    """The unit of one server: ``jupyter-NAME``, and ``jupyter-NAME@SERVER`` for a named one.

    No account name has an ``@``, so that no two servers share a unit. Server names that a unit cannot
    carry are shortened and get five hex digits of their SHA-256, as long account names do.
    """
    if not server_name:
        return account
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", server_name)
    if safe != server_name or len(safe) > 64:
        safe = f"{safe[:58]}-{hashlib.sha256(server_name.encode()).hexdigest()[:5]}"
    return f"{account}@{safe}"


class UserCreatingSpawner(SystemdSpawner):
    """SystemdSpawner that makes the account first, keeps servers apart, and never guesses their state."""

    account_command = Unicode("/usr/bin/tljh-hub", help="The program that makes accounts.").tag(config=True)

    user_groups = Dict(
        key_trait=Unicode(),
        value_trait=List(Unicode()),
        help="System group to the hub users who join it.",
    ).tag(config=True)

    environment_command = Unicode(
        "/usr/bin/tljh-user-env", help="The program that knows which environment works."
    ).tag(config=True)

    shared_jupyter = Unicode(
        help="Where Jupyter looks for what everybody has beside the user environment, such as kernels; after the folders"
        " that ``JUPYTER_PATH`` of ``c.Spawner.environment`` names.",
    ).tag(config=True)

    starting = False
    #: Whether a hub that starts now would take the server up.
    is_noted = False
    #: What `tljh-user-env fallback` told of the generation from which this server is started; empty for the active one.
    fallback = {}
    #: Since when a generation stands in, of which the journal knows.
    told_since = None

    async def start(self):
        account = await self.ensure_account()
        self.unit_name = unit_name(account["account"], self.name)
        # Safe in a format string: an account name has neither braces nor percent signs.
        self.username_template = account["account"]
        self.disable_user_sudo = not self.user.admin
        if self.mem_limit is not None:
            # Without this the kernel moves what is over the limit to swap, for everybody to feel.
            self.unit_extra_properties = {"MemorySwapMax": "0", **self.unit_extra_properties}
        if account["created"]:
            plugin_manager().hook.tljh_new_user_create(username=account["account"])
        self.starting, self.is_noted = True, False
        try:
            return await self.start_where_it_can(account["home"])
        finally:
            self.starting = False

    async def start_where_it_can(self, home):
        """Start from the active generation of the user environment, or from the one that stands in for it."""
        self.fallback = {}
        if environment.read_fallback() and environment.is_ours(self.cmd):
            await self.ask_for_fallback()
        try:
            return await self.start_unit()
        except ServerFailed as failure:
            if not environment.is_ours(self.cmd):
                raise
            self.log.warning("user:%s %s", self.user.name, failure)
            if self.fallback or not await self.ask_for_fallback():
                failure.suspect(home)
                raise
        return await self.start_unit()

    async def ask_for_fallback(self):
        """Learn which generation stands in, if any; return whether another start is worth while."""
        try:
            code, stdout, problem = await run(
                self.environment_command, "fallback", "--json", deadline=environment.DEADLINE
            )
        except OSError as error:
            code, problem = -1, str(error)
        if code != 0:
            self.log.error("Could not find out whether the user environment works: %s", problem.strip())
            return False
        answer = json.loads(stdout)
        if answer["generation"] is None:
            return answer["mended"]
        self.fallback = answer
        if UserCreatingSpawner.told_since != answer["since"]:
            UserCreatingSpawner.told_since = answer["since"]
            self.log.warning("%s", environment.warning(answer))
        self.log.info("user:%s Server starts from generation %s", self.user.name, answer["generation"])
        return True

    async def start_unit(self):
        """Start the unit and wait until the server listens."""
        configured = self.cmd, self.extra_paths, self.unit_extra_properties
        folder = self.use_own_folder()
        if self.fallback:
            self.cmd = environment.command_from(self.fallback, self.cmd)
            self.extra_paths = environment.paths_from(self.fallback, self.extra_paths)
        try:
            where = await self.have_it_started()
            self.note_address(*where)
            await self.wait_until_it_listens(*where)
            return where
        except ServerFailed:
            # systemd removes it with the unit, if there was one.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            self.cmd, self.extra_paths, self.unit_extra_properties = configured

    async def have_it_started(self):
        """Have systemd start the unit; once more where its programs were taken away just then, which SystemdSpawner does
        not notice."""
        await ensure_systemd_answers()
        try:
            return await super().start()
        except ServerFailed as failure:
            if failure.state != NOT_STARTED:
                raise
        self.log.info("user:%s %s.service was not started; trying again", self.user.name, self.unit_name)
        await ensure_systemd_answers()
        return await super().start()

    async def stop(self, now=False):
        # SystemdSpawner takes a server whose stop could not be asked for as one that has stopped.
        for _ in range(STOP_ATTEMPTS):
            await ensure_systemd_answers()
            await super().stop(now)
            state = await self.state_of_unit()
            if state is not None and state not in RUNNING:
                return
        raise UnknownState(f"{self.unit_name}.service could not be stopped")

    def note_address(self, ip, port):
        """Write down which unit was started and where it will listen, so that a hub that starts now takes the server up."""
        self.server.ip, self.server.port = ip, port
        self.orm_spawner.state = self.get_state()
        self.db.commit()
        self.is_noted = True

    def use_own_folder(self):
        """Give this start a folder in /run of its own, where SystemdSpawner hands the environment over.

        The folder of the start before belongs to the user, who may have left a link in it for root to write to, and
        systemd may remove it at any moment.
        """
        folder = f"{self.unit_name}.{secrets.token_hex(8)}"
        others = self.unit_extra_properties.get("RuntimeDirectory", "")
        self.unit_extra_properties = {**self.unit_extra_properties, "RuntimeDirectory": f"{folder} {others}".rstrip()}
        return os.path.join(RUN_ROOT, folder)

    def clear_state(self):
        super().clear_state()
        self.fallback, self.is_noted = {}, False

    def get_env(self):
        env = super().get_env()
        folders = [env.get("JUPYTER_PATH"), self.shared_jupyter]
        if path := ":".join(filter(None, folders)):
            env["JUPYTER_PATH"] = path
        if self.fallback:
            # Its kernels and terminals use the same generation (tljh_generation.py, profile.d).
            env["TLJH_GENERATION"] = self.fallback["folder"]
        return env

    async def progress(self):
        async for event in super().progress():
            yield event
        # The hub ends this with the start.
        while not self.fallback:
            await asyncio.sleep(0.5)
        yield {"progress": 60, "message": environment.PROGRESS}

    async def wait_until_it_listens(self, ip, port):
        """Wait for the server's port; a server that ends before is reported at once.

        JupyterHub alone would wait for a page of it until ``http_timeout``.
        """

        async def listens():
            # Which says so of a server that has ended.
            await self.poll()
            return can_connect(ip, port)

        await exponential_backoff(
            listens, f"{self.unit_name}.service does not listen on port {port}", start_wait=0.2, max_wait=1,
            timeout=self.start_timeout,
        )

    async def ensure_account(self):
        """The account's name, numbers and home, as ``tljh-hub account ensure`` tells them."""
        name = self.user.name
        command = [self.account_command, "account", "ensure", "--json"]
        if self.user.admin:
            command.append("--admin")
        for group, members in self.user_groups.items():
            if name in members:
                command.append(f"--group={group}")
        code, stdout, stderr = await run(*command, "--", name, deadline=ACCOUNT_DEADLINE)
        if code != 0:
            self.log.error("user:%s No account: %s", name, stderr.strip())
            raise AccountRefused(stderr.strip())
        return json.loads(stdout)

    async def poll(self):
        """None while the server runs or nobody can tell; 1 once systemd says that it does not."""
        state = await self.state_of_unit()
        if state is None or state in RUNNING:
            return None
        if self.starting:
            # SystemdSpawner would ask again until its time-out; systemd-run returns with the unit active.
            raise ServerFailed(self.unit_name, state)
        return 1

    async def state_of_unit(self):
        """The unit's ActiveState; None where systemd cannot be asked for it."""
        if not self.unit_name:
            return NOT_STARTED
        answer = {}

        async def asked():
            try:
                answer["state"] = await unit_state(self.unit_name)
            except UnknownState as problem:
                answer["problem"] = problem
                return False
            return True

        # One that ran does so still, most likely; one that is being started is not known to anybody yet.
        patience = REPLACEMENT_DEADLINE if self.starting else ANSWER_DEADLINE
        try:
            await exponential_backoff(asked, "systemd does not answer", start_wait=0.2, timeout=patience)
        except TimeoutError:
            self.log.warning(
                "user:%s Could not ask systemd about %s, taken to be still running: %s",
                self.user.name, self.unit_name, answer["problem"],
            )
            return None
        return answer["state"]
