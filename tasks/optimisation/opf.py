"""AC optimal power flow on PGLib's networks: feed all loads at least cost within every limit.

The setting of arXiv 2603.23004, where language models are said to level off at 55–60 % of the constraints:
loads of a published network changed by up to 20 %, and a second split in which one branch or generator is
missing besides (N-1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.base import Belongs, Drawn
from harness.contracts import Answer, GridCodec, Item, Key, Method, Metric, Puzzle, Unparsed, Verdict
from tasks.optimisation.network import CASES, Network, State, read_case
from tasks.optimisation.objective import SCORES, OptimisationTask, Payload, behind, frozen_rows
from tasks.optimisation.opf_baselines import BASELINES, anywhere, merit_order
from tasks.optimisation.opf_rules import (
    LIMIT,
    Mode,
    check_state,
    form_fault,
    network,
    state_of,
    written,
)
from tasks.optimisation.power_flow import optimal_flow
from tasks.optimisation.pypower_flow import solve_pypower
from tasks.shared.forms import json_value
from tasks.shared.ruled import Check
from tasks.shared.text_answers import parse_reply

if TYPE_CHECKING:
    from rich.console import RenderableType

CLASSES: dict[Mode, tuple[str, ...]] = {
    "setpoints": ("generators", "voltages", "branches"),
    "state": ("generators", "voltages", "branches", "p_balance", "q_balance"),
}


@dataclass(frozen=True, kw_only=True)
class Opf(OptimisationTask):
    """AC optimal power flow: feed all loads at least cost within every limit

    case: the network, 5, 14, 30 or 118 buses. mode: `state`, the answer is P and Q of all generators and all
    voltages, so that the power balance can fail; `setpoints`, it is P of all generators but one and the
    voltages at generators, and the verifier solves the power flow: the equations hold by construction and are
    not counted. form: how the prompt describes the network.

    Splits: `test`, `train` and `validation` are the whole network; in `test-n1` one branch or generator is
    missing.
    """

    case: Literal[5, 14, 30, 118] = 14
    mode: Mode = "state"
    form: Literal["prose", "json"] = "prose"

    name = "opf"
    sense = "min"
    chance = 0.0  # random states balance nowhere, random setpoints keep no Q limits
    exact = 1e-5  # of the cost: answers are rounded
    splits = ("test", "test-n1", "train", "validation")  # type: ignore[assignment]
    shown_by = frozenset({"mode", "form"})

    def __post_init__(self) -> None:
        self._one_of(case=str(self.case), known=list(map(str, CASES)))
        self._one_of(mode=self.mode, known=("state", "setpoints"))
        self._one_of(form=self.form, known=("prose", "json"))

    @property
    def data_revision(self) -> str:
        return "PGLib-OPF v23.07" if self.file is None else super().data_revision

    @property
    def family(self) -> str:
        return f"opf-{self.case}-{self.mode}"

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        kinds = tuple(f"constraints.{kind}" for kind in CLASSES[self.mode])
        return SCORES + tuple(Metric(name=kind, number=kind) for kind in kinds)

    @cached_property
    def grid(self) -> GridCodec | None:
        from tasks.optimisation.opf_grid import OpfGrid

        return OpfGrid.of(self.case, self.mode)

    # ----- instances

    def share_of(self, split: str) -> str:
        return split.removesuffix("-n1")

    def draw(self, rng: np.random.Generator, split: str, belongs: Belongs) -> Drawn | None:
        net = read_case(self.case)
        factors = rng.uniform(0.8, 1.2, len(net.load))
        loads = np.round(net.load * net.base * factors[:, None], 2)
        removed = None
        if split == "test-n1":
            elements = _removable(self.case)
            removed = " ".join(map(str, elements[rng.integers(len(elements))]))
        shown = [
            [bus, float(p), float(q)] for bus, (p, q) in zip(net.bus_names, loads, strict=True) if p or q
        ]
        payload = {"case": self.case, "loads": shown, "removed": removed}
        identity = str(payload)
        if not belongs(identity) or (best := optimal_flow(network(payload))) is None:
            return None
        setpoints = written(network(payload), best, "setpoints")
        answer = self._label(payload, setpoints)
        optimum = network(payload).usd_per_hour(best.p)
        if answer is None or not self.check(_puzzle(payload), answer).feasible:
            return None
        return Drawn(
            identity=identity,
            payload=payload,
            answers=(answer,),
            optimum=round(optimum, 6),
            difficulty=float(_at_their_limits(network(payload), best)),
        )

    def item(self, split: str, seed: int, index: int) -> Item:
        """Return a frozen item where there is one, its label from the frozen setpoints; else generate it."""
        rows = frozen_rows(self.frozen_set(split)) if split.startswith("test") and seed == 0 else ()
        if index >= len(rows):
            return super(OptimisationTask, self).item(split, seed, index)
        row, name = rows[index], f"{split}-{seed}-{index}"
        puzzle = Puzzle(
            id=name, group=name, split=split, payload=row["payload"], difficulty=row["difficulty"]
        )
        return puzzle, Key(answers=(self._label(row["payload"], row["answer"]),), optimum=row["optimum"])

    def frozen_set(self, split: str) -> str:
        """Name of the frozen set of a split."""
        return self.frozen_name + split.removeprefix("test")

    def _label(self, payload: Payload, setpoints: Answer) -> Answer | None:
        """Return the answer, of this mode, that setpoints bring about."""
        net = network(payload)
        if self.mode == "setpoints":
            return setpoints
        state = state_of(net, setpoints, "setpoints")
        return None if state is None else written(net, state, "state")

    # ----- verdicts

    def check(self, puzzle: Puzzle, answer: Answer) -> Check:
        return self._examine(puzzle.payload, answer)[0]

    def judge(self, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
        """Numbers besides: `constraints.CLASS`. In mode `state` the tolerance of the balance lets a cost lie
        below the optimum, by up to about 1 %: then the gap is negative.
        """
        found, state = self._examine(puzzle.payload, answer)
        if state is None or not found.feasible:
            return self.verdict(found, None)
        cost = network(puzzle.payload).usd_per_hour(state.p)
        return self.verdict(found, behind(cost, self.best_known(puzzle.payload, key), "min"))

    def value(self, payload: Payload, answer: Answer) -> float:
        net = network(payload)
        state = state_of(net, answer, self.mode)
        return float("inf") if state is None else net.usd_per_hour(state.p)

    def _examine(self, payload: Payload, answer: Answer) -> tuple[Check, State | None]:
        net = network(payload)
        if fault := form_fault(net, answer, self.mode):
            return Check.malformed(fault), None
        if (state := state_of(net, answer, self.mode)) is None:
            return Check.malformed("the power flow of these setpoints does not converge"), None
        return check_state(net, state, self.mode), state

    # ----- methods

    @property
    def methods(self) -> Mapping[str, Method]:
        """Beside random, greedy and search the baselines: `base-case`, the optimum of the unchanged network;
        `mid-range`, everything in the middle of its range; `bounds-only`, every bound respected and no
        equation.
        """
        baselines = {name: self._playing(by) for name, by in BASELINES.items()}
        return {**super().methods, **baselines, "pypower": self._by_pypower}

    def _by_pypower(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer | None:
        return self._solved(puzzle, solve_pypower(puzzle.payload))

    def _playing(self, by: Callable[[Network, np.random.Generator], State]) -> Method:
        def method(puzzle: Puzzle, rng: np.random.Generator) -> Answer:
            net = network(puzzle.payload)
            return written(net, by(net, rng), self.mode)

        return method

    def random_answer(self, puzzle: Puzzle, rng: np.random.Generator) -> Answer:
        """Draw every quantity within its bounds, angles up to 10 degrees either way."""
        net = network(puzzle.payload)
        return written(net, anywhere(net, rng), self.mode)

    def greedy(self, puzzle: Puzzle) -> Answer:
        """Load the cheapest generators first, as if there were no network; voltages as near 1 as they may
        be.
        """
        net = network(puzzle.payload)
        return written(net, merit_order(net), self.mode)

    def search(self, puzzle: Puzzle) -> Answer | None:
        """Solve by the interior point method; None if nothing was found."""
        return self._solved(puzzle, optimal_flow(network(puzzle.payload)))

    def _solved(self, puzzle: Puzzle, best: State | None) -> Answer | None:
        if best is None:
            return None
        return self._label(puzzle.payload, written(network(puzzle.payload), best, "setpoints"))

    # ----- text

    def prompt(self, puzzle: Puzzle) -> str:
        from tasks.optimisation.opf_prompts import prompt

        return prompt(network(puzzle.payload), puzzle.payload, self.mode, self.form)

    def parse(self, reply: str, puzzle: Puzzle) -> Answer | Unparsed:
        net = network(puzzle.payload)

        def shape(value: Any) -> Answer | None:
            return None if form_fault(net, value, self.mode) else value

        wanted = "Pg, Qg, Vm and Va" if self.mode == "state" else "Pg and Vm"
        return parse_reply(reply, json_value(f"JSON object with {wanted} of everything asked for", shape))

    def render(self, puzzle: Puzzle, answer: Answer | None = None, key: Key | None = None) -> RenderableType:
        from tasks.optimisation.opf_drawing import draw

        return draw(self, self.mode, puzzle, answer, key)


@cache
def _removable(case: int) -> list[tuple[str, int]]:
    return read_case(case).removable()


def _puzzle(payload: Payload) -> Puzzle:
    return Puzzle(id="", group="", split="", payload=payload)


def _at_their_limits(net: Network, s: State) -> int:
    """Count the bounds that a state lies on: the difficulty of an instance."""
    spans = [(s.p, net.p_range), (s.q, net.q_range), (s.v, net.voltage)]
    at = sum(int((np.abs(values[:, None] - span).min(axis=1) < LIMIT).sum()) for values, span in spans)
    flows = net.flows(s.v, s.a)
    carried = np.hypot(flows[:, 0::2], flows[:, 1::2]).max(axis=1)
    return at + int((carried > net.rating - LIMIT).sum())
