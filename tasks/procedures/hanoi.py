"""The Tower of Hanoi: moves from any legal state to any other, or the state after given moves.

The least number of moves between any two states: Hinz, "The Tower of Hanoi" (1989). The whole tower takes
2^n - 1 moves, so that a plan's length, not its logic, bounds a language model; the second form has a short
answer to as many moves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from typing import TYPE_CHECKING, Any

from harness import own
from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Metric, Puzzle
from tasks.procedures.planning import MOST_MOVES, Move, Planning, State
from tasks.procedures.procedure import Computed, Payload

if TYPE_CHECKING:
    import numpy as np

PEGS = (1, 2, 3)
MOVES = [[a, b] for a in PEGS for b in PEGS if a != b]
LONGEST = 255  # moves of a plan, or given ones
Pegs = tuple[int, ...]  # the peg of each disk, the smallest first

MOST_PEGS = 5
RULES = (
    "There are {pegs} and {n} disks, 1 (the smallest) to {n} (the largest). A move takes the "
    "top disk of one peg to the top of another; no disk may lie on a smaller one."
)


def moved(state: Pegs, source: int, target: int) -> Pegs | None:
    """Return the state after a move; None if it is not legal."""
    if source not in state:
        return None
    disk = state.index(source)
    if target in state[:disk]:
        return None
    return (*state[:disk], target, *state[disk + 1 :])


@cache
def moves_of(pegs: int) -> list[Move]:
    """Return all moves between so many pegs, in lexicographic order."""
    return [[a, b] for a in range(1, pegs + 1) for b in range(1, pegs + 1) if a != b]


def neighbours(state: Pegs, pegs: int) -> Iterator[Pegs]:
    """Yield the states that one move leads to, which are those that lead here."""
    for source, target in moves_of(pegs):
        if (after := moved(state, source, target)) is not None:
            yield after


def distances(goal: Pegs, most: int, until: Pegs | None = None, pegs: int = 3) -> dict[Pegs, int]:
    """Return the least number of moves to the goal, of all states that need at most so many."""
    found, layer = {goal: 0}, [goal]
    for far in range(1, most + 1):
        layer = list({after for state in layer for after in neighbours(state, pegs) if after not in found})
        if not layer or until in found:
            break
        found |= dict.fromkeys(layer, far)
    return found


def renamed(*states: Pegs, pegs: int = 3) -> str:
    """Return the states with pegs numbered so that all namings of a puzzle are one."""
    namings = permutations(range(1, pegs + 1))
    return min(str([[names[peg - 1] for peg in state] for state in states]) for names in namings)


@cache
def pairs_at(disks: int) -> list[int]:
    """Return how many puzzles need 0, 1, 2, … moves, the naming of the pegs aside."""
    counts = [0] * 2**disks
    for code in range(3**disks):
        goal = tuple(code // 3**i % 3 + 1 for i in range(disks))
        for far in distances(goal, 2**disks).values():
            counts[far] += 1
    return [-(-count // 6) for count in counts]


@dataclass(frozen=True, kw_only=True)
class Hanoi(Planning):
    """The Tower of Hanoi from any state to any, in a plan of at least `steps` moves; any legal one counts.

    The payload is {"start": the peg of each disk, the smallest first, "goal": the same, "pegs": where not 3};
    a move is [peg, peg] or names its disk first, which must then be the one on top. A file may mix numbers of
    disks and pegs.

    steps: the least number of moves that solves an item of the test split. Number `optimal`: also as short
    as any.
    """

    steps: int = 8
    train_steps: int = 8
    disks: int = 10  # 2 to 12
    pegs: int = 3  # 3 to 5

    name = "hanoi"
    move_words = "a pair of two different pegs"

    def __post_init__(self) -> None:
        if self.file is not None:
            found = own.measured(self.file, _measures)
            disks, pegs = (max(one[at] for one in found) for at in (0, 1))
            steps = min(2**disks - 1, LONGEST)
            for name, value in (("disks", disks), ("pegs", pegs), ("steps", steps), ("train_steps", steps)):
                object.__setattr__(self, name, value)
            object.__setattr__(self, "_mixed", len(set(found)) > 1)
            return
        self.check_dial("disks", 2, 12)
        self.check_dial("pegs", 3, MOST_PEGS)
        self.check_steps(
            min(2**self.disks - 1, LONGEST),
            "no two states lie further apart, or the plan is too long",
        )

    @property
    def family(self) -> str:
        return f"{self.name}-{self.disks}" + (f"-{self.pegs}-pegs" if self.pegs > 3 else "")

    @property
    def line(self) -> str:  # type: ignore[override]
        """A move in a reply: "1 -> 3", "Move disk 2 from peg 1 to peg 3"."""
        disk = r"(?:(?:(?i:move)[ \t]++)?+(?i:dis[ck])[ \t]*+[0-9]{1,2}+[ \t]*+[:,]?+[ \t]*+)?+"
        peg = rf"(?i:peg[ \t]*+)?+[1-{self.pegs}]"
        return rf"\[?{disk}(?i:from[ \t]++)?+{peg}[ \t]*+(?:->|→|,|(?i:to))?+[ \t]*+{peg}\]?"

    @property
    def chance(self) -> float:
        return float(self.pegs * (self.pegs - 1)) ** -self.steps

    def space(self, split: str) -> int | None:
        if self.disks > 6 or self.pegs > 3:  # millions
            return None
        counts = pairs_at(self.disks)
        return counts[self.steps] if split == "test" else sum(counts[1 : self.train_steps + 1])

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import PlanGrid

        mixed = getattr(self, "_mixed", False)  # then one symbol more: no such disk

        def cells(puzzle: Puzzle) -> list[int]:
            states = [puzzle.payload[name] for name in ("start", "goal")]
            return [
                peg - 1 for state in states for peg in [*state, *[self.pegs + 1] * (self.disks - len(state))]
            ]

        return PlanGrid(
            symbols=self.pegs + mixed, cells=2 * self.disks, read=cells, moves=moves_of(self.pegs),
            most_steps=self.most_steps,
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        steps = self.steps_of(rng, split)
        goal = tuple(rng.integers(1, self.pegs + 1, self.disks).tolist())
        far = distances(goal, steps, pegs=self.pegs)
        starts = sorted(state for state, moves in far.items() if moves == steps)
        order = rng.permutation(len(starts))[:32].tolist()
        start = next((starts[i] for i in order if belongs(renamed(starts[i], goal, pegs=self.pegs))), None)
        if start is None:
            return None
        payload: dict[str, Any] = {"start": list(start), "goal": list(goal)}
        if self.pegs != 3:
            payload["pegs"] = self.pegs
        plan = self._plan(start, far, self.pegs)
        return Drawn(
            identity=renamed(start, goal, pegs=self.pegs),
            payload=payload,
            answers=(plan,),
            optimum=float(steps),
            difficulty=float(steps),
        )

    def search(self, puzzle: Puzzle) -> Answer:
        """Search breadth-first from the goal, then walk down: the lexicographically least shortest plan."""
        start, goal = (tuple(puzzle.payload[name]) for name in ("start", "goal"))
        pegs = _pegs(puzzle.payload)
        return self._plan(start, distances(goal, 2 ** len(goal), until=start, pegs=pegs), pegs)

    def _plan(self, state: Pegs, far: dict[Pegs, int], pegs: int) -> list[Move]:
        plan = []
        while far[state]:
            for move in moves_of(pegs):
                after = moved(state, *move)
                if after is not None and far.get(after, far[state]) < far[state]:
                    plan.append(list(move))
                    state = after
                    break
        return plan

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Take the largest misplaced disk that can go straight to its peg; stop where none can."""
        state, goal = (tuple(puzzle.payload[name]) for name in ("start", "goal"))
        plan: list[Move] = []
        while state != goal:
            for disk in reversed(range(len(state))):
                move = [state[disk], goal[disk]]
                free = move[0] != move[1] and state.index(move[0]) == disk
                if free and (after := moved(state, *move)) is not None:
                    plan.append(move)
                    state = after
                    break
            else:
                break
        return plan or [list(MOVES[0])]

    def start(self, payload: Payload) -> State:
        return tuple(payload["start"])

    def missing(self, payload: Payload, state: Any) -> str | None:
        for disk, (there, wanted) in enumerate(zip(state, payload["goal"], strict=True), start=1):
            if there != wanted:
                return f"disk {disk} is on peg {there}, not {wanted}"
        return None

    def well_formed(self, payload: Payload, move: Any) -> bool:
        whole = isinstance(move, list) and len(move) in (2, 3) and all(type(part) is int for part in move)
        if not whole or (len(move) == 3 and not 1 <= move[0] <= len(payload["start"])):
            return False
        return move[-2:] in moves_of(_pegs(payload))

    def made(self, payload: Payload, state: Any, move: Move) -> State | None:
        after = moved(state, *move[-2:])
        return after if len(move) == 2 or after is None or state[move[0] - 1] != after[move[0] - 1] else None

    def why_not(self, payload: Payload, state: Any, move: Move) -> str:
        source, target = move[-2:]
        if source not in state:
            return f"peg {source} has no disk"
        if len(move) == 3 and (top := state.index(source) + 1) != move[0]:
            return f"disk {move[0]} is not on top of peg {source}, disk {top} is"
        return f"disk {state.index(source) + 1} may not lie on the smaller disk {state.index(target) + 1}"

    def read_line(self, text: str) -> Move:
        return [int(number) for number in re.findall(r"[0-9]+" if "dis" in text.lower() else "[0-9]", text)]

    def moves(self, payload: Payload) -> list[Move]:
        return moves_of(_pegs(payload))

    def prompt(self, puzzle: Puzzle) -> str:
        start, goal, count = puzzle.payload["start"], puzzle.payload["goal"], _pegs(puzzle.payload)
        return (
            f"The Tower of Hanoi. {rules(len(start), count)}\n\nThe start, each peg from bottom to top:"
            f"\n{drawn(start, count)}\n\nThe goal:\n{drawn(goal, count)}\n\n"
            "Give moves from start to goal, at most "
            f"{MOST_MOVES:,}, one a line, each as the peg a disk is taken from and the peg it goes to, "
            "inside a fenced block marked answer. To take a disk from peg 2 to peg 3 and then one from 1 to "
            "2:\n"
            "```answer\n2 3\n1 2\n```"
        )

    def drawing(self, payload: Payload) -> str:
        start, goal = (drawn(payload[name], _pegs(payload)) for name in ("start", "goal"))
        return f"start\n{start}\ngoal\n{goal}"


