"""What a task must keep."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.base import methods_of
from harness.contracts import CORRECT, Answer, Item, Key, Puzzle, Task
from harness.errors import UserError
from harness.randomness import generator
from harness.scores.summary import score_over, value_of
from harness.testing.answers import GARBAGE, Writer, usual_ways
from harness.testing.grids import check_grid
from harness.testing.report import Report, is_json, is_number
from harness.testing.texts import check_texts
from harness.testing.verdicts import check_methods, check_verdicts

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._+-]*")
COLUMNS = 80
DRAWN = 4  # puzzles whose drawings are looked at


def check_task(
    task: Task,
    *,
    data_dir: Path | None = None,
    puzzles: int = 12,
    draws: int = 40,
    splits: Sequence[str] | None = None,
    write: Callable[[Puzzle, Answer], str] | None = None,
    seconds: float = 120.0,
) -> None:
    """Check a task on the first `puzzles` of each split (or of the `splits` named, where others need data not
    at hand); raise BrokenRuleError for the first rule that is broken.

    write: the answer as a reply should hold it; left out, JSON and plain lines are tried. draws: random
    answers per puzzle that the chance level is checked with. seconds: the most that any one call may take.
    """
    report_on_task(
        task, data_dir=data_dir, puzzles=puzzles, draws=draws, splits=splits, write=write, seconds=seconds
    ).raise_first()


def report_on_task(
    task: Task,
    *,
    data_dir: Path | None = None,
    puzzles: int = 12,
    draws: int = 40,
    splits: Sequence[str] | None = None,
    write: Writer | None = None,
    seconds: float = 120.0,
    exits: bool = False,
) -> Report:
    """Check all parts, also after one that breaks a rule; return what was kept and broken."""
    report = Report(seconds, exits=exits)
    report.part(lambda: _check_names(report, task))
    if report.broken:
        return report
    loaded: dict[str, list[Item]] = {}

    def load() -> None:
        for split in splits or task.splits:
            with report.total("load gives the items of every split", split):
                loaded[split] = task.load(split=split, seed=0, limit=puzzles, data_dir=data_dir)
            report.rule(len(loaded[split]) > 0, "every split has puzzles", split)

    report.part(load)
    if report.broken:
        return report
    items = next(iter(loaded.values()))
    report.part(lambda: _check_items(report, loaded, puzzles))
    if report.broken:  # what follows needs items that are whole
        return report
    report.part(lambda: _check_loading(report, task, loaded, data_dir, puzzles))
    report.part(lambda: _check_leaks(report, task, items))
    report.part(lambda: check_verdicts(report, task, items))
    report.part(lambda: check_methods(report, task, items))
    report.part(lambda: check_texts(report, task, items, write or usual_ways))
    report.part(lambda: check_grid(report, task, items))
    report.part(lambda: _check_drawings(report, task, items))
    report.part(lambda: _check_chance(report, task, items, draws))
    return report


def _check_names(report: Report, task: Task) -> None:
    for name in ("name", "version", "family", "summary", "data_revision"):
        value = getattr(task, name, None)
        report.rule(isinstance(value, str) and value.strip(), f"a task has a {name}, in words", value)
    for name in ("name", "family"):
        value = getattr(task, name)
        report.rule(NAME.fullmatch(value), f"a task's {name} is fit for a folder and a command line", value)
    report.rule(
        task.splits and task.metrics and isinstance(task.attempts, int) and task.attempts >= 1,
        "a task has splits, metrics and at least one attempt",
    )
    report.rule(all(NAME.fullmatch(split) for split in task.splits), "splits have plain names", task.splits)
    report.rule(len(set(task.splits)) == len(task.splits), "splits have different names", task.splits)
    report.rule(is_number(task.chance), "chance is a number", task.chance)
    names = [metric.name for metric in task.metrics]
    report.rule(len(set(names)) == len(names), "metrics have different names", names)
    for metric in task.metrics:
        report.rule(
            metric.better in ("high", "low") and metric.over in ("puzzle", "group", "strict"),
            "a metric says which direction is better and what it is a mean over",
            metric,
        )
        report.rule(is_number(metric.missing), "what a missing answer counts is a number", metric.name)
        if metric.number == CORRECT:
            report.rule(
                0 <= task.chance <= 1 or metric is not task.metrics[0], "chance is a share", task.chance
            )


def _check_items(report: Report, loaded: dict[str, list[Item]], puzzles: int) -> None:
    for split, items in loaded.items():
        report.rule(len(items) <= puzzles, "limit is kept", split)
        report.rule(
            all(isinstance(p, Puzzle) and isinstance(k, Key) for p, k in items),
            "an item is a puzzle and its key",
            split,
        )
        for puzzle, key in items:
            for name in ("id", "group"):
                value = getattr(puzzle, name)
                fit = isinstance(value, str) and value.isprintable() and 0 < len(value) <= 200
                report.rule(fit, "ids and groups are texts that can be printed", value)
            report.rule(puzzle.split == split, "a puzzle names its split", puzzle.id)
            report.rule(is_json(dict(puzzle.payload)), "payloads are JSON values", puzzle.id)
            report.rule(len(key.answers) >= 1, "a key has a reference answer", puzzle.id)
            report.rule(all(map(is_json, key.answers)), "reference answers are JSON values", puzzle.id)
            for name, value in (("difficulty", puzzle.difficulty), ("an optimum", key.optimum)):
                fit = value is None or (is_number(value) and not isinstance(value, bool))
                report.rule(fit, f"{name} is a number or unknown", (puzzle.id, value))
        ids = [puzzle.id for puzzle, _ in items]
        report.rule(len(set(ids)) == len(ids), "puzzle ids are unique", split)


def _check_loading(
    report: Report, task: Task, loaded: dict[str, list[Item]], data_dir: Path | None, puzzles: int
) -> None:
    def load(split: str, seed: int = 0, limit: int = puzzles) -> list[Item]:
        with report.total("load gives the items of every split", split):
            return task.load(split=split, seed=seed, limit=limit, data_dir=data_dir)

    fields = getattr(task, "__dataclass_fields__", {})
    options = {name: repr(getattr(task, name)) for name in fields}
    for split, items in loaded.items():
        with _global_generators_moved():
            again = load(split)
        report.rule(again == items, "the same seed gives the same puzzles", split)
        for limit in sorted({1, max(1, puzzles // 2)}):
            shorter = load(split, limit=limit)
            report.rule(
                shorter == items[:limit], "a smaller limit gives the first of the same puzzles", split
            )
        report.rule(load(split, limit=0) == [], "a limit of 0 gives nothing", split)
        report.rule(load(split) == items, "what was loaded before changes no puzzle", split)
    report.rule(
        options == {name: repr(getattr(task, name)) for name in fields}, "loading changes no option", options
    )
    payloads = {split: {_text(puzzle) for puzzle, _ in items} for split, items in loaded.items()}
    for one in payloads:
        for other in payloads:
            apart = one == other or not payloads[one] & payloads[other]
            report.rule(apart, "splits share no puzzle", f"{one} and {other}")
    if task.data_revision == "generated":
        for split in loaded:
            others = {_text(puzzle) for puzzle, _ in load(split, seed=1)}
            report.rule(
                others != payloads[split] or not others,
                "the seed decides the puzzles (a fixed set names its data_revision)",
                split,
            )
            report.rule(not others & payloads[split], "neighbouring seeds share no puzzle", split)
    try:
        task.load(split="no such split", seed=0, limit=1, data_dir=data_dir)
    except UserError:
        return
    except Exception as error:
        report.rule(False, "an unknown split is a UserError", error)
    report.rule(False, "an unknown split is a UserError")


class _global_generators_moved:  # noqa: N801
    """What is drawn from Python's or numpy's global generators inside differs from outside."""

    def __enter__(self) -> None:
        import numpy as np

        self.states = random.getstate(), np.random.get_state()
        random.seed(98765)
        np.random.seed(98765)

    def __exit__(self, *_: object) -> None:
        import numpy as np

        random.setstate(self.states[0])
        np.random.set_state(self.states[1])


def _text(puzzle: Puzzle) -> str:
    return json.dumps(dict(puzzle.payload), sort_keys=True)


def _check_leaks(report: Report, task: Task, items: list[Item]) -> None:
    """A solution that stands in the payload, the id or the prompt of every second puzzle is no accident."""
    several = len({json.dumps(key.answers[0]) for _, key in items}) >= min(3, len(items))
    held = dict.fromkeys(("payload", "prompt", "id"), 0)
    for puzzle, key in items:
        with report.total("prompt is total", puzzle.id):
            prompt = task.prompt(puzzle)
        with report.total("parse is total", puzzle.id):
            read = task.parse(prompt, puzzle)
        answers = [answer for answer in key.answers if answer not in (None, [], {}, "")]
        held["payload"] += any(_holds(dict(puzzle.payload), answer) for answer in answers)
        held["prompt"] += any(read == a or _says(prompt, a) for a in answers)
        held["id"] += any(len(_flat(a)) >= 6 and _flat(a) in _flat(puzzle.id) for a in answers)
    for place, count in held.items():
        leaks = several and count > len(items) / 2
        report.rule(not leaks, f"no {place} holds the solution", f"{count} of {len(items)} do")


def _holds(payload: Any, answer: Answer) -> bool:
    """Return whether a value somewhere in a payload is the answer; a short one only under a name of its
    own.
    """
    if isinstance(payload, dict):
        return any(payload[name] == answer or _holds(payload[name], answer) for name in payload)
    if isinstance(payload, list):
        long = len(_flat(answer)) >= 8
        return any((long and part == answer) or _holds(part, answer) for part in payload)
    return isinstance(payload, str) and len(_flat(answer)) >= 8 and _flat(answer) in _flat(payload)


def _says(prompt: str, answer: Answer) -> bool:
    if len(_flat(answer)) >= 8:
        return _flat(answer) in _flat(prompt)
    told = r"(?i:answer|solution|result|expected)\W{0,3}(?:is\b)?\W{0,5}"
    return re.search(rf"{told}{re.escape(str(answer))}\b", prompt) is not None


def _flat(value: Any) -> str:
    """Return letters, digits and signs of a value, without what only lays it out."""
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[\s\[\]{}\",':;|]+", "", text)


def _check_drawings(report: Report, task: Task, items: list[Item]) -> None:
    draw = methods_of(task).get("random")
    for puzzle, key in items[:DRAWN]:
        drawn = [] if draw is None else [draw(puzzle, generator("conformance", task.name, puzzle.id))]
        shown: list[tuple[Any, ...]] = [(), (key.answers[0],), (key.answers[0], key)]
        garbage = GARBAGE if puzzle is items[0][0] else ()
        shown += [(answer, key) for answer in [*drawn, *garbage] if answer is not None]
        for arguments in shown:
            with report.total("render is total", (puzzle.id, *arguments[:1])):
                widest = _width(task.render(puzzle, *arguments))
            well_formed = not arguments or arguments[0] in (*key.answers, *drawn)
            report.rule(
                widest <= COLUMNS or not well_formed, "a drawing fits 80 columns", (puzzle.id, widest)
            )


def _width(drawing: Any) -> int:
    """Return the columns a drawing takes in a terminal of 80: several lines of text are drawn as they are,
    one is a sentence, which may be wrapped between words, and a table fits itself.
    """
    from rich.console import Console
    from rich.text import Text

    plain = str(drawing) if isinstance(drawing, str | Text) else ""
    if plain and "\n" not in plain.strip():
        return max(map(len, plain.split()), default=0)
    console = Console(width=COLUMNS, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(drawing, markup=False, highlight=False, soft_wrap=isinstance(drawing, str | Text))
    return max((len(line.rstrip()) for line in captured.get().split("\n")), default=0)


def _check_chance(report: Report, task: Task, items: list[Item], draws: int) -> None:
    metric = task.metrics[0]
    draw_answer = methods_of(task).get("random")
    if draw_answer is None:
        return
    total = 0.0
    for draw in range(draws):
        values = []
        for puzzle, key in items:
            answers = [
                draw_answer(puzzle, generator("chance", task.name, puzzle.id, draw, k))
                for k in range(task.attempts)
            ]
            verdicts = [task.judge(puzzle, key, answer) for answer in answers]
            value = value_of(metric, [{CORRECT: float(v.correct), **v.numbers} for v in verdicts])
            values.append(metric.missing if value is None else value)
        total += score_over(values, [puzzle.group for puzzle, _ in items], metric.over).score
    trials = max(1, draws * len(items))
    spread = max(task.chance * (1 - task.chance), 1 / trials)
    report.rule(
        abs(total / max(1, draws) - task.chance) <= 4 * (spread / trials) ** 0.5 + 1e-3,
        "random answers score the chance level",
        f"{total / max(1, draws):.4g} is not {task.chance:.4g}",
    )
