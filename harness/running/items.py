"""The items of a run, by id and in the order of the plan: in memory where they are few, else in parts of a
generated set on disk, of which few are held at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, overload

from harness.contracts import Item, Puzzle
from harness.records.planned import Planned, groups_of

if TYPE_CHECKING:
    from harness.running.sets import GeneratedSet

PARTS = 6  # of a set, held at a time


class Items(Mapping[str, Item]):
    """Items that are all held."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = {puzzle.id: (puzzle, key) for puzzle, key in items}
        self.planned = Planned(
            ids=tuple(puzzle.id for puzzle, _ in items),
            groups=groups_of([puzzle for puzzle, _ in items]),
            difficulty=tuple(puzzle.difficulty for puzzle, _ in items),
        )

    def __getitem__(self, puzzle: str) -> Item:
        return self._items[puzzle]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def puzzles(self) -> Sequence[Puzzle]:
        """What a solver is shown, in the order of the plan."""
        return [puzzle for puzzle, _ in self._items.values()]

    def let_go(self) -> None:
        """Hold no items that can be read again."""


class StoredItems(Items):
    """Items of a generated set, read a part at a time as they are asked for."""

    def __init__(self, made: GeneratedSet) -> None:
        self._set = made
        self.planned = made.planned
        self._held: dict[int, list[Item]] = {}  # the last used at the end
        self._last = -1  # the last of them
        self._ids: dict[str, Item] = {}

    def __getitem__(self, puzzle: str) -> Item:
        found = self._ids.get(puzzle)
        if found is None:
            place = self.planned.place(puzzle)
            if place is None:
                raise KeyError(puzzle)
            found = self.at(place)
        return found

    def __contains__(self, puzzle: object) -> bool:
        return puzzle in self._ids or (isinstance(puzzle, str) and self.planned.place(puzzle) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.planned.ids)

    def __len__(self) -> int:
        return self.planned.count

    @property
    def puzzles(self) -> Sequence[Puzzle]:
        return StoredPuzzles(self)

    def at(self, place: int) -> Item:
        """Return the item at a place of the plan."""
        number, within = divmod(place, self._set.part)
        if number == self._last:
            return self._held[number][within]
        part = self._held.pop(number, None)
        if part is None:
            part = self._set.read(number)
            self._ids.update((item[0].id, item) for item in part)
        self._held[number] = part
        self._last = number
        if len(self._held) > PARTS:
            for puzzle, _ in self._held.pop(next(iter(self._held))):
                self._ids.pop(puzzle.id, None)
        return part[within]

    def let_go(self) -> None:
        self._last = -1
        self._held.clear()
        self._ids.clear()


class StoredPuzzles(Sequence[Puzzle]):
    """The puzzles of stored items."""

    def __init__(self, items: StoredItems) -> None:
        self._items = items

    @overload
    def __getitem__(self, place: int, /) -> Puzzle: ...
    @overload
    def __getitem__(self, place: slice, /) -> list[Puzzle]: ...
    def __getitem__(self, place: int | slice, /) -> Puzzle | list[Puzzle]:
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._items.at(place % len(self))[0]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Puzzle]:
        return (self[n] for n in range(len(self)))


class Pairs(Set[tuple[str, int]]):
    """Pairs of a plan, a bit for each that could be."""

    def __init__(self, planned: Planned, attempts: int) -> None:
        import numpy as np

        self._planned, self._attempts = planned, attempts
        self.flags = np.zeros((planned.count, attempts), dtype=np.bool_)

    def __contains__(self, pair: object) -> bool:
        at = self._at(pair)
        return at is not None and bool(self.flags[at])

    def __len__(self) -> int:
        return int(self.flags.sum())

    def __iter__(self) -> Iterator[tuple[str, int]]:
        import numpy as np

        ids = self._planned.ids
        return ((ids[place], int(k)) for place, k in np.argwhere(self.flags))

    @classmethod
    def _from_iterable(cls, it: Any) -> Any:
        return frozenset(it)

    def add(self, pair: tuple[str, int]) -> None:
        """Add a pair of the plan."""
        at = self._at(pair)
        assert at is not None  # it was planned
        self.flags[at] = True

    def copy(self) -> Pairs:
        """Return the same pairs, apart."""
        made = Pairs(self._planned, self._attempts)
        made.flags[:] = self.flags
        return made

    def _at(self, pair: Any) -> tuple[int, int] | None:
        try:
            puzzle, k = pair
        except (TypeError, ValueError):
            return None
        place = self._planned.place(puzzle) if type(puzzle) is str else None
        return None if place is None or not (type(k) is int and 0 <= k < self._attempts) else (place, k)
