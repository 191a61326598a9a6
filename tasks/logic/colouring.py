"""Graph colouring: no edge between two vertices of one colour. Every graph is drawn around a colouring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import BaseGrid, Belongs, Drawn
from harness.contracts import Answer, GridCodec, Key, Puzzle, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from tasks.logic.identity import refined
from tasks.shared.forms import number_list
from tasks.shared.reading import read_numbers
from tasks.shared.ruled import Check, RuledTask
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import RenderableType

    from tasks.logic.search import Network

STYLES = ("red", "green", "blue", "yellow", "magenta", "cyan", "white", "bright_red", "bright_green")
VARIANTS = 8
MOST_VERTICES = 30


@dataclass(frozen=True, kw_only=True)
class GraphColouring(RuledTask):
    """Graph colouring: n vertices, m edges, k colours, always colourable, any colouring counts

    The payload is {"vertices": n, "colours": k, "edges": [[a, b], …]}, vertices and colours counted from 1,
    a < b; an answer is the colour of each vertex, in order. The reference is the lexicographically smallest.

    Edges join vertices that a hidden colouring with classes of equal size (up to one) keeps apart: three
    colours are hardest to find near m = 2.35 n. A puzzle's `difficulty` is the number of guesses the exact
    search makes.

    Verdict numbers: `feasible`; `constraints`, the share of edges with two colours.
    """

    vertices: int = 12  # of the graph
    edges: int = 24  # of the graph
    colours: int = 3  # that may be used
    # graphs of so many vertices to `vertices` are drawn, on one canvas; None: all of `vertices`
    fewest_vertices: int | None = None
    fewest_edges: int | None = None  # likewise; the graphs of a file say all five

    name = "graph-colouring"

    def __post_init__(self) -> None:
        if self.file is not None:
            self._fit(own.measured(self.file, _measures))
            return
        n, k = self.vertices, self.colours
        if not 2 <= n <= MOST_VERTICES:
            raise UserError(
                f"No graph of {n} vertices.", rule=f"2 to {MOST_VERTICES}: a net sees 900 tokens at most."
            )
        if not 2 <= k <= min(n, len(STYLES)):
            raise UserError(f"colours={k}.", rule=f"2 to {min(n, len(STYLES))} colours for {n} vertices.")
        if not k <= self.least_vertices <= n:
            raise UserError(f"fewest_vertices={self.fewest_vertices}.", rule=f"It is {k} to vertices, {n}.")
        if not 1 <= self.least_edges <= self.edges:
            raise UserError(f"fewest_edges={self.fewest_edges}.", rule=f"It is 1 to edges, {self.edges}.")
        n = self.least_vertices
        most = _most_edges(n, k)
        if not 1 <= self.edges <= most:
            raise UserError(
                f"edges={self.edges}.",
                rule=f"1 to {most} edges leave {n} vertices colourable with {k} colours of equal use.",
            )

    def _fit(self, found: list[tuple[int, int, int]]) -> None:
        """Take the dials from the graphs of a file: a canvas for the largest, as wide as asked for."""
        if len(colours := sorted({k for _, _, k in found})) > 1:
            raise UserError(
                f"{self.file} holds graphs for {' and '.join(map(str, colours))} colours.",
                rule="The graphs of a file are for one number of colours.",
            )
        vertices, edges = ({one[at] for one in found} for at in (0, 1))
        wider = self.vertices if self.vertices != GraphColouring.vertices else 0
        dials = {"vertices": max(wider, *vertices), "edges": max(edges), "colours": colours[0]}
        dials |= {"fewest_vertices": min(vertices), "fewest_edges": min(edges)}
        for name, value in dials.items():
            object.__setattr__(self, name, value)

    @property
    def family(self) -> str:
        vertices, edges = _span(self.least_vertices, self.vertices), _span(self.least_edges, self.edges)
        return f"graph-colouring-{vertices}-{edges}-{self.colours}"

    @property
    def least_vertices(self) -> int:
        """How many vertices the smallest graphs have."""
        return self.vertices if self.fewest_vertices is None else self.fewest_vertices

    @property
    def least_edges(self) -> int:
        """How many edges a graph has at least."""
        return self.edges if self.fewest_edges is None else self.fewest_edges

    @cached_property
    def grid(self) -> GridCodec:
        return ColouringGrid(self.vertices, self.colours)

    @cached_property
    def chance(self) -> float:
        """Share of random colourings that are right, from two thousand on each of two hundred graphs."""
        right = 0.0
        rng = generator(self.name, "chance")
        items = self.load(split=self.splits[0], seed=0, limit=200, data_dir=None)
        for puzzle, _ in items:
            drawn = rng.integers(self.colours, size=(2_000, self.vertices))
            a, b = _pairs(puzzle).T
            right += float((drawn[:, a] != drawn[:, b]).all(axis=1).mean()) / len(items)
        return right

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        import numpy as np

        from tasks.logic.search import search

        n, k, m = self.vertices, self.colours, self.edges
        if self.least_vertices < n:
            n = int(rng.integers(self.least_vertices, n + 1))
        if self.least_edges < m:
            m = int(rng.integers(self.least_edges, m + 1))
        hidden = rng.permutation(n) % k
        a, b = np.triu_indices(n, 1)
        apart = np.flatnonzero(hidden[a] != hidden[b])
        chosen = np.sort(rng.permutation(apart)[:m])
        pairs = np.column_stack([a[chosen], b[chosen]])
        beside: list[list[int]] = [[] for _ in range(n)]
        for v, w in pairs.tolist():
            beside[v].append(w)
            beside[w].append(v)
        identity = f"{n} {k} " + refined([0] * n, lambda i, colours: sorted(colours[j] for j in beside[i]))
        if not belongs(identity):
            return None
        net = _network(pairs, n, k)
        label = (search(net, smallest=True).values + 1).tolist()
        payload = {"vertices": n, "colours": k, "edges": (pairs + 1).tolist()}
        guesses = float(search(net).guesses)
        return Drawn(identity=identity, payload=payload, answers=(label,), difficulty=guesses)

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        colours = read_numbers(answer, puzzle.payload["vertices"], 1, puzzle.payload["colours"])
        if isinstance(colours, str):
            return Check.malformed(colours)
        check = Check()
        for a, b in puzzle.payload["edges"]:
            otherwise = f"vertices {a} and {b} are joined and both have colour {colours[a - 1]}"
            check.rule("edges", colours[a - 1] != colours[b - 1], otherwise)
        return check

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Give every vertex a random colour."""
        drawn = rng.integers(1, puzzle.payload["colours"] + 1, puzzle.payload["vertices"])
        colours: list[int] = drawn.tolist()
        return colours

    def greedy(self, puzzle: Puzzle) -> Answer:
        """DSATUR (Brélaz 1979) with k colours: next the vertex with most colours around it, in the smallest
        free colour, or 1.
        """
        import numpy as np

        from tasks.logic.search import greedy

        colours: list[int] = (np.maximum(greedy(_of(puzzle)), 0) + 1).tolist()
        return colours

    def search(self, puzzle: Puzzle) -> Answer | None:
        from tasks.logic.search import search

        found = search(_of(puzzle))
        return (found.values + 1).tolist() if found.solutions else None

    def prompt(self, puzzle: Puzzle) -> str:
        n, k = puzzle.payload["vertices"], puzzle.payload["colours"]
        edges = ", ".join(f"{a}-{b}" for a, b in puzzle.payload["edges"])
        return (
            f"Colour a graph. It has {n} vertices, numbered 1 to {n}. Give every vertex one of {k} colours, "
            f"numbered 1 to {k}, so that the two ends of every edge have different colours. Not every colour "
            f"need be used.\n\nEdges: {edges}\n\n"
            f"Give {n} numbers on one line, separated by blanks: the colour of vertex 1, of vertex 2, and so "
            "on, inside a fenced block marked answer. For a graph of three vertices it might be:\n"
            "```answer\n1 2 1\n```"
        )

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        n, k = puzzle.payload["vertices"], puzzle.payload["colours"]
        return parse_reply(reply, number_list(n, n, 1, k))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        """List each vertex with its neighbours in the colours of the answer; mark ends of one colour."""
        from rich.text import Text

        n, k = puzzle.payload["vertices"], puzzle.payload["colours"]
        colours = [0] * n if answer is None else read_numbers(answer, n, 1, k)
        if isinstance(colours, str):
            return Text(f"not a colouring: {colours}", style="red")
        text = Text(f"{n} vertices, {k} colours\n")
        for v in range(1, n + 1):
            mine = colours[v - 1]
            text.append(f"{v:3}", style=f"bold {STYLES[(mine - 1) % len(STYLES)]}" if mine else "bold")
            text.append(f" [{mine}]" if mine else "")
            text.append(" —")
            for w in sorted({a + b - v for a, b in puzzle.payload["edges"] if v in (a, b)}):
                clash = bool(mine) and colours[w - 1] == mine
                style = STYLES[(colours[w - 1] - 1) % len(STYLES)] if mine else ""
                if len(text.plain) - text.plain.rfind("\n") > 74:
                    text.append("\n          ")
                text.append(f" {w}{'!' if clash else ''}", style="bold red" if clash else style)
            text.append("\n")
        return text


