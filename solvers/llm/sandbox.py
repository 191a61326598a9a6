"""Run a program nobody has read: no network, no files but its own folder, no processes, bounded CPU, memory,
output and time.

The walls are bubblewrap's (https://github.com/containers/bubblewrap): new user, network, process, IPC and UTS
namespaces, the system's libraries read-only, one folder in memory to write to, a seccomp filter. The limits
are the kernel's (setrlimit). Linux only.
"""

from __future__ import annotations

import asyncio
import errno
import math
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from harness.errors import UserError

MEMORY_BYTES = 512 * 2**20
FOLDER_BYTES = 16 * 2**20
OUTPUT_BYTES = 2**20


CLONE_THREAD = 0x10000
CLONE3 = 435
SYSTEM_CALLS = {"x86_64": (0xC000003E, 56, (57, 58)), "aarch64": (0xC00000B7, 220, ())}
"""Audit name of the architecture, its clone, and its calls that only fork (linux/audit.h, asm/unistd.h)."""

KILLED = (137, 152, -signal.SIGKILL, -signal.SIGXCPU)
"""Statuses of a program that the kernel ended for its limits, as bubblewrap passes them on and as we see
them without.
"""

LIMITS = """
import os, resource, sys
seconds, memory = (int(word) for word in sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Sets the limits of each process and becomes the program."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a program printed, and why it was stopped (None if it ended by itself with status 0)."""

    output: str
    trouble: str | None


@cache
def require_sandbox() -> str:
    """Return the path of a bubblewrap that works here; raise `UserError` if there is none."""
    found = shutil.which("bwrap")
    if platform.machine() not in SYSTEM_CALLS or found is None:
        raise UserError(
            "The strategy 'code' runs programs that a model wrote, and there is no sandbox for them here.",
            rule="Without one they could read and change your files.",
            next_step=(
                "Install bubblewrap (apt install bubblewrap), or give -S sandbox=off in a disposable "
                "container."
            ),
        )
    python = str(Path(sys.executable).resolve())
    trial = subprocess.run(
        [found, *_walls(python), python, "-I", "-S", "-c", ""], capture_output=True, text=True
    )
    if trial.returncode:  # a container or a system that forbids user namespaces
        raise UserError(
            f"bubblewrap does not work here: {trial.stderr.strip().splitlines()[-1:] or trial.returncode}.",
            next_step="Allow unprivileged user namespaces, or give -S sandbox=off in a disposable container.",
        )
    return found


async def run_program(source: str, *, seconds: float, walls: bool) -> Finished:
    """Run Python source without input. `walls=False` leaves bubblewrap out: the limits remain, files and
    network are open.
    """
    python = str(Path(sys.executable).resolve())
    limited = [python, "-I", "-S", "-c", LIMITS, str(math.ceil(seconds)), str(MEMORY_BYTES)]
    async with _places(), _no_forks() as filter_file:
        process = await asyncio.create_subprocess_exec(
            *([require_sandbox(), *_walls(python), "--seccomp", str(filter_file.fileno())] if walls else []),
            *limited,
            *[python, "-I", "-S", "-c", source],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
            cwd="/",
            pass_fds=(filter_file.fileno(),) if walls else (),
        )
        output, trouble = bytearray(), None
        try:
            async with asyncio.timeout(seconds + 1.0):  # of wall time; one more than of CPU, for starting up
                trouble = await _read(process, output)
                if trouble is None:
                    await process.wait()
        except TimeoutError:
            trouble = f"it ran longer than {seconds:g} s"
        finally:
            if process.returncode is None:
                # inside the walls everything dies with the first process
                os.killpg(process.pid, signal.SIGKILL)
                await _drain(process)
    if trouble is None and process.returncode in KILLED:
        trouble = f"it was killed for using more than {seconds:g} s of CPU, or too much memory"
    elif trouble is None and process.returncode:
        last = output.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        trouble = f"it ended with status {process.returncode}: {last[0][:200]}"
    return Finished(output=output[:OUTPUT_BYTES].decode("utf-8", "replace"), trouble=trouble)


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Wait for a killed process; what it still had in the pipe would keep asyncio waiting for ever."""
    assert process.stdout is not None
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while await process.stdout.read(65536):
                pass
            await process.wait()


async def _read(process: asyncio.subprocess.Process, output: bytearray) -> str | None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(65536):
        output += chunk
        if len(output) > OUTPUT_BYTES:
            return f"it printed more than {OUTPUT_BYTES} bytes"
    return None


@asynccontextmanager
async def _no_forks() -> AsyncIterator[IO[bytes]]:
    """Give a file with a seccomp filter (classic BPF) that lets a program start threads but no process.

    A limit on processes would not do: the kernel does not hold a superuser to it, and a fork bomb outruns
    whoever counts.
    """
    audit, clone, forks = SYSTEM_CALLS[platform.machine()]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, fails, missing = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    code = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, 0)]
    # the x32 numbers are another way to say the same calls
    code += [(at_least, 0, 1, 0x40000000), (give, 0, 0, kill)]
    for number in forks:
        code += [(equal, 0, 1, number), (give, 0, 0, fails)]
    # its flags are out of a filter's sight; callers fall back on clone
    code += [(equal, 0, 1, CLONE3), (give, 0, 0, missing)]
    code += [
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (any_bit, 1, 0, CLONE_THREAD),
        (give, 0, 0, fails),
        (give, 0, 0, allow),
    ]
    with tempfile.TemporaryFile() as file:
        file.write(b"".join(struct.pack("=HBBI", *instruction) for instruction in code))
        file.seek(0)
        yield file


@asynccontextmanager
async def _places() -> AsyncIterator[None]:
    """Let as many programs run side by side as there are processors, so that one's time limit is its own."""
    loop = asyncio.get_running_loop()
    async with _PLACES.setdefault(loop, asyncio.Semaphore(os.cpu_count() or 1)):
        yield


_PLACES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


def _walls(python: str) -> list[str]:
    """Return bubblewrap's arguments: read-only system and interpreter, an empty folder in memory, nothing
    else.
    """
    system = [path for path in ("/usr", "/bin", "/lib", "/lib64") if Path(path).exists()]
    interpreter = {str(Path(python).parent.parent), sysconfig.get_paths()["stdlib"]}
    shown = [*system, *sorted(path for path in interpreter if not path.startswith("/usr/"))]
    return [
        "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        *(word for path in shown for word in ("--ro-bind", path, path)),
        "--proc", "/proc", "--dev", "/dev", "--size", str(FOLDER_BYTES), "--tmpfs", "/box", "--chdir", "/box",
        "--remount-ro", "/dev", "--remount-ro", "/",
    ]  # fmt: skip
