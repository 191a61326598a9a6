"""Zebra puzzles: who lives where, keeps what and drinks what, told by clues that leave one possibility.

The kind of puzzle is known since 1962 (Life International, author unknown) and as a test of language models
from ZebraLogic (arXiv 2502.01100), whose sizes these are; attributes, wording and clues here are our own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from harness.errors import UserError
from tasks.logic.identity import refined
from tasks.logic.text import named_words
from tasks.logic.zebra_grid import KINDS, ZebraGrid, asked, measures, most_clues
from tasks.shared.forms import single
from tasks.shared.reading import read_words
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from tasks.logic.search import Network

ATTRIBUTES = {
    "person": ("Ada", "Bela", "Chike", "Dunya", "Emre", "Freya"),
    "door": ("amber", "black", "coral", "denim", "ebony", "fawn"),
    "pet": ("badger", "canary", "dingo", "ermine", "ferret", "gecko"),
    "drink": ("ayran", "broth", "cider", "dashi", "eggnog", "fizz"),
    "craft": ("archery", "baking", "carving", "dancing", "etching", "fencing"),
    "tree": ("acacia", "birch", "cedar", "dogwood", "elm", "fir"),
}
AT, NOT_AT, SAME, APART, LEFT, NEXT, BEFORE = range(7)
WORDING = {
    "at": "{a} is in house {h}.",
    "not_at": "{a} is not in house {h}.",
    "same": "{a} and {b} are in the same house.",
    "apart": "{a} and {b} are in different houses.",
    "left": "{a} is in the house directly to the left of {b}.",
    "next": "{a} and {b} are in houses next to each other.",
    "before": "{a} is in a house somewhere to the left of {b}.",
}
THING = {
    "person": "{}",
    "door": "the {} door",
    "pet": "the {}",
    "drink": "the glass of {}",
    "craft": "the lover of {}",
    "tree": "the {} tree",
}
OFFERED = 1  # clues drawn of every kind, for each item there is


@dataclass(frozen=True, kw_only=True)
class Zebra(RuledTask):
    """Zebra puzzles: 2×2 to 6×6 houses and attributes, clues of seven kinds, one solution each

    The payload is {"houses": N, "attributes": {name: N values, …}, "clues": [[kind, attribute, value, …], …]}
    with values and houses counted from 0: `at` and `not_at` end with a house, all others with a second
    attribute and value. An answer is a row for each attribute: its values from house 1 to house N. With
    "asked": [attribute, house] in the payload, as a file may have it, it is that value alone.

    spare: true clues beyond the need; without them none can be left out (None: 3 for 2×2, where else there
    are but eleven different puzzles, 0 for all others). A puzzle's `difficulty` is the number of digits of
    the search space, M log10 N!, plus that of the dead ends the exact search meets, log10(1 + dead ends).

    Verdict numbers: `feasible`; `constraints`, the share kept of: every attribute has every value once
    (`attributes`), every clue (`clues`; one about a value that is missing is not kept); each class by itself
    too.
    """

    houses: int = 4  # in the row
    attributes: int = 4  # of each house
    spare: int | None = None

    name = "zebra"

    def __post_init__(self) -> None:
        if self.file is not None:
            sizes = sorted(set(own.measured(self.file, measures)))
            if len(sizes) > 1:
                raise UserError(
                    f"{self.file} holds puzzles of {sizes[0]} and {sizes[1]}.", rule="One size a file."
                )
            object.__setattr__(self, "houses", sizes[0][0])
            object.__setattr__(self, "attributes", sizes[0][1])
            return
        for what, value in (("houses", self.houses), ("attributes", self.attributes)):
            if not 2 <= value <= 6:
                raise UserError(f"{what}={value}.", rule=f"2 to 6 {what}.")
        if not 0 <= self.clues_spared <= self.houses * self.attributes:
            most = self.houses * self.attributes
            raise UserError(f"spare={self.spare}.", rule=f"0 to {most} clues more than needed.")

    @property
    def clues_spared(self) -> int:
        return 3 * (self.houses == self.attributes == 2) if self.spare is None else self.spare

    @property
    def family(self) -> str:
        return f"zebra-{self.houses}x{self.attributes}"

    @property
    def chance(self) -> float:
        return float(math.factorial(self.houses)) ** -self.attributes

    @cached_property
    def grid(self) -> GridCodec:
        return ZebraGrid(self.houses, self.attributes)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        import numpy as np

        from tasks.logic.search import minimise, search

        n, m = self.houses, self.attributes
        house = np.concatenate([rng.permutation(n) for _ in range(m)])  # where each item is
        clues = _true_clues(house, n, rng)  # each is taken away, in this order, if it can be spared
        units = len(_units(n, m))
        everything = np.ones(units + len(clues), np.bool_)
        left = minimise(_network(clues, n, m), everything, units + np.arange(len(clues)))[units:]
        more = rng.permutation(np.flatnonzero(~left))[: self.clues_spared]
        clues = clues[rng.permutation(np.concatenate([np.flatnonzero(left), more]))]
        if not belongs(identity := _identity(clues, n, m)):
            return None
        if len(clues) > most_clues(n, m):
            return None
        found = search(_network(clues, n, m), limit=2)
        if found.solutions != 1:  # the proof that every puzzle comes with
            return None
        names = list(ATTRIBUTES)[:m]
        values = {name: list(ATTRIBUTES[name][:n]) for name in names}
        payload = {"houses": n, "attributes": values, "clues": [_written(clue, n) for clue in clues.tolist()]}
        space = m * math.log10(math.factorial(n))
        return Drawn(
            identity=identity,
            payload=payload,
            answers=(_rows(house, values),),
            difficulty=round(space + math.log10(1 + found.conflicts), 3),
        )

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        if "asked" in puzzle.payload:
            a, house = puzzle.payload["asked"]
            if not isinstance(answer, str) or answer not in list(puzzle.payload["attributes"].values())[a]:
                return Check.malformed(f"not a value of {list(puzzle.payload['attributes'])[a]}")
            check = Check()
            right = self.search(puzzle)
            check.rule(
                "asked", answer == right, f"{answer} is not in house {house + 1}: the clues leave {right}"
            )
            return check
        names, n = puzzle.payload["attributes"], puzzle.payload["houses"]
        if not isinstance(answer, list) or len(answer) != len(names):
            return Check.malformed(f"not a list of {len(names)} rows, one for each attribute")
        check = Check()
        where: dict[tuple[int, int], int] = {}
        for a, (name, known) in enumerate(names.items()):
            words = read_words(answer[a], n, known, where=f"row {a + 1} ({name})")
            if isinstance(words, str):
                return Check.malformed(words)
            twice = sorted(word for word in set(words) if words.count(word) > 1)
            check.rule("attributes", not twice, f"{name}: {', '.join(twice)} more than once")
            where |= {(a, v): words.index(word) for v, word in enumerate(known) if words.count(word) == 1}
        for clue in puzzle.payload["clues"]:
            x = where.get((clue[1], clue[2]))
            y = clue[3] if len(clue) == 4 else where.get((clue[3], clue[4]))
            holds = x is not None and y is not None and bool(_tables(n)[KINDS.index(clue[0])][x, y])
            check.rule("clues", holds, f"broken: {sentence(clue, names)}")
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Put the values of every attribute in random order."""
        return asked(
            puzzle.payload,
            [
                [values[i] for i in rng.permutation(len(values))]
                for values in puzzle.payload["attributes"].values()
            ],
        )

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Place the item with the fewest houses left in the first of them; those without fill the gaps."""
        from tasks.logic.search import greedy

        n, values = puzzle.payload["houses"], puzzle.payload["attributes"]
        house = greedy(_of(puzzle)).reshape(-1, n)
        for row in house:
            gaps = iter(h for h in range(n) if h not in row.tolist())
            row[row < 0] = [next(gaps) for _ in range(int((row < 0).sum()))]
        return asked(puzzle.payload, _rows(house.ravel(), values))

    def search(self, puzzle: Puzzle) -> Answer | None:
        from tasks.logic.search import search

        found = search(_of(puzzle))
        return (
            asked(puzzle.payload, _rows(found.values, puzzle.payload["attributes"]))
            if found.solutions
            else None
        )

    def prompt(self, puzzle: Puzzle) -> str:
        n, names = puzzle.payload["houses"], puzzle.payload["attributes"]
        lists = "\n".join(f"{name}: {', '.join(values)}" for name, values in names.items())
        clues = "\n".join(
            f"{i}. {sentence(clue, names)}" for i, clue in enumerate(puzzle.payload["clues"], start=1)
        )
        return (
            f"{n} houses stand in a row, numbered 1 to {n} from left to right. Each has exactly one value of "
            f"every attribute, and no two houses share a value:\n{lists}\n\n"
            f"Clues (each speaks of the house where its value is):\n{clues}\n\n"
            f"Exactly one arrangement fits all clues. {_wanted(puzzle.payload)}"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        names = puzzle.payload["attributes"]
        if "asked" in puzzle.payload:
            values = {value.lower(): value for value in list(names.values())[puzzle.payload["asked"][0]]}
            word = "|".join(re.escape(value) for value in sorted(values.values(), key=len, reverse=True))
            words = f"value of {list(names)[puzzle.payload['asked'][0]]}"
            return parse_reply(reply, single(words, f"(?i:{word})", lambda said: values.get(said.lower())))
        return parse_reply(reply, named_words(names, puzzle.payload["houses"]))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """List the clues, broken ones red, then the houses, with a key green where right, else red."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        names, n = puzzle.payload["attributes"], puzzle.payload["houses"]
        check = None if answer is None else self.check(puzzle, answer)
        if check is not None and "form" in check.asked:
            return Text(f"not a table: {check.broken[0]}", style="red")
        text = Text()
        for i, clue in enumerate(puzzle.payload["clues"], start=1):
            said = sentence(clue, names)
            broken = check is not None and f"broken: {said}" in check.broken
            text.append(f"{i:2}. {said}\n", style="red" if broken else "")
        if "asked" in puzzle.payload:
            house = puzzle.payload["asked"][1] + 1
            right = key is None or answer == key.answers[0]
            said = "?" if answer is None else str(answer)
            return text.append(
                f"house {house}: {said}", style="" if answer is None else "green" if right else "red"
            )
        table = Table("", *(str(h) for h in range(1, n + 1)), box=None, padding=(0, 1))
        for a, name in enumerate(names):
            shown = ["·"] * n if answer is None else answer[a]
            right = [None] * n if key is None or answer is None else key.answers[0][a]
            cells = [
                Text(word, style="" if r is None else "green" if r == word else "bold red")
                for word, r in zip(shown, right, strict=True)
            ]
            table.add_row(Text(name, style="dim"), *cells)
        return Group(text, table)


