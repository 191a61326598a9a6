"""Conway's Game of Life on a torus: the board after k generations.

Life is universal (Berlekamp, Conway and Guy 1982), so no way around the generations is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from tasks.procedures.procedure import Computed, Payload
from tasks.shared.forms import digit_grid
from tasks.shared.reading import read_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.shared.text_answers import AnswerForm


LARGEST = 64  # rows of a board of the user's own, and steps


def generation(board: NDArray[Any]) -> NDArray[Any]:
    """Return the next generation of a square board of 0 and 1 whose edges meet."""
    import numpy as np

    rows = np.roll(board, 1, 0) + board + np.roll(board, -1, 0)
    block = np.roll(rows, 1, 1) + rows + np.roll(rows, -1, 1)  # a cell with its eight neighbours
    after: NDArray[Any] = ((block == 3) | ((block == 4) & (board == 1))).astype(board.dtype)
    return after


@cache
def copies(size: int) -> NDArray[Any]:
    """Return where each cell comes from in every shift, rotation and reflection, (8 · size², size²)."""
    import numpy as np

    cells = np.arange(size * size).reshape(size, size)
    turned = [np.rot90(flip, k) for flip in (cells, cells.T) for k in range(4)]
    shifts = [(r, c) for r in range(size) for c in range(size)]
    return np.array([np.roll(t, shift, (0, 1)).ravel() for t in turned for shift in shifts])


@dataclass(frozen=True, kw_only=True)
class GameOfLife(Computed):
    """Run the Game of Life on a torus for `steps` generations.

    size: rows and columns. alive: share of live cells at the start. Of a file, size and steps are those of
    its boards. No board comes twice on the way, so that no generation can be left out. Verdict number
    `constraints`: the share of right cells.
    """

    steps: int = 4
    train_steps: int = 4
    size: int = 8
    alive: float = 0.4

    name = "game-of-life"
    noun = "cell"
    metrics = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def __post_init__(self) -> None:
        if self.file is not None:  # a board of the user's own may be larger, and may die
            size = own.one_size(self.file, _size)
            steps = max(own.measured(self.file, lambda payload: int(payload["steps"])))
            for name, value in (
                ("size", size),
                ("steps", steps),
                ("train_steps", min(steps, self.train_steps)),
            ):
                object.__setattr__(self, name, value)
            return
        self.check_dial("size", 6, 24, "on a smaller board too little happens")
        self.check_share("alive", 0.1, 0.9)
        most = min(900 - self.size**2, 2 * self.size)
        self.check_steps(most, f"a board of {self.size}×{self.size} seldom lives longer without repeating")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.size}x{self.size}"

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import TickedGrid, ticks

        cells = self.size**2
        return TickedGrid(
            symbols=2, cells=cells, answered=cells, most_steps=self.most_steps, across=self.size,
            read=lambda puzzle: puzzle.payload["rows"], marks=ticks,
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        import numpy as np

        steps = self.steps_of(rng, split)
        board = (rng.random((self.size, self.size)) < self.alive).astype(np.int8)
        packed = np.packbits(board.ravel()[copies(self.size)], axis=1)
        identity = f"{self.size}:{min(map(bytes, packed)).hex()}"
        if not belongs(identity):
            return None
        seen = [board]
        for _ in range(steps):
            seen.append(generation(seen[-1]))
        if len({each.tobytes() for each in seen}) < len(seen):
            return None
        return Drawn(
            identity=identity,
            payload={"rows": board.tolist(), "steps": steps},
            answers=(seen[-1].tolist(),),
            difficulty=float(steps),
        )

    def values(self, payload: Payload) -> list[int]:
        return self._after(payload, payload["steps"])

    def _after(self, payload: Payload, steps: int) -> list[int]:
        import numpy as np

        board = np.array(payload["rows"], dtype=np.int8)
        for _ in range(steps):
            board = generation(board)
        found: list[int] = board.ravel().tolist()
        return found

    def flat(self, answer: Answer) -> Answer:
        n = self.size
        square = (
            isinstance(answer, list)
            and len(answer) == n
            and all(isinstance(row, list) and len(row) == n for row in answer)
        )
        return [cell for row in answer for cell in row] if square else None

    def shaped(self, values: list[int]) -> Answer:
        return [values[i : i + self.size] for i in range(0, len(values), self.size)]

    def allowed(self, payload: Payload) -> range:
        return range(2)

    def asked(self, payload: Payload) -> int:
        return self.size**2

    @property
    def across(self) -> int:
        return self.size

    def rule_of(self, payload: Payload, index: int) -> str:
        row, column = divmod(index, self.size)
        return f"row {row + 1}, column {column + 1} is not so after {payload['steps']} generations"

    def prompt(self, puzzle: Puzzle) -> str:
        n, steps = self.size, puzzle.payload["steps"]
        return (
            f"The Game of Life on a board of {n} rows and {n} columns whose edges meet: the row above the "
            "first is the last, the column left of the first is the last. 1 is a live cell, 0 a dead one. In "
            "each generation all cells change at the same time: a live cell with two or three live ones "
            "among its eight neighbours stays alive, a dead cell with exactly three becomes alive, every "
            f"other cell is dead.\n\n{_lines(puzzle.payload['rows'])}\n\nGive the board after {steps} "
            f"generation{'s' * (steps > 1)}: {n} lines of {n} digits without blanks inside a fenced block "
            "marked answer. A board of 2 rows and 2 columns would be written\n```answer\n01\n11\n```"
        )

    def form(self, payload: Payload) -> AnswerForm:
        return digit_grid(self.size, self.size, 0, 1)

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Do one generation and stop."""
        return self.shaped(self._after(puzzle.payload, 1))

    def drawing(self, payload: Payload) -> str:
        board = _lines(payload["rows"]).replace("1", "█").replace("0", "·")
        return f"{board}\nafter {payload['steps']} generations:"


def _size(payload: Payload) -> int:
    """Return the size of a board. Raises ValueError for what is none."""
    rows, steps = payload["rows"], payload["steps"]
    if not 1 <= len(rows) <= LARGEST:
        raise ValueError(f"{len(rows)} rows: boards of a file are of 1 to {LARGEST}")
    if isinstance(fault := read_rows(rows, len(rows), len(rows), 0, 1), str):
        raise ValueError(fault)
    if type(steps) is not int or not 1 <= steps <= LARGEST:
        raise ValueError(f"steps is {str(steps)[:20]}: it is 1 to {LARGEST}")
    return len(rows)


def _lines(rows: list[list[int]]) -> str:
    return "\n".join("".join(map(str, row)) for row in rows)
