"""A command on a terminal of its own."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

DEADLINE = 300


class Terminal:
    """Runs `tljh-user-env` with `arguments` on a terminal that is wide enough for each line."""

    def __init__(self, installation, *arguments, **settings):
        command = list(map(str, installation.command(*arguments)))
        environment = installation.environment(TERM="xterm", **settings)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        self.shown = ""

    def wait_for(self, text):
        """Until it has been shown, be it only for a while."""
        deadline = time.monotonic() + DEADLINE
        while text not in self.shown:
            assert self.read(deadline), f"{text!r} is not in {self.shown[-500:]!r}"

    def type(self, text):
        os.write(self.terminal, text.encode())

    def end(self):
        """Its exit code."""
        deadline = time.monotonic() + DEADLINE
        while self.read(deadline):
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def left(self):
        """The lines that stand on the screen: of each, what came after it was cleared for the last time."""
        lines = [re.split(r"\r\x1b\[2K|\r(?!$)", line)[-1] for line in self.shown.split("\n")]
        left = [line.replace("\r", "").rstrip() for line in lines]
        assert "\x1b" not in "".join(left), left
        return [line for line in left if line]

    def read(self, deadline):
        """Whether there was anything."""
        assert select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0], self.shown[-500:]
        try:
            piece = os.read(self.terminal, 4096)
        except OSError:
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)
