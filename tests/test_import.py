"""Other people's replies as runs: every planned reply has an outcome, a damaged file costs only itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import dispatch
from harness.exchange.recordings import Recording, Reply, bring_in
from solvers.imported import Imported
from tasks.arc.public import Arc1
from tests.fakes import EXAMPLES

FIXTURES = Path(__file__).parent / "fixtures"

COUNTING = f"{EXAMPLES / 'counting.py'}:Counting"
ITEMS = Arc1().load(split="evaluation", seed=0, limit=None, data_dir=None)


def sudoku_rows(model: str = "someone/model", replies: int = 3) -> list[dict[str, Any]]:
    """Two 4×4 puzzles in the published form: right, wrong, empty; right without tags, and so on."""
    question = (
        "In 4x4 Mini Sudoku:\n- Each row …\nSolve this 4x4 Mini Sudoku puzzle:\n"
        "_ 4 _ 1\n1 _ _ _\n_ _ 2 3\n_ 2 _ _\nFormat your response as the puzzle above.\n"
    )
    right = "2 4 3 1\n1 3 4 2\n4 1 2 3\n3 2 1 4"
    texts = [f"So:\n<answer>\n{right}\n</answer>", f"<answer>{right.replace('2 4', '4 2')}</answer>", ""]
    scores = [1.0, 0.9, 0.0]
    base = {
        "level": "easy",
        "model": model,
        "date": "20250501_000000",
        "config": {},
        "expected_answer": right,
    }
    rows = []
    for index in range(2):
        given = [
            {"text": f"{text}" if index == 0 else f"{text}\n", "their_answer": None, "their_score": score}
            for text, score in zip(texts, scores, strict=True)
        ]
        rows.append({**base, "index": index, "question": question, "replies": given[:replies]})
    rows[1]["question"] = question.replace("_ 4 _ 1", "2 4 _ 1")
    rows[1]["replies"][0] = {"text": f"The solution is\n\n{right}\n", "their_score": 0.4}
    return rows


def write(path: Path, rows: list[Any]) -> Path:
    data = "\n".join(json.dumps(row) for row in [{"source": "x", "replies": 1}, *rows]).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_every_planned_reply_has_an_outcome_and_empty_ones_are_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "mini_sudoku.jsonl.gz", sudoku_rows())
    words = [
        "import",
        "reasoning-gym",
        str(tmp_path),
        "--results-dir",
        str(tmp_path / "r"),
        "--format",
        "json",
    ]
    assert dispatch(words) == 0
    out = capsys.readouterr()
    (row,) = json.loads(out.out)
    assert (row["model"], row["kind"], row["puzzles"], row["planned"]) == ("someone/model", "llm", 2, 6)
    assert row["metrics"]["solved mean@3"] == pytest.approx(2 / 6)
    assert row["metrics"]["solved pass@3"] == 1.0
    assert {k: v for k, v in row["outcomes"].items() if v} == {"correct": 2, "wrong": 2, "provider_error": 2}
    assert (row["usd_per_puzzle"], row["tokens_per_puzzle"]) == (None, None)  # unknown, not 0
    assert "1 right here, not for the source (mini_sudoku-1); bench show" in out.err


def test_bringing_it_in_again_finds_the_same_run_and_its_puzzles_can_be_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "mini_sudoku.jsonl", sudoku_rows())
    words = ["import", "reasoning-gym", str(file), "--results-dir", str(tmp_path / "r"), "--format", "json"]
    assert dispatch(words) == 0
    (first,) = json.loads(capsys.readouterr().out)
    assert dispatch(words) == 0
    (again,) = json.loads(capsys.readouterr().out)
    assert first["run"] == again["run"]
    (puzzles,) = (tmp_path / "r" / "imports").glob("reasoning-gym-mini_sudoku-easy.jsonl")
    run = ["run", "--task", "sudoku", "-T", f"file={puzzles}", "--solver", "search", "--format", "json"]
    assert dispatch([*run, "--results-dir", str(tmp_path / "r")]) == 0
    (net,) = json.loads(capsys.readouterr().out)
    runs = tmp_path / "r" / "runs"
    hashes = {json.loads((runs / name / "run.json").read_text())["task"]["puzzles_sha256"] for name in (
        first["run"], net["run"])}  # fmt: skip
    assert len(hashes) == 1  # the very same puzzles


def test_models_and_levels_are_runs_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sudoku_rows() + sudoku_rows("another/model", replies=1)
    write(tmp_path / "mini_sudoku.jsonl", [*rows, *({**row, "level": "hard"} for row in rows[:2])])
    words = [
        "import",
        "reasoning-gym",
        str(tmp_path),
        "--results-dir",
        str(tmp_path / "r"),
        "--format",
        "json",
    ]
    assert dispatch(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted((r["model"], r["planned"]) for r in found) == [
        ("another/model", 2),
        ("someone/model", 6),
        ("someone/model", 6),
    ]
    assert dispatch([*words, "--model", "another/model"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_what_cannot_be_read_is_named_and_costs_only_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        tmp_path / "mini_sudoku.jsonl",
        [*sudoku_rows(), {"level": 5}, {**sudoku_rows("c/d")[0], "question": "?"}],
    )
    (tmp_path / "sudoku.jsonl.gz").write_bytes(b"\x1f\x8bdamaged")
    assert dispatch(["import", "reasoning-gym", str(tmp_path), "--results-dir", str(tmp_path / "r")]) == 1
    err = capsys.readouterr().err
    assert "line 4: it lacks one of level" in err
    assert "question 0 of reasoning-gym-mini_sudoku-easy: it shows no board" in err
    assert "sudoku.jsonl.gz" in err
    assert dispatch(["import", "nobody", str(tmp_path)]) == 2
    assert dispatch(["import", "reasoning-gym", str(tmp_path), "--task", "chess"]) == 2
    assert dispatch(["import", "reasoning-gym", str(tmp_path / "none")]) == 2


PUBLISHED_FORMS = json.loads((FIXTURES / "reasoning_gym_forms.json").read_text(encoding="utf-8"))
"""Questions of our own in the words of each data set, with a right and a wrong reply."""


@pytest.mark.parametrize("form", PUBLISHED_FORMS, ids=lambda form: str(form["name"]))
def test_every_data_set_is_read_as_puzzles_of_ours_and_its_answers_in_their_form(
    form: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, texts = form["name"], [form["right"], form["wrong"], "I do not know.", ""]
    row = {**sudoku_rows()[0], "question": form["question"], "expected_answer": form["expected"]}
    row["replies"] = [{"text": text, "their_score": 0.5} for text in texts]
    write(tmp_path / f"{name}.jsonl.gz", [row])
    words = ["import", "reasoning-gym", str(tmp_path), "--results-dir", str(tmp_path / "r"), "--format"]
    assert dispatch([*words, "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    outcomes = {k: v for k, v in found["outcomes"].items() if v}
    assert outcomes == {"correct": 1, "wrong": 1, "unparsed": 1, "provider_error": 1}
    assert (found["metrics"]["solved mean@4"], found["metrics"]["solved pass@4"]) == (0.25, 1.0)
    (puzzles,) = (tmp_path / "r" / "imports").glob(f"reasoning-gym-{name}-easy.jsonl")
    assert json.loads(puzzles.read_text().splitlines()[0])["payload"] == form["payload"]
    show = ["show", found["run"], "--sample-id", f"{name}-0", "--results-dir", str(tmp_path / "r")]
    assert dispatch(show) == 0
    assert "I do not know." in capsys.readouterr().out  # the words as they came


def submission(change: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every test input answered rightly in the second attempt."""
    found: dict[str, Any] = {}
    for puzzle, key in ITEMS:
        found.setdefault(puzzle.group, []).append({"attempt_1": [[0]], "attempt_2": key.answers[0]})
    return {**found, **(change or {})}


