"""Blocks World: rebuild stacks of numbered blocks, one block a move.

A shortest plan is hard to find in general (Gupta and Nau 1992), a plan twice as long easy. Search is
iterative deepening with the bound of Slaney and Thiébaux, "Blocks World revisited" (2001): every block that
does not stand as in the goal moves at least once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Puzzle
from tasks.procedures.planning import MOST_MOVES, Move, Planning, State
from tasks.procedures.procedure import Payload

if TYPE_CHECKING:
    import numpy as np

TABLE = 0
Stacks = tuple[int, ...]  # what block 1, 2, … stands on: a block, or 0 for the table


def moved(state: Stacks, block: int, target: int) -> Stacks | None:
    """Return the state after a move; None if it is not legal or changes nothing."""
    if block in state or block == target or state[block - 1] == target:
        return None
    if target != TABLE and target in state:
        return None
    return (*state[: block - 1], target, *state[block:])


def settled(state: Stacks, goal: Stacks) -> list[bool]:
    """Return for each block whether it and all below it stand as in the goal."""
    found: dict[int, bool] = {TABLE: True}

    def stands(block: int) -> bool:
        if block not in found:
            below = state[block - 1]
            found[block] = below == goal[block - 1] and stands(below)
        return found[block]

    return [stands(block) for block in range(1, len(state) + 1)]


@cache
def all_moves(blocks: int) -> list[Move]:
    """Return every well-formed move, in lexicographic order."""
    return [[b, t] for b in range(1, blocks + 1) for t in range(blocks + 1) if t != b]


def shortest(start: Stacks, goal: Stacks, most: int) -> list[Move] | None:
    """Return the lexicographically least of the shortest plans; None if it takes more than `most` moves."""
    for limit in range(settled(start, goal).count(False), most + 1):
        dead: set[tuple[Stacks, int]] = set()
        if (plan := _deepen(start, goal, limit, dead)) is not None:
            return plan
    return None


def _deepen(state: Stacks, goal: Stacks, limit: int, dead: set[tuple[Stacks, int]]) -> list[Move] | None:
    stand = settled(state, goal)
    to_do = stand.count(False)
    if not to_do:
        return []
    if to_do > limit or (state, limit) in dead:
        return None
    clear = [block for block in range(1, len(state) + 1) if block not in state]
    for block in clear:
        if stand[block - 1]:
            continue  # a block that stands right never moves in a shortest plan
        for target in (TABLE, *clear):
            after = moved(state, block, target)
            if after is not None and (plan := _deepen(after, goal, limit - 1, dead)) is not None:
                return [[block, target], *plan]
    dead.add((state, limit))
    return None


@dataclass(frozen=True, kw_only=True)
class BlocksWorld(Planning):
    """Blocks World: from some stacks to others, in a plan of at least `steps` moves; any legal one counts.

    blocks: how many. Number `optimal`: also as short as any.
    """

    steps: int = 6
    train_steps: int = 6
    blocks: int = 8

    name = "blocks-world"
    line = r"\[?[0-9]{1,2}+[ \t]*+(?:->|→|,|to|on)?+[ \t]*+[0-9]{1,2}+\]?"
    move_words = "a block and another block or 0 for the table"

    def __post_init__(self) -> None:
        self.check_dial("blocks", 4, 12, "a shortest plan for more takes long to find")
        self.check_steps(self.blocks + 1, f"{self.blocks} blocks seldom need more moves")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.blocks}"

    @property
    def chance(self) -> float:
        return float(self.blocks**2) ** -self.steps

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import PlanGrid

        def cells(puzzle: Puzzle) -> list[int]:
            return [*puzzle.payload["start"], *puzzle.payload["goal"]]

        return PlanGrid(
            symbols=self.blocks + 1, cells=2 * self.blocks, read=cells, moves=all_moves(self.blocks),
            most_steps=self.most_steps,
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        steps = self.steps_of(rng, split)
        coins = iter(rng.random(2 * self.blocks + 2 * steps).tolist())
        goal = start = self._stacks(coins)
        if steps < self.blocks - 1:  # wander off, each time with another block
            wandered: set[int] = set()
            for _ in range(steps):
                clear = [block for block in range(1, self.blocks + 1) if block not in start]
                fresh = [block for block in clear if block not in wandered]
                if not fresh:
                    return None
                block, target = _pick(coins, fresh), _pick(coins, [TABLE, *clear])
                start = moved(start, block, target) or start
                wandered.add(block)
        else:
            start = self._stacks(coins)
        if not steps - 2 <= settled(start, goal).count(False) <= steps:
            return None
        identity = invariant(start, goal)
        if not belongs(identity):
            return None
        plan = shortest(start, goal, steps)
        if plan is None or len(plan) != steps:
            return None
        numbers = [TABLE, *(rng.permutation(self.blocks) + 1).tolist()]
        start, goal = _renumbered(start, numbers), _renumbered(goal, numbers)
        plan = shortest(start, goal, steps)
        return Drawn(
            identity=identity,
            payload={"start": list(start), "goal": list(goal)},
            answers=(plan,),
            optimum=float(steps),
            difficulty=float(steps),
        )

    def _stacks(self, coins: Iterator[float]) -> Stacks:
        """Put block after block on the table or on one put before; the numbers say nothing, so any order
        does.
        """
        state, tops = [TABLE] * self.blocks, list[int]()
        for block in range(1, self.blocks + 1):
            below = _pick(coins, [TABLE, *tops])
            state[block - 1] = below
            tops = [top for top in tops if top != below] + [block]
        return tuple(state)

    def search(self, puzzle: Puzzle) -> Answer:
        """Deepen until a plan is found: the lexicographically least shortest one."""
        start, goal = (tuple(puzzle.payload[name]) for name in ("start", "goal"))
        return shortest(start, goal, 2 * len(start))

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Put every block that stands wrong on the table, then build: legal, at most twice the least."""
        state, goal = (tuple(puzzle.payload[name]) for name in ("start", "goal"))
        plan: list[Move] = []
        while not all(stand := settled(state, goal)):
            clear = [block for block in range(1, len(state) + 1) if block not in state]
            down = [[b, TABLE] for b in clear if not stand[b - 1] and state[b - 1] != TABLE]
            up = [
                [b, goal[b - 1]]
                for b in clear
                if not stand[b - 1] and goal[b - 1] in clear and stand[goal[b - 1] - 1]
            ]
            move = (down or up)[0]
            state = moved(state, *move) or state
            plan.append(move)
        return plan

    def start(self, payload: Payload) -> State:
        return tuple(payload["start"])

    def missing(self, payload: Payload, state: Any) -> str | None:
        for block, (there, wanted) in enumerate(zip(state, payload["goal"], strict=True), start=1):
            if there != wanted:
                return f"block {block} stands on {_place(there)}, not on {_place(wanted)}"
        return None

    def well_formed(self, payload: Payload, move: Any) -> bool:
        n = len(payload["start"])
        pair = isinstance(move, list) and len(move) == 2 and all(type(part) is int for part in move)
        return pair and 1 <= move[0] <= n and 0 <= move[1] <= n and move[0] != move[1]

    def made(self, payload: Payload, state: Any, move: Move) -> State | None:
        return moved(state, *move)

    def why_not(self, payload: Payload, state: Any, move: Move) -> str:
        block, target = move
        if block in state:
            return f"a block stands on block {block}"
        if state[block - 1] == target:
            return f"block {block} stands on {_place(target)} already"
        return f"a block stands on block {target}"

    def read_line(self, text: str) -> Move:
        import re

        return [int(number) for number in re.findall("[0-9]+", text)]

    def moves(self, payload: Payload) -> Sequence[Move]:
        return all_moves(len(payload["start"]))

    def prompt(self, puzzle: Puzzle) -> str:
        start, goal = puzzle.payload["start"], puzzle.payload["goal"]
        return (
            f"Blocks World with the blocks 1 to {len(start)}. A move takes a block that nothing stands on "
            "and puts it on another block that nothing stands on, or on the table, where there is room for "
            f"all. It must change where the block stands.\n\nThe start, each stack from bottom to top:\n"
            f"{stacks(start)}\n\nThe goal (the order of the stacks does not matter):\n{stacks(goal)}\n\nGive "
            f"moves from the start to the goal, at most {MOST_MOVES:,}, one a line, each as the block and "
            "what it is put on, 0 for the table, inside a fenced block marked answer. To put block 4 on the "
            "table and then block 2 on block 4:\n```answer\n4 0\n2 4\n```"
        )

    def drawing(self, payload: Payload) -> str:
        return f"start\n{stacks(payload['start'])}\ngoal\n{stacks(payload['goal'])}"


