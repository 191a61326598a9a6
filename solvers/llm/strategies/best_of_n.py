"""Best of n: sample until an answer keeps the rules of the puzzle. The judge is the rules, never the key."""

from __future__ import annotations

from harness.contracts import Puzzle, TaskView, Unparsed
from harness.errors import UserError
from solvers.llm.strategies.base import Ask, Candidate, Style, gather, worst


class BestOfN:
    """Asks one reply after another, at most `samples`, and stops at the first answer without violations.

    If none keeps every rule, the one that breaks fewest is the answer: an answer's own score is minus the
    rules it breaks.
    """

    uses = ("samples",)

    def __init__(self, samples: int) -> None:
        self.samples = samples

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        candidates: list[Candidate] = []
        scores: list[float | None] = []
        ranked: list[tuple[int, int]] = []
        for sample in range(self.samples):
            candidates += await gather(task, puzzle, style, ask, [sample])
            scores.append(None)
            if isinstance(candidates[-1].answer, Unparsed):
                continue
            broken = violations(task, puzzle, candidates[-1])
            scores[-1] = -float(len(broken))
            ranked.append((len(broken), sample))
            if not broken:
                break
        if not ranked:
            return worst(candidates)
        broken_rules, sample = min(ranked)
        return candidates[sample].chosen_from(
            candidates, {"violations": broken_rules, "valid_samples": len(ranked)}, scores
        )


def violations(task: TaskView, puzzle: Puzzle, candidate: Candidate) -> list[str]:
    """List what an answer breaks. Raise `UserError` if the rules of this task cannot tell."""
    broken = task.violations(puzzle, candidate.answer)
    if broken is None:
        raise UserError(
            f"The rules of {task.name!r} do not say whether an answer is right.",
            rule="best-of-n and refine need a task whose rules can be checked without the key.",
            next_step="Use -S strategy=self-consistency.",
        )
    return broken
