"""Processes that have nothing to import: `run` and `Popen` of `subprocess`, for programs in Python.

Most of a short `bench run` is the import of torch, pandas and a provider's package. A server, one for each
process of pytest, imports them once; every program is a fork of it with an environment, a folder and streams
of its own. It is a process like any other: it is told by its number, can be killed, and ends as Python ends.
What an import itself does, and what Python reads from the environment when it starts, is tested by
`subprocess`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as no test has changed it
IMPORTED = (
    "numpy", "orjson", "pandas", "scipy.stats", "torch", "torch.nn.functional", "safetensors.torch",
    "numba", "yaml", "openai", "httpx", "rich.table", "typer", "statsmodels.stats.proportion",
    "harness.cli.run", "solvers.llm.solver", "solvers.nets.solver", "solvers.nets.train.run",
)  # fmt: skip


class Popen:
    """A program that runs: what the tests need of `subprocess.Popen`. `args` is Python, then `-c CODE`,
    `-m MODULE` or a file, then the words for it.
    """

    def __init__(
        self,
        args: list[str],
        *,
        cwd: str | Path | None = None,
        env: dict[str, str] | None = None,
        stdout: Any = None,
        stderr: Any = None,
        text: bool = False,
        start_new_session: bool = False,
    ) -> None:
        assert args[0] == sys.executable, args
        self.args, self.returncode = args, None
        streams: list[IO[Any] | None] = []
        given: list[int] = []
        ours = []
        for number, wanted in ((1, stdout), (2, stderr)):
            reader = None
            if wanted == subprocess.PIPE:
                readable, writable = os.pipe()
                reader = os.fdopen(readable, "r" if text else "rb", encoding="utf-8" if text else None)
                ours.append(writable)
            elif wanted == subprocess.DEVNULL:
                writable = os.open(os.devnull, os.O_WRONLY)
                ours.append(writable)
            elif wanted == subprocess.STDOUT:
                writable = given[0]
            else:
                writable = (
                    number if wanted is None else wanted if isinstance(wanted, int) else wanted.fileno()
                )
            given.append(writable)
            streams.append(reader)
        self.stdout, self.stderr = streams
        self._line, theirs = socket.socketpair()
        asked = {
            "words": args[1:],
            "cwd": str(cwd or os.getcwd()),
            "env": dict(os.environ if env is None else env),
            "session": start_new_session,
        }
        server().ask(asked, [theirs.fileno(), *given])
        theirs.close()
        for number in ours:
            os.close(number)
        self._told = self._line.makefile("rb")
        self.pid = self._number("started")

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended; wait for that `timeout` seconds."""
        if self.returncode is None:
            self._line.settimeout(None)
            if timeout is not None and not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = self._number("ended")
            self._told.close()
            self._line.close()
        return self.returncode

    def _number(self, wanted: str) -> int:
        what, _, number = self._told.readline().decode().partition(" ")
        assert what == wanted, f"the server of {__file__} said {what!r} for {wanted!r}"
        return int(number)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without asking."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """Return what it wrote, when it has ended."""
        read: dict[str, Any] = {"stdout": None, "stderr": None}

        def drain(name: str, stream: IO[Any]) -> None:
            with stream:
                read[name] = stream.read()

        threads = [
            threading.Thread(target=drain, args=(name, stream), daemon=True)
            for name in read
            if (stream := getattr(self, name)) is not None
        ]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        return read["stdout"], read["stderr"]


def run(
    args: list[str],
    *,
    check: bool = False,
    capture_output: bool = False,
    timeout: float | None = 300,
    encoding: str | None = None,
    text: bool = False,
    **more: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a program to its end, as `subprocess.run` does."""
    if capture_output:
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = Popen(args, text=text or encoding is not None, **more)
    try:
        out, err = process.communicate(timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, args, out, err)
    return subprocess.CompletedProcess(args, process.returncode, out, err)


class Server:
    """The process that has imported everything, as this one speaks to it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=theirs, stdout=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT
        )
        theirs.close()

    def ask(self, asked: dict[str, Any], descriptors: list[int]) -> None:
        """Have a program started; the first of `descriptors` hears its number, and later how it ended."""
        message = json.dumps(asked).encode() + b"\n"
        with self._lock:
            sent = socket.send_fds(self._line, [message], descriptors)
            self._line.sendall(message[sent:])

    def close(self) -> None:
        """End it: it ends when nobody can ask any more."""
        self._line.close()
        self._process.wait()


SERVERS: list[Server] = []


def server() -> Server:
    """Return the server of this process; start it if it is the first time."""
    if not SERVERS:
        SERVERS.append(Server())
        atexit.register(SERVERS[0].close)
    return SERVERS[0]


def serve(line: socket.socket) -> dict[str, Any] | None:
    """Start programs until nobody can ask. Return None then; in a program, what it is to be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends who asks, and that ends this one
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for programs
    text: bytes = b""
    descriptors: list[int] = []
    while True:
        got, passed, _, _ = socket.recv_fds(line, 1 << 20, 3)
        if not got:
            return None
        text, descriptors = text + got, descriptors + passed
        if not text.endswith(b"\n"):
            continue
        asked = json.loads(text)
        if os.fork() == 0:
            line.close()
            become(asked, *descriptors)
            return asked
        for number in descriptors:
            os.close(number)
        text, descriptors = b"", []


def become(asked: dict[str, Any], told: int, out: int, err: int) -> None:
    """Fork once more and return in the new process, with streams, folder and environment as asked for; the
    other waits for it and tells how it ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := os.fork():
        os.close(out)
        os.close(err)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(BrokenPipeError):  # whoever asked is gone
            os.write(told, b"ended %d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked["session"]:
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, stream in enumerate((nothing, out, err)):
        os.dup2(stream, number)
        if stream > 2:
            os.close(stream)
    # not as the server opened them: those know already whether they can seek
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    os.write(told, b"started %d\n" % os.getpid())
    os.close(told)


def program(words: list[str]) -> None:
    """Run what Python would run for these words."""
    first, further = words[0], words[1:]
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [place for place in places if place and place not in sys.path]
    if first == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *further[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(further[0], "<string>", "exec"), vars(main))
    elif first == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv = further
        runpy.run_module(further[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(first).resolve().parent))
        sys.argv = words
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    del sys.path[0]  # this folder
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is here is not looked through again in every program
    if wanted := serve(socket.socket(fileno=0)):
        program(wanted["words"])