class ColouringGrid(BaseGrid):
    """Graphs as adjacency matrices: 0 padding, 1 no edge, 2 an edge, 3 a vertex (on the diagonal), 3 + c its
    colour. The diagonal alone is scored; smaller graphs stand in the upper left.
    """

    def __init__(self, vertices: int, colours: int) -> None:
        self.height = self.width = vertices
        self.colours, self.vocab_size = colours, 4 + colours

    def encode(self, puzzle: Puzzle) -> NDArray[np.int64]:
        """Return the matrix as tokens, (L,)."""
        if (n := puzzle.payload["vertices"]) > self.height or puzzle.payload["colours"] != self.colours:
            raise ValueError(f"{n} vertices and {puzzle.payload['colours']} colours are not this canvas's")
        return self._placed(_matrix(_pairs(puzzle), n), 0)

    def _placed(self, square: NDArray[np.int64], padding: int) -> NDArray[np.int64]:
        import numpy as np

        return np.pad(square, (0, self.height - len(square)), constant_values=padding).ravel()

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> NDArray[np.int64]:
        """Return the colours on the diagonal as labels, (L,); -100 elsewhere."""
        import numpy as np

        labels = np.full((len(answer), len(answer)), -100, np.int64)
        np.fill_diagonal(labels, np.array(answer) + 3)
        return self._placed(labels, -100)

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the colours; a token that is none becomes 0."""
        import numpy as np

        found = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width).diagonal() - 3
        colours: list[int] = np.where((found < 0) | (found > self.colours), 0, found).tolist()
        return colours[: puzzle.payload["vertices"]]

    def variants(self, puzzle: Puzzle, key: Key) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the graph and seven renumberings, each with the smallest colouring of its own.

        Renaming the colours is no symmetry to train with: the same graph would get several labels.
        """
        from tasks.logic.search import search

        rng = generator("graph-colouring", "variants", puzzle.id)
        pairs, n = _pairs(puzzle), puzzle.payload["vertices"]
        made = [(self.encode(puzzle), self.encode_answer(puzzle, key.answers[0]))]
        for _ in range(VARIANTS - 1):
            moved = rng.permutation(n)[pairs]
            label = search(_network(moved, n, self.colours), smallest=True).values + 1
            made.append((self._placed(_matrix(moved, n), 0), self.encode_answer(puzzle, label)))
        return made