def bring(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, Any, str]:
    words = ["import", "arc-submission", str(path), "--results-dir", str(tmp_path / "r"), "--format", "json"]
    code = dispatch([*words, *more])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out else None, out.err


FIRST = ITEMS[0][0].group
PAIR = next(p.group for p, _ in ITEMS if p.id.endswith("_1"))
LONG = {"attempt_1": [[1]], "attempt_2": [[1]]}


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({}, 0),
        ({FIRST: []}, 1),
        ({FIRST: None}, 1),
        ({FIRST: "nonsense"}, 1),
        ({FIRST: [{"attempt_1": [[1, 2], [3]], "attempt_2": [["x"]]}]}, 1),
        ({FIRST: [{"attempt_1": [], "attempt_2": None}]}, 1),
        ({FIRST: [{"attempt_1": [[[[1]]]], "attempt_2": {"grid": 1}}]}, 1),
        ({PAIR: [*submission()[PAIR], LONG]}, 0),  # three outputs where there are two
    ],
    ids=str,
)
def test_a_submission_is_scored_by_task_and_a_damaged_attempt_costs_only_itself(
    change: dict[str, Any], missing: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "my-model.json"
    file.write_text(json.dumps(submission(change)))
    code, found, _ = bring(file, tmp_path, capsys)
    assert code == 0
    (row,) = found
    assert (row["model"], row["task"], row["planned"]) == ("my-model", "arc1", 838)
    assert row["metrics"]["task_mean"] == pytest.approx((400 - missing) / 400)


def test_bench_score_takes_a_submission_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(submission()))
    words = ["score", "--submission", str(file), "--task", "arc1", "--results-dir", str(tmp_path / "r")]
    assert dispatch([*words, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["metrics"]["strict"] == 1.0
    assert dispatch(["score"]) == 2
    assert "takes a run or --submission" in capsys.readouterr().err


def test_whole_floats_are_whole_numbers_and_a_third_attempt_is_scored_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        group: [
            {
                "attempt_1": [[9]],
                "attempt_2": [[9]],
                "attempt_3": [[float(c) for c in row] for row in one["attempt_2"]],
            }
            for one in inputs
        ]
        for group, inputs in submission().items()
    }
    file = tmp_path / "m.json.gz"
    file.write_bytes(gzip.compress(json.dumps(given).encode()))
    _, (row,), _ = bring(file, tmp_path, capsys)
    assert row["planned"] == 3 * 419
    assert row["metrics"]["task_mean pass@3"] == 1.0


def test_per_task_files_with_metadata_are_one_submission_with_its_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some-model"
    folder.mkdir()
    meta = {"usage": {"prompt_tokens": 10, "completion_tokens": 5}, "cost": {"total_cost": 0.25}}
    for group, inputs in list(submission().items())[:3]:
        body = [{k: {"answer": v, "metadata": meta} for k, v in one.items()} for one in inputs]
        (folder / f"{group}.json").write_text(json.dumps(body))
    (folder / "007bbfb7.json").write_text("{")
    code, (row,), err = bring(folder, tmp_path, capsys)
    assert code == 1
    assert "007bbfb7.json" in err
    assert (row["model"], row["metrics"]["task_mean"]) == ("some-model", pytest.approx(3 / 400))
    assert row["usd_per_puzzle_at_least"] > 0


@pytest.mark.parametrize("number", [-1, 10**400, 1e300, True, "3", None, [1]])
def test_costs_that_cannot_be_are_unknown_and_the_answers_stand(
    number: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meta = {"usage": {"prompt_tokens": number, "completion_tokens": 5}, "cost": {"total_cost": number}}
    (group, inputs), *_ = submission().items()
    folder = tmp_path / "some-model"
    folder.mkdir()
    body = [{k: {"answer": v, "metadata": meta} for k, v in one.items()} for one in inputs]
    (folder / f"{group}.json").write_text(json.dumps(body))
    code, (row,), _ = bring(folder, tmp_path, capsys)
    assert code == 0
    assert row["metrics"]["task_mean"] == pytest.approx(1 / 400)
    assert row["usd_per_puzzle_at_least"] is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"00000000": []}', "holds no task of arc1; its first is '00000000'"),
        (b"[1, 2]", "it is no"),
        (b"{", "a.json"),
        (json.dumps({"a": 1}).encode("utf-16"), "a.json"),
        (b"", "a.json"),
    ],
)
def test_what_is_no_submission_is_named(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    code, found, err = bring(tmp_path / "a.json", tmp_path, capsys)
    assert (code, found) == (2, None)
    assert words in err
    assert "Traceback" not in err


def test_replies_of_other_puzzles_are_refused(tmp_path: Path) -> None:
    from harness.errors import UserError

    recording = Recording(
        task="arc1", label="x", model="m", source="s", date="d", licence="l", prompt="p", attempts=2,
        replies=[Reply(puzzle="stranger", text="[[1]]")],
    )  # fmt: skip
    with pytest.raises(UserError, match="holds no reply to any puzzle of arc1: its first is 'stranger'"):
        bring_in(recording, tmp_path)


def test_a_model_whose_size_is_published_has_it_on_its_card_and_others_none(tmp_path: Path) -> None:
    found = {}
    for model in ("deepseek/deepseek-r1", "qwen/qwq-32b", "openai/o3-mini"):
        file = tmp_path / "replies.jsonl"
        file.write_text(json.dumps({"model": model}) + "\n", encoding="utf-8")
        ledger = Imported(file=file).card.parameters
        found[model] = ledger.stored, ledger.active, bool(ledger.source)
    assert found == {
        "deepseek/deepseek-r1": (671_000_000_000, 37_000_000_000, True),
        "qwen/qwq-32b": (32_500_000_000, 32_500_000_000, True),
        "openai/o3-mini": (None, None, False),
    }


COUNTS = {
    ("sudoku-easy", "claude-3.5-sonnet"): 15, ("sudoku-easy", "deepseek-r1"): 44,
    ("sudoku-easy", "o3-mini"): 121,
    ("sudoku-hard", "grok-3-mini-beta"): 6, ("mini_sudoku-easy", "claude-sonnet-4"): 141,
    ("mini_sudoku-easy", "qwq-32b"): 146, ("mini_sudoku-hard", "gemma-3-27b-it"): 31,
}  # fmt: skip
"""Replies solved, by a strict count made independently of this project."""


@pytest.mark.slow
def test_published_replies_give_the_counts_that_others_made(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data_dir / "reasoning_gym_eval"
    if not folder.is_dir():
        pytest.skip("no reasoning_gym_eval in the data folder: replies of open-thought/reasoning-gym-eval")
    words = ["import", "reasoning-gym", str(folder), "--task", "sudoku", "--results-dir", str(tmp_path)]
    dispatch([*words, "--format", "json"])
    found = {
        (
            r["task_options"]["file"].partition("gym-")[2].removesuffix(".jsonl"),
            r["model"].partition("/")[2],
        ): r
        for r in json.loads(capsys.readouterr().out)
    }
    assert {pair: found[pair]["outcomes"]["correct"] for pair in COUNTS} == COUNTS


ARC_SCORES = {
    "open_ai_o3_high_20241220": 366, "open_ai_o3_low_20241220": 331, "open_ai_o1_high_20241217": 157,
    "open_ai_o1_med_20241217": 127.5, "open_ai_o1_low_20241217": 99, "open_ai_o1_preview_20241217": 86,
    "deepseek-r1": 82, "claude_sonnet_20241022": 81, "deepseek-v3": 56, "open_ai_o1_mini_20241217": 54,
    "claude-3-5-haiku-20241022": 36.5, "claude-3-haiku-20240307": 23,
}  # fmt: skip
"""Tasks of 400 that the source says were solved."""


@pytest.mark.slow
def test_published_submissions_score_what_their_source_says(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data_dir / "arc_submissions" / "arcprize_model_baseline"
    if not folder.is_dir():
        pytest.skip("no arc_submissions in the data folder: ARC Prize's submissions of 2024-25")
    code, found, _ = bring(folder, tmp_path, capsys)
    assert code == 0
    assert {r["model"]: pytest.approx(400 * r["metrics"]["task_mean"]) for r in found} == ARC_SCORES


def test_a_file_that_is_too_large_is_named_and_not_held_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tasks.arc.recorded
    import tasks.shared.reasoning_gym

    for module in (tasks.arc.recorded, tasks.shared.reasoning_gym):
        monkeypatch.setattr(module, "LARGEST", 2**20)
    zeros = gzip.compress(b" " * 2**22)  # 4 kB that unpack to 4 MiB
    (tmp_path / "big.json").write_bytes(b" " * 2**21)
    (tmp_path / "big2.json.gz").write_bytes(zeros)
    (tmp_path / "sudoku.jsonl.gz").write_bytes(zeros)
    for source in ("arc-submission", "reasoning-gym"):
        assert dispatch(["import", source, str(tmp_path), "--results-dir", str(tmp_path / "r")]) == 2
        err = capsys.readouterr().err
        assert "larger than 1 MiB" in err
        assert not (tmp_path / "r").exists()
