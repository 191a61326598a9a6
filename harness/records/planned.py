"""Which puzzles a run planned, in order, without their content: `puzzles.jsonl`, read when it is asked for.

`run.json` says how many there are. A line holds the ids of `BLOCK` puzzles, with their groups and
difficulties where there are any, so that a million of them are written and read in parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contracts import Puzzle
from harness.errors import UserError
from harness.records.decode import DamagedError, shown
from harness.records.jsonlines import MEND, dumps, loads, read_lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 4096
RECENT = 8192  # ids that were looked up last
MOST_IN_A_DICT = 100_000  # ids; more are looked up by hash, in a fifth of the memory


class Planned:
    """The puzzles of a run. Give ids, groups (None: each puzzle is its own group) and difficulties; or the
    file they stand in and how many they are.
    """

    def __init__(
        self,
        *,
        ids: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        difficulty: Sequence[float | None] | None = None,
        path: Path | None = None,
        count: int | None = None,
    ) -> None:
        self.path = path
        self.count = len(ids or ()) if count is None else count
        if ids is not None:
            none = (None,) * len(ids)
            self.__dict__["_columns"] = (ids, groups, none if difficulty is None else difficulty)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._columns[0])

    @property
    def groups(self) -> tuple[str, ...] | None:
        return None if self._columns[1] is None else tuple(self._columns[1])

    @property
    def difficulty(self) -> tuple[float | None, ...]:
        return tuple(self._columns[2])

    def group_names(self) -> tuple[str, ...]:
        """Return the group of each puzzle."""
        return self.groups or self.ids

    @cached_property
    def place(self) -> Callable[[str], int | None]:
        """The function that returns the place of a puzzle in the plan; None if it was not planned."""
        ids = self._columns[0]
        if len(ids) <= MOST_IN_A_DICT:
            return {puzzle: n for n, puzzle in enumerate(ids)}.get
        return Places(ids).place

    def place_among(self, wanted: Collection[str]) -> Callable[[str], int | None]:
        """Return a function as `place` that knows these few ids alone: it takes no table of all of them."""
        if self.count <= MOST_IN_A_DICT:
            return self.place
        ids = self._columns[0]
        few = map(frozenset(wanted).__contains__, ids)
        return {puzzle: n for n, puzzle in itertools.compress(enumerate(ids), few)}.get

    @cached_property
    def _columns(self) -> tuple[Sequence[str], Sequence[str] | None, Sequence[float | None]]:
        assert self.path is not None  # else they were given
        found: tuple[list[str], list[str], list[float | None]] = ([], [], [])
        grouped = False
        for number, line in enumerate(read_lines(self.path), 1):
            try:
                ids, groups, difficulty = _block(line)
            except DamagedError as error:
                raise UserError(f"{self.path}, line {number}: {error}.", next_step=MEND) from None
            grouped = grouped or groups is not None
            found[0].extend(ids)
            found[1].extend(groups or ids)
            found[2].extend(difficulty)
        if len(found[0]) != self.count:
            raise UserError(
                f"{self.path} holds {len(found[0]):,} puzzles.",
                rule=f"The run.json beside it planned {self.count:,}.",
                next_step=MEND,
            )
        return tuple(found[0]), tuple(found[1]) if grouped else None, tuple(found[2])

    def check(self) -> None:
        """Raise DamagedError for ids, groups and difficulties of another kind."""
        for line in self.lines():
            _block(loads(line))

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the file."""
        ids, groups, difficulty = self._columns
        for start in range(0, len(ids), BLOCK):
            part = slice(start, start + BLOCK)
            line: dict[str, Any] = {"ids": list(ids[part])}
            if groups is not None:
                line["groups"] = list(groups[part])
            if any(value is not None for value in difficulty[part]):
                line["difficulty"] = list(difficulty[part])
            yield dumps(line) + b"\n"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Planned) and self._columns == other._columns

    def __hash__(self) -> int:
        return self.count


class Places:
    """Places of many ids, by their hashes: sorted, 16 bytes an id."""

    def __init__(self, ids: Sequence[str]) -> None:
        import numpy as np

        hashes = np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids))
        self._order: NDArray[np.int32] = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes: NDArray[np.int64] = hashes[self._order]
        self._ids = ids
        self._recent: dict[str, int | None] = {}  # a run asks for each several times before it goes on

    def place(self, puzzle: str) -> int | None:
        """Return the place of an id; None if it is not there."""
        if puzzle in self._recent:
            return self._recent[puzzle]
        if len(self._recent) >= RECENT:
            self._recent.clear()
        place = self._recent[puzzle] = self._searched(puzzle)
        return place

    def _searched(self, puzzle: str) -> int | None:
        import numpy as np

        wanted = np.int64(hash(puzzle))
        at = int(self._hashes.searchsorted(wanted))
        while at < len(self._hashes) and self._hashes[at] == wanted:
            if self._ids[place := int(self._order[at])] == puzzle:
                return place
            at += 1
        return None

    def twice(self) -> str | None:
        """Return an id that is there twice."""
        import numpy as np

        for at in np.flatnonzero(self._hashes[1:] == self._hashes[:-1]):
            one: str = self._ids[self._order[at]]
            if one == self._ids[self._order[at + 1]]:
                return one
        return None


def groups_of(puzzles: Sequence[Puzzle]) -> tuple[str, ...] | None:
    """Return the group of each puzzle; None if each is its own."""
    if all(puzzle.group == puzzle.id for puzzle in puzzles):
        return None
    return tuple(puzzle.group for puzzle in puzzles)


def inline(found: Any) -> Planned:
    """Return the puzzles as `run.json` of schema 1 and 2 lists them. Raises DamagedError."""
    ids, groups, difficulty = _block(found)
    if "difficulty" not in found:
        raise DamagedError("run.json.puzzles has no 'difficulty'")
    return Planned(ids=ids, groups=groups, difficulty=difficulty)


def _block(found: Any) -> tuple[list[str], list[str] | None, Sequence[float | None]]:
    where = "its puzzles"
    if type(found) is not dict or type(found.get("ids")) is not list:
        raise DamagedError(f"{where} have no list 'ids'")
    ids, groups, difficulty = found["ids"], found.get("groups"), found.get("difficulty")
    if difficulty is None:
        difficulty = [None] * len(ids)
    for name, values, kinds in (
        ("ids", ids, {str}),
        ("groups", [] if groups is None else groups, {str}),
        ("difficulty", difficulty, {int, float, type(None)}),
    ):
        if type(values) is not list or not set(map(type, values)) <= kinds:
            raise DamagedError(f"{where} have {name} of another kind: {shown(values)}")
    if len(difficulty) != len(ids) or (groups is not None and len(groups) != len(ids)):
        raise DamagedError(f"{where} are lists of different lengths")
    return ids, groups, difficulty
