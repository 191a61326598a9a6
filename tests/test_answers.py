"""An answer has one normal form, in which it is judged, recorded and judged again; any text survives."""

from __future__ import annotations

import array
import datetime
import enum
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import run, score
from harness.contracts import (
    Attempt,
    Budget,
    Outcome,
    Puzzle,
    Sample,
    SolverCard,
    TaskView,
    TracePoint,
    Usage,
)
from harness.errors import RunError
from harness.records.jsonlines import Appender, dumps, loads, read_lines, rows
from harness.records.normal import json_value, normal, same
from solvers.llm.providers.replay import read_replies
from tasks.sudoku.generated import Sudoku
from tests.fakes import Counting


class Colour(enum.IntEnum):
    RED = 3


class Word(str, enum.Enum):  # noqa: UP042  as plug-ins write them
    UP = "up"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (((1, 2), (3, 4)), [[1, 2], [3, 4]]),
        ([[1.0, 2.0]], [[1, 2]]),
        (-0.0, 0),
        (0.5, 0.5),
        (np.array([[1, 2]], dtype=np.int8), [[1, 2]]),
        (np.array([[1.0, 2.0]]), [[1, 2]]),
        ([np.int64(1), np.float32(2.0), np.bool_(True)], [1, 2, True]),
        (np.zeros((0, 3)), []),
        (np.array(7), 7),
        (torch.tensor([[1, 2]], dtype=torch.uint8), [[1, 2]]),
        (array.array("i", [1, 2]), [1, 2]),
        (range(3), [0, 1, 2]),
        ({"path": ((0, 0), (0, 1)), "length": 2.0}, {"path": [[0, 0], [0, 1]], "length": 2}),
        ({1: "one", np.int64(2): "two"}, {"1": "one", "2": "two"}),
        ("12,34", "12,34"),
        (np.str_("ab"), "ab"),
        ([Colour.RED, Word.UP], [3, "up"]),
        ([], []),
        ({}, {}),
        (True, True),
        ([None, 1], [None, 1]),
        (10**40, 10**40),
        (1e15, 10**15),
        ("\ud800", "\ud800"),
    ],
)
def test_the_normal_form_is_made_of_lists_whole_numbers_and_text(given: Any, wanted: Any) -> None:
    found = normal(given)
    assert same(found, wanted)
    assert repr(found) == repr(wanted)
    assert same(loads(dumps(found)), found), "what is read again is what was judged"


