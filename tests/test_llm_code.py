"""The strategy `code`: a model's program is run behind walls, and whatever it tries is a failure of its
own, not of the run.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Attempt, Budget, Outcome
from harness.errors import UserError
from solvers.llm import sandbox, seccomp
from solvers.llm.sandbox import Finished, run_program
from solvers.llm.solver import LlmSolver
from tests.llm_server import Behaviour, LlmServer
from tests.llm_task import EchoTask, number_in, puzzles


def no_walls() -> str:
    """Say why there is no sandbox on this machine; nothing if there is."""
    try:
        sandbox.require_sandbox()
    except UserError as error:
        return str(error)
    return ""


needs_walls = pytest.mark.skipif(bool(no_walls()), reason=no_walls())
SECONDS = 2.0


def run(source: str, *, walls: bool = True) -> Finished:
    return asyncio.run(run_program(source, seconds=SECONDS, walls=walls))


def descendants() -> set[str]:
    """Names of sandbox processes that are alive."""
    return {
        p.name for p in Path("/proc").glob("[0-9]*") if (p / "cmdline").exists() and b"RLIMIT_AS" in _line(p)
    }


def _line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@needs_walls
@pytest.mark.parametrize(
    ("source", "trouble"),
    [
        ("import os\nwhile True: os.fork()", "Operation not permitted"),
        ("import subprocess\nsubprocess.run(['/usr/bin/true'])", "Operation not permitted"),
        (
            "import threading\nwhile True: threading.Thread(target=__import__('time').sleep, "
            "args=(60,)).start()",
            "2 s",
        ),
        ("x = bytearray(2**30)", "MemoryError"),
        ("open('/etc/outside', 'w')", "FileNotFoundError"),
        ("open('/outside', 'w')", "Read-only file system"),
        ("open('/dev/shm/outside', 'w')", "status 1"),
        ("open('inside', 'wb')", "Read-only file system"),
        ("import os\nos.symlink('/usr', 'inside')", "Read-only file system"),
        ("import socket\nsocket.create_connection(('1.1.1.1', 53), 1)", "Operation not permitted"),
        ("import time\ntime.sleep(1000)", "ran longer than 2 s"),
        ("while True: pass", "2 s"),
        ("while True: print('x' * 10**6)", "printed more than 1048576 bytes"),
        ("import os\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)", "status 1"),
        ("print(4", "SyntaxError"),
    ],
)
def test_a_program_that_misbehaves_is_contained_in_time_and_leaves_nothing(
    source: str, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trouble.endswith("2 s"):  # what only the clock ends need not be given time to start
        monkeypatch.setattr(sandbox, "START_SECONDS", 0.0)
    since = time.monotonic()
    done = run(source)
    assert done.trouble is not None
    assert trouble in f"{done.trouble} {done.output}"
    assert time.monotonic() - since < SECONDS + 20
    assert len(done.output) <= sandbox.OUTPUT_BYTES
    for _ in range(100):
        if not descendants():
            return
        time.sleep(0.1)
    raise AssertionError(f"still alive: {descendants()}")


INSIDE = """
import ctypes, json, mmap, os, resource, socket, threading, time, warnings
warnings.simplefilter("ignore")  # of Python 3.12 and later: a fork beside threads
libc = ctypes.CDLL(None, use_errno=True)
opened = []

def attempt(name, call):
    try:
        found = call()
    except (OSError, MemoryError, AttributeError, ValueError, ImportError, RuntimeError):
        return
    if found is not False and not (isinstance(found, int) and not isinstance(found, bool) and found < 0):
        opened.append(name)

def for_writing(path):
    os.close(os.open(path, os.O_WRONLY))
    return True

for top, folders, files in os.walk("/proc/sys"):
    for file in files:
        attempt(f"write {top}/{file}", lambda: for_writing(f"{top}/{file}"))
for path in ("/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/environ", "/proc/self/oom_score_adj",
             "/usr/bin/env", "/proc/self/uid_map", "/proc/self/setgroups", "/dev/kmsg", "/dev/mem"):
    attempt(f"write {path}", lambda: for_writing(path))