def stacks(state: Sequence[int]) -> str:
    """Write each stack from bottom to top, a line each."""
    above = {below: block for block, below in enumerate(state, start=1) if below != TABLE}
    lines = []
    for bottom in (block for block, below in enumerate(state, start=1) if below == TABLE):
        stack = [bottom]
        while stack[-1] in above:
            stack.append(above[stack[-1]])
        lines.append(" ".join(map(str, stack)))
    return "\n".join(lines)


def invariant(start: Stacks, goal: Stacks) -> str:
    """Return a text that all renumberings of the blocks share.

    Each block is described by what is below and above it in both states, again and again, so that the
    descriptions come to hold whole stacks (colour refinement).
    """
    blocks = range(1, len(start) + 1)
    sides: list[dict[int, int]] = []
    for state in (start, goal):
        sides.append({block: state[block - 1] for block in blocks})
        sides.append({below: block for block, below in sides[-1].items()})
    kinds = dict.fromkeys(blocks, 0)
    for _ in range(4):
        described = {
            block: (kinds[block], *(kinds.get(side.get(block, TABLE), -1) for side in sides))
            for block in blocks
        }
        ranks = {text: rank for rank, text in enumerate(sorted(set(described.values())))}
        kinds = {block: ranks[described[block]] for block in blocks}
    return str(sorted(described.values()))


def _renumbered(state: Stacks, numbers: Sequence[int]) -> Stacks:
    found = [TABLE] * len(state)
    for block, below in enumerate(state, start=1):
        found[numbers[block] - 1] = numbers[below]
    return tuple(found)


def _pick(coins: Iterator[float], ways: Sequence[int]) -> int:
    return ways[int(next(coins) * len(ways))]


def _place(target: int) -> str:
    return f"block {target}" if target else "the table"
