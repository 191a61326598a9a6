"""Training recipes: each is a function that returns one complete, frozen configuration. Variants are
`dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from harness.errors import UserError, did_you_mean
from harness.registry import load_file
from solvers.nets.recipe import Recipe as Recipe  # also found here, by plug-ins


def trm_sudoku_paper() -> Recipe:
    """TRM paper, table 1, MLP variant: batch 768, lr 1e-4, weight decay 1, EMA 0.999, about 65,000
    optimiser steps.
    """
    return Recipe(
        name="trm-sudoku-paper",
        made_for=("sudoku-9x9",),
        net="trm",
        config={"mlp_t": True, "pos_encodings": "none"},
        optimiser="adamw",
        optimiser_steps=65_104,  # 50,000 epochs over 1,000 groups at batch 768
        batch_size=768,
        lr=1e-4,
        weight_decay=1.0,
        warmup_steps=2_000,
        lr_floor=1.0,
        table_lr=1e-4,
        table_weight_decay=1.0,
        ema=0.999,
        loss="stablemax",
    )


def trm_maze_paper() -> Recipe:
    """TRM paper, the attention variant on Maze-Hard: fewer cycles, all else as on Sudoku."""
    config = {"L_cycles": 4}
    return replace(trm_sudoku_paper(), name="trm-maze-paper", made_for=("maze-hard-*",), config=config)


def trm_arc1_paper() -> Recipe:
    """TRM paper on ARC-AGI-1 with ConceptARC: 1,000 copies of each task, table rate 1e-2, 100,000 passes
    over the 960 tasks.
    """
    return replace(
        trm_maze_paper(),
        name="trm-arc1-paper",
        made_for=("arc1",),
        optimiser_steps=518_071,  # of the published checkpoint
        weight_decay=0.1,
        table_lr=1e-2,
        table_weight_decay=0.1,
        augmentations=1_000,
    )


def trm_arc2_paper() -> Recipe:
    """TRM paper on ARC-AGI-2 with ConceptARC: as trm-arc1-paper, 100,000 passes over 1,280 tasks."""
    return replace(trm_arc1_paper(), name="trm-arc2-paper", made_for=("arc2",), optimiser_steps=723_914)


def trm_arc_tiny() -> Recipe:
    """A net of 0.1M parameters that learns a few easy ARC-like tasks on a CPU within a minute: to try the
    path, not to score.
    """
    return Recipe(
        name="trm-arc-tiny",
        made_for=("*arc*",),
        net="trm",
        config={
            "hidden_size": 32,
            "num_heads": 2,
            "expansion": 1.0,
            "L_layers": 1,
            "H_cycles": 1,
            "L_cycles": 1,
            "puzzle_emb_len": 1,
            "puzzle_emb_ndim": 32,
            "halt_max_steps": 2,
            "pos_encodings": "none",
        },
        optimiser="adamw",
        optimiser_steps=200,
        batch_size=24,
        lr=1e-2,
        weight_decay=0.0,
        warmup_steps=5,
        lr_floor=0.1,
        table_lr=5e-2,
        ema=0.0,
        loss="softmax",
        augmentations=3,
    )


def trm_arc_small() -> Recipe:
    """TRM of two blocks of width 64 on the tasks of ARC whose grids fit on 10×10: 28 TFLOP, an hour of a CPU
    core.
    """
    small = trm_sudoku_small()
    config = small.config | {
        "mlp_t": False, "pos_encodings": "rope", "hidden_size": 64, "L_layers": 2,
        "H_cycles": 1, "L_cycles": 1, "puzzle_emb_len": 1, "puzzle_emb_ndim": 64, "halt_max_steps": 2,
    }  # fmt: skip
    return replace(
        small,
        name="trm-arc-small",
        made_for=("arc*",),
        config=config,
        canvas=10,
        optimiser_steps=2_500,
        batch_size=32,
        augment=False,
        augmentations=7,
        table_lr=2e-2,
        label_smoothing=0.0,
        weights_dtype="bfloat16",
        train_items=None,
        validation_items=0,
        validate_every=0,
    )


def hrm_sudoku_paper() -> Recipe:
    """HRM, Sudoku-Extreme from 1,000 puzzles: batch 768, lr 1e-4, weight decay 1, 20,000 epochs, no
    average.
    """
    return Recipe(
        name="hrm-sudoku-paper",
        made_for=("sudoku-9x9",),
        net="hrm",
        optimiser="adamw",
        optimiser_steps=26_041,
        batch_size=768,
        lr=1e-4,
        weight_decay=1.0,
        warmup_steps=2_000,
        lr_floor=1.0,
        table_lr=1e-4,
        table_weight_decay=1.0,
        ema=0.0,
        loss="stablemax",
    )


def trm_sudoku_fast() -> Recipe:
    """TRM MLP on Sudoku-Extreme's 1,000 rows in 10 minutes of one H100: Muon with the normalised SwiGLU of
    arXiv 2601.19085.

    Rates, momentum, decay, smoothing, halting weight, batch and the final cycles are those of that paper's
    code ("Speed is Confidence", its baseline: 8,000 steps, 85.5 ± 1.3 %). Ours: one blank prefix position
    instead of a learned one, symmetries drawn on the device, the slower average, and fewer cycles for the
    first 30 % of the steps (the idea of CGAR).
    """
    return Recipe(
        name="trm-sudoku-fast",
        made_for=("sudoku-9x9",),
        net="trm",
        config={
            "mlp_t": True,
            "pos_encodings": "none",
            "H_cycles": 6,
            "L_cycles": 9,
            "puzzle_emb_len": 1,
            "puzzle_emb_ndim": 0,
            "normalised_swiglu": True,
        },
        optimiser="muon",
        optimiser_steps=9_000,
        batch_size=384,
        lr=1e-4,
        weight_decay=1.0,
        muon_lr=0.02,
        muon_momentum=0.6,
        muon_iterations=3,
        muon_weight_decay=0.005,
        warmup_steps=100,
        lr_floor=0.0,
        gradient_clip=1.0,
        ema=0.999,
        weights_dtype="bfloat16",
        loss="softmax",
        label_smoothing=0.2,
        halt_weight=0.05,
        stagger=True,
        depth_curriculum=((0.0, 3, 6), (0.3, 6, 9)),
    )


def trm_sudoku_tune() -> Recipe:
    """More steps for weights of trm-sudoku-fast (`--start-from`): a fifth of its rates, falling to 0 once
    more.
    """
    return replace(
        trm_sudoku_fast(),
        name="trm-sudoku-tune",
        optimiser_steps=2_000,
        lr=2e-5,
        muon_lr=0.004,
        depth_curriculum=(),
    )


def trm_sudoku_small() -> Recipe:
    """TRM of 0.25M parameters on generated Sudoku up to 6×6: 174 TFLOP, 40 seconds of one H100."""
    return Recipe(
        name="trm-sudoku-small",
        made_for=("sudoku-4x4", "sudoku-6x6"),
        net="trm",
        config={
            "mlp_t": True,
            "pos_encodings": "none",
            "hidden_size": 128,
            "num_heads": 4,
            "expansion": 2.0,
            "H_cycles": 2,
            "L_cycles": 3,
            "puzzle_emb_len": 0,
            "puzzle_emb_ndim": 0,
            "normalised_swiglu": True,
        },
        optimiser="muon",
        optimiser_steps=1_500,
        batch_size=256,
        lr=1e-3,
        weight_decay=0.0,
        muon_lr=0.01,
        warmup_steps=100,
        lr_floor=0.0,
        gradient_clip=1.0,
        ema=0.995,
        loss="softmax",
        label_smoothing=0.2,
        halt_weight=0.05,
        stagger=True,
        train_items=20_000,
        validation_items=500,
        validate_every=500,
    )


def trm_sudoku_tiny() -> Recipe:
    """TRM of 0.12M parameters on generated 4×4 Sudoku (-T size=4): 2 TFLOP, a first training run on a CPU."""
    small = trm_sudoku_small()
    return replace(
        small,
        name="trm-sudoku-tiny",
        made_for=("sudoku-4x4",),
        config=small.config | {"hidden_size": 64},
        optimiser_steps=310,
        batch_size=64,
        warmup_steps=20,
        ema=0.97,
        train_items=5_000,
        validation_items=200,
        validate_every=100,
    )


def trm_sudoku_refine() -> Recipe:
    """The net of trm-sudoku-tiny that also starts from proposals, half the time: for `--solver hybrid -S
    mode=refine`.
    """
    return replace(trm_sudoku_tiny(), name="trm-sudoku-refine", proposals=0.5, optimiser_steps=400)


def trm_maze_small() -> Recipe:
    """TRM of 0.17M parameters on generated 7×7 mazes: 20 minutes of one CPU core."""
    small = trm_sudoku_small()
    return replace(
        small,
        name="trm-maze-small",
        made_for=("maze*-7x7",),
        config=small.config | {"hidden_size": 64, "halt_max_steps": 8},
        optimiser_steps=1_000,
        batch_size=64,
        validation_items=200,
        validate_every=250,
    )


def trm_maze_local() -> Recipe:
    """TRM of neighbouring cells alone, 0.03M parameters, for mazes of any square size: half an hour of a CPU
    core on 9×9.
    """
    small = trm_maze_small()
    config = small.config | {
        "mlp_t": False, "local": True, "hidden_size": 32, "H_cycles": 1, "L_cycles": 3, "L_layers": 1,
    }  # fmt: skip
    return replace(
        small,
        name="trm-maze-local",
        made_for=("maze*",),
        config=config,
        optimiser_steps=800,
        label_smoothing=0.0,
        train_items=3_000,
        weights_dtype="bfloat16",
    )


def hrm_sudoku_small() -> Recipe:
    """HRM at the size of trm-sudoku-small, two blocks in each network, for the same puzzles."""
    small = trm_sudoku_small()
    config = small.config | {"L_layers": 2, "H_layers": 2, "H_cycles": 2, "L_cycles": 2}
    return replace(small, name="hrm-sudoku-small", net="hrm", config=config)


def transformer_sudoku_small() -> Recipe:
    """The blocks of trm-sudoku-small applied once: as many parameters, no recursion."""
    small = trm_sudoku_small()
    config = {name: value for name, value in small.config.items() if name not in ("H_cycles", "L_cycles")} | {
        "L_layers": 2
    }
    return replace(small, name="transformer-sudoku-small", net="transformer", config=config, stagger=False)


def gram_sudoku_small() -> Recipe:
    """The net of trm-sudoku-small with learned stochastic updates, for the same puzzles.

    Labels are not smoothed, so that the token loss is a likelihood; the halting loss stops at its head and
    can weigh more.
    """
    small = trm_sudoku_small()
    config = small.config | {"kl_weight": 1.0, "kl_over": "all"}
    return replace(
        small, name="gram-sudoku-small", net="gram", config=config, label_smoothing=0.0, halt_weight=0.5
    )


def looped_sudoku_small() -> Recipe:
    """A looped transformer of 1.06M parameters on Sudoku-Extreme's 1,000 rows, trained as trm-sudoku-fast
    is.
    """
    return replace(
        trm_sudoku_fast(),
        name="looped-sudoku-small",
        made_for=("sudoku-9x9",),
        net="looped",
        config={"normalised_swiglu": True},
        cuda_graph=True,
        optimiser_steps=20_000,
        batch_size=512,
        depth_curriculum=(),
    )


def trm_small() -> Recipe:
    """TRM of two blocks of width 64 for any task with a grid codec: minutes of a CPU core up to 64 tokens.

    Rotary positions alone, so that the weights play every length of the canvas. looped-small and
    transformer-small are the same blocks, so have equal parameters, and cost about the same to train.
    """
    small = trm_sudoku_small()
    config = small.config | {
        "mlp_t": False, "pos_encodings": "rope", "hidden_size": 64, "L_layers": 2, "L_cycles": 1,
        "halt_max_steps": 4,
    }  # fmt: skip
    return replace(
        small,
        name="trm-small",
        made_for=(),
        config=config,
        optimiser_steps=1_000,
        batch_size=64,
        validation_items=200,
        validate_every=250,
    )


def looped_small() -> Recipe:
    """The blocks of trm-small looped on one latent, for any task with a grid codec: equal parameters."""
    small = trm_small()
    return replace(small, name="looped-small", net="looped", config=small.config | {"H_cycles": 1})


def transformer_small() -> Recipe:
    """The blocks of trm-small applied once, for any task with a grid codec: equal parameters, no
    recursion.
    """
    small = trm_small()
    config = small.config | {"H_cycles": 1, "L_cycles": 0, "halt_max_steps": 1}
    return replace(
        small,
        name="transformer-small",
        net="transformer",
        config=config,
        optimiser_steps=2_000,
        stagger=False,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "looped-small": looped_small,
    "transformer-small": transformer_small,
    "trm-small": trm_small,
    "gram-sudoku-small": gram_sudoku_small,
    "hrm-sudoku-paper": hrm_sudoku_paper,
    "hrm-sudoku-small": hrm_sudoku_small,
    "looped-sudoku-small": looped_sudoku_small,
    "transformer-sudoku-small": transformer_sudoku_small,
    "trm-arc-small": trm_arc_small,
    "trm-arc-tiny": trm_arc_tiny,
    "trm-arc1-paper": trm_arc1_paper,
    "trm-arc2-paper": trm_arc2_paper,
    "trm-maze-local": trm_maze_local,
    "trm-maze-paper": trm_maze_paper,
    "trm-maze-small": trm_maze_small,
    "trm-sudoku-fast": trm_sudoku_fast,
    "trm-sudoku-paper": trm_sudoku_paper,
    "trm-sudoku-refine": trm_sudoku_refine,
    "trm-sudoku-small": trm_sudoku_small,
    "trm-sudoku-tiny": trm_sudoku_tiny,
    "trm-sudoku-tune": trm_sudoku_tune,
}


Makers = Mapping[str, Callable[[], Recipe]]


def all_recipes(own: Makers | None = None) -> dict[str, Callable[[], Recipe]]:
    """Return every recipe by name: ours, those that a net brings along (`own`), and those of other packages,
    entry points of the group `depthbench.recipes`.
    """
    return RECIPES | {point.name: _Installed(point) for point in installed()} | dict(own or {})


def installed() -> list[EntryPoint]:
    """Return the recipes of other packages, not loaded; a name of ours is not theirs to take."""
    points = list(entry_points(group="depthbench.recipes"))
    for point in points:
        if point.name in RECIPES or sum(other.name == point.name for other in points) > 1:
            raise UserError(
                f"The recipe name {point.name!r} is claimed by {point.value}, and not by it alone.",
                rule="A name may be registered once.",
                next_step="Uninstall one of them or rename its entry point.",
            )
    return points


class _Installed:
    """A recipe of another package, loaded when it is made."""

    def __init__(self, point: EntryPoint) -> None:
        self.point = point

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._load().__doc__

    def _load(self) -> Callable[[], Recipe]:
        try:
            found: Callable[[], Recipe] = self.point.load()
        except Exception as error:
            raise UserError(
                f"The recipe {self.point.name!r} cannot be loaded: {type(error).__name__}: {error}.",
                rule=f"It names {self.point.value}.",
                next_step="Repair or uninstall the package that brings it.",
            ) from error
        return found

    def __call__(self) -> Recipe:
        return self._load()()


def recipes_of(net: str, own: Makers | None = None) -> list[str]:
    """Return the names of the recipes that train a net; those that cannot be loaded are left out."""
    names = []
    for name, make in all_recipes(own).items():
        try:
            names += [name] * (make().net == net)
        except UserError:
            continue
    return names


def made_for(family: str, net: str, own: Makers | None = None, *, grouped: bool = False) -> list[str]:
    """Return the names of a net's recipes for a family of tasks, those made for it alone first.

    grouped: its puzzles come in groups with ids of their own, which only recipes made for such tasks train.
    """
    known = all_recipes(own)
    fitting = [known[name]() for name in recipes_of(net, own)]
    fitting = [r for r in fitting if r.fits(family) and (r.made_for or not grouped)]
    return [r.name for r in sorted(fitting, key=lambda r: not r.made_for)]


def recipe(name: str, *, own: Makers | None = None, **changes: Any) -> Recipe:
    """Return the named recipe with fields replaced; the name may be of the form path/to/file.py:function."""
    known = all_recipes(own)
    if ":" in name and name.rpartition(":")[0].endswith(".py"):
        path, _, function = name.rpartition(":")
        if not Path(path).is_file():
            raise UserError(f"No file {path!r}.", rule="A recipe is NAME or path/to/file.py:function.")
        module = load_file(Path(path))
        if not callable(getattr(module, function, None)):
            public = [n for n in vars(module) if not n.startswith("_")]
            raise UserError(f"{path} has no {function!r}.", rule=did_you_mean(function, public))
        made = getattr(module, function)()
    elif name in known:
        made = known[name]()
    else:
        raise UserError(f"Unknown recipe {name!r}.", rule=did_you_mean(name, known))
    if not isinstance(made, Recipe):
        raise UserError(f"{name} gives a {type(made).__name__}.", rule="A recipe returns a Recipe.")
    return replace(made, **changes)