for path in ("/proc/1/root/etc/passwd", "/etc/passwd", "/root/.bashrc", "/proc/kcore"):
    attempt(f"read {path}", lambda: bool(open(path, "rb").read(1)))
names = lambda: {v.split(b"=")[0] for v in open("/proc/1/environ", "rb").read().split(b"\\0")}
attempt("environment", lambda: bool(names() - {b"PATH", b"LANG", b"PWD", b""}))
attempt("memfd", lambda: os.memfd_create("x"))
attempt("memfd_secret", lambda: libc.syscall(447, 0))
attempt("shmget", lambda: libc.shmget(0, 4096, 0o1600))
attempt("msgget", lambda: libc.msgget(0, 0o1600))
attempt("io_uring", lambda: libc.syscall(425, 8, 0))
attempt("keyring", lambda: libc.syscall(250 if os.uname().machine == "x86_64" else 219, 0, -3, 1))
attempt("asynchronous input and output", lambda: libc.syscall(206, 8, ctypes.byref(ctypes.c_ulong())))
attempt("inotify", lambda: libc.inotify_init1(0))
attempt("a pair of sockets", lambda: bool(socket.socketpair()))
attempt("shared memory", lambda: __import__("multiprocessing.shared_memory").shared_memory.SharedMemory(
    create=True, size=2**30))
attempt("a gigabyte", lambda: bool(bytearray(2**30)))
attempt("a mapped gigabyte", lambda: bool(mmap.mmap(-1, 2**30)))
attempt("a file", lambda: os.open("f", os.O_CREAT | os.O_RDWR))
attempt("a folder", lambda: os.mkdir("d") is None)
timer = ctypes.c_void_p()
attempt("many timers", lambda: all(libc.timer_create(1, None, ctypes.byref(timer)) == 0 for _ in range(1000)))
def threads():
    threading.stack_size(32768)
    for _ in range(2000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return True
attempt("many threads", threads)
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x4000000, 0x8000000):
    attempt(f"unshare {flag:#x}", lambda: libc.unshare(flag))
attempt("setns", lambda: libc.setns(os.open("/proc/self/ns/user", os.O_RDONLY), 0))
attempt("fork", os.fork)
attempt("posix_spawn", lambda: os.posix_spawn("/usr/bin/true", ["true"], {}))
for family in (1, 2, 10, 16, 17, 38, 40):
    attempt(f"socket {family}", lambda: bool(socket.socket(family, socket.SOCK_DGRAM)))
