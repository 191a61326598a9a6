"""What a task's judge, its violations and its methods must keep, and that they agree."""

from __future__ import annotations

import copy
import json

from harness.base import methods_of
from harness.contracts import CORRECT, Answer, Item, Key, Metric, Puzzle, Task, Verdict
from harness.randomness import generator
from harness.scores.summary import value_of
from harness.testing.answers import GARBAGE, mutations
from harness.testing.report import Report, copied, is_json, is_number


def check_verdicts(report: Report, task: Task, items: list[Item]) -> None:
    first: dict[tuple[str, str], Verdict] = {}
    for puzzle, key in items:
        before = copied(puzzle), copy.deepcopy(key)
        rng = generator("conformance", task.name, "mutations", puzzle.id)
        for answer in key.answers:
            verdict = _judged(report, task, puzzle, key, answer)
            report.rule(verdict.correct, "a reference answer is correct", puzzle.id)
            broken = _broken(report, task, puzzle, answer)
            report.rule(broken in ([], None), "a reference answer violates nothing", (puzzle.id, broken))
            gap = verdict.numbers.get("gap", 0.0)
            report.rule(abs(gap) <= 1e-6, "a reference answer has no gap to the optimum", (puzzle.id, gap))
            first[puzzle.id, json.dumps(answer)] = verdict
        reference = _judged(report, task, puzzle, key, key.answers[0])
        for garbage in GARBAGE:
            if garbage in key.answers:
                continue
            verdict = _judged(report, task, puzzle, key, garbage)
            report.rule(not verdict.correct, "garbage is wrong", garbage)
            _check_agreement(report, task, puzzle, key, garbage, verdict)
            for metric in task.metrics:
                _check_direction(report, metric, reference, verdict, garbage)
        rule_based = False
        for mutant in mutations(key.answers[0], rng, 40):
            if mutant in key.answers:
                continue
            verdict = _judged(report, task, puzzle, key, mutant)
            _check_agreement(report, task, puzzle, key, mutant, verdict)
            rule_based |= verdict.correct or not {"feasible", "constraints"}.isdisjoint(verdict.numbers)
            if verdict.correct:
                broken = _broken(report, task, puzzle, mutant)
                report.rule(
                    broken is not None, "where the rules cannot tell, only a reference is correct", mutant
                )
        if rule_based or _judges_without_key(task, puzzle, key, items):
            told = _broken(report, task, puzzle, key.answers[0])
            report.rule(told is not None, "violations tell what the judge goes by", puzzle.id)
        report.rule((puzzle, key) == before, "judging changes neither puzzle nor key", puzzle.id)
    for puzzle, key in reversed(items):
        for answer in key.answers:
            again = _judged(report, task, puzzle, key, answer)
            report.rule(
                again == first[puzzle.id, json.dumps(answer)],
                "a verdict does not depend on what was judged before",
                puzzle.id,
            )


def _judged(report: Report, task: Task, puzzle: Puzzle, key: Key, answer: Answer) -> Verdict:
    """Judge, and check the verdict by itself."""
    before = copy.deepcopy(answer)
    with report.total("judge is total", (puzzle.id, answer)):
        verdict = task.judge(puzzle, key, answer)
    report.rule(isinstance(verdict, Verdict), "judge gives a Verdict", verdict)
    report.rule(isinstance(verdict.correct, bool), "a verdict is correct or not", verdict.correct)
    report.rule(all(map(is_number, verdict.numbers.values())), "a verdict's numbers are finite", verdict)
    report.rule(answer == before, "judging does not change the answer", puzzle.id)
    if is_json(answer):
        with report.total("judge is total", (puzzle.id, answer)):
            read = task.judge(puzzle, key, json.loads(json.dumps(answer)))
        report.rule(read == verdict, "an answer keeps its verdict through JSON", puzzle.id)
    for metric in task.metrics:
        for number in (metric.number, metric.among or CORRECT):
            report.rule(
                number in {CORRECT, *verdict.numbers}, "a verdict has the numbers of every metric", number
            )
    return verdict


