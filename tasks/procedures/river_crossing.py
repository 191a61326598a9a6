"""River crossing: clients and their agents, N pairs and a boat for k people (the jealous husbands).

By breadth-first search N is no dial of depth: with a boat for 3, N = 2 … 5 takes 3, 5, 9, 11 crossings and 6
cannot be done at all. So puzzles are ordered by crossings, over every pair (N, boat) that can be solved, from
any legal state to any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from harness.base import Belongs, Drawn, owner
from harness.contracts import Answer, GridCodec, Item, Puzzle
from harness.errors import UserError
from harness.randomness import generator
from tasks.procedures.planning import MOST_MOVES, Move, Planning, State
from tasks.procedures.procedure import Payload

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

MOST_PAIRS = {2: 3, 3: 5, 4: 6}  # by boat: with one more pair the whole party cannot cross
SOLVABLE = [(pairs, boat) for boat, most in MOST_PAIRS.items() for pairs in range(1, most + 1)]
Banks = tuple[tuple[int, ...], int]
"""Where each person is, client 1, agent 1, client 2, …: 0 left, 1 right; and where the boat is."""
Known = tuple[str, int, int, Banks, Banks]
"""Identity, pairs, boat, start, goal."""


def safe(people: tuple[int, ...]) -> bool:
    """Return whether nobody of a group, numbered as in `Banks`, is with another's agent without their own."""
    agents = {person // 2 for person in people if person % 2}
    return not agents or all(person // 2 in agents for person in people)


def crossed(state: Banks, boat: int, people: tuple[int, ...]) -> Banks | None:
    """Return the state after these people crossed; None if that is not legal."""
    sides, shore = state
    if not 1 <= len(people) <= boat or any(sides[person] != shore for person in people):
        return None
    after = tuple(1 - shore if person in people else side for person, side in enumerate(sides))
    left, right = (tuple(p for p, side in enumerate(after) if side == bank) for bank in (0, 1))
    return (after, 1 - shore) if safe(people) and safe(left) and safe(right) else None


@cache
def names(pairs: int) -> list[str]:
    """Return the people's names in their order: C1 A1 C2 A2 …"""
    return [f"{kind}{pair}" for pair in range(1, pairs + 1) for kind in "CA"]


@cache
def neighbours(pairs: int, boat: int) -> dict[Banks, list[Banks]]:
    """Return every state that can be reached from all on the left, with those one crossing away."""
    groups = [g for size in range(1, boat + 1) for g in combinations(range(2 * pairs), size) if safe(g)]
    found: dict[Banks, list[Banks]] = {}
    waiting: list[Banks] = [((0,) * (2 * pairs), 0)]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found[state] = [s for group in groups if (s := crossed(state, boat, group)) is not None]
            waiting += found[state]
    return found


@cache
def distances(pairs: int, boat: int, goal: Banks) -> dict[Banks, int]:
    """Return the least number of crossings to the goal from every state."""
    found, layer, far = {goal: 0}, [goal], 0
    while layer:
        far += 1
        layer = list({s for state in layer for s in neighbours(pairs, boat)[state] if s not in found})
        found |= dict.fromkeys(layer, far)
    return found


def canonical(boat: int, start: Banks, goal: Banks) -> str:
    """Return a text that all renamings of the pairs and both ways to name the banks share."""
    found = []
    for flip in (0, 1):
        where = [[side ^ flip for side in state[0]] for state in (start, goal)]
        rows = sorted((*a, *b) for a, b in zip(_by_pair(where[0]), _by_pair(where[1]), strict=True))
        found.append(f"{rows}{start[1] ^ flip}{goal[1] ^ flip}")
    return f"{boat}:{min(found)}"


@cache
def puzzles(crossings: int) -> list[Known]:
    """Return every puzzle of so many crossings once: identity, pairs, boat, start, goal."""
    found: dict[str, Known] = {}
    for pairs, boat in SOLVABLE:
        for goal in neighbours(pairs, boat):
            if list(_by_pair(goal[0])) != sorted(_by_pair(goal[0])):
                continue  # a renaming of one that is looked at
            for start, far in distances(pairs, boat, goal).items():
                if far == crossings:
                    identity = canonical(boat, start, goal)
                    found.setdefault(identity, (identity, pairs, boat, start, goal))
    return [found[identity] for identity in sorted(found)]


@cache
def held(split: str, parity: int, least: int, most: int) -> list[Known]:
    """Return the puzzles of a split, for even or odd seeds, of `least` to `most` crossings."""
    every = [puzzle for crossings in range(least, most + 1) for puzzle in puzzles(crossings)]
    return [puzzle for puzzle in every if owner(puzzle[0]) == (split, parity)]


@dataclass(frozen=True, kw_only=True)
class RiverCrossing(Planning):
    """Clients and agents cross a river, from any legal state to any, in at least `steps` crossings.

    All puzzles are known: a split holds each of its own once, and no more. The pairs and boats are those with
    which the whole party can cross: boat 2, up to 3 pairs; 3, up to 5; 4, up to 6. Any legal plan counts;
    number `optimal`: also as short as any.
    """

    steps: int = 5
    train_steps: int = 5

    name = "river-crossing"
    line = r"[AC][1-6](?:[ \t,]++[AC][1-6]){0,11}+"
    move_words = "a list of different people"

    def __post_init__(self) -> None:
        self.check_steps(13, "no two states lie further apart")

    @property
    def chance(self) -> float:
        return 0.0 if self.steps > 2 else 0.01

    @cached_property
    def grid(self) -> GridCodec:
        from tasks.procedures.grid import CrossingGrid

        return CrossingGrid(max(MOST_PAIRS.values()), self.most_steps)

    def load(self, *, split: str, seed: int, limit: int | None, data_dir: Path | None) -> list[Item]:
        """Return the first `limit` puzzles of a split in an order of the seed; all if None."""
        if self.file is not None:
            return super().load(split=split, seed=seed, limit=limit, data_dir=data_dir)
        self.check_split(split)
        own = self._held(split, seed)
        if limit is not None and limit > len(own):
            raise UserError(
                f"{limit:,} items of the {split} split of {self.name} were asked for; it holds {len(own)}.",
                rule="There are no others of so many crossings, but for the names of people and banks.",
                next_step=f"Give --limit {len(own)}, or another -T steps.",
            )
        return [self.item(split, seed, index) for index in range(len(own) if limit is None else limit)]

    def item(self, split: str, seed: int, index: int) -> Item:
        """Return one item; which names and banks its people have is drawn."""
        rng = generator(self.name, self.version, self.dials(), split, seed, index)
        own = self._held(split, seed)
        order = generator(self.name, self.version, self.dials(), split, seed, "order").permutation(len(own))
        return self.as_item(self._drawn(own[int(order[index])], rng), split, seed, index)

    def _held(self, split: str, seed: int) -> list[Known]:
        least, most = (self.steps, self.steps) if split == "test" else (1, self.train_steps)
        return held(split, seed % 2, least, most)

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        every = puzzles(self.steps_of(rng, split))
        chosen = every[int(rng.integers(len(every)))]
        return self._drawn(chosen, rng) if belongs(chosen[0]) else None

    def _drawn(self, chosen: Known, rng: np.random.Generator) -> Drawn:
        identity, pairs, boat, *states = chosen
        order, flip = rng.permutation(pairs).tolist(), int(rng.integers(2))
        named = []
        for sides, shore in states:
            rows = list(_by_pair(sides))
            named.append([[side ^ flip for pair in order for side in rows[pair]], shore ^ flip])
        (start, start_boat), (goal, goal_boat) = named
        payload = {
            "boat": boat, "start": start, "start_boat": start_boat, "goal": goal, "goal_boat": goal_boat,
        }  # fmt: skip
        plan = self._plan(payload)
        return Drawn(
            identity=identity,
            payload=payload,
            answers=(plan,),
            optimum=float(len(plan)),
            difficulty=float(len(plan)),
        )

    def _plan(self, payload: Payload) -> list[Move]:
        """Walk down from the start: the lexicographically least shortest plan."""
        pairs, state, plan = len(payload["start"]) // 2, self.start(payload), []
        far = distances(pairs, payload["boat"], (tuple(payload["goal"]), payload["goal_boat"]))
        while far[state]:
            nearer = [s for s in neighbours(pairs, payload["boat"])[state] if far[s] < far[state]]
            crossings = [
                [i for i, (a, b) in enumerate(zip(state[0], s[0], strict=True)) if a != b] for s in nearer
            ]
            people, state = min(zip(crossings, nearer, strict=True))
            plan.append([names(pairs)[person] for person in people])
        return plan

    def search(self, puzzle: Puzzle) -> Answer:
        return self._plan(puzzle.payload)

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Cross so that as many as can be are where they shall be, never to a state again."""
        payload = puzzle.payload
        pairs, state = len(payload["start"]) // 2, self.start(payload)
        goal, seen, plan = (tuple(payload["goal"]), payload["goal_boat"]), {state}, []

        def right(s: Banks) -> int:
            return len(s[0]) - len(_aboard(s, goal)) + (s == goal)

        while state != goal:
            fresh = [s for s in neighbours(pairs, payload["boat"])[state] if s not in seen]
            if not fresh:
                break
            best = max(fresh, key=right)
            plan.append([names(pairs)[person] for person in _aboard(state, best)])
            state = best
            seen.add(state)
        return plan

    def start(self, payload: Payload) -> Banks:
        return tuple(payload["start"]), payload["start_boat"]

    def missing(self, payload: Payload, state: Any) -> str | None:
        sides, shore = state
        for person, (there, wanted) in enumerate(zip(sides, payload["goal"], strict=True)):
            if there != wanted:
                return f"{names(len(sides) // 2)[person]} is not on the {_bank(wanted)} bank"
        return None if shore == payload["goal_boat"] else f"the boat is not on the {_bank(1 - shore)} bank"

    def well_formed(self, payload: Payload, move: Any) -> bool:
        people = names(len(payload["start"]) // 2)
        listed = isinstance(move, list) and 1 <= len(move) <= len(people)
        return (
            listed and all(isinstance(p, str) and p in people for p in move) and len(set(move)) == len(move)
        )

    def made(self, payload: Payload, state: Any, move: Move) -> State | None:
        return crossed(state, payload["boat"], self._numbers(payload, move))

    def why_not(self, payload: Payload, state: Any, move: Move) -> str:
        people, (sides, shore) = self._numbers(payload, move), state
        if len(people) > payload["boat"]:
            return f"{len(people)} people in a boat for {payload['boat']}"
        for name, person in zip(move, people, strict=True):
            if sides[person] != shore:
                return f"{name} is not where the boat is"
        if not safe(people):
            return "in the boat a client is with another's agent without their own"
        return "on a bank a client is with another's agent without their own"

    def _numbers(self, payload: Payload, move: Move) -> tuple[int, ...]:
        people = names(len(payload["start"]) // 2)
        return tuple(people.index(name) for name in move)

    def read_line(self, text: str) -> Move:
        return text.replace(",", " ").split()

    def moves(self, payload: Payload) -> list[Move]:
        people = names(len(payload["start"]) // 2)
        sizes = range(1, min(payload["boat"], len(people)) + 1)
        return [list(group) for size in sizes for group in combinations(people, size)]

    def prompt(self, puzzle: Puzzle) -> str:
        payload = puzzle.payload
        pairs, boat = len(payload["start"]) // 2, payload["boat"]
        return (
            f"{pairs} client{'s' * (pairs > 1)} (C1, …) and as many agents (A1 is the agent of C1, and so "
            f"on) are at a river with one boat, which holds 1 to {boat} people and does not cross empty. No "
            "client may be with another client's agent, on a bank or in the boat, unless their own agent is "
            f"there too.\n\nThe start:\n{self._banks(payload, 'start')}\n\nThe goal:\n"
            f"{self._banks(payload, 'goal')}\n\nGive crossings from the start to the goal, at most "
            f"{MOST_MOVES:,}, one a line, each as the people in the boat, inside a fenced block marked "
            "answer; the boat goes to the other bank every time. For C7 and A7 going over and A7 coming "
            "back:\n```answer\nC7 A7\nA7\n```"
        )

    def drawing(self, payload: Payload) -> str:
        start, goal = self._banks(payload, "start"), self._banks(payload, "goal")
        return f"a boat for {payload['boat']}\nstart\n{start}\ngoal\n{goal}"

    def _banks(self, payload: Payload, which: str) -> str:
        lines = []
        for bank in (0, 1):
            there = [
                n
                for n, side in zip(names(len(payload[which]) // 2), payload[which], strict=True)
                if side == bank
            ]
            if payload[f"{which}_boat"] == bank:
                there.append("boat")
            lines.append(f"{_bank(bank)} bank: {' '.join(there) or 'nobody'}")
        return "\n".join(lines)


def _aboard(state: Banks, after: Banks) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(state[0], after[0], strict=True)) if a != b]


def _by_pair(sides: Any) -> Iterator[tuple[int, int]]:
    return zip(sides[::2], sides[1::2], strict=True)


def _bank(side: int) -> str:
    return ("left", "right")[side]
