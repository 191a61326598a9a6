"""Optimal power flow against published optima, PYPOWER and plain arithmetic; every class of constraint."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from harness.base import GeneratedTask
from harness.contracts import Answer, Item, Puzzle, Unparsed
from harness.errors import UserError
from harness.randomness import generator
from harness.registry import create
from harness.testing import check_task
from tasks.optimisation.network import Network, State, read_case
from tasks.optimisation.objective import FROZEN, frozen_rows
from tasks.optimisation.opf import Opf
from tasks.optimisation.opf_rules import check_state, network, state_of, written
from tasks.optimisation.power_flow import optimal_flow, power_flow

MODES = pytest.mark.parametrize("mode", ["state", "setpoints"])
CASES = pytest.mark.parametrize("case", [5, 14, 30])
NEEDS_PYPOWER = "pip install 'depthbench[power]' for PYPOWER"


def load(task: Opf, count: int, split: str = "test", seed: int = 0) -> list[Item]:
    return task.load(split=split, seed=seed, limit=count, data_dir=None)


def changed(answer: Answer, name: str, key: str, value: Any) -> Answer:
    return answer | {name: answer[name] | {key: value}}


# ----- the network model


@pytest.mark.parametrize(
    ("case", "usd_per_hour"), [(5, 1.7552e4), (14, 2.1781e3), (30, 8.2085e3), (118, 9.7214e4)]
)
def test_the_optima_of_the_unchanged_networks_are_those_published_with_pglib(
    case: int, usd_per_hour: float
) -> None:
    """BASELINE.md of PGLib-OPF v23.07 prints five digits."""
    net = read_case(case)
    best = optimal_flow(net)
    assert best is not None
    assert float(f"{net.usd_per_hour(best.p):.4e}") == usd_per_hour
    assert check_state(net, best, "state").feasible


@pytest.mark.parametrize(
    ("case", "bounds", "all_of_them"), [(5, 21, 31), (14, 44, 72), (30, 83, 143), (118, 412, 648)]
)
def test_bounds_alone_are_most_of_the_constraints_and_bounds_only_keeps_exactly_them(
    case: int, bounds: int, all_of_them: int
) -> None:
    net = read_case(case)
    assert (net.bounds, net.bounds + net.equations) == (bounds, all_of_them)
    task = Opf(case=case)  # type: ignore[arg-type]
    for puzzle, key in load(task, 2 if case == 118 else 20):
        answer = task.methods["bounds-only"](puzzle, generator("b", puzzle.id))
        numbers = task.judge(puzzle, key, answer).numbers
        assert numbers["constraints"] == bounds / all_of_them
        assert numbers["constraints.p_balance"] == numbers["constraints.q_balance"] == 0
        assert [numbers[f"constraints.{k}"] for k in ("generators", "voltages", "branches")] == [1, 1, 1]


def two_buses(**changes: Any) -> Network:
    """Bus 1 feeds bus 2 over one line of 0.01 + 0.1j without charging."""
    y = 1 / (0.01 + 0.1j)
    rows = [(y.real, -y.real, -y.imag), (-y.imag, y.imag, -y.real)]
    rows += [(y.real, -y.real, y.imag), (-y.imag, y.imag, y.real)]
    fields: dict[str, Any] = {
        "base": 100.0,
        "bus_names": (1, 2),
        "reference": 0,
        "load": np.array([[0.0, 0.0], [0.5, 0.1]]),
        "shunt": np.zeros((2, 2)),
        "voltage": np.array([[0.9, 1.1]] * 2),
        "gen_names": (1,),
        "at": np.array([0]),
        "p_range": np.array([[0.0, 1.0]]),
        "q_range": np.array([[-1.0, 1.0]]),
        "cost": np.array([[0.0, 10.0, 0.0]]),
        "branch_names": (1,),
        "ends": np.array([[0, 1]]),
        "coefficients": np.array([rows]),
        "rating": np.array([1.0]),
        "table": np.array([[0.01, 0.1, 0.0, 0.0, 0.0]]),
    }
    return Network(**fields | changes)


def test_a_power_flow_of_two_buses_agrees_with_complex_arithmetic() -> None:
    state = power_flow(two_buses(), np.array([0.0]), np.array([1.0, 1.0]))
    assert state is not None
    v1, v2 = state.v * np.exp(1j * state.a)
    current = (v1 - v2) / (0.01 + 0.1j)
    assert v2 * np.conj(current) == pytest.approx(0.5 + 0.1j, abs=1e-9)
    assert v1 * np.conj(current) == pytest.approx(state.p[0] + 1j * state.q[0], abs=1e-9)


@CASES
def test_flows_of_a_case_agree_with_complex_arithmetic_and_slopes_with_differences(case: int) -> None:
    net, rng = read_case(case), np.random.default_rng(case)
    n = len(net.load)
    v, a = rng.uniform(0.9, 1.1, n), rng.uniform(-0.3, 0.3, n)
    volts = v * np.exp(1j * a)
    r, x, b, tap, _ = net.table.T
    y, tap = 1 / (r + 1j * x), np.where(tap == 0, 1.0, tap)
    vf, vt = volts[net.ends[:, 0]], volts[net.ends[:, 1]]
    first = vf * np.conj((y + 0.5j * b) * vf / tap**2 - y * vt / tap)
    second = vt * np.conj((y + 0.5j * b) * vt - y * vf / tap)
    flows = net.flows(v, a)
    assert flows == pytest.approx(np.stack([first.real, first.imag, second.real, second.imag], axis=1))
    gradient, hessian = net.slopes(v, a)
    jacobian, by_bus = net.drawn_slopes(v, gradient), (gradient @ net.local).reshape(-1, 2 * n)
    for k in rng.choice(2 * n, 6, replace=False):
        step = np.zeros(2 * n)
        step[k] = 1e-6
        up, down = (v + step[n:], a + step[:n]), (v - step[n:], a - step[:n])
        drawn = (net.drawn(up[0], net.flows(*up)) - net.drawn(down[0], net.flows(*down))) / 2e-6
        assert jacobian[:, k] == pytest.approx(drawn, abs=1e-6)
        turn = (net.slopes(*up)[0] - net.slopes(*down)[0]) / 2e-6
        assert hessian @ net.local[:, None, :, k, None] == pytest.approx(turn[..., None], abs=1e-5)
    assert by_bus.shape == (4 * len(net.ends), 2 * n)


@CASES
@pytest.mark.parametrize("split", ["train", "test-n1"])
def test_pypower_finds_the_same_power_flow_and_the_same_cost(case: Any, split: str) -> None:
    pytest.importorskip("pypower", reason=NEEDS_PYPOWER)
    from tasks.optimisation.pypower_flow import flow_pypower, solve_pypower

    for puzzle, key in load(Opf(case=case), 2, split):
        net = network(puzzle.payload)
        best, theirs = optimal_flow(net), solve_pypower(puzzle.payload)
        assert best is not None
        assert theirs is not None
        assert net.usd_per_hour(theirs.p) == pytest.approx(net.usd_per_hour(best.p), rel=2e-6)
        assert key.optimum == pytest.approx(net.usd_per_hour(best.p), rel=1e-7)
        mine, flow = power_flow(net, best.p, best.v), flow_pypower(puzzle.payload, best)
        assert mine is not None
        assert flow is not None
        for one, other in zip(mine, flow, strict=True):
            assert one == pytest.approx(other, abs=1e-8)


def test_what_cannot_be_fed_has_no_solution_and_no_state() -> None:
    task = Opf()
    puzzle, _ = load(task, 1)[0]
    heavy = {**puzzle.payload, "loads": [[b, 9 * p, 9 * q] for b, p, q in puzzle.payload["loads"]]}
    assert optimal_flow(network(heavy)) is None
    assert power_flow(network(heavy), np.zeros(5), np.ones(14)) is None
    assert task.search(Puzzle(id="h", group="h", split="test", payload=heavy)) is None


# ----- instances


@pytest.mark.parametrize(
    ("case", "split", "count"),
    [(case, split, 1000) for case in (5, 14, 30) for split in ("test", "test-n1")]
    + [(118, "test", 100), pytest.param(118, "test-n1", 100, marks=pytest.mark.slow)],
)
def test_the_frozen_sets_are_what_is_generated(case: Any, split: str, count: int) -> None:
    task = Opf(case=case, mode="setpoints")
    assert len(frozen_rows(task.frozen_set(split))) == count
    assert (FROZEN / f"{task.frozen_set(split)}.json.xz").stat().st_size <= 300_000
    for index in range({118: 1, 30: 3}.get(case, 8)):
        (puzzle, key), (made, made_key) = (
            task.item(split, 0, index),
            GeneratedTask.item(task, split, 0, index),
        )
        assert puzzle == made
        assert key.optimum == pytest.approx(made_key.optimum, rel=1e-7)
        for name, values in key.answers[0].items():
            assert values == pytest.approx(made_key.answers[0][name], abs=2e-3)
        assert (puzzle.payload["removed"] is None) == (split == "test")


def test_search_has_no_gap_on_the_frozen_sets() -> None:
    for case, count in ((5, 10), (14, 8), (30, 2)):
        for mode in ("state", "setpoints"):
            for split in ("test", "test-n1"):
                task = Opf(case=case, mode=mode)  # type: ignore[arg-type]
                for puzzle, key in load(task, count, split):
                    verdict = task.judge(puzzle, key, task.search(puzzle))
                    assert verdict.correct
                    assert verdict.numbers["gap"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
@CASES
@pytest.mark.parametrize("split", ["test", "test-n1"])
def test_search_has_no_gap_on_all_of_the_frozen_sets(case: Any, split: str) -> None:
    task = Opf(case=case)
    for puzzle, key in load(task, 1000, split):
        assert task.judge(puzzle, key, task.search(puzzle)).correct


@pytest.mark.slow
def test_splits_and_neighbouring_seeds_share_nothing_in_ten_thousands_of_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = Opf(mode="setpoints")
    drawn: dict[str, tuple[str, int]] = {}
    state = optimal_flow(read_case(14))
    monkeypatch.setattr("tasks.optimisation.opf.optimal_flow", lambda net: state and _cut(state, net))
    monkeypatch.setattr(Opf, "check", lambda *_: check_state(read_case(14), state, "state"))
    for split in task.splits:
        for seed, count in ((0, 20_000), (1, 5_000)):
            for index in range(count):
                payload = GeneratedTask.item(task, split, seed, index)[0].payload
                assert drawn.setdefault(str(payload), (split, seed)) == (split, seed)
    assert len(drawn) == 100_000


def _cut(state: State, net: Network) -> State:
    kept = [g - 1 for g in net.gen_names]
    return State(state.p[kept], state.q[kept], state.v, state.a)


def test_mode_and_form_change_how_a_puzzle_is_asked_never_which_it_is() -> None:
    tasks = [Opf(mode=m, form=f) for m in ("state", "setpoints") for f in ("prose", "json")]  # type: ignore[arg-type]
    for split in ("test-n1", "train"):
        payloads = [[p.payload for p, _ in load(t, 5, split)] for t in tasks]
        assert payloads.count(payloads[0]) == 4
    prompts = {t.prompt(load(t, 1)[0][0]) for t in tasks}
    assert len(prompts) == 4


def test_a_missing_element_is_neither_the_reference_generator_nor_a_bridge() -> None:
    assert read_case(14).removable().count(("branch", 14)) == 0  # from 7 to 8, the only one of bus 8
    assert ("generator", 1) not in read_case(14).removable()
    assert ("generator", 4) not in read_case(5).removable()
    seen = {p.payload["removed"].partition(" ")[0] for p, _ in load(Opf(), 60, "test-n1")}
    assert seen == {"generator", "branch"}
    puzzle = next(p for p, _ in load(Opf(), 60, "test-n1") if p.payload["removed"].startswith("generator"))
    net = network(puzzle.payload)
    assert (net.bounds, len(net.at)) == (42, 4)


# ----- verdicts


@MODES
@CASES
def test_the_label_is_correct_and_constraints_are_1_exactly_where_feasible(mode: Any, case: Any) -> None:
    task, count = Opf(case=case, mode=mode), 2 if case == 30 else 4
    for puzzle, key in load(task, count) + load(task, count, "test-n1"):
        verdict = task.judge(puzzle, key, key.answers[0])
        assert verdict.correct
        assert verdict.numbers["constraints"] == verdict.numbers["feasible"] == 1
        for name, method in task.methods.items():
            if name != "pypower":
                numbers = task.judge(puzzle, key, method(puzzle, generator("c", puzzle.id))).numbers
                assert (numbers["constraints"] == 1) == (numbers["feasible"] == 1)
                assert numbers["feasible"] == 1 or numbers["gap_all"] == 1


def test_each_class_of_constraints_fails_by_itself_and_names_its_place() -> None:
    task = Opf()
    puzzle, key = load(task, 1)[0]
    net, right = network(puzzle.payload), key.answers[0]
    cases = [
        (changed(right, "Pg", "2", 60.0), "generator 2 gives P = 60.0000 MW, its range is 0 to 59"),
        (changed(right, "Qg", "4", -6.02), "generator 4 gives Q = -6.0200 MVAr, its range is -6 to 24"),
        (changed(right, "Vm", "9", 1.0602), "bus 9 has a voltage of 1.06020, its range is 0.94 to 1.06"),
        (changed(right, "Va", "2", -25.0), "branch 1 carries"),
        (changed(right, "Pg", "3", 0.2), "the P balance of bus 3"),
        (changed(right, "Qg", "1", right["Qg"]["1"] + 0.2), "the Q balance of bus 1"),
    ]
    for answer, words in cases:
        broken = task.violations(puzzle, answer)
        if words.startswith(
            "the P balance"
        ):  # 0.2 MW is within 1 % of the load of 94 MW: the limit of P is what breaks
            assert broken == ["generator 3 gives P = 0.2000 MW, its range is 0 to 0"]
        else:
            assert any(fault.startswith(words) for fault in broken), (words, broken)
        assert not task.judge(puzzle, key, answer).correct
    assert len(task.violations(puzzle, right)) == 0
    assert task.violations(puzzle, changed(right, "Vm", "9", 1.3)) != []
    assert net.voltage[0].tolist() == [0.94, 1.06]


def test_limits_bear_a_ten_thousandth_and_balance_a_thousandth_or_one_percent_of_the_load() -> None:
    net = two_buses()
    solved = power_flow(net, np.array([0.0]), np.array([1.0, 1.0]))
    assert solved is not None

    def faults(s: State, net: Network = net) -> list[str]:
        return check_state(net, s, "state").broken

    assert faults(solved) == []
    p, q, v, a = solved
    top = p[0]
    assert faults(solved, two_buses(p_range=np.array([[0.0, top - 0.9e-4]]))) == []
    assert faults(solved, two_buses(p_range=np.array([[0.0, top - 1.1e-4]])))[0].startswith(
        "generator 1 gives P"
    )
    assert faults(solved, two_buses(load=np.array([[0.0009, 0], [0.5, 0.1]]))) == []  # no load: a thousandth
    assert faults(solved, two_buses(load=np.array([[0.0, 0.0], [0.504, 0.1]]))) == []  # 0.4 of 50.4 MW
    wrong = faults(solved, two_buses(load=np.array([[0.0, 0.0], [0.506, 0.1]])))
    assert wrong == ["the P balance of bus 2 is off by 0.600 MW"]
    assert faults(State(p, q + 0.0011, v, a)) == ["the Q balance of bus 1 is off by 0.110 MVAr"]
    carried = np.hypot(p[0], q[0])
    assert faults(solved, two_buses(rating=np.array([carried - 0.9e-4]))) == []
    assert faults(solved, two_buses(rating=np.array([carried - 1.1e-4])))[0].startswith("branch 1 carries")


@pytest.mark.parametrize(
    ("mode", "count"),
    [
        ("state", 400),
        ("setpoints", 400),
        pytest.param("state", 10_000, marks=pytest.mark.slow),
        pytest.param("setpoints", 10_000, marks=pytest.mark.slow),
    ],
)
def test_answers_that_break_a_rule_are_wrong_and_the_rule_is_named(mode: Any, count: int) -> None:
    task, rng = Opf(case=5, mode=mode), np.random.default_rng(5)
    items = load(task, 25) + load(task, 25, "test-n1")
    for n in range(count):
        puzzle, key = items[n % len(items)]
        net, answer = network(puzzle.payload), json.loads(json.dumps(key.answers[0]))
        names = [name for name in answer if name in ("Pg", "Qg", "Vm")]
        name = names[int(rng.integers(len(names)))]
        at = str(rng.choice(list(answer[name])))
        if rng.random() < 0.2:
            bad = [None, "1", True, float("nan"), float("inf"), 1e5, [1]][int(rng.integers(7))]
            answer[name][at], words = bad, f"{name} of {at}, "
        elif rng.random() < 0.1:
            del answer[name][at]
            words = f"{name} is no object with a number for each of"
        else:
            spans = {"Pg": net.p_range * 100, "Qg": net.q_range * 100, "Vm": net.voltage}
            owners = net.bus_names if name == "Vm" else net.gen_names
            low, high = spans[name][owners.index(int(at))]
            past = rng.uniform(0.02, 0.2) * (high - low)
            answer[name][at] = float(high + past if rng.random() < 0.5 else low - past)
            words = f"bus {at} has a voltage" if name == "Vm" else f"generator {at} gives {name[0]} ="
        broken = task.violations(puzzle, answer)
        assert any(words in fault for fault in broken) or broken == [
            "the power flow of these setpoints does not converge"
        ], (answer, broken)
        assert not task.judge(puzzle, key, answer).correct


def test_setpoints_whose_power_flow_does_not_converge_keep_no_constraint() -> None:
    task = Opf(mode="setpoints")
    puzzle, key = load(task, 1)[0]
    answer = changed(key.answers[0], "Pg", "2", 9000)
    assert task.violations(puzzle, answer) == ["the power flow of these setpoints does not converge"]
    numbers = task.judge(puzzle, key, answer).numbers
    assert numbers["constraints"] == numbers["constraints.generators"] == 0


def test_setpoints_bring_about_the_state_that_the_other_mode_has_as_its_label() -> None:
    for (puzzle, one), (_, other) in zip(load(Opf(mode="setpoints"), 5), load(Opf(), 5), strict=True):
        net = network(puzzle.payload)
        state = state_of(net, one.answers[0], "setpoints")
        assert state is not None
        assert written(net, state, "state") == other.answers[0]


# ----- text, tokens, drawing


@pytest.mark.parametrize(
    ("case", "mode", "form"),
    [(5, "state", "json"), (5, "setpoints", "prose"), (14, "setpoints", "json"), (30, "state", "prose")],
)
def test_every_dial_keeps_the_rules_of_the_contracts(case: Any, mode: Any, form: Any) -> None:
    check_task(Opf(case=case, mode=mode, form=form), puzzles=1 if case == 30 else 2, draws=4)


@pytest.mark.parametrize("form", ["prose", "json"])
def test_the_prompt_holds_every_number_of_the_network_and_no_answer(form: Any) -> None:
    for mode in ("state", "setpoints"):
        task = Opf(mode=mode, form=form)  # type: ignore[arg-type]
        puzzle, _ = load(task, 1, "test-n1")[0]
        prompt = task.prompt(puzzle)
        for _, p, q in puzzle.payload["loads"]:
            assert f"{p:g}" in prompt
            assert f"{q:g}" in prompt
        for words in (puzzle.payload["removed"], "0.0001 per unit", "7.920951", "0.19797", "at most 145"):
            assert words in prompt or (
                form == "json" and words == "at most 145" and '"limit": 145.0' in prompt
            )
        assert ("1% of the bus's load" in prompt) == (mode == "state")
        assert isinstance(task.parse(prompt, puzzle), Unparsed)


@MODES
@pytest.mark.parametrize("bad", ["NaN", "1e400", "null", "true", '"1"', "[1]", "1e9"])
def test_what_is_no_number_is_unparsed(mode: Any, bad: str) -> None:
    task = Opf(mode=mode)
    puzzle, key = load(task, 1)[0]
    text = json.dumps(key.answers[0])
    number = json.dumps(key.answers[0]["Vm"]["1"])
    assert task.parse(f"```answer\n{text}\n```", puzzle) == key.answers[0]
    assert isinstance(task.parse(f"```answer\n{text.replace(number, bad, 1)}\n```", puzzle), Unparsed)


def test_a_huge_answer_is_refused_with_a_short_reason() -> None:
    task = Opf()
    puzzle, key = load(task, 1)[0]
    huge = {str(i): 1.0 for i in range(300_000)}
    for answer in (huge, key.answers[0] | {"Vm": huge}, changed(key.answers[0], "Vm", "1", "9" * 5_000_000)):
        assert len(task.violations(puzzle, answer)[0]) < 300


@MODES
@CASES
def test_nets_can_read_and_write_it(mode: Any, case: Any) -> None:
    task = Opf(case=case, mode=mode)
    codec = task.grid
    assert codec is not None
    assert codec.length <= 900
    assert codec.vocab_size == 14
    seen = set()
    for puzzle, key in load(task, 6) + load(task, 6, "test-n1"):
        label = codec.encode_answer(puzzle, key.answers[0])
        assert codec.decode(np.where(label < 0, 0, label), puzzle) == key.answers[0]
        seen.add(codec.encode(puzzle).tobytes())
        blank = codec.decode(np.zeros(codec.length), puzzle)
        assert all(value is None for part in blank.values() for value in part.values())
        assert not task.judge(puzzle, key, blank).correct
    assert len(seen) == 12


def test_the_largest_network_has_no_codec() -> None:
    assert Opf(case=118).grid is None


@MODES
def test_drawings_fit_80_columns_and_count_each_class(mode: Any) -> None:
    task = Opf(mode=mode)
    for puzzle, key in load(task, 2) + load(task, 2, "test-n1"):
        for answer in (None, key.answers[0], task.greedy(puzzle), "garbage"):
            out = io.StringIO()
            Console(file=out, width=200).print(task.render(puzzle, answer, key), markup=False)
            assert max(map(len, out.getvalue().splitlines())) <= 80
            if answer == key.answers[0]:
                assert "voltages 14/14" in out.getvalue()
                assert "gap 0.00 %" in out.getvalue()


@pytest.mark.parametrize("options", [{"case": 57}, {"mode": "all"}, {"form": "xml"}], ids=str)
def test_a_dial_outside_its_values_is_refused_with_its_value(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=str(next(iter(options.values())))):
        create("task", "opf", options)
