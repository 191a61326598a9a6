"""The inference engine and the net solver: the same answers as a plain loop, for less work; votes, curves,
memory.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import registry
from harness.contracts import Attempt, Budget
from harness.errors import UserError
from solvers.nets.flops import inference_flops, training_flops
from solvers.nets.infer import engine
from solvers.nets.infer.rollouts import rank
from solvers.nets.model.config import TrmConfig
from solvers.nets.model.trm import TrmNet
from solvers.nets.solver import NetSolver
from solvers.nets.weights import files as weights

CPU = torch.device("cpu")
EXACT = torch.float64  # so that no answer hangs on how a batch is rounded
torch.set_num_threads(1)  # tiny nets lose by sharing
N, L, V, DEPTH = 23, 16, 6, 5


@pytest.fixture(scope="module")
def net() -> TrmNet:
    """A random net whose halting logits are spread around zero, so that puzzles leave the batch at
    different depths.
    """
    torch.manual_seed(1)
    made = TrmNet(
        TrmConfig(
            vocab_size=V,
            seq_len=L,
            hidden_size=16,
            num_heads=2,
            puzzle_emb_len=0,
            puzzle_emb_ndim=0,
            halt_max_steps=DEPTH,
        )
    )
    torch.nn.init.normal_(made.q_head.weight, std=0.5)
    torch.nn.init.zeros_(made.q_head.bias)
    return made.eval()


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(0, V, (N, L))


def plain(net: TrmNet, tokens: np.ndarray, depth: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Every puzzle to full depth in one batch: output tokens (N, L) and halting logits (N,) after each
    step.
    """
    outputs, scores = [], []
    with torch.inference_mode():
        z = net.initial(len(tokens), EXACT)
        x = net.embed(torch.from_numpy(tokens), None, EXACT)
        for _ in range(depth):
            z = net.step(z, x)
            logits, q = net.read(z)
            outputs.append(logits.argmax(-1).numpy())
            scores.append(q[:, 0].numpy())
    return outputs, scores


def answers(net: TrmNet, tokens: np.ndarray, **options: object) -> dict[int, engine.Finished]:
    settings: dict = {
        "depths": [DEPTH],
        "halt": "never",
        "batch_size": 4,
        "dtype": EXACT,
        "device": CPU,
    }
    done = list(engine.answer(net, tokens, **settings | options))
    assert sorted(job.job for job in done) == list(range(len(tokens)))
    return {job.job: job for job in done}


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_full_depth_gives_the_answers_of_a_plain_loop_whatever_the_batch(
    net: TrmNet, tokens: np.ndarray, batch_size: int
) -> None:
    outputs, _ = plain(net, tokens, DEPTH)
    for job in answers(net, tokens, batch_size=batch_size).values():
        assert job.depth == DEPTH
        assert (job.tokens_at[DEPTH] == outputs[-1][job.job]).all()


def test_halting_by_score_stops_each_puzzle_at_its_first_positive_logit(
    net: TrmNet, tokens: np.ndarray
) -> None:
    outputs, scores = plain(net, tokens, DEPTH)
    depths = set()
    for job in answers(net, tokens, halt="score").values():
        positive = [d for d in range(1, DEPTH + 1) if scores[d - 1][job.job] > 0]
        assert job.depth == (positive[0] if positive else DEPTH)
        assert (job.tokens_at[job.depth] == outputs[job.depth - 1][job.job]).all()
        assert job.halt_score == pytest.approx(scores[job.depth - 1][job.job], abs=1e-5)
        depths.add(job.depth)
    assert len(depths) > 1  # compaction had something to do


def test_halting_by_agreement_stops_when_two_steps_say_the_same(net: TrmNet, tokens: np.ndarray) -> None:
    outputs, _ = plain(net, tokens, 12)
    for job in answers(net, tokens, halt="agree", depths=[12]).values():
        same = [d for d in range(2, 13) if (outputs[d - 1][job.job] == outputs[d - 2][job.job]).all()]
        assert job.depth == (same[0] if same else 12)


def test_one_run_keeps_the_answer_at_every_depth_asked_for(net: TrmNet, tokens: np.ndarray) -> None:
    outputs, _ = plain(net, tokens, 8)
    for job in answers(net, tokens, depths=[1, 2, 8]).values():
        assert sorted(job.tokens_at) == [1, 2, 8]
        for depth, kept in job.tokens_at.items():
            assert (kept == outputs[depth - 1][job.job]).all()


