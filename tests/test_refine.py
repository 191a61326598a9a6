"""Nets that start from a proposed answer: in training, in inference, behind another solver; nets that know
neighbouring cells alone.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import registry
from harness.contracts import Budget, Outcome
from harness.errors import UserError
from harness.running.view import View
from harness.testing import check_solver
from solvers.nets.infer.rollouts import Rollouts
from solvers.nets.members.looped import LoopedSolver
from solvers.nets.members.trm import TrmSolver
from solvers.nets.model.config import TrmConfig
from solvers.nets.model.layers import Neighbours
from solvers.nets.model.trm import TrmNet
from solvers.nets.recipes import recipe
from solvers.nets.train.data import Batches, TrainingSet
from solvers.nets.train.run import train_by_recipe
from solvers.nets.weights import files as weights
from tasks.maze.generated import Maze
from tasks.procedures.game_of_life import GameOfLife
from tasks.sudoku.generated import Sudoku

torch.set_num_threads(1)
FOUR = Sudoku(size=4)
LIFE = weights.SHIPPED / "looped-game-of-life-10x10.safetensors"
CPU = torch.device("cpu")
SMALL = {"optimiser_steps": "2", "batch_size": "8", "train_items": "40", "validation_items": "0"}


def items(n: int = 6) -> list[Any]:
    return FOUR.load(split="test", seed=0, limit=n, data_dir=None)


def batches(share: float, *, rank: int = 0, world: int = 1) -> Batches:
    chosen = recipe("trm-sudoku-refine", proposals=share, batch_size=64)
    data = TrainingSet.from_items(items(20), FOUR.grid, variants=False)  # type: ignore[arg-type]
    config = TrmConfig(vocab_size=6, seq_len=16, **chosen.config)
    return Batches(data, chosen, config, seed=3, device=CPU, rank=rank, world=world)


def test_proposals_are_answers_with_cells_changed_to_other_symbols_of_the_same_answer() -> None:
    batch = batches(1.0).get(5)
    proposals, labels = batch["proposals"], batch["labels"]
    assert proposals.shape == labels.shape
    assert (proposals > 0).all()
    kept = (proposals == labels).float().mean(1)
    assert 0.05 < float(kept.min()) < 0.6 < float(kept.max()) <= 1.0  # from all changed to none
    for row, label in zip(proposals.tolist(), labels.tolist(), strict=True):
        assert set(row) <= set(label)


def test_the_share_of_proposals_is_kept_and_hangs_on_seed_and_step_alone() -> None:
    some = batches(0.5).get(7)["proposals"]
    given = (some >= 0).all(1)
    assert ((some >= 0).any(1) == given).all()  # a row has a proposal or has none
    assert 0.3 < float(given.float().mean()) < 0.7
    halves = [batches(0.5, rank=rank, world=2).get(7)["proposals"] for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), some)
    assert "proposals" not in batches(0.0).get(7)


def test_a_proposal_is_put_into_the_answers_latent_of_its_own_row() -> None:
    net = TrmNet(TrmConfig(vocab_size=6, seq_len=4, hidden_size=8, num_heads=2, puzzle_emb_len=3))
    start = net.initial(2, torch.float32)
    z_H, z_L = net.start_from(start, torch.tensor([[-1] * 4, [2, 3, 2, 5]]))
    assert torch.equal(z_L, start[1])
    assert torch.equal(z_H[0], start[0][0])
    assert torch.equal(z_H[1, :3], start[0][1, :3])  # the prefix
    moved = z_H[1, 3:] - start[0][1, 3:]
    assert torch.allclose(moved[0], moved[2])
    assert not torch.allclose(moved[0], moved[1])


def train(folder: Path, name: str, task: Any = FOUR, **options: str) -> Path:
    path = train_by_recipe(
        "trm", task, recipe_name=name, recipe_options=SMALL | options, out=folder, seed=0, data_seed=0,
        device="cpu", threads=1, max_minutes=None, report_every=100, keep_every=0, fresh=False, data_dir=None,
        say=lambda _: None,
    )  # fmt: skip
    assert path is not None
    return path


@pytest.fixture(scope="module")
def refining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("refine"), "trm-sudoku-refine")


def test_rollouts_show_the_proposal_as_they_show_the_puzzle() -> None:
    puzzles = [puzzle for puzzle, _ in items(3)]
    asked = TrmSolver(samples=4, augment=True)
    jobs = Rollouts(puzzles, FOUR.grid, asked, seed=0, table=None, stochastic=False)  # type: ignore[arg-type]
    answer = items(1)[0][1].answers[0]
    tokens = jobs.proposed({puzzles[0].id: answer, puzzles[1].id: [["x"]]})
    assert (tokens[4:] == -1).all()  # no answer, or none that the codec can write
    assert len({row.tobytes() for row in tokens[:4]}) > 1
    assert all(jobs.answer(job, tokens[job]) == answer for job in range(4))


def test_proposals_reach_the_net_and_what_is_no_answer_does_not(refining: Path) -> None:
    solver = TrmSolver(weights=refining, device="cpu", depth=1).for_task(View(FOUR))
    puzzles = [puzzle for puzzle, _ in items()]

    def found(proposals: dict[tuple[str, int], Any]) -> list[tuple[Any, Any]]:
        attempts = solver.refine(View(FOUR), puzzles, Budget(), proposals)
        return [(a.answer, a.detail["halt_score"]) for a in sorted(attempts, key=lambda a: a.puzzle_id)]

    scratch = [
        (a.answer, a.detail["halt_score"])
        for a in sorted(solver.solve(View(FOUR), puzzles, Budget()), key=lambda a: a.puzzle_id)
    ]
    assert found({}) == scratch
    for nonsense in (None, [], "answer", [[1, 2], [3]], [[99] * 4] * 4, {"a": 1}, [[None] * 4] * 4):
        assert found({(p.id, 0): nonsense for p in puzzles}) == scratch
    assert found({(p.id, 0): key.answers[0] for p, key in items()}) != scratch


def test_each_attempt_starts_from_its_own_proposal_and_recorded_ones_are_left(refining: Path) -> None:
    solver = TrmSolver(weights=refining, device="cpu", depth=1).for_task(View(FOUR))
    puzzle, key = items(1)[0]
    budget = Budget(attempts=3, done=frozenset({(puzzle.id, 1)}))
    given = {(puzzle.id, 0): key.answers[0], (puzzle.id, 2): [row[::-1] for row in key.answers[0]]}
    first, last = sorted(solver.refine(View(FOUR), [puzzle], budget, given), key=lambda a: a.attempt)
    assert (first.attempt, last.attempt) == (0, 2)
    assert first.answer != last.answer
    assert all(attempt.usage.flops for attempt in (first, last))


def test_a_hybrid_refines_keeps_the_rules_and_says_so(refining: Path) -> None:
    options = {"first": "random", "then": "trm", "then.weights": str(refining), "then.device": "cpu"}
    made = registry.create("solver", "hybrid", options | {"mode": "refine"})
    attempts = check_solver(made, FOUR)
    assert {attempt.outcome for attempt in attempts} == {Outcome.ANSWERED}
    assert all(attempt.detail["asked"] == ["first", "then"] for attempt in attempts)


def test_weights_that_were_not_trained_on_proposals_are_refused(tmp_path: Path) -> None:
    plain = train(tmp_path, "trm-sudoku-tiny")
    assert weights.load(plain).training["recipe"]["proposals"] == 0
    options = {"first": "random", "then": "trm", "then.weights": str(plain), "mode": "refine"}
    with pytest.raises(UserError, match=r"then: .*not trained to start from an answer.*trm-sudoku-refine"):
        registry.create("solver", "hybrid", options).for_task(View(FOUR))


@pytest.mark.parametrize("share", ["1.5", "-0.1"])
def test_a_share_of_proposals_is_a_share(tmp_path: Path, share: str) -> None:
    with pytest.raises(UserError, match=r"proposals is .*a share, between 0 and 1"):
        train(tmp_path, "trm-sudoku-tiny", proposals=share)


def test_neighbours_are_the_four_beside_a_cell_and_zero_beyond_the_edge() -> None:
    mix = Neighbours(1)
    with torch.no_grad():
        mix.proj.weight.copy_(torch.tensor([[1.0, 10.0, 100.0, 1000.0, 10000.0]]))
    x = torch.arange(1.0, 10.0).view(1, 9, 1)
    out = mix(x).view(3, 3)
    assert out[1, 1] == 5 + 10 * 2 + 100 * 8 + 1000 * 4 + 10000 * 6  # itself, up, down, left, right
    assert out[0, 0] == 1 + 100 * 4 + 10000 * 2


def test_on_a_torus_edges_meet_diagonals_count_and_what_stands_behind_has_no_neighbours() -> None:
    mix = Neighbours(1, torus=True)
    board = torch.zeros(5, 5)
    board[0, 0] = board[4, 0] = board[2, 3] = 1
    with torch.no_grad():
        mix.proj.weight.fill_(1.0)
    x = torch.cat((board.flatten(), torch.tensor([7.0, 7.0]))).view(1, 27, 1)
    out = mix(x).flatten()
    around = sum(board.roll((r, c), (0, 1)) for r in (-1, 0, 1) for c in (-1, 0, 1))
    assert torch.equal(out[:25].view(5, 5), around)
    assert torch.equal(out[25:], torch.zeros(2))


@pytest.mark.parametrize("seed", range(3))
def test_the_net_of_life_plays_boards_of_any_size_by_the_rule(seed: int) -> None:
    size = 7 + seed
    task = GameOfLife(size=size, steps=1, train_steps=1)
    items = task.load(split="test", seed=seed, limit=5, data_dir=None)
    solver = LoopedSolver(weights=LIFE, device="cpu", threads=1).for_task(View(task))
    found = solver.solve(View(task), [puzzle for puzzle, _ in items], Budget())
    answers = {attempt.puzzle_id: attempt.answer for attempt in found}
    assert [answers[puzzle.id] for puzzle, _ in items] == [key.answers[0] for _, key in items]


def test_a_net_of_neighbours_reaches_as_far_as_it_has_layers_and_plays_any_square(tmp_path: Path) -> None:
    net = TrmNet(TrmConfig(vocab_size=6, seq_len=81, **recipe("trm-maze-local").config)).eval()
    tokens = torch.ones(1, 81, dtype=torch.long)
    other = tokens.clone()
    other[0, 0] = 2
    with torch.inference_mode():
        start = net.initial(1, torch.float32)
        one, two = (net.step(start, net.embed(t, None, torch.float32))[0] for t in (tokens, other))
    reached = (one != two).any(-1).view(9, 9)
    distance = torch.arange(9)[:, None] + torch.arange(9)[None]
    assert reached[0, 0]
    assert not reached[distance > net.passes_per_step].any()  # a layer is one move

    path = train(tmp_path, "trm-maze-local", Maze(), train_items="8")
    task = Maze(height=12, width=12)
    puzzles = [puzzle for puzzle, _ in task.load(split="test", seed=0, limit=2, data_dir=None)]
    solver = TrmSolver(weights=path, device="cpu").for_task(View(task))
    assert len(list(solver.solve(View(task), puzzles, Budget()))) == 2
    oblong = Maze(height=9, width=10)
    with pytest.raises(UserError, match="90 cells are no square"):
        TrmSolver(weights=path, device="cpu").for_task(View(oblong))


@pytest.mark.parametrize(
    "fields", [{"mlp_t": True}, {"puzzle_emb_len": 1}, {"pos_encodings": "learned"}, {"seq_len": 80}]
)
def test_neighbours_alone_know_no_other_positions(fields: dict[str, Any]) -> None:
    plain = {"vocab_size": 6, "seq_len": 81, **recipe("trm-maze-local").config}
    with pytest.raises(UserError, match="neighbours"):
        TrmConfig(**plain | fields)
    assert dataclasses.asdict(TrmConfig(**plain))["local"] is True
