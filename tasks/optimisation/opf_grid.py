"""Optimal power flow as tokens: a row for each number, its sign and eight digits.

Tokens: 0 padding, 1 blank, 2 plus, 3 minus, 4 + d for the digit d. The rows show the loads in the order of
the buses, P and Q by turns, then what is missing (0 nothing, g generator g, 1000 + b branch b); the answer's
numbers stand in the same rows from the top: Pg, Qg, Vm, Va, as far as they are asked for.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.base import BaseGrid
from harness.contracts import Answer, Puzzle
from tasks.optimisation.cells import MOST_TOKENS
from tasks.optimisation.network import read_case
from tasks.optimisation.opf_rules import DECIMALS, Mode, asked, network, rounded

BLANK, PLUS, MINUS, ZERO = 1, 2, 3, 4
DIGITS = 8
LOAD_DECIMALS = 2
BRANCHES = 1000
Ints = NDArray[np.int64]


class OpfGrid(BaseGrid):
    """The codec of one network and one mode of answers."""

    vocab_size = ZERO + 10
    width = 1 + DIGITS

    def __init__(self, case: int, mode: Mode) -> None:
        net = read_case(case)
        self.mode = mode
        self.loaded = [bus for bus, load in zip(net.bus_names, net.load, strict=True) if load.any()]
        self.fields = [(name, str(k)) for name, names in asked(net, mode).items() for k in names]
        self.height = max(len(self.fields), 2 * len(self.loaded) + 1)

    @classmethod
    def of(cls, case: int, mode: Mode) -> Self | None:
        """Return the codec, None for a network too large for the nets there are."""
        codec = cls(case, mode)
        return codec if codec.length <= MOST_TOKENS else None

    def encode(self, puzzle: Puzzle) -> Ints:
        loads = {bus: (p, q) for bus, p, q in puzzle.payload["loads"]}
        kind, _, name = (puzzle.payload["removed"] or "").partition(" ")
        missing = int(name or 0) + BRANCHES * (kind == "branch")
        values = [v for bus in self.loaded for v in loads.get(bus, (0.0, 0.0))]
        numbers = [round(v * 10**LOAD_DECIMALS) for v in values] + [missing]
        tokens = np.full((self.height, self.width), BLANK, dtype=np.int64)
        tokens[: len(numbers)] = [_spelt(number) for number in numbers]
        return tokens.ravel()

    def encode_answer(self, puzzle: Puzzle, answer: Answer) -> Ints:
        label = np.full((self.height, self.width), -100, dtype=np.int64)
        for row, (name, key) in enumerate(self.fields):
            if key in answer[name]:
                label[row] = _spelt(round(answer[name][key] * 10 ** DECIMALS[name]))
        return label.ravel()

    def decode(self, tokens: NDArray[Any], puzzle: Puzzle) -> Answer:
        """Return the numbers; None for one that is not spelt as a sign and digits."""
        rows = np.asarray(tokens).astype(np.int64).reshape(self.height, self.width)
        wanted = asked(network(puzzle.payload), self.mode)
        place = {field: row for row, field in enumerate(self.fields)}
        return {
            name: {str(k): _read(rows[place[name, str(k)]], name) for k in names}
            for name, names in wanted.items()
        }


def _spelt(number: int) -> list[int]:
    digits = f"{min(abs(number), 10**DIGITS - 1):0{DIGITS}}"
    return [MINUS if number < 0 else PLUS, *(ZERO + int(d) for d in digits)]


def _read(row: Ints, name: str) -> float | None:
    if row[0] not in (PLUS, MINUS) or not ((row[1:] >= ZERO) & (row[1:] < ZERO + 10)).all():
        return None
    number = int("".join(str(d) for d in (row[1:] - ZERO).tolist())) / 10 ** DECIMALS[name]
    return rounded(-number if row[0] == MINUS else number, name)
