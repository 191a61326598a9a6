"""Run a program nobody has read: no network, nothing to write to, no processes, bounded CPU, memory, output
and time, and no privilege whoever started it.

The walls are bubblewrap's (https://github.com/containers/bubblewrap): new user, network, process, IPC and UTS
namespaces, the system's libraries, /proc and an empty folder, all read-only, and a seccomp filter
(`seccomp.py`). Nothing can be written, for in a folder in memory empty files take what no limit counts. A
superuser's program becomes another user, since files such as those of /proc/sys ask who one is outside. The
limits are the kernel's (setrlimit). Linux only.

Before the first program a probe looks for each hole from the inside, by opening, never by writing; where it
finds one, no program is run.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from harness.errors import UserError
from solvers.llm import seccomp

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
NOBODY = 65534  # the user and group without privileges, by convention
MEMORY_BYTES = 512 * 2**20
OUTPUT_BYTES = 2**20
START_SECONDS = 5.0  # of wall time, beside the program's own


KILLED = (137, 152, -signal.SIGKILL, -signal.SIGXCPU)
"""Statuses of a program that the kernel ended for its limits, as bubblewrap passes them on and as we see
them without.
"""

LIMITS = """
import os, resource, sys
seconds, memory, user = (int(word) for word in sys.argv[1:4])
limits = {"CPU": seconds, "AS": memory, "NOFILE": 64, "CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0}
limits["SIGPENDING"] = 64
if user:
    limits["NPROC"] = 512  # threads; of all programs side by side, where a superuser runs them
for name, limit in limits.items():
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is not None:
        resource.setrlimit(kind, (limit, limit))
if user and os.getuid() == 0:
    import ctypes, struct
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.capset(struct.pack("II", 0x20080522, 0), bytes(24))  # the inheritable ones too
os.execv(sys.argv[4], sys.argv[4:])
"""
"""Sets the limits of each process, gives up a superuser's rights, and becomes the program. Few open files
and signals: pipes and timers hold memory that no other limit counts.
"""

PROBE = """
import ctypes, os, resource, sys
shown, way = set(os.listdir("/")), sys.base_prefix.split("/")
same_users = open("/proc/self/uid_map").read().split()[:2] == ["0", "0"]  # no namespace that renames root
def refused(call, *words):
    try: call(*words)
    except (OSError, AttributeError, MemoryError): return True
    return False
def fails(name, *words):
    return getattr(ctypes.CDLL(None, use_errno=True), name)(*words) < 0
facts = {
    "it is the superuser": os.getuid() != 0 and (not root or same_users),
    "/proc can be written": bool(os.statvfs("/proc").f_flag & os.ST_RDONLY),
    "/ can be written": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "/dev can be written": bool(os.statvfs("/dev").f_flag & os.ST_RDONLY),
    "/usr can be written": bool(os.statvfs("/usr").f_flag & os.ST_RDONLY),
    "kernel settings can be opened for writing": all(
        refused(os.open, f"/proc/{name}", os.O_WRONLY) for name in
        ("sys/kernel/hostname", "sys/kernel/core_pattern", "sys/vm/drop_caches", "sysrq-trigger")),
    "memory outside the limit can be had":
        refused(os.memfd_create, "probe") and fails("shmget", 0, 4096, 0o1600),
    "it can make namespaces": fails("unshare", 0x10000000) and fails("unshare", 0x00020000),
    "it can start processes": refused(os.fork),
    "it has sockets": all(fails("socket", family, 1, 0) for family in (1, 2, 16, 40))
        and fails("socketpair", 1, 1, 0, (ctypes.c_int * 2)()),
    "the memory limit does not hold": refused(bytearray, 2 ** 31),
    "threads have no limit": resource.getrlimit(resource.RLIMIT_NPROC)[1] == 512,
    "it can write files": bool(os.statvfs(".").f_flag & os.ST_RDONLY),
    "it sees other processes": all(int(n) < 10 for n in os.listdir("/proc") if n.isdigit()),
    "it sees files of ours": shown <= {"usr", "bin", "lib", "lib64", "proc", "dev", "box", way[1]}
        and (way[1] == "usr" or all(len(os.listdir("/".join(way[:n]))) == 1 for n in range(2, len(way)))),
}
print("; ".join(hole for hole, closed in facts.items() if not closed) or "none")
"""
"""Prints the holes it finds, or "none"."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a program printed, and why it was stopped (None if it ended by itself with status 0)."""

    output: str
    trouble: str | None


@cache
def require_sandbox() -> str:
    """Return the path of a bubblewrap whose walls hold here; raise `UserError` if there is none."""
    found = shutil.which("bwrap")
    if not seccomp.known() or found is None:
        raise UserError(
            "The strategy 'code' runs programs that a model wrote, and there is no sandbox for them here.",
            rule="Without one they could read and change your files.",
            next_step=(
                "Install bubblewrap (apt install bubblewrap), or give -S sandbox=off in a disposable "
                "container."
            ),
        )
    why = _hole(found)
    if why is not None:
        raise UserError(
            f"bubblewrap does not work here: {why}.",
            rule="A program is run only where every wall was seen to hold.",
            next_step=(
                "Allow unprivileged user namespaces and keep Python where every user can read it, or give "
                "-S sandbox=off in a disposable container."
            ),
        )
    return found


def _hole(bwrap: str) -> str | None:
    """Run the probe; return what it found open, or why it did not run; None if all holds."""
    with seccomp.filter_file() as rules:
        try:
            trial = subprocess.run(
                _command(f"root = {os.geteuid() == 0}{PROBE}", seconds=10, bwrap=bwrap, rules=rules),
                stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", errors="replace",
                pass_fds=(rules.fileno(),), cwd="/", env=ENVIRONMENT,
            )  # fmt: skip
        except OSError as error:
            return str(error)
    said = trial.stdout.strip()
    if trial.returncode == 0 and said == "none":
        return None
    # a container or a system that forbids user namespaces, or a hole
    return said or (trial.stderr.strip().splitlines() or [f"status {trial.returncode}"])[-1]


def _command(source: str, *, seconds: float, bwrap: str | None, rules: IO[bytes] | None) -> list[str]:
    """Return what runs a program under the limits, and behind the walls unless `bwrap` is None."""
    python = str(Path(sys.executable).resolve())
    limits = [str(math.ceil(seconds)), str(MEMORY_BYTES), str(NOBODY if bwrap else 0)]
    limited = [python, "-I", "-S", "-c", LIMITS, *limits, python, "-I", "-S", "-c", source]
    if bwrap is None or rules is None:
        return limited
    return [bwrap, *_walls(bwrap, python), "--seccomp", str(rules.fileno()), *limited]


async def run_program(source: str, *, seconds: float, walls: bool) -> Finished:
    """Run Python source without input. `walls=False` leaves bubblewrap out: the limits remain, files and
    network are open.
    """
    bwrap = require_sandbox() if walls else None
    async with _places():
        with seccomp.filter_file() as rules:
            process = await asyncio.create_subprocess_exec(
                *_command(source, seconds=seconds, bwrap=bwrap, rules=rules),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=ENVIRONMENT,
                start_new_session=True,
                cwd="/",
                pass_fds=(rules.fileno(),),
            )
        output, trouble = bytearray(), None
        try:
            # of wall time: more than of CPU, which a busy machine does not give at once
            async with asyncio.timeout(2 * seconds + START_SECONDS):
                trouble = await _read(process, output)
                if trouble is None:
                    await process.wait()
        except TimeoutError:
            trouble = f"it ran longer than {seconds:g} s"
        finally:
            if process.returncode is None:
                # inside the walls everything dies with the first process
                with suppress(ProcessLookupError):  # it has just ended
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
async def _places() -> AsyncIterator[None]:
    """Let as many programs run side by side as there are processors, so that one's time limit is its own."""
    loop = asyncio.get_running_loop()
    async with _PLACES.setdefault(loop, asyncio.Semaphore(os.cpu_count() or 1)):
        yield


_PLACES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


@cache
def _can_disable_userns(bwrap: str) -> bool:
    """Say whether this bubblewrap (0.8 or later) can forbid user namespaces inside its own."""
    asked = subprocess.run(
        [bwrap, "--help"], capture_output=True, text=True, encoding="utf-8", errors="replace"
    )
    return "--disable-userns" in asked.stdout + asked.stderr


def _walls(bwrap: str, python: str) -> list[str]:
    """Return bubblewrap's arguments: read-only system and interpreter, an empty folder in memory, nothing
    else.
    """
    system = [path for path in ("/usr", "/bin", "/lib", "/lib64") if Path(path).exists()]
    interpreter = {str(Path(python).parent.parent), sysconfig.get_paths()["stdlib"]}
    shown = [*system, *sorted(path for path in interpreter if not path.startswith("/usr/"))]
    # folders on the way to an interpreter, one in a home among them, that the program may go through
    parents = sorted({str(p) for path in shown for p in Path(path).parents} - {"/", *shown, "/usr"})
    if os.geteuid() == 0:
        # the superuser's own namespace, left as another user: in a user namespace of its making a program
        # would still be root to the files outside
        user = ["--cap-drop", "ALL"]
        user += [w for name in ("SETUID", "SETGID", "SETPCAP") for w in ("--cap-add", f"CAP_{name}")]
    else:
        user = ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL"]
        user += ["--disable-userns"] if _can_disable_userns(bwrap) else []
    return [
        "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", *user,
        "--die-with-parent", "--new-session",
        *(word for path in parents for word in ("--perms", "0755", "--dir", path)),
        *(word for path in shown for word in ("--ro-bind", path, path)),
        "--proc", "/proc", "--dev", "/dev",
        "--perms", "0755", "--dir", "/box", "--chdir", "/box",
        "--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/",
    ]  # fmt: skip