@dataclass(frozen=True, kw_only=True)
class HanoiState(Computed):
    """The Tower of Hanoi's second form: on which peg is each disk after `steps` given moves.

    Verdict number `constraints`: the share of disks on the right peg.
    """

    steps: int = 16
    train_steps: int = 16
    disks: int = 6  # 3 to 12

    name = "hanoi-state"
    noun = "disk"
    metrics = (Metric(name="solved"), Metric(name="constraints", number="constraints"))

    def __post_init__(self) -> None:
        self.check_dial("disks", 3, 12)
        self.check_steps(LONGEST, "a prompt with more moves is too long")

    @property
    def family(self) -> str:
        return f"{self.name}-{self.disks}"

    @property
    def chance(self) -> float:
        return 3.0**-self.disks

    def space(self, split: str) -> int | None:
        steps = self.steps if split == "test" else self.train_steps
        return 3 ** (self.disks - 1) * 2 ** (steps - 1) if steps < 8 else None  # at least so many

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import TickedGrid

        return TickedGrid(
            symbols=3, lowest=1, kinds=6, cells=self.disks, answered=self.disks, most_steps=self.most_steps,
            read=lambda puzzle: puzzle.payload["start"],
            marks=lambda puzzle: [MOVES.index(move) for move in puzzle.payload["moves"]],
        )  # fmt: skip

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        start: Pegs = tuple(rng.integers(1, 4, self.disks).tolist())
        states, moves = [start], []
        for _ in range(self.steps_of(rng, split)):  # any legal move but the one back
            ways = [(move, moved(states[-1], *move)) for move in MOVES]
            open_ways = [(move, s) for move, s in ways if s is not None and s not in states[-2:-1]]
            move, after = open_ways[int(rng.integers(len(open_ways)))]
            moves.append(list(move))
            states.append(after)
        identity = renamed(start, *map(tuple, moves[:12]))
        if not belongs(identity):
            return None
        return Drawn(
            identity=identity,
            payload={"start": list(start), "moves": moves},
            answers=(list(states[-1]),),
            difficulty=float(len(moves)),
        )

    def values(self, payload: Payload) -> list[int]:
        state: Pegs | None = tuple(payload["start"])
        for move in payload["moves"]:
            assert state is not None  # given moves are legal
            state = moved(state, *move)
        return list(state or ())

    def allowed(self, payload: Payload) -> tuple[int, ...]:
        return PEGS

    def asked(self, payload: Payload) -> int:
        return len(payload["start"])

    def rule_of(self, payload: Payload, index: int) -> str:
        return "not on that peg after the last move"

    def prompt(self, puzzle: Puzzle) -> str:
        start, moves = puzzle.payload["start"], puzzle.payload["moves"]
        listed = ", ".join(f"{a} {b}" for a, b in moves)
        return (
            f"The Tower of Hanoi. {rules(len(start))}\n\nThe start, each peg from bottom to top:"
            f"\n{drawn(start)}\n\nThese moves are made in their order, each written as the peg a disk is "
            f"taken from and the peg it goes to: {listed}.\n\nOn which peg is each disk then? "
            f"Give {len(start)} numbers, the peg of disk 1 first, separated by blanks, on one "
            "line inside a fenced block marked answer. For three disks of which the "
            "smallest is on peg 2 and the others on peg 3 it would be\n```answer\n2 3 3\n```"
        )

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Say the state before the moves."""
        return list(puzzle.payload["start"])

    def drawing(self, payload: Payload) -> str:
        from textwrap import fill

        moves = fill(" ".join(f"{a}→{b}" for a, b in payload["moves"]), 80)
        return f"{drawn(payload['start'])}\n{moves}\npegs of disks 1 to {len(payload['start'])}:"


def drawn(state: list[int], pegs: int = 3) -> str:
    """Write each peg's disks from bottom to top."""
    lines = []
    for peg in range(1, pegs + 1):
        disks = [str(disk) for disk in range(len(state), 0, -1) if state[disk - 1] == peg]
        lines.append(f"peg {peg}: {' '.join(disks) or 'empty'}")
    return "\n".join(lines)


def rules(disks: int, pegs: int = 3) -> str:
    """Say the rules."""
    return RULES.format(n=disks, pegs=f"{('three', 'four', 'five')[pegs - 3]} pegs, 1 to {pegs},")


def _pegs(payload: Payload) -> int:
    return int(payload.get("pegs", 3))


def _measures(payload: Payload) -> tuple[int, int]:
    """Return disks and pegs of a puzzle. Raises ValueError for what is none."""
    start, goal, pegs = payload["start"], payload["goal"], payload.get("pegs", 3)
    if type(pegs) is not int or not 3 <= pegs <= MOST_PEGS:
        raise ValueError(f"pegs is {str(pegs)[:20]}: 3 to {MOST_PEGS}")
    for state in (start, goal):
        if not isinstance(state, list) or not 1 <= len(state) <= 12 or len(state) != len(start):
            raise ValueError("start and goal are not the pegs of 1 to 12 disks, as many in both")
        if not all(type(peg) is int and 1 <= peg <= pegs for peg in state):
            raise ValueError(f"{state} is not a peg from 1 to {pegs} for each disk")
    return len(start), pegs
