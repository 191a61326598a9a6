"""What all maze tasks share: the rules, the text codec, the verdict, the drawing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from harness.base import BaseTask
from harness.contracts import Answer, GridCodec, Item, Key, Metric, Puzzle, Unparsed, Verdict
from tasks.shared.forms import symbol_grid
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType


class MazeRules(BaseTask):
    """A maze task. The payload is {"rows": strings of `# SG`}; an answer is the same rows with the path
    marked `o`.

    Verdict numbers: `valid`, nothing but open cells was marked and S, the marks and G form one path;
    `valid_optimal`, that path is also as short as any (this is what `correct` means); `exact_label`, the
    answer is the reference, cell by cell. A path that touches itself is not valid: each mark must have
    exactly two neighbours on the path, S and G one each, or the drawing would not say how it is walked. A
    shortest path never touches itself.
    """

    attempts = 1
    metrics = (
        Metric(name="valid_optimal"),
        Metric(name="exact_label", number="exact_label"),
        Metric(name="valid", number="valid"),
    )
    chance = 0.0
    unique_paths = False

    @property
    def height(self) -> int:
        raise NotImplementedError

    @property
    def width(self) -> int:
        raise NotImplementedError

    @property
    def family(self) -> str:
        raise NotImplementedError

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.maze.grid import MazeGrid

        return MazeGrid(self.height, self.width, unique_paths=self.unique_paths)

    def prompt(self, puzzle: Puzzle) -> str:
        drawn = "\n".join(puzzle.payload["rows"]).replace(" ", ".")
        return (
            f"Find a shortest path through this maze of {self.height} rows and {self.width} columns. # is "
            "a wall, . is open, "
            "S is the start, G is the goal; moves go up, down, left or right, never through a wall or off "
            "the grid.\n\n"
            f"{drawn}\n\n"
            "Give the whole maze again with every open cell of one shortest path from S to G replaced by "
            "o; keep S, G, all "
            f"walls and all other cells. Write {self.height} lines of {self.width} characters inside a "
            "fenced block marked "
            f"answer:\n```answer\n({self.height} lines of {self.width} characters)\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        """Read lines of `#.SGo`, an open cell written as a dot."""
        found = parse_reply(reply, symbol_grid(self.height, self.width, "#.SGo"))
        return found if isinstance(found, Unparsed) else [row.replace(".", " ") for row in found]

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str]:
        found = path_faults(puzzle.payload["rows"], answer)
        if not found:
            moves = count_marks(answer) + 1
            shortest = count_marks(self.search(puzzle) or answer) + 1
            if moves > shortest:
                found.append(f"the path takes {moves} moves, the shortest {shortest}")
        return found

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        valid = not path_faults(puzzle.payload["rows"], answer)
        optimal = valid and count_marks(answer) + 1 == key.optimum
        numbers = {
            "valid_optimal": optimal,
            "exact_label": valid and answer == key.answers[0],
            "valid": valid,
        }
        return Verdict(correct=optimal, numbers={name: float(value) for name, value in numbers.items()})

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Mark every open cell with probability one half."""
        coins = (rng.random((self.height, self.width)) < 0.5).tolist()
        rows = zip(puzzle.payload["rows"], coins, strict=True)
        return [
            "".join("o" if c == " " and coin else c for c, coin in zip(row, flips, strict=True))
            for row, flips in rows
        ]

    def search(self, puzzle: Puzzle) -> Answer | None:
        from tasks.maze.grid import decode_cells, encode_rows
        from tasks.maze.search import shortest_path

        marked = shortest_path(encode_rows(puzzle.payload["rows"]), self.width)
        return None if marked is None else decode_cells(marked.reshape(self.height, self.width))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw walls as blocks, two columns a cell; the path yellow, with a key green where the reference
        goes, else red.
        """
        from rich.text import Text

        rows = puzzle.payload["rows"]
        if answer is not None and not is_board(answer, len(rows), len(rows[0])):
            return Text(f"not a maze of this size: {str(answer)[:200]}", style="red")
        text = Text()
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                shown = cell if answer is None else answer[r][c]
                expected = key.answers[0][r][c] if key is not None and answer is not None else None
                if (cell == " " and shown not in " o") or (cell != " " and shown != cell):
                    text.append(f"{shown}!", style="bold red")
                elif shown == "#":
                    text.append("██", style="bright_black")
                elif shown in "SG":
                    text.append(f"{shown} ", style="bold cyan")
                elif shown == "o":
                    text.append(
                        "● ", style="yellow" if expected is None else "green" if expected == "o" else "red"
                    )
                else:
                    text.append("· " if expected == "o" else "  ", style="red")
            text.append("\n")
        return text


def make_item(name: str, split: str, cells: NDArray[np.int8], height: int, width: int) -> Item:
    """Return the puzzle of a drawn maze and its key; difficulty is the length of a shortest path in moves."""
    from tasks.maze.grid import decode_cells
    from tasks.maze.search import PATH, shortest_path

    marked = shortest_path(cells, width)
    assert marked is not None  # generators place S and G in one component
    moves = float((marked == PATH).sum() + 1)
    rows = decode_cells(cells.reshape(height, width))
    puzzle = Puzzle(id=name, group=name, split=split, payload={"rows": rows}, difficulty=moves)
    return puzzle, Key(answers=(decode_cells(marked.reshape(height, width)),), optimum=moves)


def count_marks(rows: list[str]) -> int:
    """Return how many cells are marked as path."""
    return sum(row.count("o") for row in rows)


def is_board(answer: Answer, height: int, width: int) -> bool:
    """Return whether an answer is `height` strings of `width` characters each."""
    return (
        isinstance(answer, list)
        and len(answer) == height
        and all(isinstance(row, str) and len(row) == width for row in answer)
    )


def path_faults(rows: list[str], answer: Answer) -> list[str]:
    """List why the marks of an answer are not a path from S to G through the maze; [] if they are. Total."""
    height, width = len(rows), len(rows[0])
    if not is_board(answer, height, width):
        return [f"not {height} strings of {width} characters"]
    for r in range(height):
        for c in range(width):
            if answer[r][c] != rows[r][c] and not (rows[r][c] == " " and answer[r][c] == "o"):
                return [f"row {r + 1}, column {c + 1} was changed from {rows[r][c]!r} to {answer[r][c]!r}"]
    path = {(r, c): answer[r][c] for r in range(height) for c in range(width) if answer[r][c] in "SGo"}
    start = next(cell for cell, symbol in path.items() if symbol == "S")
    for (r, c), symbol in path.items():
        neighbours = sum(cell in path for cell in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)))
        if neighbours != (2 if symbol == "o" else 1):
            return [f"the {symbol} in row {r + 1}, column {c + 1} has {neighbours} neighbours on the path"]
    reached, frontier = {start}, [start]
    while frontier:
        r, c = frontier.pop()
        for cell in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if cell in path and cell not in reached:
                reached.add(cell)
                frontier.append(cell)
    return [] if len(reached) == len(path) else ["some marks are not connected to S"]
