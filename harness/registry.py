"""Find tasks and solvers by name: our own from a literal table, others from entry points or a file path;
imported when used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from harness import ours, source
from harness.errors import UserError, did_you_mean
from harness.options import build, docstring, first_paragraph

Kind = Literal["task", "solver"]
FROM_FILE = "depthbench_plugin_"  # modules of plug-ins named by a file

OURS: dict[Kind, dict[str, tuple[str, str]]] = {  # name: (place, one line for `bench list`)
    "task": {
        "automaton": (
            "tasks.procedures.automaton:Automaton",
            "Elementary cellular automata: the row after k steps of rule 110, 90 or 30",
        ),
        "fixed-point": (
            "tasks.procedures.fixed_point:FixedPoint",
            "Newton's method and gradient descent, k exact iterations",
        ),
        "game-of-life": (
            "tasks.procedures.game_of_life:GameOfLife",
            "The Game of Life on a torus: the board after k generations",
        ),
        "hanoi": (
            "tasks.procedures.hanoi:Hanoi",
            "The Tower of Hanoi from any state to any: k moves",
        ),
        "hanoi-state": (
            "tasks.procedures.hanoi:HanoiState",
            "The Tower of Hanoi after k given moves: a short answer",
        ),
        "blocks-world": (
            "tasks.procedures.blocks_world:BlocksWorld",
            "Blocks World: rebuild stacks of blocks in k moves",
        ),
        "river-crossing": (
            "tasks.procedures.river_crossing:RiverCrossing",
            "Clients and agents cross a river in k crossings",
        ),
        "iterated-map": (
            "tasks.procedures.iterated_map:IteratedMap",
            "A linear congruential map, applied k times",
        ),
        "prefix-sums": (
            "tasks.procedures.prefix_sums:PrefixSums",
            "Running totals modulo m, trained on short rows and tested on long ones",
        ),
        "sorting": ("tasks.procedures.sorting:Sorting", "Sort a list that takes bubble sort k passes"),
        "word-problem": (
            "tasks.procedures.word_problem:WordProblem",
            "Products of many elements of S5, S3 or Z60: depth must grow with their number",
        ),
        "arc1": (
            "tasks.arc.public:Arc1",
            "ARC-AGI-1: infer a grid transformation from examples, two attempts",
        ),
        "arc2": ("tasks.arc.public:Arc2", "ARC-AGI-2: the harder successor, two attempts"),
        "assignment": (
            "tasks.optimisation.assignment:Assignment",
            "Generalised assignment: jobs to agents of limited hours, at least cost",
        ),
        "independent-set": (
            "tasks.optimisation.independent_set:IndependentSet",
            "Heaviest independent set on a king's grid: no two chosen cells touch",
        ),
        "jobshop": ("tasks.optimisation.jobshop:JobShop", "Job shop scheduling, least makespan"),
        "knapsack": ("tasks.optimisation.knapsack:Knapsack", "0/1 knapsack: most value within a capacity"),
        "max-cut": ("tasks.optimisation.max_cut:MaxCut", "Maximum cut of a weighted graph"),
        "tsp": ("tasks.optimisation.tsp:Tsp", "Travelling salesman on a lattice, straight distances"),
        "opf": (
            "tasks.optimisation.opf:Opf",
            "AC optimal power flow: all loads at least cost within every limit",
        ),
        "futoshiki": (
            "tasks.logic.futoshiki:Futoshiki",
            "Futoshiki 4×4 to 9×9: Latin squares with inequalities, one solution each",
        ),
        "graph-colouring": (
            "tasks.logic.colouring:GraphColouring",
            "Colour n vertices and m edges with k colours, any colouring counts",
        ),
        "knights-knaves": ("tasks.logic.knights:KnightsKnaves", "Who always lies? n people, one solution"),
        "maze": ("tasks.maze.generated:Maze", "Shortest paths in generated mazes with many best paths"),
        "maze-hard": ("tasks.maze.hard:MazeHard", "Maze-Hard: the published 30×30 mazes"),
        "maze-unique": ("tasks.maze.generated:MazeUnique", "Paths in generated perfect mazes, one path each"),
        "n-queens": (
            "tasks.logic.queens:NQueens",
            "Place the missing queens on boards with closed squares, any completion counts",
        ),
        "rhm": (
            "tasks.grammar.rhm:Rhm",
            "Random hierarchy model: the root class of a string of a layered grammar",
        ),
        "sudoku": ("tasks.sudoku.generated:Sudoku", "Sudoku 4×4, 6×6 or 9×9, generated, one solution each"),
        "sudoku-extreme": (
            "tasks.sudoku.extreme:SudokuExtreme",
            "Sudoku-Extreme: the published hard 9×9 puzzles",
        ),
        "two-hop": (
            "tasks.grammar.two_hop:TwoHop",
            "Compositions of two known facts, held out in and out of distribution",
        ),
        "zebra": ("tasks.logic.zebra:Zebra", "Houses in a row, clues, one arrangement: 2×2 to 6×6"),
    },
    "solver": {
        "copy-input": ("solvers.baselines:CopyInput", "Baseline: answer with the input grid"),
        "gram": (
            "solvers.nets.members.gram:GramSolver",
            "Generative Recursive Reasoning: TRM with learned stochastic updates",
        ),
        "greedy": ("solvers.baselines:Greedy", "Baseline: the task's own greedy rule"),
        "method": ("solvers.baselines:ByMethod", "Any method a task offers, by -S name=…"),
        "hybrid": (
            "solvers.hybrid:Hybrid",
            "Two solvers in a row: a cascade, or a net that refines proposals",
        ),
        "imported": (
            "solvers.imported:Imported",
            "Replies recorded elsewhere, as `bench import` writes them",
        ),
        "hrm": (
            "solvers.nets.members.hrm:HrmSolver",
            "Hierarchical Reasoning Model, your weights or imported ones",
        ),
        "llm": ("solvers.llm.solver:LlmSolver", "Language models behind any OpenAI-compatible endpoint"),
        "looped": (
            "solvers.nets.members.looped:LoopedSolver",
            "Looped transformer: recurrent depth on one latent",
        ),
        "random": ("solvers.baselines:Random", "Baseline: well-formed answers drawn at random"),
        "search": ("solvers.baselines:Search", "Exact: the task's own search from its rules alone"),
        "transformer": (
            "solvers.nets.members.transformer:TransformerSolver",
            "Feed-forward transformer, the control without recursion",
        ),
        "trm": (
            "solvers.nets.members.trm:TrmSolver",
            "Tiny Recursive Model, weights trained by this project or yours",
        ),
    },
}


SOURCES: dict[str, str] = {
    "arc-submission": "tasks.arc.recorded:read",
    "inspect": "harness.exchange.inspect_logs:read",
    "lm-eval": "harness.exchange.lm_eval:read",
    "reasoning-gym": "tasks.shared.reasoning_gym:read",
}
"""What `bench import` reads: name: "module:function"; see `harness.exchange.recordings`."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of `bench list`."""

    name: str
    summary: str
    origin: str  # "depthbench", or the distribution of the plugin
    room: str  # the folder it stands in