def endless() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "given",
    [
        float("nan"),
        [[1, float("inf")]],
        np.array([1.0, np.nan]),
        {1, 2},
        b"12",
        bytearray(b"12"),
        memoryview(b"12"),
        object(),
        [Unshowable()],
        3 + 4j,
        datetime.date(2026, 11, 25),
        (n for n in range(3)),
        {(1, 2): 3},
        {1: "a", "1": "b"},
        {None: 1},
        endless(),
        10**5000,
        Attempt(puzzle_id="x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_no_answer(given: Any) -> None:
    with pytest.raises(ValueError, match="it"):
        normal(given)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_the_normal_form_of_any_json_value_survives_writing_and_reading(value: Any) -> None:
    found = normal(value)
    assert same(normal(found), found)
    assert same(normal(loads(dumps(found))), found)


@given(JSON)
def test_a_json_value_that_is_no_answer_keeps_its_numbers(value: Any) -> None:
    assert repr(json_value(value)) == repr(value)


@dataclass(frozen=True, kw_only=True)
class Says:
    """Gives what a test tells it as the answer to every puzzle; none: the right one, `turned` into it."""

    turned: Any = None
    told: Any = None
    traced: bool = True

    @property
    def card(self) -> SolverCard:
        return SolverCard(name="says", kind="baseline")

    def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
        for puzzle in puzzles:
            for k in budget.wanted(puzzle.id):
                answer = (
                    self.told if self.turned is None else self.turned(task.methods["search"](puzzle, None))
                )
                trace = (TracePoint(depth=1, answer=answer),) if self.traced else ()
                yield Attempt(puzzle_id=puzzle.id, attempt=k, answer=answer, trace=trace)


TURNED = {
    "lists": lambda grid: grid,
    "tuples": lambda grid: tuple(map(tuple, grid)),
    "an array": np.array,
    "an array of floats": lambda grid: np.array(grid, dtype=float),
    "rows that are arrays": lambda grid: [np.array(row) for row in grid],
    "a tensor": torch.tensor,
    "floats": lambda grid: [[float(cell) for cell in row] for row in grid],
}


@pytest.mark.parametrize("form", TURNED)
def test_a_right_answer_is_right_in_every_form_during_the_run_and_when_judged_again(
    form: str, tmp_path: Path
) -> None:
    result = run(Sudoku(size=4), Says(turned=TURNED[form]), limit=3, results_dir=tmp_path)
    assert result.summary.outcomes["correct"] == 3
    assert result.summary.depth_curve == {"1": 1.0}
    again = score(result.folder, task=Sudoku(size=4)).summary
    assert again == result.summary


@pytest.mark.parametrize("told", [[], {}, "", 0, [[]], np.zeros((0, 0), dtype=int), (), False, 10**30])
def test_an_empty_answer_is_an_answer_and_judged_alike_every_time(told: Any, tmp_path: Path) -> None:
    result = run(Sudoku(size=4), Says(told=told), limit=2, results_dir=tmp_path)
    assert result.summary.outcomes["wrong"] == 2
    assert score(result.folder, task=Sudoku(size=4)).summary == result.summary
    assert [attempt.answer for attempt in result.folder.attempts()] == [normal(told)] * 2


@pytest.mark.parametrize("bad", [{1, 2}, float("nan"), b"1", object(), [[1, Unshowable()]]])
@pytest.mark.parametrize("where", ["answer", "trace", "detail"])
def test_a_solver_that_yields_what_is_no_answer_is_named_and_nothing_recorded_is_lost(
    bad: Any, where: str, tmp_path: Path
) -> None:
    class Broken(Says):
        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            yield Attempt(puzzle_id="test-0-0", answer=1)
            more: dict[str, Any] = {
                "answer": {"answer": bad},
                "trace": {"answer": 1, "trace": (TracePoint(depth=1, answer=bad),)},
                "detail": {"answer": 1, "detail": {"seen": bad}},
            }[where]
            yield Attempt(puzzle_id="test-0-1", **more)

    with pytest.raises(RunError, match=r"The solver .*Broken.* yielded .* for \('test-0-1', 0\): it holds"):
        run(Counting(), Broken(), limit=2, results_dir=tmp_path)
    (path,) = tmp_path.rglob("attempts.jsonl")
    assert [line["puzzle"] for line in read_lines(path)] == ["test-0-0"]


@pytest.mark.parametrize(
    "more",
    [
        {"usage": Usage(flops=np.int64(5), wall_seconds=np.float32(0.5))},  # type: ignore[arg-type]
        {"depth": np.int64(3)},
        {"attempt": np.int64(0)},
        {"outcome": "answered"},
        {"detail": {"halt": np.float32(0.5), "votes": np.array([1, 2])}},
    ],
)
def test_numbers_of_numpy_are_recorded_as_numbers(more: dict[str, Any], tmp_path: Path) -> None:
    class Numpy(Says):
        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            yield Attempt(**{"puzzle_id": "test-0-0", "answer": 1, **more})

    assert run(Counting(), Numpy(), limit=1, results_dir=tmp_path).summary.outcomes["wrong"] == 1


@pytest.mark.parametrize(
    "more",
    [
        {"usage": {"usd": 1.0}},
        {"usage": Usage(usd=float("nan"))},
        {"usage": Usage(usd="much")},  # type: ignore[arg-type]
        {"depth": "deep"},
        {"attempt": "first"},
        {"attempt": 0.5},
        {"puzzle_id": ["test-0-0"]},
        {"outcome": "lucky"},
        {"outcome": None},
        {"usage": Usage(input_tokens=10**400)},
        {"usage": Usage(usd=-1.0)},
        {"usage": None},
        {"depth": 10**400},
        {"depth": 1 << 31},
        {"depth": -1},
        {"samples": 10**400},
        {"trace": (1,)},
        {"trace": None},
        {"trace": (TracePoint(depth=10**400, answer=1),)},
        {"trace": (TracePoint(depth=1 << 31, answer=1),)},
        {"trace": (TracePoint(depth="deep", answer=1),)},  # type: ignore[arg-type]
        {"trace": (TracePoint(depth=2, answer=1), TracePoint(depth=1, answer=1))},
        {"trace": (TracePoint(depth=2, answer=1), TracePoint(depth=2, answer=1))},
        {"trace": (TracePoint(depth=1, answer=1, halt_score=10**400),)},
        {"candidates": None},
        {"candidates": (1,)},
        {"candidates": (Sample(answer=1, score=10**400),)},
        {"reply": 5},
        {"detail": {("a",): 1}},
        {"detail": None},
        {"detail": ["a"]},
    ],
)
def test_an_attempt_of_a_wrong_form_is_a_fault_of_the_solver(more: dict[str, Any], tmp_path: Path) -> None:
    class Sloppy(Says):
        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            yield Attempt(**{"puzzle_id": "test-0-0", "answer": 1, **more})

    with pytest.raises(RunError, match="fault of the solver"):
        run(Counting(), Sloppy(), limit=1, results_dir=tmp_path)


STRANGE = (
    "half \ud800 a pair",
    "\udfff",
    "a\u2028b\u2029c\u0085d",
    "form\x0cfeed \x1c \x1d \x1e vertical\x0btab",
    "nul\x00 and \x7f",
    "\ufeffmark",
    "line\nfeed\r\nand return\r",
    "👩‍👧 \U0010ffff",
)


@pytest.mark.parametrize("text", STRANGE)
def test_any_text_survives_a_run_its_lines_and_a_replay(text: str, tmp_path: Path) -> None:
    class Talks(Says):
        def solve(self, task: TaskView, puzzles: Sequence[Puzzle], budget: Budget) -> Iterator[Attempt]:
            for number, outcome in enumerate((Outcome.REFUSED, Outcome.UNPARSED, Outcome.PROVIDER_ERROR)):
                yield Attempt(
                    puzzle_id=f"test-0-{number}", outcome=outcome, reply=text, detail={"error": text, text: 1}
                )

    result = run(Counting(), Talks(), limit=3, results_dir=tmp_path)
    assert result.complete
    for attempt in result.folder.attempts():
        assert (attempt.reply, attempt.detail["error"], attempt.detail[text]) == (text, text, 1)
    replies = read_replies(result.path)
    assert replies["test-0-0"][0].text == text
    assert str(replies["test-0-2"][0]) == text
    for line in result.folder.attempts_path.read_bytes().split(b"\n")[:-1]:
        json.loads(line)  # a reader of the standard library takes every line


@pytest.mark.parametrize("text", STRANGE)
def test_any_text_may_name_a_model(text: str, tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Named(Says):
        model: str = "usual"

        @property
        def card(self) -> SolverCard:
            return SolverCard(name="named", kind="llm", model=self.model)

    solver = Named(told=1, model=text)
    result = run(Counting(), solver, limit=1, results_dir=tmp_path)
    assert result.record.card.model == text
    assert run(Counting(), solver, limit=1, results_dir=tmp_path).path == result.path


@given(st.lists(st.text(st.characters(codec=None)), max_size=5))
def test_lines_of_any_text_are_split_at_line_feeds_alone(texts: list[str]) -> None:
    data = b"".join(dumps({"text": text}) + b"\n" for text in texts)
    assert [loads(row)["text"] for _, row in rows(data)] == texts
    as_text = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    assert [loads(row)["text"] for _, row in rows(as_text)] == texts


def test_a_byte_order_mark_and_the_locale_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Appender(path) as file:
        file.append({"text": "ü"})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_lines(path) == [{"text": "ü"}]
    assert loads(b"\xef\xbb\xbf[1]") == [1]
    assert [row for _, row in rows("\ufeff{}\n\n[]")] == [b"{}", b"[]"]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64 + 1, 10**40, 12345678901234567890123])
def test_whole_numbers_of_any_size_are_read_as_they_were_written(number: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Appender(path) as file:
        file.append({"at": 0.00018372599998883743, "answer": [[number, 1]]})
    (line,) = read_lines(path)
    assert line["answer"] == [[number, 1]]
    assert type(line["answer"][0][0]) is int


def test_usage_adds_up_and_what_one_does_not_know_is_unknown() -> None:
    both = Usage(usd=0.25, passes=2, input_tokens=3) + Usage(usd=0.5, passes=1)
    assert both == Usage(usd=0.75, passes=3)
    assert sum([Usage(usd=0.5)] * 3, Usage(usd=0.0)) == Usage(usd=1.5)
