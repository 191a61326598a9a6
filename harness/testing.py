"""The conformance suite: what every task and every solver must keep, ours and those of plugins.

    from harness.testing import check_solver, check_task
    def test_my_task_keeps_the_rules():
        check_task(MyTask())

Each function returns None or raises `BrokenRuleError` with the rule and the puzzle it broke at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.base import methods_of
from harness.capabilities import AugmentedCodec
from harness.contracts import (
    CORRECT,
    Answer,
    Attempt,
    Budget,
    Item,
    Outcome,
    Puzzle,
    Solver,
    Task,
    Unparsed,
    Verdict,
)
from harness.errors import UserError
from harness.randomness import generator
from harness.running.view import View
from harness.scores.summary import score, value_of

GARBAGE: tuple[Any, ...] = (
    None,
    0,
    "",
    "garbage",
    [],
    [[]],
    [[None]],
    [["x", 1]],
    {},
    {"answer": 1},
    -1.5,
    True,
    [[[1]]],
    [1, [2]],
)
JUNK_REPLIES = (
    "",
    " ",
    "I do not know.",
    "```answer\n```",
    "\\boxed{}",
    "<think>1 2 3",
    "\x00\x1b[31m",
    "[" * 5000,
    "```answer\n[[",
)


class BrokenRuleError(AssertionError):
    """A task or a solver broke a rule of the contracts."""


def check_task(
    task: Task,
    *,
    data_dir: Path | None = None,
    puzzles: int = 12,
    draws: int = 40,
    splits: Sequence[str] | None = None,
    write: Callable[[Puzzle, Answer], str] | None = None,
) -> None:
    """Check a task on the first `puzzles` of each split (or of the `splits` named, where others need data not
    at hand).

    write: the answer as a reply should hold it; left out, JSON and plain lines are tried. draws: random
    answers per puzzle that the chance level is checked with.
    """
    _rule(
        bool(task.splits and task.metrics and task.attempts >= 1),
        "a task has splits, metrics and at least one attempt",
    )
    _rule(0 <= task.chance <= 1, "chance is a share", task.chance)
    loaded = {
        split: task.load(split=split, seed=0, limit=puzzles, data_dir=data_dir)
        for split in splits or task.splits
    }
    items = next(iter(loaded.values()))
    _rule(len(items) > 0, "the first split has puzzles")
    _check_loading(task, loaded, data_dir, puzzles)
    for puzzle, key in items:
        _check_verdicts(task, puzzle, key)
        _check_text(task, puzzle, key, write or _usual)
        if task.grid is not None:
            _check_grid(task, puzzle, key)
    _check_chance(task, items, draws)


def check_solver(
    solver: Solver, task: Task, *, data_dir: Path | None = None, puzzles: int = 4, seed: int = 0
) -> list[Attempt]:
    """Check a solver on the first puzzles of a task; return what it yielded, for further checks."""
    items = task.load(split=task.splits[0], seed=0, limit=puzzles, data_dir=data_dir)
    shown = [puzzle for puzzle, _ in items]
    view = View(task)
    ready: Solver = solver.for_task(view) if hasattr(solver, "for_task") else solver
    json.dumps(
        {
            "name": ready.card.name,
            "training": dict(ready.card.training),
            "exposure": dict(ready.card.exposure),
        }
    )
    _rule(
        ready.card.kind in ("net", "llm", "exact", "baseline"), "the card says a known kind", ready.card.kind
    )
    attempts = list(ready.solve(view, shown, Budget(attempts=task.attempts, seed=seed)))
    _check_attempts(attempts, shown, task.attempts, frozenset())
    done = frozenset({(shown[0].id, 0)})
    rest = list(ready.solve(view, shown, Budget(attempts=task.attempts, seed=seed, done=done)))
    _check_attempts(rest, shown, task.attempts, done)
    if ready.card.deterministic:
        first = {(a.puzzle_id, a.attempt): a.answer for a in attempts}
        same = all(first.get((a.puzzle_id, a.attempt)) == a.answer for a in rest)
        _rule(same, "a deterministic solver answers the same when it resumes")
    for attempt in attempts:
        if attempt.outcome is Outcome.ANSWERED:
            puzzle, key = next(item for item in items if item[0].id == attempt.puzzle_id)
            _rule(
                isinstance(task.judge(puzzle, key, attempt.answer), Verdict),
                "answers can be judged",
                puzzle.id,
            )
    return attempts


def _check_loading(task: Task, loaded: dict[str, list[Item]], data_dir: Path | None, puzzles: int) -> None:
    for split, items in loaded.items():
        again = task.load(split=split, seed=0, limit=puzzles, data_dir=data_dir)
        _rule(again == items, "the same seed gives the same puzzles", split)
        _rule(len(items) <= puzzles, "limit is kept", split)
        shorter = task.load(split=split, seed=0, limit=max(1, puzzles // 2), data_dir=data_dir)
        _rule(shorter == items[: len(shorter)], "a smaller limit gives the first of the same puzzles", split)
        ids = [puzzle.id for puzzle, _ in items]
        _rule(len(set(ids)) == len(ids), "puzzle ids are unique", split)
        for puzzle, key in items:
            _rule(puzzle.split == split, "a puzzle names its split", puzzle.id)
            _rule(_back(dict(puzzle.payload)) == dict(puzzle.payload), "payloads are JSON values", puzzle.id)
            _rule(len(key.answers) >= 1, "a key has a reference answer", puzzle.id)
    payloads = {
        split: {json.dumps(dict(p.payload), sort_keys=True) for p, _ in items}
        for split, items in loaded.items()
    }
    for one in payloads:
        for other in payloads:
            _rule(
                one == other or not payloads[one] & payloads[other],
                "splits share no puzzle",
                f"{one} and {other}",
            )
    try:
        task.load(split="no such split", seed=0, limit=1, data_dir=data_dir)
    except UserError:
        return
    raise BrokenRuleError("an unknown split is a UserError")


def _check_verdicts(task: Task, puzzle: Puzzle, key: Any) -> None:
    for answer in key.answers:
        verdict = task.judge(puzzle, key, answer)
        _rule(verdict.correct, "a reference answer is correct", puzzle.id)
        _rule(
            task.judge(puzzle, key, _back(answer)) == verdict,
            "an answer keeps its verdict through JSON",
            puzzle.id,
        )
        _rule(task.violations(puzzle, answer) in ([], None), "a reference answer violates nothing", puzzle.id)
        for metric in task.metrics:
            _rule(
                metric.number in {"correct", *verdict.numbers},
                "a verdict has the numbers of every metric",
                metric.number,
            )
    for garbage in GARBAGE:
        verdict = task.judge(puzzle, key, garbage)
        _rule(not verdict.correct, "garbage is wrong", garbage)
        for metric in task.metrics:
            _rule(
                metric.number in {"correct", *verdict.numbers},
                "garbage too has the numbers of every metric",
                metric.number,
            )
    task.render(puzzle)
    task.render(puzzle, key.answers[0], key)
    if (draw := methods_of(task).get("random")) is not None:
        drawn = draw(puzzle, generator("conformance", task.name, puzzle.id))
        _rule(_back(drawn) == drawn, "random answers are JSON values", puzzle.id)
        task.render(puzzle, drawn, key)


def _check_text(
    task: Task, puzzle: Puzzle, key: Any, write: Callable[[Puzzle, Answer], str | Iterator[str]]
) -> None:
    answer = key.answers[0]
    _rule(bool(task.prompt(puzzle).strip()), "a prompt says something", puzzle.id)
    written = write(puzzle, answer)
    texts = [written] if isinstance(written, str) else list(written)
    fenced = [text for text in texts if task.parse(f"```answer\n{text}\n```", puzzle) == answer]
    _rule(bool(fenced), "a reference answer in a fenced `answer` block is parsed", puzzle.id)
    text = fenced[0]
    polite = (
        "Sure! I am happy to help. Step 1 of 3 took me a while.\n\n"
        f"```answer\n{text}\n```\nI hope that helps!"
    )
    _rule(
        task.parse(polite, puzzle) == answer, "politeness around a marked answer changes nothing", puzzle.id
    )
    thought = f"<think>\n```answer\n{text}\n```\n</think>\nI give up."
    _rule(
        isinstance(task.parse(thought, puzzle), Unparsed),
        "an answer inside think tags is not an answer",
        puzzle.id,
    )
    bare = task.parse(f"Sure! Here it is:\n\n{text}\n\nI hope that helps!", puzzle)
    _rule(
        isinstance(bare, Unparsed) or bare == answer, "an unmarked answer is read whole or not at all", bare
    )
    cut = task.parse(f"```answer\n{text[: len(text) // 2]}", puzzle)
    _rule(isinstance(cut, Unparsed), "half an answer is no answer", cut)
    for junk in JUNK_REPLIES:
        _rule(isinstance(task.parse(junk, puzzle), Unparsed), "junk holds no answer", junk[:40])


def _check_grid(task: Task, puzzle: Puzzle, key: Any) -> None:
    import numpy as np

    grid = task.grid
    assert grid is not None
    answer = key.answers[0]
    _rule(grid.length == grid.height * grid.width, "the canvas has length tokens")
    tokens, label = grid.encode(puzzle), grid.encode_answer(puzzle, answer)
    for name, row in (("input", tokens), ("label", label)):
        _rule(row.shape == (grid.length,), f"{name} tokens have the codec's length", puzzle.id)
    _rule(
        bool(((tokens >= 0) & (tokens < grid.vocab_size)).all()),
        "input tokens are in the vocabulary",
        puzzle.id,
    )
    _rule(
        bool(((label == -100) | ((label > 0) & (label < grid.vocab_size))).all()),
        "labels are scored tokens or -100",
        puzzle.id,
    )
    _rule(
        grid.decode(np.where(label < 0, 0, label), puzzle) == answer,
        "label tokens decode to the answer",
        puzzle.id,
    )
    rng = generator("conformance", task.name, "tokens", puzzle.id)
    noise = grid.decode(rng.integers(0, grid.vocab_size, grid.length), puzzle)
    _rule(_back(noise) == noise, "any tokens decode to a JSON value", puzzle.id)
    task.judge(puzzle, key, noise)
    if isinstance(grid, AugmentedCodec):
        _check_copies(grid, puzzle)
    symmetries = grid.symmetries(rng, 8)
    if symmetries is None:
        return
    labels = np.tile(label, (8, 1))
    moved = symmetries.apply(labels)
    _rule(
        bool((symmetries.inverse().apply(moved) == labels).all()),
        "a symmetry is undone by its inverse",
        puzzle.id,
    )
    _rule(
        bool(((moved == -100).sum(axis=1) == (label == -100).sum()).all()),
        "a symmetry keeps what is scored",
        puzzle.id,
    )


def _check_copies(grid: AugmentedCodec, puzzle: Puzzle) -> None:
    import numpy as np

    shown = grid.demonstrations(puzzle)
    copies = grid.copies(shown, name=puzzle.group, seed=0, n=3)
    again = grid.copies(shown, name=puzzle.group, seed=0, n=3)
    _rule(
        1 <= len(copies) <= 4 and np.array_equal(copies, again),
        "copies are those asked for, and always the same",
        puzzle.id,
    )
    _rule(
        np.array_equal(grid.encode_copy(puzzle, copies[0]), grid.encode(puzzle)),
        "copy 0 changes nothing",
        puzzle.id,
    )
    for copy in copies:
        for pair in shown:
            tokens, label = grid.encode_pair(pair, copy, (0.0, 0.0))
            _rule(tokens.shape == label.shape == (grid.length,), "pairs have the codec's length", puzzle.id)
            answer = grid.undo(grid.decode(np.where(label < 0, 0, label), puzzle), copy)
            _rule(answer == pair[1], "an answer to a copy is mapped back", puzzle.id)
            grid.encode_pair(pair, copy, (0.99, 0.99))


def _check_chance(task: Task, items: list[Item], draws: int) -> None:
    metric = task.metrics[0]
    draw_answer = methods_of(task).get("random")
    if draw_answer is None:
        return
    total = 0.0
    for draw in range(draws):
        values = []
        for puzzle, key in items:
            answers = [
                draw_answer(puzzle, generator("chance", task.name, puzzle.id, draw, k))
                for k in range(task.attempts)
            ]
            verdicts = [task.judge(puzzle, key, answer) for answer in answers]
            value = value_of(metric, [{CORRECT: float(v.correct), **v.numbers} for v in verdicts])
            values.append(metric.missing if value is None else value)
        total += score(values, [puzzle.group for puzzle, _ in items], metric.over).score
    trials = draws * len(items)
    allowed = 4 * (max(task.chance * (1 - task.chance), 1 / trials) / trials) ** 0.5 + 1e-3
    _rule(
        abs(total / draws - task.chance) <= allowed,
        "random answers score the chance level",
        f"{total / draws} is not {task.chance}",
    )


def _check_attempts(
    attempts: list[Attempt], puzzles: list[Puzzle], planned: int, done: frozenset[tuple[str, int]]
) -> None:
    wanted = {(puzzle.id, k) for puzzle in puzzles for k in range(planned)} - done
    pairs = [(attempt.puzzle_id, attempt.attempt) for attempt in attempts]
    _rule(len(set(pairs)) == len(pairs), "no attempt is yielded twice")
    _rule(set(pairs) <= wanted, "only wanted attempts are yielded", sorted(set(pairs) - wanted)[:3])
    for attempt in attempts:
        _rule(
            (attempt.answer is not None) == (attempt.outcome is Outcome.ANSWERED),
            "answered means an answer",
            attempt.puzzle_id,
        )
        _rule(
            attempt.outcome not in (Outcome.CORRECT, Outcome.WRONG, Outcome.NOT_RUN),
            "only the runner judges",
            attempt.puzzle_id,
        )
        _rule(_back(attempt.answer) == attempt.answer, "answers are JSON values", attempt.puzzle_id)
        json.dumps(dict(attempt.detail), allow_nan=False)
        depths = [point.depth for point in attempt.trace]
        _rule(depths == sorted(set(depths)), "a trace goes to greater depths", attempt.puzzle_id)
        costs = [value for value in vars(attempt.usage).values() if value is not None]
        _rule(all(value >= 0 for value in costs), "costs are not negative", attempt.puzzle_id)


def _usual(_: Puzzle, answer: Answer) -> Iterator[str]:
    yield json.dumps(answer)
    yield str(answer)
    if isinstance(answer, list):
        rows = [
            row if isinstance(row, str) else "".join(map(str, row)) if isinstance(row, list) else str(row)
            for row in answer
        ]
        yield "\n".join(rows)
        yield "\n".join(rows).replace(" ", ".")


def _back(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


def _rule(kept: bool, rule: str, at: object = "") -> None:
    if not kept:
        raise BrokenRuleError(f"{rule}: {at!r}" if at != "" else rule)