def _most_edges(n: int, k: int) -> int:
    """Return how many edges join the classes of equal size (up to one) of n vertices in k colours."""
    return (n * n - sum((n // k + (i < n % k)) ** 2 for i in range(k))) // 2


def _span(least: int, most: int) -> str:
    return str(most) if least == most else f"{least}to{most}"


def _measures(payload: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return vertices, edges and colours of a graph. Raises ValueError for what is none."""
    n, k, edges = payload["vertices"], payload["colours"], payload["edges"]
    if type(n) is not int or not 2 <= n <= MOST_VERTICES:
        raise ValueError(
            f"vertices is {str(n)[:20]}: 2 to {MOST_VERTICES}, for a net sees 900 tokens at most"
        )
    if type(k) is not int or not 2 <= k <= len(STYLES):
        raise ValueError(f"colours is {str(k)[:20]}: 2 to {len(STYLES)}")
    if (fault := _no_edges(edges, n)) is not None:
        raise ValueError(fault)
    return n, len(edges), k


def _no_edges(edges: Any, n: int) -> str | None:
    """Say why something is no list of edges [a, b], 1 ≤ a < b ≤ n, each once; None if it is."""
    if not isinstance(edges, list):
        return "edges is no list"
    seen = set()
    for edge in edges:
        if not (isinstance(edge, list) and len(edge) == 2 and all(type(v) is int for v in edge)):
            return f"{str(edge)[:40]} is no edge [a, b]"
        if not 1 <= edge[0] < edge[1] <= n or tuple(edge) in seen:
            return f"the edge {edge} is not [a, b] with 1 ≤ a < b ≤ {n}, each once"
        seen.add(tuple(edge))
    return None


def _pairs(puzzle: Puzzle) -> NDArray[np.int64]:
    import numpy as np

    return np.array(puzzle.payload["edges"], dtype=np.int64).reshape(-1, 2) - 1


def _matrix(pairs: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    import numpy as np

    tokens = np.ones((n, n), np.int64)
    tokens[pairs[:, 0], pairs[:, 1]] = tokens[pairs[:, 1], pairs[:, 0]] = 2
    np.fill_diagonal(tokens, 3)
    return tokens


def _of(puzzle: Puzzle) -> Network:
    return _network(_pairs(puzzle), puzzle.payload["vertices"], puzzle.payload["colours"])


def _network(pairs: NDArray[np.int64], n: int, k: int) -> Network:
    """Return the network of a graph, pairs (m, 2) counted from 0: one table, "different"."""
    import numpy as np

    from tasks.logic.search import network

    different = ~np.eye(k, dtype=bool)[None]
    constraints = np.column_stack([pairs, np.zeros(len(pairs), np.int64)])
    return network(np.full(n, (1 << k) - 1, np.int64), constraints, different)
