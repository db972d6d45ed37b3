"""ptrace(2) and seccomp(2) of the kernel, on x86-64: as much as `tracer` needs to stop a tree of processes at some of
its system calls and leave all others at full speed.
"""

import ctypes
import errno
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

CONT, GETREGS, SETREGS, SEIZE, GETEVENTMSG, LISTEN = 7, 12, 13, 0x4206, 0x4201, 0x4208
EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_SECCOMP, EVENT_STOP = 1, 2, 3, 4, 7, 128
EXITKILL = 1 << 20
OPTIONS = sum(1 << event for event in (EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_SECCOMP)) | EXITKILL
# wait(2): children made by clone(2) with another signal than SIGCHLD too.
WALL = 0x40000000

# Where linux/user.h of x86-64 keeps the result, the number and the six arguments of a system call.
REGISTERS = 27
RESULT, NUMBER, ARGUMENTS = 10, 15, (14, 13, 12, 7, 9, 8)

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
RET_TRACE, RET_ALLOW = 0x7FF00000, 0x7FFF0000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
AUDIT_ARCH_X86_64 = 0xC000003E
OF_NUMBER, OF_ARCHITECTURE, OF_ARGUMENTS = 0, 4, 16


class Gone(Exception):
    """The process has been killed meanwhile."""


def ptrace(request, pid, address=0, data=0):
    if libc.ptrace(request, pid, address, data) == -1:
        number = ctypes.get_errno()
        if number == errno.ESRCH:
            raise Gone(pid)
        raise OSError(number, os.strerror(number), f"ptrace {request:#x} of process {pid}")


def seize(pid):
    """Have this thread told of what the process `pid` and its children do."""
    ptrace(SEIZE, pid, 0, OPTIONS)


def event_message(pid):
    """The process number that comes with the event of a new process."""
    message = ctypes.c_ulong()
    ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
    return message.value


class Call:
    """A system call at which the process `pid` was stopped, before the kernel does it."""

    def __init__(self, pid):
        self.pid = pid
        self.registers = (ctypes.c_ulonglong * REGISTERS)()
        ptrace(GETREGS, pid, 0, ctypes.addressof(self.registers))
        self.number = self.registers[NUMBER]
        self.arguments = [self.registers[index] for index in ARGUMENTS]

    def fail(self, number):
        """Have it fail with this error instead."""
        self.registers[NUMBER] = (1 << 64) - 1
        self.registers[RESULT] = (1 << 64) - number
        ptrace(SETREGS, self.pid, 0, ctypes.addressof(self.registers))


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def stop_at(calls):
    """Have this process, and all that come from it, stop at system calls: `calls` is {number: condition}, where a
    condition is None or (code, index, value), a comparison with the lower half of an argument."""
    blocks = []
    for number, condition in calls.items():
        if condition is None:
            blocks.append(instruction(EQUAL, number, 0, 1) + instruction(RETURN, RET_TRACE))
        else:
            code, index, value = condition
            blocks.append(
                instruction(EQUAL, number, 0, 4) + instruction(LOAD, OF_ARGUMENTS + 8 * index)
                + instruction(code, value, 0, 1) + instruction(RETURN, RET_TRACE) + instruction(RETURN, RET_ALLOW)
            )
    program = (
        instruction(LOAD, OF_ARCHITECTURE) + instruction(EQUAL, AUDIT_ARCH_X86_64, 1, 0) + instruction(RETURN, RET_ALLOW)
        + instruction(LOAD, OF_NUMBER) + b"".join(blocks) + instruction(RETURN, RET_ALLOW)
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer)))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_ulong(ctypes.addressof(filters)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl: cannot filter system calls")