def _wanted(payload: Mapping[str, Any]) -> str:
    """Say which answer is wanted, and how it is written."""
    if "asked" in payload:
        a, house = payload["asked"]
        return (
            f"Which {list(payload['attributes'])[a]} is in house {house + 1}? Give that value alone inside a "
            "fenced block marked answer, for example:\n```answer\ndingo\n```"
        )
    return (
        "Give it as one line for each attribute, in the order "
        f"above: the name, a colon, then its values from house 1 to house {payload['houses']}, separated by "
        "blanks, inside a fenced block marked answer. For two houses and two attributes it might be:\n"
        "```answer\nperson: Bela Ada\npet: canary badger\n```"
    )


def sentence(clue: list[Any], names: dict[str, list[str]]) -> str:
    """Return a clue in words."""

    def thing(attribute: int, value: int) -> str:
        name = list(names)[attribute]
        return THING.get(name, "{}").format(names[name][value])

    if len(clue) == 4:
        said = WORDING[clue[0]].format(a=thing(*clue[1:3]), h=clue[3] + 1)
    else:
        said = WORDING[clue[0]].format(a=thing(*clue[1:3]), b=thing(*clue[3:5]))
    return said[0].upper() + said[1:]


def _true_clues(house: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return clues that hold where item i is in house[i], as rows (kind, item, other item or house): every
    item's house, so that together they leave one possibility, and some of each other kind.
    """
    import numpy as np

    items = len(house)
    direct = rng.permutation(np.column_stack([np.full(items, AT), np.arange(items), house]))
    made = [direct]
    x, y = house[:, None], house
    other_attribute = np.arange(items)[:, None] // n != np.arange(items) // n
    for kind in (SAME, APART, LEFT, NEXT, BEFORE):
        holds = _tables(n)[kind][x, y] & (other_attribute | (kind > APART))
        if kind in (SAME, APART, NEXT):  # say it once
            holds = np.triu(holds)
        a, b = np.nonzero(holds)
        chosen = rng.permutation(len(a))[: OFFERED * items]
        made.append(np.column_stack([np.full(len(chosen), kind), a[chosen], b[chosen]]))
    a, h = np.nonzero(_tables(n)[NOT_AT][house][:, :n])
    chosen = rng.permutation(len(a))[: OFFERED * items]
    made.append(np.column_stack([np.full(len(chosen), NOT_AT), a[chosen], h[chosen]]))
    return rng.permutation(np.concatenate(made)).astype(np.int64)


def _identity(clues: NDArray[np.int64], n: int, m: int) -> str:
    """Return what all copies share under renaming of values and attributes and under mirroring the street."""

    # Parts: houses, items, attributes. A mirrored street looks the same: houses count from the nearer end,
    # and which side of `left` and `before` an item is on is left out.
    ties: list[list[tuple[int, int]]] = [[] for _ in range(n + n * m + m)]
    for i in range(n * m):
        ties[n + i].append((-1, n + n * m + i // n))
        ties[n + n * m + i // n].append((-1, n + i))
    for kind, a, b in clues.tolist():
        one, other = n + a, b if kind <= NOT_AT else n + b
        ties[one].append((kind, other))
        ties[other].append((kind, one))
    found = refined(
        [*(min(h, n - 1 - h) for h in range(n)), *[n] * (n * m), *[n + 1] * m],
        lambda i, colours: sorted([(tie, colours[j]) for tie, j in ties[i]]),
    )
    return f"{n} {m} {found}"


def _rows(house: NDArray[np.int64], values: dict[str, list[str]]) -> list[list[str]]:
    """Return the answer that puts item i into house[i]."""
    n = len(next(iter(values.values())))
    return [
        [known[v] for v in house[a * n : a * n + n].argsort(kind="stable").tolist()]
        for a, known in enumerate(values.values())
    ]


def _written(clue: list[int], n: int) -> list[Any]:
    kind, a, b = clue
    return [KINDS[kind], *divmod(a, n), *([b] if kind <= NOT_AT else divmod(b, n))]


def _of(puzzle: Puzzle) -> Network:
    import numpy as np

    n = puzzle.payload["houses"]
    clues = [
        (KINDS.index(kind), a * n + v, rest[0] if len(rest) == 1 else rest[0] * n + rest[1])
        for kind, a, v, *rest in puzzle.payload["clues"]
    ]
    return _network(np.array(clues, dtype=np.int64).reshape(-1, 3), n, len(puzzle.payload["attributes"]))


def _network(clues: NDArray[np.int64], n: int, m: int) -> Network:
    """Return the network: a variable per item, its value the house; constraints in the order units, clues."""
    import numpy as np

    from tasks.logic.search import network

    kind, a, b = clues.T
    direct = kind <= NOT_AT  # "is in house h" and "is not": a table for each house, after those of the kinds
    to = np.where(direct, a, b)
    table = np.where(direct, len(KINDS) + kind * n + b, kind)
    constraints = np.concatenate([_units(n, m), np.column_stack([a, to, table])]).astype(np.int64)
    groups = np.arange(n * m, dtype=np.int64).reshape(m, n)
    return network(np.full(n * m, (1 << n) - 1, np.int64), constraints, _tables(n), groups)


@cache
def _units(n: int, m: int) -> NDArray[np.int64]:
    import numpy as np

    pairs = [(a * n + i, a * n + j, APART) for a in range(m) for i in range(n) for j in range(i + 1, n)]
    return np.array(pairs, dtype=np.int64)


@cache
def _tables(n: int) -> NDArray[np.bool_]:
    """Return the table of each kind by its number, then "in house h" and "not in house h" for each h."""
    import numpy as np

    x, y = np.arange(n)[:, None], np.arange(n)
    kinds = [x == y, x != y, x == y, x != y, x + 1 == y, abs(x - y) == 1, x < y]
    inside = np.broadcast_to(np.eye(n, dtype=bool)[:, None, :], (n, n, n))
    return np.concatenate([np.stack(kinds), inside, ~inside])