def _broken(report: Report, task: Task, puzzle: Puzzle, answer: Answer) -> list[str] | None:
    with report.total("violations is total", (puzzle.id, answer)):
        found = task.violations(puzzle, answer)
    fit = found is None or (isinstance(found, list) and all(isinstance(rule, str) for rule in found))
    report.rule(fit, "violations are a list of sentences, or None", found)
    return found


def _check_agreement(
    report: Report, task: Task, puzzle: Puzzle, key: Key, answer: Answer, verdict: Verdict
) -> None:
    """Judge, violations and the numbers say the same of an answer."""
    broken = _broken(report, task, puzzle, answer)
    at = (puzzle.id, answer, broken)
    report.rule(not (broken and verdict.correct), "an answer that violates a rule is wrong", at)
    feasible, constraints = verdict.numbers.get("feasible"), verdict.numbers.get("constraints")
    if broken is not None:
        kept = verdict.correct if feasible is None else feasible >= 1
        report.rule(bool(broken) != kept, "a wrong answer violates a rule, and violations name it", at)
    if feasible is not None:
        report.rule(feasible in (0, 1), "feasible is 0 or 1", at)
        report.rule(feasible == 1 or not verdict.correct, "a correct answer is feasible", at)
    if constraints is not None:
        report.rule(0 <= constraints <= 1, "constraints is a share", at)
        if feasible is not None:
            report.rule(
                (constraints == 1) == (feasible == 1), "constraints is 1 exactly where feasible is", at
            )
    if key.optimum is not None and "gap" in verdict.numbers and feasible == 1:
        report.rule(verdict.numbers["gap"] >= -1e-6, "no feasible answer is better than the optimum", at)


def _check_direction(
    report: Report, metric: Metric, reference: Verdict, other: Verdict, answer: Answer
) -> None:
    """By every metric a reference is worth at least as much as garbage and as no answer at all."""
    numbers = [{CORRECT: float(v.correct), **v.numbers} for v in (reference, other)]
    sign = -1 if metric.better == "low" else 1
    right, wrong = (value_of(metric, [of]) for of in numbers)
    report.rule(right is not None, "a reference answer counts in every metric", metric.name)
    if right is None:
        return
    at = f"{metric.name} of the reference {right}, of {str(answer)[:40]!r} {wrong}, missing {metric.missing}"
    report.rule(
        sign * right >= sign * metric.missing, "a reference is worth no less than a missing answer", at
    )
    if wrong is not None:
        report.rule(sign * right >= sign * wrong, "a reference is worth no less than garbage", at)


def _judges_without_key(task: Task, puzzle: Puzzle, key: Key, items: list[Item]) -> bool:
    """Return whether a judge accepts the reference also beside the key of another puzzle."""
    others = [k for _, k in items if k.answers[0] not in key.answers and key.answers[0] not in k.answers][:2]
    try:
        return bool(others) and all(task.judge(puzzle, other, key.answers[0]).correct for other in others)
    except Exception:  # it needs the key
        return False


def check_methods(report: Report, task: Task, items: list[Item]) -> None:
    with report.total("methods can be listed"):
        methods = methods_of(task)
    for name, method in methods.items():
        for puzzle, key in items:
            before = copied(puzzle)
            with report.total(f"the method {name} is total", puzzle.id):
                answer, again = (method(puzzle, generator("methods", name, puzzle.id)) for _ in range(2))
            report.rule(puzzle == before, f"the method {name} does not change the puzzle", puzzle.id)
            report.rule(is_json(answer), f"the method {name} gives JSON values", puzzle.id)
            report.rule(answer == again, f"the method {name} draws from its generator alone", puzzle.id)
            if answer is None:
                report.rule(name != "search", "the method search solves every puzzle", puzzle.id)
                continue
            verdict = _judged(report, task, puzzle, key, answer)
            _check_agreement(report, task, puzzle, key, answer, verdict)
            if name == "search":
                report.rule(verdict.correct, "the method search solves every puzzle", (puzzle.id, answer))
