"""Train the small nets of the reference table: one each for kinds of puzzles on which replies of language
models were published, on puzzles that we draw ourselves.

    python experiments/reference_training.py --published results/imports --out results/training/reference

Published puzzles of a kind differ in their dials (from 1 to 7 queens to place, from 2 to 10 edges), so the
training puzzles draw those dials anew for every item. No puzzle of training or validation is a copy of a
published one, turned or renamed copies included: their canonical forms (`identity_of`) are left out where
puzzles are drawn. `--published` names the folder that `bench import reasoning-gym` fills; without it nothing
is left out, and the record in the weights says so. Resumes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from harness import registry
from harness.base import Belongs, Drawn
from harness.codecs import Symmetries
from harness.contracts import GridCodec, Item, Key, Puzzle
from harness.randomness import generator
from solvers.nets.recipes import Recipe, trm_sudoku_small
from tasks.logic import colouring, queens
from tasks.logic.futoshiki import Futoshiki
from tasks.logic.futoshiki_grid import canonical
from tasks.logic.identity import refined
from tasks.procedures import game_of_life
from tasks.procedures.grid import TickedGrid, ticks
from tasks.sudoku.generated import SHARES, Sudoku
from tasks.sudoku.search import draw as draw_sudoku
from tasks.sudoku.search import guesses, invariant

Payload = Mapping[str, Any]


@cache
def left_out(folder: str, pattern: str, identity_of: Callable[[Payload], Any]) -> frozenset[Any]:
    """Return the canonical forms of all puzzles in the files of a folder that fit the pattern."""
    if not folder:
        return frozenset()
    files = sorted(Path(folder).glob(pattern))
    if not files:
        raise SystemExit(f"{folder} holds no {pattern}: run `bench import reasoning-gym` first.")
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return frozenset(identity_of(row["payload"]) for row in rows if "payload" in row)  # others are replies


def sudoku_identity(payload: Payload) -> int:
    """Return what all symmetric copies of a Sudoku share."""
    return invariant(np.array(payload["grid"], dtype=np.int8).ravel(), len(payload["grid"]))


def queens_identity(payload: Payload) -> bytes:
    """Return the smallest of the eight turned and mirrored boards."""
    n = len(payload["rows"])
    tokens = np.array([queens.SYMBOLS.index(square) for row in payload["rows"] for square in row], np.uint8)
    return min(copy.tobytes() for copy in tokens[queens._turns(n)])


def colouring_identity(payload: Payload) -> str:
    """Return what all renumbered copies of a graph share."""
    n = payload["vertices"]
    beside: list[list[int]] = [[] for _ in range(n)]
    for v, w in payload["edges"]:
        beside[v - 1].append(w - 1)
        beside[w - 1].append(v - 1)
    return f"{n} {payload['colours']} " + refined(
        [0] * n, lambda i, colours: sorted(colours[j] for j in beside[i])
    )


def life_identity(payload: Payload) -> str:
    """Return the smallest of all shifted, turned and mirrored boards."""
    board = np.array(payload["rows"], dtype=np.int8)
    packed = np.packbits(board.ravel()[game_of_life.copies(len(board))], axis=1)
    return f"{len(board)}:{min(map(bytes, packed)).hex()}"


def futoshiki_identity(payload: Payload) -> bytes:
    """Return the smallest of the sixteen turned, mirrored and recounted boards."""
    n = len(payload["grid"])
    less = np.array(payload["less"], dtype=np.int64).reshape(-1, 2, 2) @ np.array([n, 1])
    return canonical(np.array(payload["grid"], dtype=np.int64).ravel(), less, n)


@dataclass(frozen=True, kw_only=True)
class MixedSudoku(Sudoku):
    """4×4 Sudoku with 4 to 10 clues, as many left as the draw says where that leaves one solution."""

    size: Any = 4
    published: str = ""  # folder of the puzzles to leave out
    files: ClassVar[str] = "reasoning-gym-mini_sudoku-*.jsonl"

    def _item(self, split: str, seed: int, index: int) -> Item:
        rng = generator(self.name, "mixed", split, seed, index)
        known = left_out(self.published, self.files, sudoku_identity)
        while True:
            board, solution = draw_sudoku(self.size, int(rng.integers(4, 11)), False, rng)
            kind = invariant(board, self.size)
            if SHARES[kind % len(SHARES)] == split and kind not in known:
                break
        name = f"{split}-{seed}-{index}"
        payload = {"grid": board.reshape(self.size, self.size).tolist()}
        puzzle = Puzzle(
            id=name, group=name, split=split, payload=payload, difficulty=float(guesses(board, self.size))
        )
        return puzzle, Key(answers=(solution.reshape(self.size, self.size).tolist(),))


@dataclass(frozen=True, kw_only=True)
class MixedQueens(queens.NQueens):
    """Eight queens with 1 to 7 of them given; in every other puzzle no square is closed, else 1 to 8 are."""

    published: str = ""  # folder of the puzzles to leave out
    files: ClassVar[str] = "reasoning-gym-n_queens-*.jsonl"

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        known = left_out(self.published, self.files, queens_identity)
        closed = int(rng.integers(1, self.size + 1)) if rng.random() < 0.5 else 0
        one = queens.NQueens(size=self.size, given=int(rng.integers(1, self.size)), closed=closed)
        return one.draw(rng, split, lambda identity: identity not in known and belongs(identity))


@dataclass(frozen=True, kw_only=True)
class MixedColouring(colouring.GraphColouring):
    """Graphs of 10 vertices with 2 to 10 edges, 3 colours."""

    vertices: int = 10
    edges: int = 10
    fewest_edges: int | None = 2
    published: str = ""  # folder of the puzzles to leave out
    files: ClassVar[str] = "reasoning-gym-graph_color-easy.jsonl"

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        known = left_out(self.published, self.files, colouring_identity)
        return super().draw(rng, split, lambda identity: identity not in known and belongs(identity))


@dataclass(frozen=True, kw_only=True)
class MixedFutoshiki(Futoshiki):
    """Boards of 4×4 and 5×5 on the canvas of 9×9; of what makes them unique, up to five digits more."""

    size: int = 9
    smallest: int | None = 4
    published: str = ""  # folder of the puzzles to leave out
    files: ClassVar[str] = "reasoning-gym-futoshiki-*.jsonl"

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        known = left_out(self.published, self.files, futoshiki_identity)
        one = Futoshiki(size=int(rng.integers(4, 6)))
        drawn = one.draw(rng, split, belongs)
        if drawn is None:
            return None
        n = one.size
        digits, given = np.array(drawn.answers[0]).ravel(), np.array(drawn.payload["grid"]).ravel()
        blank = rng.permutation(np.flatnonzero(given == 0))[: int(rng.integers(6))]
        given[blank] = digits[blank]
        payload = {"grid": given.reshape(n, n).tolist(), "less": drawn.payload["less"]}
        if futoshiki_identity(payload) in known:
            return None
        return dataclasses.replace(drawn, payload=payload)


class LifeGrid(TickedGrid):
    """Boards as tokens, with what leaves the rules of a torus as they are: shifts, turns and mirrors."""

    def symmetries(self, rng: np.random.Generator, n: int) -> Symmetries:
        """Draw n of the symmetries; the marks behind the board stay."""
        moved = game_of_life.copies(self.across)
        moved = moved[rng.integers(len(moved), size=n)]
        marks = np.broadcast_to(np.arange(self.cells, self.width), (n, self.width - self.cells))
        tokens = np.broadcast_to(np.arange(self.vocab_size), (n, self.vocab_size))
        return Symmetries(np.concatenate([moved, marks], axis=1), tokens.copy())


@dataclass(frozen=True, kw_only=True)
class MixedLife(game_of_life.GameOfLife):
    """The next generation of 10×10 boards, 5 to 50 of 100 cells alive."""

    size: int = 10
    steps: int = 1
    train_steps: int = 1
    published: str = ""  # folder of the puzzles to leave out
    files: ClassVar[str] = "reasoning-gym-game_of_life-*easy*.jsonl"

    @cached_property
    def grid(self) -> GridCodec:
        cells = self.size**2
        return LifeGrid(
            symbols=2, cells=cells, answered=cells, most_steps=self.most_steps, across=self.size,
            read=lambda puzzle: puzzle.payload["rows"], marks=ticks,
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        known = left_out(self.published, self.files, life_identity)
        one = dataclasses.replace(self, alive=float(rng.uniform(0.1, 0.5)))
        return super(MixedLife, one).draw(
            rng, split, lambda identity: identity not in known and belongs(identity)
        )


def looped_mixer(**changes: Any) -> Recipe:
    """Two MLP-mixer blocks of width 64, looped: four applications a supervision step, trained like
    trm-sudoku-small on a CPU.
    """
    config = {
        "mlp_t": True, "pos_encodings": "none", "hidden_size": 64, "num_heads": 4, "expansion": 2.0,
        "L_layers": 2, "H_cycles": 1, "L_cycles": 1, "puzzle_emb_len": 0, "puzzle_emb_ndim": 0,
        "normalised_swiglu": True, "halt_max_steps": 4,
    }  # fmt: skip
    small = dataclasses.replace(
        trm_sudoku_small(), name="looped-mixer-small", net="looped", config=config, made_for=(),
        batch_size=64, warmup_steps=20, ema=0.98, train_items=10_000, validation_items=200,
        validate_every=200, optimiser_steps=600, weights_dtype="bfloat16",
    )  # fmt: skip
    return dataclasses.replace(small, **changes)


NETS: dict[str, tuple[Callable[..., Any], dict[str, str]]] = {
    "sudoku-4x4": (
        MixedSudoku,
        {"config.L_cycles": "3", "config.halt_max_steps": "16", "optimiser_steps": "160"},
    ),
    "game-of-life-10x10": (
        MixedLife,
        {
            "config.mlp_t": "false",
            "config.local": "true",
            "config.torus": "true",
            "config.hidden_size": "32",
            "config.L_layers": "1",
            "config.L_cycles": "0",
            "config.halt_max_steps": "2",
            "train_items": "3000",
            "optimiser_steps": "500",
        },
    ),
    "graph-colouring-10": (
        MixedColouring,
        {"config.L_layers": "1", "batch_size": "32", "optimiser_steps": "900", "train_items": "6000"},
    ),
    "n-queens-8x8": (MixedQueens, {"optimiser_steps": "900"}),
    "futoshiki-4-to-9": (MixedFutoshiki, {"canvas": "9", "optimiser_steps": "350"}),
}
"""The task of each net, and what its recipe has in place of looped_mixer's fields."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--published", default="", help="folder of imported puzzles that are left out")
    parser.add_argument("--out", type=Path, default=Path("results/training/reference"))
    parser.add_argument("--only", nargs="*", choices=list(NETS), default=list(NETS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-R", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    solver = registry.find("solver", "looped")
    for name in args.only:
        task, changes = NETS[name]
        weights = solver.train(
            task(published=args.published),
            recipe_name=f"{__file__}:looped_mixer",
            recipe_options=changes | dict(pair.split("=", 1) for pair in args.R),
            out=args.out / name,
            seed=0, data_seed=0, device="cpu", threads=args.threads, max_minutes=None, report_every=50,
            keep_every=0, checkpoint_minutes=2.0, start_from=None, fresh=False, data_dir=None,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )  # fmt: skip
        print(f"{name}: {weights}", flush=True)


if __name__ == "__main__":
    main()
