"""Published weights by name: fetched from a stand-in for the hub, checked, converted, kept."""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest
import torch

from harness.cli.main import dispatch
from harness.errors import RunError, UserError
from solvers.nets.weights import files as weights
from solvers.nets.weights import pull as pulling
from solvers.nets.weights.pull import Published, manifest, pull
from tests.test_weights import published_state

pytestmark = pytest.mark.usefixtures("hub")
COMMIT = "58942f96baeb572ca3127e2a9e9c70f330783d6b"


PUBLIC = manifest()


class Hub:
    """Serves `content` as every file named in `names`; `lie` cuts what it sends."""

    def __init__(self) -> None:
        self.content, self.names, self.cut, self.asked = b"", {"step_1"}, 0, 0

    def start(self) -> ThreadingHTTPServer:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                name = self.path.partition("?")[0].rpartition("/")[2]
                if name not in hub.names:
                    self.send_response(404)
                    self.send_header("x-error-code", "EntryNotFound")
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
                hub.asked += self.command == "GET"
                self.send_response(200)
                self.send_header("content-length", str(len(hub.content)))
                self.send_header("x-repo-commit", COMMIT)
                self.send_header("etag", f'"{hashlib.sha256(hub.content).hexdigest()}"')
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(hub.content[: len(hub.content) - hub.cut])

            do_HEAD = do_GET

        return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    found = Hub()
    state, options = published_state("trm_mlp")
    torch.save({f"_orig_mod.model.inner.{name}": tensor for name, tensor in state.items()}, tmp_path / "ckpt")
    found.content = (tmp_path / "ckpt").read_bytes()
    server = found.start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("DEPTHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    entry = Published(
        name="ours", net="trm", task="sudoku-extreme", repository="someone/net", revision="abc",
        file="step_1", sha256=hashlib.sha256(found.content).hexdigest(), bytes=len(found.content),
        parameters=None, licence="mit", reports="90 %", measured=None, config=options,
        beside=("all_config.yaml",),
    )  # fmt: skip
    known = {
        "ours": entry,
        "unknown-hash": replace(entry, name="unknown-hash", sha256=None, revision=None),
        "other-hash": replace(entry, name="other-hash", sha256="0" * 64),
        "other-net": replace(entry, name="other-net", net="hrm", untried="It is another kind of net."),
    }
    monkeypatch.setattr(pulling, "manifest", lambda: known)
    yield found
    server.shutdown()
    server.server_close()


def test_a_published_checkpoint_is_fetched_checked_converted_and_kept(hub: Hub) -> None:
    said: list[str] = []
    path = pull("ours", said.append)
    loaded = weights.load(path)
    assert loaded.name == "trm"
    assert loaded.training["source"] == f"someone/net/step_1 at {COMMIT}"
    assert (loaded.training["licence"], loaded.training["reports"]) == ("mit", "90 %")
    assert said[0].startswith("Fetching someone/net/step_1 (")
    asked = hub.asked
    assert pull("ours") == path
    assert hub.asked == asked  # nothing is fetched twice


def test_a_file_with_another_hash_is_deleted_and_never_loaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has SHA-256 [0-9a-f]{64}\. The manifest says 0{64}; .*deleted"):
        pull("other-hash")
    assert not [
        path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size > 1000
    ]
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_an_unknown_hash_is_trusted_once_and_then_kept(tmp_path: Path) -> None:
    said: list[str] = []
    pull("unknown-hash", said.append)
    assert any(line.startswith("Trusted on first use: SHA-256") for line in said)
    path = tmp_path / "cache" / "weights" / "first-seen.json"
    noted = json.loads(path.read_text())
    assert noted["unknown-hash"]["revision"] == COMMIT
    noted["unknown-hash"]["sha256"] = "1" * 64  # as if the hub served another file since
    path.write_text(json.dumps(noted))
    with pytest.raises(UserError, match=r"The first one fetched had 1{64}"):
        pull("unknown-hash", again=True)


def test_without_a_network_the_error_says_what_to_do_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RunError, match=r"ours could not be fetched from someone/net.*Connect to the network"):
        pull("ours")
    assert not (tmp_path / "cache").exists()


def left(folder: Path) -> list[str]:
    """Return the files of any size that stand in a folder for somebody to take for whole."""
    return [path.name for path in folder.rglob("*") if path.is_file() and path.suffix == ".safetensors"]


def test_a_download_that_breaks_off_is_an_error_and_the_next_one_mends_it(hub: Hub, tmp_path: Path) -> None:
    hub.cut = 1000
    with pytest.raises(RunError, match=r"ours could not be fetched.*downloads resume where they stopped"):
        pull("ours")
    assert left(tmp_path) == []
    hub.cut = 0
    assert weights.load(pull("ours")).name == "trm"


@pytest.mark.parametrize("where", ["while it comes", "while it is converted"])
def test_a_full_disk_leaves_nothing_half_written(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "while it comes":
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    else:
        monkeypatch.setattr(weights, "save_file", full)
    assert dispatch(["weights", "pull", "ours"]) in {1, 2}
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert left(tmp_path) == []
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_file_that_is_not_there_is_named(hub: Hub) -> None:
    hub.names = set()
    with pytest.raises(RunError, match="ours could not be fetched"):
        pull("ours")


def test_a_net_of_another_kind_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"other-net cannot be loaded: .* It is another kind of net\."):
        pull("other-net")
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_name_that_is_not_published_lists_what_is() -> None:
    with pytest.raises(UserError, match=r"No published weights 'our'\. Did you mean 'ours'"):
        pull("our")


def test_the_commands_list_and_pull(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["weights", "pull", "ours"]) == 0
    out = capsys.readouterr()
    assert out.out.strip().endswith("ours.safetensors")
    assert "-S weights=ours" in out.err
    assert dispatch(["weights", "list", "--format", "json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["ours"]["here"].endswith("ours.safetensors")
    assert listed["other-hash"]["here"] is None
    assert dispatch(["weights", "list", "--task", "chess"]) == 2


def test_the_manifest_says_of_every_entry_what_a_reader_must_know() -> None:
    for name, entry in PUBLIC.items():
        assert entry.net in ("trm", "hrm"), name
        assert entry.licence, name
        assert entry.reports, name
        assert entry.sha256 is None or len(entry.sha256) == 64, name
        assert entry.revision is None or len(entry.revision) == 40, name


def test_missing_weights_name_what_can_be_pulled() -> None:
    assert "ours (1 MB)" in pulling.advice("sudoku-extreme", "trm")
    assert pulling.advice("sudoku", "trm") == ""


def test_weights_named_in_a_run_are_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    from solvers.nets.solver import NetSolver

    seen: dict[str, Any] = {}

    def load(path: Path, _member: Any) -> Any:
        seen["path"] = path
        raise UserError("far enough")

    monkeypatch.setattr(weights, "load", load)
    from solvers.nets.members.trm import TrmSolver

    solver: NetSolver = TrmSolver(weights=Path("ours"), device="cpu")
    with pytest.raises(UserError, match="far enough"):
        solver.for_task(None)  # type: ignore[arg-type]
    assert seen["path"] == manifest_path("ours")


def manifest_path(name: str) -> Path:
    return pulling.manifest()[name].where
