"""What all maze tasks share: the rules, the text codec, the verdict, the drawing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from harness.base import BaseTask
from harness.contracts import Answer, GridCodec, Item, Key, Metric, Puzzle, Unparsed, Verdict
from tasks.maze.paths import count_marks, is_board, path_faults
from tasks.shared.forms import single, symbol_grid
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType


class MazeRules(BaseTask):
    """A maze task. The payload is {"rows": strings of `# SG`}; an answer is the same rows with the path
    marked `o`. With "asked": "moves" in the payload, as a file may have it, it is the number of moves alone.

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
        rows = puzzle.payload["rows"]
        height, width, drawn = len(rows), len(rows[0]), "\n".join(rows).replace(" ", ".")
        wanted = (
            "How many moves does it take? Give that number alone inside a fenced block marked answer, for "
            "example:\n```answer\n12\n```"
            if "asked" in puzzle.payload
            else "Give the whole maze again with every open cell of one shortest path from S to G replaced "
            "by o; keep S, G, all walls and all other cells. "
            f"Write {height} lines of {width} characters inside a fenced block marked answer:\n"
            f"```answer\n({height} lines of {width} characters)\n```"
        )
        return (
            f"Find a shortest path through this maze of {height} rows and {width} columns. # is "
            "a wall, . is open, "
            "S is the start, G is the goal; moves go up, down, left or right, never through a wall or off "
            "the grid.\n\n"
            f"{drawn}\n\n{wanted}"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        """Read lines of `#.SGo`, an open cell written as a dot."""
        rows = puzzle.payload["rows"]
        if "asked" in puzzle.payload:
            return parse_reply(reply, single("number of moves", "[0-9]{1,5}", int))
        found = parse_reply(reply, symbol_grid(len(rows), len(rows[0]), "#.SGo"))
        return found if isinstance(found, Unparsed) else [row.replace(".", " ") for row in found]

    def violations(self, puzzle: Puzzle, answer: Answer) -> list[str]:
        if "asked" in puzzle.payload:
            moves = self.search(puzzle)
            right = type(answer) is int and answer == moves
            return [] if right else [f"a shortest path takes {moves} moves, not {str(answer)[:20]}"]
        found = path_faults(puzzle.payload["rows"], answer)
        if not found:
            moves = count_marks(answer) + 1
            shortest = count_marks(self.search(puzzle) or answer) + 1
            if moves > shortest:
                found.append(f"the path takes {moves} moves, the shortest {shortest}")
        return found

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        if "asked" in puzzle.payload:
            right = type(answer) is int and answer == key.optimum
            numbers = ("valid_optimal", "exact_label", "valid")
            return Verdict(correct=right, numbers=dict.fromkeys(numbers, float(right)))
        valid = not path_faults(puzzle.payload["rows"], answer)
        optimal = valid and count_marks(answer) + 1 == key.optimum
        found = {
            "valid_optimal": optimal,
            "exact_label": valid and answer == key.answers[0],
            "valid": valid,
        }
        return Verdict(correct=optimal, numbers={name: float(value) for name, value in found.items()})

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Mark every open cell with probability one half; any number of moves that fits is as likely."""
        shown = puzzle.payload["rows"]
        if "asked" in puzzle.payload:
            return int(rng.integers(1, 1 + sum(row.count(" ") for row in shown) + 1))
        coins = (rng.random((len(shown), len(shown[0]))) < 0.5).tolist()
        rows = zip(puzzle.payload["rows"], coins, strict=True)
        return [
            "".join("o" if c == " " and coin else c for c, coin in zip(row, flips, strict=True))
            for row, flips in rows
        ]

    def search(self, puzzle: Puzzle) -> Answer | None:
        from tasks.maze.grid import decode_cells, encode_rows
        from tasks.maze.search import shortest_path

        rows = puzzle.payload["rows"]
        marked = shortest_path(encode_rows(rows), len(rows[0]))
        if marked is None:
            return None
        path = decode_cells(marked.reshape(len(rows), len(rows[0])))
        return count_marks(path) + 1 if "asked" in puzzle.payload else path

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """Draw walls as blocks, two columns a cell; the path yellow, with a key green where the reference
        goes, else red.
        """
        from rich.text import Text

        rows = puzzle.payload["rows"]
        if "asked" in puzzle.payload and answer is not None:
            right = key is None or answer == key.answers[0]
            drawn = self.render(Puzzle(**{**vars(puzzle), "payload": {"rows": rows}}))
            assert isinstance(drawn, Text)
            return drawn.append(f"{str(answer)[:40]} moves", style="green" if right else "red")
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
