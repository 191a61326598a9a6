"""Generated mazes of any size: random walls with many shortest paths (`maze`), and perfect mazes with one
path (`maze-unique`).

The splits share no maze, nor any rotation or reflection of one, nor one with other ends in the same walls, by
construction: a number that all those copies share (`maze_search.invariant`) says which split a maze belongs
to, whatever seed and index.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import own
from harness.contracts import Item
from harness.errors import UserError, did_you_mean
from harness.randomness import generator
from tasks.maze import own as own_mazes
from tasks.maze.rules import MazeRules, make_item
from tasks.shared.compiled import SLOW_IMPORTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_COUNT = 1000
SHARES = ("test", "validation", "train", "train")  # of mazes: a quarter, a quarter, half
SMALLEST = 5
MAX_REJECTED = 20_000


class GeneratedMazes(MazeRules):
    """What the two generators share: sizes, splits, and drawing until a maze belongs to the split and its
    path is long enough.
    """

    name: str
    version: str
    splits = ("test", "train", "validation")
    data_revision = "generated"
    slow_imports = SLOW_IMPORTS

    @property
    def family(self) -> str:
        return f"{self.name}-{self.height}x{self.width}"

    @property
    def least_moves(self) -> int:
        """Shortest paths of fewer moves are drawn again."""
        return 2  # with one move there would be nothing to mark

    @property
    def dials(self) -> str:
        """What of the options is part of the seed."""
        return repr(self)

    def draw(self, rng: np.random.Generator) -> NDArray[np.int8]:
        """Draw the walls of one maze."""
        raise NotImplementedError

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Generate the first `limit` (1000 if None) mazes of a split."""
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}.", rule=did_you_mean(split, self.splits))
        return [self._item(split, seed, index) for index in range(DEFAULT_COUNT if limit is None else limit)]

    def how_many(self, split: str, limit: int | None) -> int | None:
        """Return how many mazes `load` makes."""
        return None if split not in self.splits else DEFAULT_COUNT if limit is None else limit

    def between(self, split: str, seed: int, start: int, stop: int) -> list[Item]:
        """Return a part of what `load` makes."""
        return [self._item(split, seed, index) for index in range(start, stop)]

    def _item(self, split: str, seed: int, index: int) -> Item:
        from tasks.maze.search import invariant, place_ends

        rng = generator(self.name, self.version, self.dials, split, seed, index)
        for _ in range(MAX_REJECTED):
            cells = self.draw(rng)
            belongs = SHARES[invariant(cells, self.height, self.width) % len(SHARES)] == split
            if belongs and place_ends(cells, self.width, self.least_moves, rng):
                return make_item(f"{split}-{seed}-{index}", split, cells, self.height, self.width)
        raise UserError(
            f"{MAX_REJECTED} mazes were drawn and none has a shortest path of {self.least_moves} moves or "
            "more.",
            rule=f"{self.height}×{self.width} mazes of this kind rarely have one so long.",
            next_step="Give a smaller min_length.",
        )

    def _check_size(self) -> None:
        if self.height < SMALLEST or self.width < SMALLEST:
            raise UserError(
                f"No maze of {self.height}×{self.width}.", rule=f"Height and width are at least {SMALLEST}."
            )


@dataclass(frozen=True, kw_only=True)
class Maze(GeneratedMazes):
    """Mazes with a wall in each cell with probability `walls`; start and goal lie far apart (found by a
    double sweep).

    min_length: the least number of moves on a shortest path, by default the longer side. With height=30,
    width=30, min_length=109 the mazes are like the published Maze-Hard, which has 37 % walls and shortest
    paths of 109 to 153 moves.
    """

    height: int = 9  # cells
    width: int = 9  # cells
    walls: float = 0.37  # probability of a wall in each cell
    min_length: int | None = None
    # mazes of your own in place of generated ones: text, numbers, CSV, arrays or JSON lines; sizes are theirs
    file: Path | None = None

    name = "maze"
    version = "1"
    summary = "mazes of any size with random walls, generated, many shortest paths"

    def __post_init__(self) -> None:
        if self.file is not None:
            height, width = own_mazes.sizes(row.payload for row in own_mazes.read(self.file))
            object.__setattr__(self, "height", height)
            object.__setattr__(self, "width", width)
            return
        self._check_size()
        if not 0 <= self.walls <= 0.4:
            rule = "It is a share from 0 to 0.4; with more walls the open cells no longer hang together."
            raise UserError(f"No maze with walls={self.walls}.", rule=rule)
        if self.min_length is not None and self.min_length < 2:
            raise UserError(
                f"No maze with min_length={self.min_length}.", rule="A path has at least 2 moves."
            )

    @property
    def dials(self) -> str:
        return repr(self).replace(", file=None", "")  # the option came later and changes no maze

    @property
    def data_revision(self) -> str:  # type: ignore[override]
        """What the mazes are made from: generated, or the file and its hash."""
        return "generated" if self.file is None else own.revision_of(self.file)

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Generate the first `limit` (1000 if None) mazes of a split, or read those of the file."""
        if self.file is None:
            return super().load(split=split, seed=seed, limit=limit, data_dir=data_dir)
        if split != self.splits[0]:
            raise UserError(f"{self.file} has no split {split!r}.", rule="A file is one split, to be solved.")
        return own.items_of(self, split, own_mazes.read(self.file), limit)

    @property
    def least_moves(self) -> int:
        return max(self.height, self.width) if self.min_length is None else self.min_length

    def draw(self, rng: np.random.Generator) -> NDArray[np.int8]:
        from tasks.maze.search import draw_random_walls

        return draw_random_walls(self.height, self.width, self.walls, rng)


@dataclass(frozen=True, kw_only=True)
class MazeUnique(GeneratedMazes):
    """Perfect mazes, in which one path joins any two cells; start and goal are the farthest pair. Height
    and width are odd.
    """

    height: int = 7  # cells, an odd number
    width: int = 7  # cells, an odd number

    name = "maze-unique"
    version = "1"
    summary = "perfect mazes of any odd size, generated, one path"
    unique_paths = True

    def __post_init__(self) -> None:
        self._check_size()
        if self.height % 2 == 0 or self.width % 2 == 0:
            raise UserError(
                f"No perfect maze of {self.height}×{self.width}.",
                rule="Rooms and walls alternate: sizes are odd.",
            )

    def draw(self, rng: np.random.Generator) -> NDArray[np.int8]:
        from tasks.maze.search import draw_perfect

        return draw_perfect(self.height, self.width, rng)
