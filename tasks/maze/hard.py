"""Maze-Hard (Hugging Face `sapientinc/maze-30x30-hard-1k`), the 30×30 mazes of the HRM and TRM papers.

A download is pinned by the revision and by the SHA-256 of all questions and answers in order, computed from
the complete published arrays. The labels are breadth-first from S with the neighbour order down, left, right,
up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.contracts import Item, Key, Puzzle
from harness.errors import UserError, did_you_mean
from tasks.maze.paths import count_marks, path_faults
from tasks.maze.rules import MazeRules
from tasks.shared.published_data import (
    Lines,
    Row,
    content_sha256,
    corrupt,
    download,
    find,
    missing,
    read_csv,
    read_rating,
    select,
)

REPOSITORY, REVISION = "sapientinc/maze-30x30-hard-1k", "549754de3d67eebe57b6b22c7d226b9412d55b07"
SHA256 = {
    "train": "2e785b1bfb95603731059e18269f66ef8f69a46c50c10658282795955809adbc",
    "test": "fe7942f5725dfec9e7e290a69728d9661ff84dce1835f99d0ce8d3a3e50c8a00",
}
FOLDER = "maze_30x30_hard_1k"
SIDE = 30


@dataclass(frozen=True, kw_only=True)
class MazeHard(MazeRules):
    """Maze-Hard. A puzzle's difficulty is its published rating, the cells of a shortest path with S and G.

    held_out: how many training rows form the validation split instead (0: train holds all 1,000, as in the
    papers).
    """

    held_out: int = 100

    name = "maze-hard"
    version = "1"
    summary = "Maze-Hard, the published 30×30 mazes, shortest paths of 109 moves and more"
    splits = ("test", "train", "validation")
    data_revision = f"{REPOSITORY}@{REVISION[:12]}"
    family = "maze-hard-30x30"
    height = width = SIDE

    def __post_init__(self) -> None:
        if self.held_out < 0:
            raise UserError(f"No split can hold {self.held_out} rows.", rule="held_out is 0 or more.")

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Return the first `limit` rows in file order; the seed changes nothing."""
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}.", rule=did_you_mean(split, self.splits))
        file = "test" if split == "test" else "train"
        path = find(data_dir, FOLDER, (f"{file}.csv",))
        lines = read_csv(path, limit if split == "test" else None) if path is not None else _downloaded(file)
        numbered = [(line, {**row, "id": f"{file}-{number}"}) for number, (line, row) in enumerate(lines)]
        if file == "train":
            numbered = select(numbered, split, self.held_out)
        return [self._item(path or Path(f"{file}.csv"), line, row, split) for line, row in numbered[:limit]]

    def _item(self, path: Path, line: int, row: Row, split: str) -> Item:
        try:
            rows, label = _cut(row["question"], "question", "# SG"), _cut(row["answer"], "answer", "# SGo")
            for end in "SG":
                if row["question"].count(end) != 1:
                    raise ValueError(f"the question holds {row['question'].count(end)} cells {end!r}, not 1")
            if row["answer"].replace("o", " ") != row["question"]:
                raise ValueError("the answer is another maze than the question")
            puzzle = Puzzle(
                id=row["id"],
                group=row["id"],
                split=split,
                payload={"rows": rows},
                difficulty=read_rating(row),
            )
            shortest = self.search(puzzle)
            if faults := path_faults(rows, label):
                raise ValueError(f"the answer marks no path: {faults[0]}")
            if shortest is None or count_marks(shortest) != count_marks(label):
                raise ValueError(
                    f"the answer's path takes {count_marks(label) + 1} moves and is not the shortest"
                )
        except ValueError as error:
            raise corrupt(path, line, str(error)) from error
        return puzzle, Key(answers=(label,), optimum=float(count_marks(label) + 1))


def _cut(text: str, field: str, alphabet: str) -> list[str]:
    if len(text) != SIDE * SIDE:
        raise ValueError(f"the {field} has {len(text)} characters, not {SIDE * SIDE}")
    if strange := set(text) - set(alphabet):
        raise ValueError(f"the {field} holds {min(strange)!r}")
    return [text[i : i + SIDE] for i in range(0, SIDE * SIDE, SIDE)]


def _downloaded(file: str) -> Lines:
    try:
        path = download(REPOSITORY, REVISION, f"{file}.csv")
        lines = read_csv(path)
        if (found := content_sha256(row for _, row in lines)) != SHA256[file]:
            raise OSError(f"{file}.csv has content SHA-256 {found}, expected {SHA256[file]}")
    except OSError as error:
        raise missing("Maze-Hard", FOLDER, (f"{file}.csv",), str(error)) from error
    return lines
