"""Commands inside a virtual machine, by QEMU's guest agent on a serial port of virtio.

The agent's protocol is JSON, one object a line: https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
"""

import base64
import itertools
import json
import socket
import subprocess
import threading
import time

# Seconds in which an agent that runs answers, on a busy host.
PATIENCE = 120
# What the agent sends first when it is asked for a fresh start of the conversation.
SENTINEL = b"\xff"


class AgentError(RuntimeError):
    """The agent refused, or does not answer."""


class Agent:
    """The agent behind the socket at `path`, which QEMU listens on."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.socket = self.reader = None

    def begin(self, patience=PATIENCE):
        """Start the conversation anew; AgentError unless the agent answers within `patience` seconds."""
        with self.lock:
            self._hang_up()
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(patience)
            number = next(self.numbers)
            try:
                self.socket.connect(str(self.path))
                self.reader = self.socket.makefile("rb")
                self._send("guest-sync-delimited", {"id": number})
                while True:
                    # Answers to whoever asked before come first.
                    line = self._receive().rpartition(SENTINEL)[2]
                    if line and json.loads(line).get("return") == number:
                        return self
            except (OSError, ValueError) as error:
                self._hang_up()
                raise AgentError("the guest agent does not answer") from error

    def ask(self, command, **arguments):
        """The agent's answer to one command of its protocol."""
        if self.socket is None:
            self.begin()
        with self.lock:
            try:
                self._send(command, arguments)
                answer = json.loads(self._receive())
            except (OSError, ValueError) as error:
                self._hang_up()
                raise AgentError(f"{command}: no answer") from error
        if "error" in answer:
            raise AgentError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def close(self):
        with self.lock:
            self._hang_up()

    def start(self, words, input=None):
        """Run the program and arguments `words`, with `input` (text or bytes) to read; returns at once."""
        if isinstance(input, str):
            input = input.encode()
        more = {} if input is None else {"input-data": base64.b64encode(input).decode()}
        program, *arguments = words
        return Running(self, words, self.ask(
            "guest-exec", path=program, arg=arguments, **{"capture-output": True}, **more
        )["pid"])

    def _send(self, command, arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def _receive(self):
        line = self.reader.readline()
        if not line:
            raise OSError("the connection was closed")
        return line

    def _hang_up(self):
        if self.socket:
            self.socket.close()
        self.socket = self.reader = None


class Running:
    """A command that was started in the machine."""

    def __init__(self, agent, words, pid):
        self.agent, self.words, self.pid = agent, words, pid

    def poll(self):
        """Its subprocess.CompletedProcess once it has ended, else None."""
        state = self.agent.ask("guest-exec-status", pid=self.pid)
        if not state["exited"]:
            return None
        out, err = (
            base64.b64decode(state.get(name, "")).decode(errors="replace") for name in ("out-data", "err-data")
        )
        return subprocess.CompletedProcess(self.words, state.get("exitcode", -state.get("signal", 0)), out, err)

    def wait(self, timeout=300, slowest=0.5):
        """Its result; `slowest` seconds after its end at the latest, where the agent answers at once."""
        end = time.monotonic() + timeout
        pause = 0.02
        while (done := self.poll()) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"`{self.words}` has not ended after {timeout} s")
            time.sleep(pause)
            pause = min(2 * pause, slowest)
        return done
