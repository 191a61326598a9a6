"""Runs in the forms of other tools: read back by those tools, with our numbers in them."""

from __future__ import annotations

import base64
import csv
import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import run
from harness.cli.main import dispatch
from harness.exchange.exports import FORMS
from harness.records.folder import RunFolder
from harness.scores.summary import summary_of
from tests.fakes import Lottery, RepeatLast

COUNTING = f"{Path(__file__).parent / 'fakes.py'}:Counting"
SCHEMAS = Path(__file__).parent / "fixtures" / "every_eval_ever"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two runs: every outcome with two tries a puzzle, and one that is not done."""
    folder = tmp_path_factory.mktemp("results")
    run("sudoku", "search", task_options={"size": 4}, limit=5, attempts=2, results_dir=folder)
    run(COUNTING, Lottery(), limit=30, results_dir=folder)
    half = run(COUNTING, RepeatLast(), limit=10, results_dir=folder).folder
    lines = half.attempts_path.read_bytes().splitlines(keepends=True)
    half.attempts_path.write_bytes(b"".join(lines[:4]))
    return folder


def folders(results: Path) -> list[RunFolder]:
    return [RunFolder(path) for path in sorted((results / "runs").iterdir())]


def exported(results: Path, form: str, out: Path) -> None:
    names = [folder.name for folder in folders(results)]
    words = ["export", *names, "--format", form, "-o", str(out), "--results-dir", str(results)]
    assert dispatch(words) == 0


def test_parquet_holds_every_attempt_and_adds_up_to_the_summary(results: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    exported(results, "parquet", tmp_path)
    rows = {row["run"]: row for row in parquet.read_table(tmp_path / "runs.parquet").to_pylist()}
    attempts = parquet.read_table(tmp_path / "attempts.parquet").to_pylist()
    for folder in folders(results):
        summary = summary_of(folder)
        mine = [row for row in attempts if row["run"] == folder.name]
        counted = [row for row in mine if row["counts"]]
        assert len(counted) == summary.planned == rows[folder.name]["planned"]
        for kind, n in summary.outcomes.items():
            assert sum(row["outcome"] == kind for row in counted) == n
        assert rows[folder.name]["score"] == summary.headline.score
        spent = [row["usage_wall_seconds"] for row in mine if row["usage_wall_seconds"] is not None]
        known = summary.costs["wall_seconds"]
        if known.total is not None:
            assert math.fsum(spent) == pytest.approx(known.total)
        given = {(a.puzzle, a.attempt): a.answer for a in folder.attempts()}
        for row in counted:
            if row["answer"] is not None:
                assert json.loads(row["answer"]) == given[row["puzzle"], row["attempt"]]


def test_csv_holds_the_same_rows_as_parquet(results: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    exported(results, "csv", tmp_path)
    exported(results, "parquet", tmp_path)
    for name in ("runs", "attempts"):
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == table.column_names
        for row, other in zip(rows, table.to_pylist(), strict=True):
            for column, value in other.items():
                assert row[column] == ("" if value is None else str(value)), column


def test_markdown_and_latex_hold_a_line_an_attempt(results: Path, tmp_path: Path) -> None:
    planned = sum(folder.record().planned for folder in folders(results))
    for form, suffix, extra in (("markdown", "md", 2), ("latex", "tex", 6)):
        exported(results, form, tmp_path)
        assert len((tmp_path / f"attempts.{suffix}").read_text("utf-8").splitlines()) == planned + extra
        assert len((tmp_path / f"runs.{suffix}").read_text("utf-8").splitlines()) == 3 + extra


def test_every_eval_ever_keeps_its_schema_and_our_scores(results: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    exported(results, "every-eval-ever", tmp_path)
    whole = json.loads((SCHEMAS / "eval.schema.json").read_text("utf-8"))
    single = json.loads((SCHEMAS / "instance_level_eval.schema.json").read_text("utf-8"))
    records = list(tmp_path.glob("data/*/*/*/*.json"))
    assert len(records) == 3
    scores = {summary_of(folder).headline.score: folder for folder in folders(results)}
    for path in records:
        record = json.loads(path.read_text("utf-8"))
        jsonschema.validate(record, whole)
        result = record["evaluation_results"][0]
        folder = scores[result["score_details"]["score"]]
        detailed = record["detailed_evaluation_results"]
        lines = (tmp_path / detailed["file_path"]).read_text("utf-8").splitlines()
        assert len(lines) == detailed["total_rows"] == len(folder.attempts())
        right = 0
        for line in map(json.loads, lines):
            jsonschema.validate(line, single)
            assert line["evaluation_id"] == record["evaluation_id"]
            assert line["evaluation_result_id"] == result["evaluation_result_id"]
            right += line["evaluation"]["is_correct"]
        assert right == summary_of(folder).outcomes["correct"]


def test_every_eval_evers_own_validator_passes_it(results: Path, tmp_path: Path) -> None:
    validate = pytest.importorskip("every_eval_ever.validator.validate", reason="it needs Python 3.12")
    exported(results, "every-eval-ever", tmp_path)
    for path in tmp_path.glob("data/*/*/*/*"):
        assert validate.validate_file(path).valid, path


def test_an_inspect_log_has_a_sample_an_attempt_with_our_verdict(results: Path, tmp_path: Path) -> None:
    exported(results, "inspect", tmp_path)
    found = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*.json")]
    logs = {log["eval"]["run_id"]: log for log in found}
    for folder in folders(results):
        log = logs[folder.name]
        summary = summary_of(folder)
        assert log["version"] == 2
        assert log["status"] == ("success" if summary.complete else "cancelled")
        scores = {score["name"]: score["metrics"]["score"]["value"] for score in log["results"]["scores"]}
        assert scores == {metric.name: metric.score for metric in summary.metrics}
        recorded = {(a.puzzle, a.attempt): a for a in folder.attempts()}
        assert len(log["samples"]) == len(recorded)
        for sample in log["samples"]:
            attempt = recorded[sample["id"], sample["epoch"] - 1]
            assert sample["metadata"]["outcome"] == attempt.outcome
            (score,) = sample["scores"].values()
            assert score["value"] == (1.0 if attempt.outcome == "correct" else 0.0)


def test_inspects_own_reader_opens_it(results: Path, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    exported(results, "inspect", tmp_path)
    assert len(log.list_eval_logs(str(tmp_path))) == 3
    for path in tmp_path.glob("*.json"):
        found = log.read_eval_log(str(path))
        assert found.samples
        assert log.read_eval_log_sample(str(path), id=found.samples[0].id, epoch=1).output.completion


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as an upload of small files asks for; keeps what was committed."""

    files: dict[str, bytes]
    made: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/repos/create":
            self.made.append(json.loads(body))
            self._say({"url": "http://127.0.0.1/datasets/someone/runs", "id": "someone/runs"})
        elif self.path == "/api/validate-yaml":
            self._say({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [{**f, "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]]
            self._say({"files": files})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._say(
                {
                    "commitUrl": "http://127.0.0.1/datasets/someone/runs/commit/0",
                    "commitOid": "0" * 40,
                    "success": True,
                }
            )
        else:
            self._say({}, 404)

    def do_GET(self) -> None:
        self._say({"id": "someone/runs", "siblings": [], "sha": "0" * 40, "private": False, "tags": []})

    def _say(self, found: dict[str, Any], code: int = 200) -> None:
        data = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("HF_TOKEN", "hf_for_the_test_alone")
    monkeypatch.setattr(Hub, "files", {}, raising=False)
    monkeypatch.setattr(Hub, "made", [], raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_push_commits_the_files_that_a_dry_run_writes(results: Path, tmp_path: Path, hub: str) -> None:
    names = [folder.name for folder in folders(results)]
    words = ["push", "someone/runs", *names, "--results-dir", str(results)]
    assert dispatch([*words, "--dry-run", str(tmp_path)]) == 0
    assert dispatch([*words, "--endpoint", hub, "--private"]) == 0
    (made,) = Hub.made
    assert (made["organization"], made["name"], made["type"]) == ("someone", "runs", "dataset")
    assert set(Hub.files) >= {"README.md", "data/runs.parquet", "data/attempts.parquet"}
    for name in ("README.md", "data/runs.parquet", "data/attempts.parquet"):
        assert Hub.files[name] == (tmp_path / name).read_bytes()


def test_datasets_loads_what_a_push_uploads(results: Path, tmp_path: Path) -> None:
    import datasets

    names = [folder.name for folder in folders(results)]
    words = ["push", "someone/runs", *names, "--results-dir", str(results), "--dry-run", str(tmp_path / "d")]
    assert dispatch(words) == 0
    for part, rows in (("runs", 3), ("attempts", sum(f.record().planned for f in folders(results)))):
        found = datasets.load_dataset(str(tmp_path / "d"), part, cache_dir=str(tmp_path / "cache"))
        assert found["train"].num_rows == rows


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "RUN", "--format", "parqet"], "Did you mean 'parquet'?"),
        (["export", "RUN"], "has no format to submit answers in"),
        (["export", "nothing", "--format", "csv"], "No run 'nothing'"),
        (["export", "RUN", "--format", "csv", "-o", "taken"], "is a file"),
        (["push", "a/b/c", "RUN"], "does not name a dataset"),
        (["push", "a/b"], "RUN"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(
    words: list[str], said: str, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    name = next(folder.name for folder in folders(results) if "sudoku" in folder.name)
    words = [name if word == "RUN" else word for word in words]
    assert dispatch([*words, "--results-dir", str(results)]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_hub_that_cannot_be_reached_is_one_sentence(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_for_the_test_alone")
    name = folders(results)[0].name
    words = ["push", "a/b", name, "--results-dir", str(results), "--endpoint", "http://127.0.0.1:9"]
    assert dispatch(words) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_every_form_is_named_by_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["export", "--help"]) == 0
    told = capsys.readouterr().out
    assert [form for form in FORMS if form not in told] == []
