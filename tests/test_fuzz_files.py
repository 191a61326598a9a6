"""No traceback from any file of puzzles, replies or submissions: it is read, left out by name or refused."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from harness.cli.main import dispatch
from harness.contracts import Key, Puzzle
from tasks.arc import recorded
from tasks.arc.public import Arc1
from tasks.sudoku.generated import Sudoku
from tests.test_fuzz import EXAMPLES_EACH, ends, few, mutations, values_replaced
from tests.test_fuzz import _in_a_folder_of_its_own as _in_a_folder_of_its_own

TASK = Sudoku(size=4)
(PUZZLE, KEY), *_ = TASK.load(split="test", seed=0, limit=1, data_dir=None)
REPLY = "```answer\n" + "\n".join("".join(map(str, row)) for row in KEY.answers[0]) + "\n```"
GRID = [[1, 0], [0, 2]]
ARC = {"train": [{"input": GRID, "output": GRID}], "test": [{"input": GRID, "output": GRID}]}
SUBMISSION = {
    "about": {"model": "m", "date": "2026-01-01"},
    "their_results": {"task_results": {"00576224": 0.5}},
    "submission": {
        "00576224": [{"attempt_1": GRID, "attempt_2": {"answer": GRID, "metadata": {
            "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "cost": {"total_cost": 0.1}}}}],
        "009d5c81": [{"attempt_1": GRID}],
    },
}  # fmt: skip
SAMPLE = {
    "doc_id": 0, "doc": {"id": "a", "payload": dict(PUZZLE.payload), "answers": list(KEY.answers)},
    "arguments": [[TASK.prompt(PUZZLE), {}]], "resps": [[REPLY, REPLY]], "metrics": ["exact_match"],
    "exact_match": 1.0,
}  # fmt: skip
GYM = {
    "level": "easy", "model": "org/m", "date": "20250301", "index": 0,
    "question": "Solve this 4x4 Mini Sudoku puzzle:\n_ 1 3 2\n2 3 1 4\n1 2 4 3\n3 4 2 1\n",
    "expected_answer": "4 1 3 2\n2 3 1 4\n1 2 4 3\n3 4 2 1",
    "replies": [{"text": "<answer>4 1 3 2\n2 3 1 4\n1 2 4 3\n3 4 2 1</answer>", "their_score": 1.0}],
}  # fmt: skip
LINE = {"payload": dict(PUZZLE.payload), "answers": list(KEY.answers), "id": "a", "difficulty": 1.0}
ROW = "".join(str(d) for row in PUZZLE.payload["grid"] for d in row)
ARC_PUZZLE = Puzzle(id="a_0", group="a", split="s", payload={"train": [], "test": GRID})
ARC_KEY = Key(answers=(GRID,))
MAZE = "#####\n#S..#\n#.#.#\n#..G#\n#####\n"

fewer = settings(few, max_examples=max(1, EXAMPLES_EACH // 4))


def table() -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(
        [["source", "question", "answer", "rating"], ["x", ROW, ROW.replace("0", "1"), "3"]]
    )
    return text.getvalue().encode()


def given_file(content: bytes, name: str) -> str:
    shutil.rmtree("results", ignore_errors=True)
    Path(name).write_bytes(content)
    return name


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@few
@given(content=mutations(dumped(SUBMISSION)) | values_replaced(SUBMISSION).map(dumped))
@example(content=dumped(SUBMISSION).replace(b"attempt_2", b"attempt_" + b"9" * 5000))
@example(content=dumped(SUBMISSION).replace(b"attempt_2", b"attempt_0"))
@example(content=dumped(SUBMISSION).replace(b"[1, 0]", b'["np.float64(1.0)", 0]'))
@example(content=dumped({"00576224": [[GRID, GRID], [GRID, GRID]]}))
def test_any_submission(content: bytes) -> None:
    Path("mine.json").write_bytes(content)
    told: list[str] = []
    for _, body, about in recorded._submissions(Path("mine.json"), told.append):
        recorded._their_scores(about)
        for group, given_there in body.items():
            for reply in recorded._replies(group, given_there, 2, told.append):
                assert 0 <= reply.attempt < recorded.MOST_ATTEMPTS
                if reply.answer is not None:
                    right = Arc1().judge(ARC_PUZZLE, ARC_KEY, reply.answer).correct
                    assert right is (reply.answer == GRID)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (dumped(SUBMISSION).replace(b"attempt_2", b"attempt_999999999"), 1, "are attempt_1 to attempt_100"),
        (dumped(SUBMISSION).replace(b"[1, 0]", b"[NaN, 0]"), 2, "mine.json: "),
        (dumped(SUBMISSION).decode().encode("utf-16"), 2, "mine.json: "),
        (dumped({"00576224": [{"attempt_1": GRID}] * 3}), 0, ""),
        (dumped({"0934a4d8": [{"attempt_1": GRID}], "x": 1}), 1, "that arc1 does not have, x"),
    ],
    ids=["attempts", "nan", "utf-16", "outputs", "ids"],
)  # fmt: skip
def test_a_damaged_submission_is_scored_or_named(
    content: bytes, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = given_file(content, "mine.json")
    assert dispatch(["score", "--submission", file, "--task", "arc1"]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


@few
@given(content=mutations(dumped(SAMPLE)) | values_replaced(SAMPLE).map(dumped))
@example(content=dumped(SAMPLE).decode().encode("utf-16"))
@example(content=dumped(SAMPLE | {"resps": [[REPLY, 5, None, ["a"]]]}))
def test_any_samples_of_lm_eval(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = given_file(content, "samples_x_2026-03-01T10-00-00.000000.jsonl")
    ends(["import", "lm-eval", file, "--task", "sudoku", "-T", "size=4"], capsys)


@few
@given(content=mutations(dumped(GYM)) | values_replaced(GYM).map(dumped))
@example(content=dumped(GYM | {"index": 10**30}))
@example(content=dumped(GYM | {"replies": []}))
@example(content=dumped(GYM | {"date": "x", "level": "../../up"}))
def test_any_replies_of_reasoning_gym(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = given_file(content, "mini_sudoku.jsonl")
    ends(["import", "reasoning-gym", file], capsys)
    assert not Path("up").exists()


@fewer
@given(content=mutations(dumped(LINE)) | values_replaced(LINE).map(dumped))
def test_any_lines_of_own_puzzles(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = given_file(content, "own.jsonl")
    for name in ("sudoku", "maze", "futoshiki", "arc1"):
        ends(["run", "--task", name, "-T", f"file={file}", "--solver", "copy-input", "--limit", "2"], capsys)


@fewer
@given(content=mutations(table()) | mutations(f"{ROW} {ROW}\n{ROW}\n".encode()) | mutations(MAZE.encode()))
@example(content=table().decode().encode("utf-16"))
@example(content=table().replace(b"\n", b"\r\n"))
@example(content=b'puzzle,solution\n"' + b"0" * 200_000)
def test_any_text_of_own_puzzles(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = given_file(content, "own.csv")
    for name in ("sudoku", "maze"):
        ends(["run", "--task", name, "-T", f"file={file}", "--solver", "copy-input", "--limit", "2"], capsys)


@fewer
@given(content=mutations(dumped(ARC)) | values_replaced(ARC).map(dumped))
@example(content=dumped(ARC).replace(b"[1, 0]", b"[1.0, 0]"))
def test_any_own_task_of_arc(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    file = given_file(content, "own.json")
    ends(["run", "--task", "arc1", "-T", f"file={file}", "--solver", "copy-input"], capsys)


def test_the_files_that_are_damaged_here_are_whole_before(capsys: pytest.CaptureFixture[str]) -> None:
    """Else the tests above would only ever see refusals."""

    def done(content: bytes, name: str, *words: str) -> None:
        file = given_file(content, name)
        assert dispatch([word.replace("FILE", file) for word in words]) == 0, capsys.readouterr().err

    own = ("-T", "file=FILE", "--solver", "copy-input")
    done(dumped(SUBMISSION), "mine.json", "score", "--submission", "FILE", "--task", "arc1")
    done(dumped(SAMPLE), "s.jsonl", "import", "lm-eval", "FILE", "--task", "sudoku", "-T", "size=4")
    done(dumped(GYM), "mini_sudoku.jsonl", "import", "reasoning-gym", "FILE")
    done(dumped(LINE), "l.jsonl", "run", "--task", "sudoku", *own)
    done(f"{ROW}\n".encode(), "o.txt", "run", "--task", "sudoku", *own)
    done(MAZE.encode(), "m.txt", "run", "--task", "maze", *own)
    done(dumped(ARC), "a.json", "run", "--task", "arc1", *own)


def test_a_file_that_changes_is_read_again() -> None:
    for size in (4, 6):
        file = Path(given_file(b"0" * size**2 + b"\n", "o.txt"))
        assert Sudoku(file=file).size == size