def test_a_batch_that_does_not_fit_is_halved_and_the_run_goes_on(
    net: TrmNet, tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, _ = plain(net, tokens, DEPTH)
    sizes = []
    step = TrmNet.step

    def small_memory(self: TrmNet, z: tuple, x: torch.Tensor) -> tuple:
        sizes.append(len(x))
        if len(x) > 5:
            raise torch.cuda.OutOfMemoryError("no room")
        return step(self, z, x)

    monkeypatch.setattr(TrmNet, "step", small_memory)
    done = answers(net, tokens, batch_size=16)
    assert sizes[:3] == [16, 8, 4]
    assert all((job.tokens_at[DEPTH] == outputs[-1][job.job]).all() for job in done.values())


def test_any_other_error_is_not_swallowed(
    net: TrmNet, tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> tuple:
        raise RuntimeError("a bug")

    monkeypatch.setattr(TrmNet, "step", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        answers(net, tokens)


def test_noise_depends_on_the_seed_of_the_job_and_not_on_its_neighbours(
    net: TrmNet, tokens: np.ndarray
) -> None:
    outputs, _ = plain(net, tokens, DEPTH)
    seeds = [0 if i % 2 else i + 7 for i in range(N)]
    small = answers(net, tokens, batch_size=3, noise=2.0, noise_seeds=seeds)
    large = answers(net, tokens, batch_size=64, noise=2.0, noise_seeds=seeds)
    changed = 0
    for i in range(N):
        assert (small[i].tokens_at[DEPTH] == large[i].tokens_at[DEPTH]).all()
        if seeds[i] == 0:
            assert (small[i].tokens_at[DEPTH] == outputs[-1][i]).all()
        else:
            changed += bool((small[i].tokens_at[DEPTH] != outputs[-1][i]).any())
    assert changed > 0


def test_noise_is_added_to_the_reasoning_latent_before_every_supervision_step(
    net: TrmNet, tokens: np.ndarray
) -> None:
    done = answers(net, tokens, batch_size=7, noise=0.7, noise_seeds=range(100, 100 + N))
    for i in range(0, N, 5):
        rng = torch.Generator().manual_seed(100 + i)
        with torch.inference_mode():
            x = net.embed(torch.from_numpy(tokens[i : i + 1]), None, EXACT)
            z_H, z_L = net.initial(1, EXACT)
            for _ in range(DEPTH):
                z_H, z_L = net.step((z_H, z_L + 0.7 * torch.randn(1, L, 16, generator=rng)), x)
            logits, q = net.read((z_H, z_L))
        assert (done[i].tokens_at[DEPTH] == logits[0].argmax(-1).numpy()).all()
        assert done[i].halt_score == pytest.approx(q[0, 0].item(), abs=1e-4)


def test_flops_are_those_counted_by_hand() -> None:
    """One block of inner width 256: 2·(3·D·256) for the SwiGLU, 2·4·D² for projections, 4·S·D for
    attention, per position.
    """
    D, S = 16, 9
    sizes = {
        "vocab_size": V,
        "seq_len": S,
        "hidden_size": D,
        "num_heads": 2,
        "puzzle_emb_len": 0,
        "puzzle_emb_ndim": 0,
    }
    config = TrmConfig(**sizes, L_layers=1, H_cycles=2, L_cycles=3)
    application = S * (2 * 3 * D * 256 + 2 * 4 * D * D + 4 * S * D)
    heads = 2 * S * D * V + 2 * D * 2
    assert inference_flops(config) == 8 * application + heads
    # backward costs twice the forward, of the last cycle alone; the input needs no gradient beyond the
    # embedding
    assert training_flops(config) == pytest.approx(
        4 * application + 3 * 4 * application + 3 * heads, rel=0.02
    )


# The solver, on a task of the tests' own choice.


@pytest.fixture(scope="module")
def sudoku() -> tuple:
    task = registry.create("task", "sudoku", {"size": 4})
    items = task.load(split="test", seed=0, limit=6, data_dir=None)
    return task, [puzzle for puzzle, _ in items]


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    made = TrmNet(
        TrmConfig(
            vocab_size=6,
            seq_len=16,
            hidden_size=16,
            num_heads=2,
            puzzle_emb_len=0,
            puzzle_emb_ndim=0,
            halt_max_steps=4,
        )
    )
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    weights.save(
        path,
        net_name="trm",
        net=made,
        state=made.state_dict(),
        record={"regime": "none"},
        dtype=torch.float32,
    )
    return path


def solver(path: Path, **options: object) -> NetSolver:
    made: NetSolver = registry.create("solver", "trm", {"weights": path, **options})
    return made


def test_the_solver_books_depth_flops_and_time_of_every_attempt(sudoku: tuple, weights_file: Path) -> None:
    task, puzzles = sudoku
    ready = solver(weights_file, halt="never", depth=3).for_task(task)
    attempts = list(ready.solve(task, puzzles, Budget()))
    assert sorted(a.puzzle_id for a in attempts) == sorted(p.id for p in puzzles)
    config = weights.load(weights_file).net.config
    for attempt in attempts:
        assert attempt.depth == attempt.usage.passes == 3
        assert attempt.usage.flops == 3 * inference_flops(config)
        assert attempt.usage.device_seconds is not None
        assert attempt.usage.device_seconds > 0
        assert attempt.usage.input_tokens is None
        assert attempt.samples == 1
    assert ready.card.parameters.stored == sum(
        t.numel() for t in weights.load(weights_file).net.state_dict().values()
    )
    assert ready.card.weights_sha256 is not None


def test_the_card_names_the_threads_that_were_asked_for(weights_file: Path, sudoku: tuple) -> None:
    task, _ = sudoku
    assert solver(weights_file, threads=1).for_task(task).card.device == "CPU, 1 threads"


def test_the_solver_leaves_out_what_is_already_recorded(sudoku: tuple, weights_file: Path) -> None:
    task, puzzles = sudoku
    budget = Budget(done=frozenset({(puzzles[0].id, 0), (puzzles[3].id, 0)}))
    answered = {a.puzzle_id for a in solver(weights_file).solve(task, puzzles, budget)}
    assert answered == {p.id for i, p in enumerate(puzzles) if i not in (0, 3)}


def test_a_curve_keeps_the_answer_after_each_depth(sudoku: tuple, weights_file: Path) -> None:
    task, puzzles = sudoku
    for attempt in solver(weights_file, depths="1,2,4", halt="never").solve(task, puzzles, Budget()):
        assert [point.depth for point in attempt.trace] == [1, 2, 4]
        assert attempt.trace[-1].answer == attempt.answer
    for depth in (1, 2):
        alone = {
            a.puzzle_id: a.answer
            for a in solver(weights_file, depth=depth, halt="never").solve(task, puzzles, Budget())
        }
        for attempt in solver(weights_file, depths="1,2,4", halt="never").solve(task, puzzles, Budget()):
            assert {p.depth: p.answer for p in attempt.trace}[depth] == alone[attempt.puzzle_id]


def test_rollouts_are_voted_over_and_the_ranking_fills_the_attempts(
    sudoku: tuple, weights_file: Path
) -> None:
    task, puzzles = sudoku
    voting = solver(weights_file, samples=5, augment=True, noise=0.5, halt="never", depth=2)
    attempts = list(voting.solve(task, puzzles, Budget(attempts=2)))
    assert len(attempts) == 2 * len(puzzles)
    for first, second in zip(attempts[::2], attempts[1::2], strict=True):
        assert (first.puzzle_id, first.attempt, second.attempt) == (second.puzzle_id, 0, 1)
        assert first.samples == 5
        assert first.detail["votes"] >= second.detail["votes"]
        assert first.usage.passes == 10
        assert second.usage.passes == 0  # the rollouts are paid for once
    again = list(voting.solve(task, puzzles, Budget(attempts=2)))
    assert [a.answer for a in again] == [a.answer for a in attempts]


def test_a_quorum_ends_the_vote_and_costs_only_what_it_took() -> None:
    task, shipped = (
        registry.create("task", "sudoku", {"difficulty": "hard"}),
        weights.SHIPPED / "trm-sudoku-6x6.safetensors",
    )
    # some are in dispute
    puzzles = [puzzle for puzzle, _ in task.load(split="test", seed=0, limit=40, data_dir=None)[28:]]
    most, rollouts = 6, {"augment": True, "depth": 1, "halt": "never"}

    def solved(**options: object) -> list[Attempt]:
        return list(solver(shipped, **rollouts | options).solve(task, puzzles, Budget()))

    # what the first k rollouts of each puzzle say; a rollout does not depend on how many there are
    votes = {k: {a.puzzle_id: a for a in solved(samples=k, augment=k > 1)} for k in range(1, most + 1)}
    for quorum in (1, 2, 3):
        used = set()
        for attempt in solved(samples=most, quorum=quorum, batch_size=5):
            k = quorum
            while (found := votes[k][attempt.puzzle_id].detail["votes"]) < quorum and k < most:
                k = min(most, k + quorum - found)
            assert attempt.samples == k
            assert attempt.answer == votes[k][attempt.puzzle_id].answer
            assert attempt.usage.passes == k
            used.add(k)
        assert quorum == 1 or len(used) > 1


@dataclasses.dataclass(frozen=True)
class _Job:
    job: int
    depth: int
    tokens_at: dict
    halt_score: float
    seconds: float = 0.0
    device_seconds: float = 0.0


class _Straight:
    def answer(self, job: int, tokens: np.ndarray) -> str:
        return str(tokens[0])


@pytest.mark.parametrize(
    ("select", "order"),
    [
        # 7: three votes; 5 and 4: two each, 5 surer on the mean probability; 8: one vote
        ("vote", ["7", "5", "4", "8"]),
        ("halt", ["8", "4", "7", "5"]),  # by the best logit of each
    ],
)
def test_the_ranking_is_votes_then_mean_halting_probability_or_the_best_halting_logit(
    select: str, order: list[str]
) -> None:
    ballots = [(7, -3.0), (5, 0.6), (7, 0.0), (4, -1.0), (7, 1.0), (8, 800.0), (5, 0.6), (4, 9.0)]
    jobs = [_Job(i, 1, {1: np.array([token])}, score) for i, (token, score) in enumerate(ballots)]
    for given in (jobs, jobs[::-1]):  # whatever the order in which the engine ends them
        ranked = rank(given, _Straight(), select)  # type: ignore[arg-type]
        assert [answer for answer, _ in ranked] == order


def test_equal_answers_of_a_ballot_keep_the_order_of_their_rollouts() -> None:
    jobs = [_Job(i, 1, {1: np.array([token])}, 0.5) for i, token in enumerate([3, 1, 2])]
    assert [answer for answer, _ in rank(jobs[::-1], _Straight(), "vote")] == ["3", "1", "2"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "depth is 0"),
        ({"depths": "0,4"}, "depths is 0,4.*each larger than the one before"),
        ({"depths": "4,2"}, "depths is 4,2"),
        ({"depths": "2,2"}, "depths is 2,2"),
        ({"device": "tpu"}, "device is 'tpu'.*cuda:N"),
        ({"threads": 100_000}, "threads is 100000.*This machine has"),
        ({"samples": 2, "noise": "nan"}, "'nan' is not a value for option 'noise'"),
        ({"depth": 2, "depths": "1,2"}, "both given"),
        ({"samples": 4}, "would be identical"),
        ({"samples": 4, "noise": -1.0}, "noise is -1.0"),
        ({"noise": 0.5}, "only rollout is the undisturbed one"),
        ({"samples": 2, "noise": 1.0, "depths": "1,2"}, "depths needs samples=1"),
        ({"samples": 4, "augment": True, "quorum": 5}, "quorum is 5, with samples=4"),
        ({"samples": 4, "augment": True, "quorum": 2, "select": "halt"}, "select=halt"),
        ({"quorum": 0}, "quorum is 0"),
        ({"halt": "maybe"}, "'maybe' is not a value"),
        ({"batchsize": 4}, "no option 'batchsize'.*batch_size"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        registry.create("solver", "trm", options)


def test_weights_of_another_task_are_refused_with_both_sizes(weights_file: Path) -> None:
    task = registry.create("task", "sudoku", {"size": 9})
    with pytest.raises(UserError, match=r"6 symbols in 16 cells.*11 symbols in 81 cells"):
        solver(weights_file).for_task(task)


def test_a_puzzle_that_halts_keeps_its_answer_at_the_depths_after_it(
    sudoku: tuple, weights_file: Path
) -> None:
    task, puzzles = sudoku
    deepest = set()
    for attempt in solver(weights_file, depths="1,2,40", halt="agree").solve(task, puzzles, Budget()):
        assert [point.depth for point in attempt.trace] == [1, 2, 40]
        assert attempt.trace[-1].answer == attempt.answer
        deepest.add(attempt.depth)
    assert min(deepest) < 40  # some did halt


def test_weights_of_another_net_are_refused(sudoku: tuple, weights_file: Path) -> None:
    task, _ = sudoku
    for other in ("hrm", "transformer", "looped", "gram"):
        with pytest.raises(UserError, match=f"holds a trm net. Give --solver trm, not {other}"):
            registry.create("solver", other, {"weights": weights_file}).for_task(task)


def test_a_task_without_shipped_weights_says_how_to_train_some() -> None:
    task = registry.create("task", "maze", {"height": 7, "width": 8})
    with pytest.raises(
        UserError, match=r"No trm weights are shipped for maze-7x8.*bench train --task maze.*trm-small"
    ):
        registry.create("solver", "trm").for_task(task)


def test_a_task_for_which_another_net_has_shipped_weights_names_them() -> None:
    task = registry.create("task", "sudoku", {"size": 4})
    with pytest.raises(UserError, match=r"No trm weights.*Shipped for sudoku-4x4: looped-sudoku-4x4\."):
        registry.create("solver", "trm").for_task(task)