attempt("superuser", lambda: os.getuid() == 0 or os.getgid() == 0)
attempt("setuid", lambda: os.setuid(0) is None)
attempt("setgroups", lambda: os.setgroups([0]) is None)
attempt("priority", lambda: bool(os.nice(-1)) or True)
attempt("more cpu", lambda: resource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6)) is None)
attempt("more memory", lambda: resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40)) is None)
attempt("mount", lambda: libc.mount(b"none", b"/box", b"tmpfs", 0, 0))
attempt("chroot", lambda: os.chroot("/usr") is None)
attempt("device", lambda: os.mknod("d", 0o60600, os.makedev(8, 0)) is None)
attempt("host name", lambda: socket.sethostname("x") is None)
attempt("ptrace", lambda: libc.ptrace(16, 1, 0, 0))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
attempt("capabilities", lambda: any(int(status[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Inh", "Bnd")))
attempt("new privileges", lambda: int(status["NoNewPrivs"]) != 1)
attempt("groups", lambda: bool(set(status["Groups"].split()) - {"65534"}))
attempt("other processes", lambda: sum(n.isdigit() for n in os.listdir("/proc")) > 3)
print(json.dumps(opened), flush=True)
os._exit(0)
"""


@needs_walls
def test_no_hole_is_open_from_the_inside() -> None:
    done = asyncio.run(run_program(INSIDE, seconds=20, walls=True))
    assert done == Finished(output="[]\n", trouble=None)


@needs_walls
@pytest.mark.parametrize(
    ("wall", "hole"),
    [
        (["--remount-ro", "/proc"], "/proc can be written"),
        (["--unshare-pid"], "it sees other processes"),
        (["--remount-ro", "/"], "it can write files"),
    ],
)
def test_where_a_wall_is_missing_no_program_is_run(
    wall: list[str], hole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sandbox._walls

    def without(*arguments: str) -> list[str]:
        words = whole(*arguments)
        at = next(i for i in range(len(words)) if words[i : i + len(wall)] == wall)
        return words[:at] + words[at + len(wall) :]

    monkeypatch.setattr(sandbox, "_walls", without)
    sandbox.require_sandbox.cache_clear()
    try:
        with pytest.raises(UserError, match=f"does not work here: .*{hole}.*every wall was seen to hold"):
            sandbox.require_sandbox()
    finally:
        sandbox.require_sandbox.cache_clear()


@needs_walls
def test_without_the_filter_of_system_calls_no_program_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "FORBIDDEN", {"fork": (57, None)})
    sandbox.require_sandbox.cache_clear()
    try:
        with pytest.raises(UserError, match=r"memory outside the limit.*namespaces.*sockets"):
            sandbox.require_sandbox()
    finally:
        sandbox.require_sandbox.cache_clear()


@needs_walls
def test_a_program_sees_no_secrets_and_no_files_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    done = run(
        "import os\nprint(dict(os.environ), os.listdir('.'), os.path.exists('/home'), os.path.exists('/etc'))"
    )
    assert done.trouble is None
    assert "sk-planted" not in done.output
    assert done.output.strip().endswith("[] False False")
    assert run(f"print(open({__file__!r}).read())").trouble is not None


def test_limits_of_time_and_output_hold_without_walls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("print(6 * 7)", walls=False) == Finished(output="42\n", trouble=None)
    assert "printed more" in (run("while True: print('x' * 10**6)", walls=False).trouble or "")
    monkeypatch.setattr(sandbox, "START_SECONDS", 0.0)
    assert "ran longer" in (run("import time\ntime.sleep(60)", walls=False).trouble or "")


def solve(text: str, count: int = 1, **options: Any) -> list[Attempt]:
    def script(body: dict[str, Any], _nth: int) -> Behaviour:
        return Behaviour(text=text.replace("N", str(number_in(body))))

    with LlmServer(script) as server:
        solver = LlmSolver(
            model="m", base_url=server.url, program_seconds=SECONDS, **{"strategy": "code", **options}
        )
        return list(solver.solve(EchoTask(), puzzles(count), Budget()))


@needs_walls
def test_what_the_program_prints_is_the_answer() -> None:
    found = solve("Here:\n```python\nprint(0)\n```\nbetter:\n```python\nprint(N)\n```\nDone.", 4)
    assert {a.puzzle_id: a.answer for a in found} == {f"p{n}": n for n in range(4)}


@needs_walls
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("```answer\n0\n```", "holds no Python program"),
        ("```python\nprint(x)\n```", "the program failed: it ended with status 1: NameError"),
        ("```python\nprint('none')\n```", "no answer block"),
    ],
)
def test_a_program_that_gives_no_answer_is_unparsed_and_says_why(text: str, words: str) -> None:
    (attempt,) = solve(text)
    assert attempt.outcome is Outcome.UNPARSED
    assert words in attempt.detail["reason"]


@needs_walls
def test_refine_sends_the_programs_error_back() -> None:
    (attempt,) = solve("```python\nprint(x)\n```", strategy="code+refine", rounds=2)
    assert (attempt.outcome, attempt.depth) == (Outcome.UNPARSED, 2)


def test_without_a_sandbox_programs_are_refused_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    sandbox.require_sandbox.cache_clear()
    try:
        with pytest.raises(UserError, match=r"no sandbox for them here.*-S sandbox=off"):
            LlmSolver(model="m", strategy="code", program_seconds=1.0)
        (attempt,) = solve("```python\nprint(N)\n```", sandbox="off")
        assert attempt.answer == 0
    finally:
        sandbox.require_sandbox.cache_clear()


def test_a_sandbox_that_does_not_work_is_no_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: no permission to create a namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(broken))
    sandbox.require_sandbox.cache_clear()
    try:
        with pytest.raises(UserError, match=r"does not work here: .*no permission"):
            LlmSolver(model="m", strategy="code", program_seconds=1.0)
    finally:
        sandbox.require_sandbox.cache_clear()