def names(kind: Kind) -> dict[str, str]:
    """Return every known name with its "module:attribute"; ours first."""
    return {name: place for name, (place, _) in OURS[kind].items()} | {
        p.name: p.value for p in _plugins(kind) if p.name not in OURS[kind]
    }


def claim(kind: Kind, name: str) -> list[EntryPoint]:
    """Return the plugin that has a name, [] for one of ours. Raises UserError if none or several have it."""
    points = [p for p in _plugins(kind) if p.name == name]
    if name in OURS[kind] and not points:
        return []
    if not points:
        raise UserError(
            f"Unknown {kind} {name!r}.",
            rule=did_you_mean(name, names(kind)),
            next_step=f"`bench list {kind}s` shows all.",
        )
    if name in OURS[kind] or len(points) > 1:
        owners = ["depthbench"] * (name in OURS[kind]) + [_distribution(p) for p in points]
        raise UserError(
            f"The {kind} name {name!r} is claimed by {' and '.join(owners)}.",
            rule="A name may be registered once.",
            next_step="Uninstall one of them or rename its entry point.",
        )
    return points


def find(kind: Kind, name: str) -> Any:
    """Return the class or factory registered as `name`, or named by `path/to/file.py:Attribute`."""
    if ":" in name and name.rpartition(":")[0].endswith(".py"):
        return _from_file(kind, name)
    points = claim(kind, name)
    if not points:
        return _attribute(OURS[kind][name][0])
    try:
        return points[0].load()
    except Exception as error:
        raise UserError(
            f"The {kind} {name!r} of {_distribution(points[0])} cannot be loaded: {type(error).__name__}: "
            f"{error}.",
            rule=f"It names {points[0].value}.",
            next_step="Repair or uninstall that distribution; everything else still works.",
        ) from error


