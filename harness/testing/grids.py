"""What a task's grid codec must keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.capabilities import AugmentedCodec
from harness.contracts import GridCodec, Item, Key, Puzzle, Task, Verdict
from harness.randomness import generator
from harness.testing.report import Report, is_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COPIES = 8


def check_grid(report: Report, task: Task, items: list[Item]) -> None:
    with report.total("the grid codec can be made"):
        grid = task.grid
    if grid is None:
        return
    whole = all(isinstance(getattr(grid, n, None), int) for n in ("length", "height", "width", "vocab_size"))
    report.rule(whole, "a grid codec has length, height, width and vocab_size")
    report.rule(grid.length == grid.height * grid.width, "the canvas has length tokens")
    for puzzle, key in items:
        _check_codec(report, task, grid, puzzle, key)
        if isinstance(grid, AugmentedCodec):
            _check_copies(report, grid, puzzle)


def _check_codec(report: Report, task: Task, grid: GridCodec, puzzle: Puzzle, key: Key) -> None:
    import numpy as np

    answer = key.answers[0]
    with report.total("encode is total", puzzle.id):
        tokens, label = grid.encode(puzzle), grid.encode_answer(puzzle, answer)
    _check_pair(report, grid, tokens, label, "", puzzle.id)
    with report.total("decode is total", puzzle.id):
        decoded = grid.decode(np.where(label < 0, 0, label), puzzle)
    report.rule(decoded == answer, "label tokens decode to the answer", (puzzle.id, decoded))
    report.rule(
        task.judge(puzzle, key, decoded).correct, "label tokens decode to a correct answer", puzzle.id
    )
    rng = generator("conformance", task.name, "tokens", puzzle.id)
    canvases = [rng.integers(0, grid.vocab_size, grid.length) for _ in range(4)]
    canvases += [np.full(grid.length, token) for token in sorted({0, 1, grid.vocab_size - 1})]
    for canvas in canvases:
        with report.total("decode is total", puzzle.id):
            noise = grid.decode(canvas, puzzle)
        report.rule(is_json(noise), "any tokens decode to a JSON value", puzzle.id)
        with report.total("judge is total", (puzzle.id, noise)):
            report.rule(isinstance(task.judge(puzzle, key, noise), Verdict), "judge gives a Verdict", noise)
    _check_variants(report, task, grid, puzzle, key)
    _check_symmetries(report, task, grid, puzzle, tokens, label, rng)


def _check_pair(
    report: Report, grid: GridCodec, tokens: NDArray[Any], label: NDArray[Any], of: str, at: str
) -> None:
    for name, row in (("input", tokens), ("label", label)):
        fit = getattr(row, "shape", None) == (grid.length,) and row.dtype.kind in "iu"
        report.rule(fit, f"{of}{name} tokens are whole numbers, of the codec's length", at)
    report.rule(
        ((tokens >= 0) & (tokens < grid.vocab_size)).all(), f"{of}input tokens are in the vocabulary", at
    )
    report.rule(
        ((label == -100) | ((label > 0) & (label < grid.vocab_size))).all(),
        f"{of}labels are scored tokens or -100",
        at,
    )
    report.rule((label != -100).any(), f"{of}labels score something", at)


def _check_variants(report: Report, task: Task, grid: GridCodec, puzzle: Puzzle, key: Key) -> None:
    import numpy as np

    with report.total("training variants can be made", puzzle.id):
        pairs = list(grid.variants(puzzle, key))
    report.rule(pairs, "an item has a training variant", puzzle.id)
    own = grid.encode(puzzle)
    for pair in pairs:
        report.rule(isinstance(pair, tuple) and len(pair) == 2, "a training variant is input and label", pair)
        tokens, label = pair
        _check_pair(report, grid, tokens, label, "a training variant's ", puzzle.id)
        shown = puzzle if np.array_equal(tokens, own) else read_puzzle(grid, puzzle, tokens)
        answer = grid.decode(np.where(label < 0, 0, label), puzzle)
        if shown is puzzle:
            right = task.judge(puzzle, key, answer).correct
            report.rule(right, "a training variant's label is a correct answer", puzzle.id)
        elif shown is not None:
            broken = task.violations(shown, answer)
            report.rule(not broken, "a training variant's label is a correct answer", (puzzle.id, broken))


def _check_symmetries(
    report: Report,
    task: Task,
    grid: GridCodec,
    puzzle: Puzzle,
    tokens: NDArray[Any],
    label: NDArray[Any],
    rng: np.random.Generator,
) -> None:
    import numpy as np

    with report.total("symmetries can be drawn", puzzle.id):
        symmetries = grid.symmetries(rng, COPIES)
    if symmetries is None:
        return
    cells, words = np.arange(grid.length), np.arange(grid.vocab_size)
    sorted_cells, sorted_words = np.sort(symmetries.positions, axis=1), np.sort(symmetries.tokens, axis=1)
    fit = sorted_cells.shape == (COPIES, grid.length) and (sorted_cells == cells).all()
    report.rule(fit, "a symmetry permutes the cells", puzzle.id)
    fit = sorted_words.shape == (COPIES, grid.vocab_size) and (sorted_words == words).all()
    report.rule(fit, "a symmetry relabels the tokens one to one", puzzle.id)
    report.rule((symmetries.tokens[:, 0] == 0).all(), "a symmetry leaves padding alone", puzzle.id)
    labels, inputs = np.tile(label, (COPIES, 1)), np.tile(tokens, (COPIES, 1))
    moved, shown = symmetries.apply(labels), symmetries.apply(inputs)
    report.rule(
        (symmetries.inverse().apply(moved) == labels).all(), "a symmetry is undone by its inverse", puzzle.id
    )
    report.rule(
        ((moved == -100).sum(axis=1) == (label == -100).sum()).all(),
        "a symmetry keeps what is scored",
        puzzle.id,
    )
    if task.violations(puzzle, grid.decode(np.where(label < 0, 0, label), puzzle)) is None:
        return  # the rules cannot tell
    for x, y in zip(shown, moved, strict=True):
        other = read_puzzle(grid, puzzle, x)
        if other is None:
            note = "symmetries: not judged, for the codec cannot read a puzzle back (see `puzzle_of`)"
            if note not in report.notes:
                report.notes.append(note)
            return
        broken = task.violations(other, grid.decode(np.where(y < 0, 0, y), other))
        report.rule(not broken, "a solved puzzle stays solved under a symmetry", (puzzle.id, broken))


def read_puzzle(grid: GridCodec, puzzle: Puzzle, tokens: NDArray[Any]) -> Puzzle | None:
    """Return the puzzle that input tokens show: by the codec's own `puzzle_of(tokens, puzzle)` if it has
    one, else where the payload holds the board as `decode` reads it. None if neither tells.
    """
    import numpy as np

    if (read := getattr(grid, "puzzle_of", None)) is not None:
        found: Puzzle = read(tokens, puzzle)
        return found
    board, own = grid.decode(tokens, puzzle), grid.decode(grid.encode(puzzle), puzzle)
    for name, value in puzzle.payload.items():
        if value == own:
            other = replace(puzzle, payload={**puzzle.payload, name: board})
            if np.array_equal(grid.encode(other), tokens):
                return other
    return None


def _check_copies(report: Report, grid: AugmentedCodec, puzzle: Puzzle) -> None:
    import numpy as np

    shown = grid.demonstrations(puzzle)
    copies = grid.copies(shown, name=puzzle.group, seed=0, n=3)
    again = grid.copies(shown, name=puzzle.group, seed=0, n=3)
    report.rule(
        1 <= len(copies) <= 4 and np.array_equal(copies, again),
        "copies are those asked for, and always the same",
        puzzle.id,
    )
    report.rule(
        np.array_equal(grid.encode_copy(puzzle, copies[0]), grid.encode(puzzle)),
        "copy 0 changes nothing",
        puzzle.id,
    )
    for copy in copies:
        for pair in shown:
            tokens, label = grid.encode_pair(pair, copy, (0.0, 0.0))
            fit = tokens.shape == label.shape == (grid.length,)
            report.rule(fit, "pairs have the codec's length", puzzle.id)
            answer = grid.undo(grid.decode(np.where(label < 0, 0, label), puzzle), copy)
            report.rule(answer == pair[1], "an answer to a copy is mapped back", puzzle.id)
            grid.encode_pair(pair, copy, (0.99, 0.99))
