"""What a solver must keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.contracts import Attempt, Budget, Item, Outcome, Solver, SolverCard, Task, Usage, Verdict
from harness.running.view import View
from harness.testing.report import Report, copied, is_json, is_number

KINDS = ("net", "llm", "exact", "baseline", "hybrid")
KEYS = "a solver does not look at keys"
COUNTS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "retries")
Done = frozenset[tuple[str, int]]


def check_solver(
    solver: Solver,
    task: Task,
    *,
    data_dir: Path | None = None,
    puzzles: int = 4,
    seed: int = 0,
    seconds: float = 120.0,
) -> list[Attempt]:
    """Check a solver on the first puzzles of a task; return what it yielded, for further checks."""
    report, attempts = _report(solver, task, data_dir, puzzles, seed, Report(seconds))
    report.raise_first()
    return attempts


def report_on_solver(
    solver: Solver,
    task: Task,
    *,
    data_dir: Path | None = None,
    puzzles: int = 4,
    seed: int = 0,
    seconds: float = 120.0,
    exits: bool = False,
) -> Report:
    """Check all parts, also after one that breaks a rule; return what was kept and broken."""
    return _report(solver, task, data_dir, puzzles, seed, Report(seconds, exits=exits))[0]


def _report(
    solver: Solver, task: Task, data_dir: Path | None, puzzles: int, seed: int, report: Report
) -> tuple[Report, list[Attempt]]:
    items: list[Item] = []
    attempts: list[Attempt] = []
    ready: list[Solver] = []

    def prepare() -> None:
        items.extend(task.load(split=task.splits[0], seed=0, limit=puzzles, data_dir=data_dir))
        report.rule(items, "every split has puzzles", task.splits[0])
        view = View(task)
        ready.append(solver.for_task(view) if hasattr(solver, "for_task") else solver)
        _check_card(report, ready[0])

    report.part(prepare)
    if not report.broken:
        run = _Run(report, ready[0], task, items, seed)
        report.part(lambda: attempts.extend(run.whole()))
        if not report.broken:
            report.part(lambda: run.resumed(attempts))
            report.part(lambda: run.again(attempts))
            report.part(run.nothing_left)
    return report, attempts


def _check_card(report: Report, solver: Solver) -> None:
    with report.total("a solver has a card"):
        card = solver.card
    report.rule(isinstance(card, SolverCard), "a solver has a card", card)
    report.rule(card.kind in KINDS, "the card says a known kind", card.kind)
    report.rule(isinstance(card.name, str) and card.name.strip(), "the card says a name", card.name)
    report.rule(isinstance(card.deterministic, bool), "the card says whether it is deterministic", card)
    for name in ("training", "exposure"):
        value = getattr(card, name)
        fit = isinstance(value, Mapping) and is_json(dict(value))
        report.rule(fit, f"the card's {name} is JSON values", value)
    for name, count in vars(card.parameters).items():
        fit = count is None or name == "source" or (isinstance(count, int) and count >= 0)
        report.rule(fit, "the card counts parameters in whole numbers", (name, count))


class _Run:
    """The runs of a solver that the suite makes, on one set of puzzles."""

    def __init__(self, report: Report, solver: Solver, task: Task, items: list[Item], seed: int) -> None:
        self.report, self.solver, self.task, self.items, self.seed = report, solver, task, items, seed

    def solve(self, done: Done = frozenset(), seed: int | None = None) -> list[Attempt]:
        """Run once and check each attempt as it comes."""
        report, task = self.report, self.task
        puzzles = [copied(puzzle) for puzzle, _ in self.items]
        budget = Budget(attempts=task.attempts, seed=self.seed if seed is None else seed, done=done)
        wanted = {(puzzle.id, k) for puzzle, _ in self.items for k in range(task.attempts)} - done
        found: list[Attempt] = []
        seen: set[tuple[str, int]] = set()
        with report.total("solve is total", f"{len(found)} attempts"), _watched(task, report):
            for attempt in self.solver.solve(View(task), list(puzzles), budget):
                report.rule(isinstance(attempt, Attempt), "solve yields attempts", attempt)
                pair = (attempt.puzzle_id, attempt.attempt)
                report.rule(pair not in seen, "no attempt is yielded twice", pair)
                report.rule(pair not in done, "only wanted attempts are yielded: none that is recorded", pair)
                report.rule(pair in wanted, "only wanted attempts are yielded", pair)
                seen.add(pair)
                _check_attempt(report, attempt)
                found.append(attempt)
        changed = [a.id for a, (b, _) in zip(puzzles, self.items, strict=True) if a != b]
        report.rule(not changed, "solving changes no puzzle", changed)
        return found

    def whole(self) -> list[Attempt]:
        attempts = self.solve()
        for attempt in attempts:
            if attempt.outcome is Outcome.ANSWERED:
                puzzle, key = next(item for item in self.items if item[0].id == attempt.puzzle_id)
                with self.report.total("answers can be judged", puzzle.id):
                    verdict = self.task.judge(puzzle, key, attempt.answer)
                self.report.rule(isinstance(verdict, Verdict), "answers can be judged", puzzle.id)
        return attempts

    def resumed(self, attempts: Sequence[Attempt]) -> None:
        """Leave out what is recorded, and answer the rest as before."""
        done = frozenset({(self.items[0][0].id, 0)})
        rest = self.solve(done)
        if self.solver.card.deterministic:
            first = {(a.puzzle_id, a.attempt): a for a in attempts}
            differ = [
                (a.puzzle_id, a.attempt)
                for a in rest
                if (a.puzzle_id, a.attempt) in first and not _same(first[a.puzzle_id, a.attempt], a)
            ]
            self.report.rule(not differ, "a deterministic solver answers the same when it resumes", differ)

    def again(self, attempts: Sequence[Attempt]) -> None:
        """Answer the same with the same seed; a solver that does not say so."""
        if not self.solver.card.deterministic:
            return
        first = {(a.puzzle_id, a.attempt): a for a in attempts}
        differ = [
            (a.puzzle_id, a.attempt)
            for a in self.solve()
            if (a.puzzle_id, a.attempt) in first and not _same(first[a.puzzle_id, a.attempt], a)
        ]
        self.report.rule(not differ, "a deterministic solver answers the same to the same seed", differ)

    def nothing_left(self) -> None:
        done = frozenset((p.id, k) for p, _ in self.items for k in range(self.task.attempts))
        self.report.rule(self.solve(done) == [], "a solver that finds everything done yields nothing")


def _same(one: Attempt, other: Attempt) -> bool:
    return bool(one.answer == other.answer and one.outcome is other.outcome)


@contextmanager
def _watched(task: Task, report: Report) -> Iterator[None]:
    """Notice who loads or judges with the task's class meanwhile, whatever way it was reached by."""
    kind, found = type(task), []
    before = {name: kind.__dict__.get(name) for name in ("load", "judge")}

    def watch(name: str, method: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            found.append(name)
            return method(*arguments, **options)

        return call

    for name in before:
        setattr(kind, name, watch(name, getattr(kind, name)))
    try:
        yield
    except AttributeError as error:
        if "a solver may not use" not in str(error):
            raise
        report.rule(False, KEYS, str(error))
    finally:
        for name, method in before.items():
            if method is None:
                delattr(kind, name)
            else:
                setattr(kind, name, method)
    report.rule(not found, KEYS, f"it called {', '.join(sorted(set(found)))} of the task")


def _check_attempt(report: Report, attempt: Attempt) -> None:
    at = attempt.puzzle_id
    report.rule(isinstance(attempt.outcome, Outcome), "an attempt has an outcome", attempt.outcome)
    judged = (Outcome.CORRECT, Outcome.WRONG, Outcome.NOT_RUN)
    report.rule(attempt.outcome not in judged, "only the runner judges", at)
    report.rule(
        (attempt.answer is not None) == (attempt.outcome is Outcome.ANSWERED), "answered means an answer", at
    )
    report.rule(is_json(attempt.answer), "answers are JSON values", (at, attempt.answer))
    detail = isinstance(attempt.detail, Mapping) and is_json(dict(attempt.detail))
    report.rule(detail, "details are JSON values", (at, attempt.detail))
    report.rule(attempt.reply is None or isinstance(attempt.reply, str), "a reply is text", at)
    for name in ("depth", "samples"):
        count = getattr(attempt, name)
        fit = count is None or (type(count) is int and count >= 0)
        report.rule(fit, f"{name} is a whole number or unknown", (at, count))
    depths = [point.depth for point in attempt.trace]
    report.rule(depths == sorted(set(depths)), "a trace goes to greater depths", (at, depths))
    report.rule(all(is_json(p.answer) for p in attempt.trace), "traces hold JSON values", at)
    report.rule(isinstance(attempt.usage, Usage), "usage is a Usage", attempt.usage)
    for name, cost in vars(attempt.usage).items():
        if cost is None:
            continue
        fit = is_number(cost) and not isinstance(cost, bool)
        report.rule(fit, "costs are finite numbers, or unknown", (at, name, cost))
        report.rule(cost >= 0, "costs are not negative", (at, name, cost))
        report.rule(name not in COUNTS or cost == int(cost), "tokens are counted whole", (at, name, cost))