def catalogue(kind: Kind) -> list[Entry]:
    """Return every task or solver by name; a broken or clashing plugin is listed as such. A plugin is
    imported only where its source does not tell (`source.summary`).
    """
    entries = [
        Entry(name=name, summary=summary, origin="depthbench", room=_room(place))
        for name, (place, summary) in OURS[kind].items()
    ]
    for point in _plugins(kind):
        try:
            claim(kind, point.name)
            summary = source.summary(point.value) or _summary(find(kind, point.name))
        except UserError as error:
            summary = f"BROKEN: {error.what}"
        entries.append(
            Entry(name=point.name, summary=summary, origin=_distribution(point), room=_room(point.value))
        )
    return sorted(entries, key=lambda entry: entry.name)


def _summary(found: Any) -> str:
    text = getattr(found, "summary", None)
    return text if isinstance(text, str) else first_paragraph(docstring(found))


def _room(place: str) -> str:
    """Return the folder of "tasks.sudoku.rules:Class": sudoku; of a module that stands alone its own name."""
    parts = place.partition(":")[0].split(".")
    return parts[1] if len(parts) > 2 else parts[-1]


def create(kind: Kind, name: str, options: dict[str, Any] | None = None) -> Any:
    """Build the named task or solver; `options` are its fields, as values or as text from the command
    line.
    """
    flag = "-T" if kind == "task" else "-S"
    return build(find(kind, name), options or {}, owner=f"{kind} {name!r}", flag=flag)


def _plugins(kind: Kind) -> list[EntryPoint]:
    return list(entry_points(group=f"depthbench.{kind}s"))


def _attribute(place: str) -> Any:
    module, _, attribute = place.partition(":")
    package = module.partition(".")[0]
    if taken := ours.foreign((package,)):
        raise UserError(taken)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        if taken := ours.mixed(package):
            raise UserError(taken) from error
        raise


def _from_file(kind: Kind, name: str) -> Any:
    path_text, _, attribute = name.rpartition(":")
    if not Path(path_text).is_file():
        raise UserError(
            f"No file {path_text!r} for {kind} {name!r}.", rule="The form is path/to/file.py:ClassName."
        )
    module = load_file(Path(path_text))
    if not hasattr(module, attribute):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise UserError(f"{path_text} has no {attribute!r}.", rule=did_you_mean(attribute, public))
    return getattr(module, attribute)


def load_file(path: Path) -> ModuleType:
    """Import a plug-in from a file, under a name of its own."""
    module_name = f"{FROM_FILE}{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path.resolve())
    assert spec is not None  # a .py file always has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        clash = isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in ours.NAMES
        raise UserError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}.",
            rule=f"Here {', '.join(ours.NAMES)} are Depthbench's own packages." if clash else "",
            next_step="Name yours otherwise." if clash else "Mend the file.",
        ) from error
    return module


def loaded_from(component: object) -> tuple[str, str] | None:
    """Return the file and the class of a component that came from a file; None for an importable one."""
    kind = type(component)
    if not kind.__module__.startswith(FROM_FILE):
        return None
    return str(sys.modules[kind.__module__].__file__), kind.__qualname__


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def importer(name: str) -> Callable[..., Iterable[Any]]:
    """Return what reads the recordings of a source."""
    if name not in SOURCES:
        raise UserError(f"Unknown source {name!r}.", rule=did_you_mean(name, SOURCES, show=len(SOURCES)))
    found: Callable[..., Iterable[Any]] = _attribute(SOURCES[name])
    return found
