"""Self-consistency (Wang et al., arXiv 2203.11171): sample several replies and take the answer most of
them agree on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from harness.contracts import Puzzle, TaskView, Unparsed
from solvers.llm.strategies.base import Ask, Candidate, Style, gather, worst


class SelfConsistency:
    """Votes over `samples` replies; a tie goes to the answer seen first. Needs a temperature above 0 to
    mean anything.
    """

    uses = ("samples",)

    def __init__(self, samples: int) -> None:
        self.samples = samples

    async def run(self, task: TaskView, puzzle: Puzzle, style: Style, ask: Ask) -> Candidate:
        candidates = await gather(task, puzzle, style, ask, range(self.samples))
        return ranked(candidates)[0]


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return one candidate for each different answer, the most frequent first; a failed one if none
    answered.
    """
    votes: Counter[str] = Counter()
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        if not isinstance(candidate.answer, Unparsed):
            ballot = json.dumps(candidate.answer, sort_keys=True)
            votes[ballot] += 1
            first.setdefault(ballot, candidate)
    if not votes:
        return [worst(candidates)]
    shared = {"valid_samples": votes.total(), "different_answers": len(votes)}
    return [
        first[ballot].chosen_from(candidates, {"votes": count, **shared})
        for ballot, count in votes.most_common()
    ]
