"""Downloads through `datasets`, from a small stand-in for the Hugging Face hub on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.shared.published_data import content_sha256, file_sha256, read_csv
from tasks.sudoku.generated import Sudoku

COMMIT = "58942f96baeb572ca3127e2a9e9c70f330783d6b"


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """Return 20 puzzles of our own in the published layout."""
    items = Sudoku(size=9, difficulty="easy").load(split="test", seed=0, limit=20, data_dir=None)
    boards = [(puzzle.payload["grid"], key.answers[0]) for puzzle, key in items]
    text = [
        ["".join(str(d) if d else "." for row in board for d in row) for board in pair] for pair in boards
    ]
    path = tmp_path / "published.csv"
    path.write_text("\n".join(["source,question,answer,rating", *(f"ours,{q},{a},3" for q, a in text), ""]))
    return path


@pytest.fixture
def hub(csv_file: Path) -> Iterator[str]:
    """Serve the file as train.csv and test.csv of every data set at every revision; return the server's
    address.
    """
    content = csv_file.read_bytes()
    files = [
        {"type": "file", "path": f"{name}.csv", "size": len(content), "oid": "a" * 40}
        for name in ("test", "train")
    ]

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def send(self, body: bytes, **headers: str) -> None:
            self.send_response(200)
            for name, value in {"content-length": str(len(body)), "x-repo-commit": COMMIT, **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if "/resolve/" in path and path.endswith(".csv"):
                self.send(content, etag=f'"{"b" * 40}"')
            elif "/tree/" in path:
                self.send(json.dumps(files).encode(), content_type="application/json")
            elif path.startswith("/api/datasets/"):
                listing = [{"rfilename": file["path"]} for file in files]
                info = {
                    "id": "/".join(path.split("/")[3:5]),
                    "sha": COMMIT,
                    "siblings": listing,
                    "private": False,
                    "tags": [],
                }
                self.send(
                    json.dumps({**info, "downloads": 0, "likes": 0}).encode(), content_type="application/json"
                )
            else:
                self.send_response(404)
                self.send_header("x-error-code", "EntryNotFound")
                self.send_header("content-length", "0")
                self.end_headers()

        do_HEAD = do_GET

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"])).decode()
            self.send(
                json.dumps([file for file in files if str(file["path"]) in asked]).encode(),
                content_type="application/json",
            )

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def load(hub: str, home: Path, split: str, before: str = "", **pins: str) -> str:
    """Load Sudoku-Extreme in a fresh process, which alone reads the hub's address; return what it prints."""
    program = (
        f"{before}\n"
        "import tasks.sudoku.extreme as e; from harness.errors import UserError\n"
        f"vars(e).update({pins!r})\n"
        "try:\n"
        f"    items = e.SudokuExtreme(held_out=5).load(split={split!r}, seed=0, limit=None, data_dir=None)\n"
        "    print(len(items), [p.id for p, _ in items][:2], ''.join(str(d) for r in "
        "items[0][1].answers[0] for d in r))\n"
        "except UserError as error:\n"
        "    print(error)"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("DEPTHBENCH_DATA", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_test_rows_are_downloaded_at_the_pinned_revision_and_checked(
    hub: str, csv_file: Path, tmp_path: Path
) -> None:
    first = read_csv(csv_file)[0][1]["answer"]
    found = load(hub, tmp_path, "test", TEST_SHA256=file_sha256(csv_file))
    assert found == f"20 ['test-0', 'test-1'] {first}"
    assert list(tmp_path.rglob(f"{COMMIT}/test.csv"))
    assert f"has SHA-256 {file_sha256(csv_file)}, expected a2fd52" in load(hub, tmp_path, "test")


def test_the_training_rows_are_downloaded_and_checked_by_their_content(
    hub: str, csv_file: Path, tmp_path: Path
) -> None:
    pin = content_sha256(row for _, row in read_csv(csv_file))
    assert load(hub, tmp_path, "train", TRAIN_SHA256=pin).startswith("15 ['train_1k-")
    assert f"content SHA-256 {pin}, expected 6e20ac" in load(hub, tmp_path, "train")


@pytest.mark.parametrize("split", ["test", "train"])
def test_without_the_package_datasets_the_error_says_so_and_names_the_local_copy(
    split: str, tmp_path: Path
) -> None:
    found = load("http://127.0.0.1:1", tmp_path, split, before="import sys; sys.modules['datasets'] = None")
    assert "ModuleNotFoundError" in found
    assert "--data-dir" in found
